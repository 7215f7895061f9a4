"""A product whose depth is several pieces of memory: the windows of an image, without a copy of them.

    y[q, o] = sum over h, p of x[q·stride + h·line + p] · w[h, p, o]        one line of a convolution, 3 segments of 3·C

    gemm_segments(m, n, k, segments, a, a_row, a_depth, a_segment, b, b_panel, b_depth, b_segment, c, c_row, resume)
        C[i·c_row + j] (+)= sum over s, p of A[i·a_row + s·a_segment + p·a_depth]
                                           · B[(j // W)·b_panel + s·b_segment + p·b_depth + j % W]

All of the depth passes through a tile while its sums stay in registers: in ascending s, then ascending p. With resume
the sums go on from what C holds, so that a depth of more than two levels is several calls, and not a bit changes. The
operands are read where they lie, at strides of any size.

    y[q, c] = sum over h, l of x[q·stride + h·line + l·C + c] · w[h, l, c]          a line of a depthwise convolution

    gemm_lanes(…)        the same, but every column has a left operand of its own, j elements behind the first one's

    gemm_lanes_within(…, a_first, a_last, first, last)
        the same within margins: A is zero, and not read, but for the segments first <= s < last, and of these where
        a_first <= i·a_row + p·a_depth < a_last; these two, m, k, a_row and a_depth are literals, 0 <= first <= last
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from llvmlite import ir

from graphc.backends.cpu.ir_function import IrFunction
from graphc.backends.cpu.machine import machine
from graphc.backends.cpu.microkernel import Strides, Tile, each_even_tile, each_tile, emit_tile, even_tiles
from graphc.backends.cpu.panels import each_panel
from graphc.backends.cpu.vector_ir import Tiling, at, count_up, times, word

SEGMENTED = (
    "m", "n", "k", "segments", "a", "a_row", "a_depth", "a_segment", "b", "b_panel", "b_depth", "b_segment",
    "c", "c_row", "resume",
)  # fmt: skip
WITHIN = (*SEGMENTED, "a_first", "a_last", "first", "last")
FEW_REGISTERS = 16
STEPS = 5  # of the depth at once at most, where rows overlap: the width of most windows


class Segments(IrFunction):
    """The loops around the tiles: panels of columns, and for each all rows."""

    title: str = "gemm_segments"
    names: tuple[str, ...] = SEGMENTED
    by_lanes = False
    within = False

    @property
    def _slides(self) -> int:
        """How many steps of the depth to take at once; 0 where rows do not overlap, or nobody knows."""
        return 0

    @property
    def _shape(self) -> tuple[int, Tiling]:
        """Vectors of a tile, and how its rows are cut."""
        return 2, self.tiling

    def body(self) -> None:
        b, given, stride = self.b, self.given, self.strides
        m, n, k, segments = (word(given[x]) for x in ("m", "n", "k", "segments"))
        resume = b.icmp_signed("!=", word(given["resume"]), word(0))
        in_tile = Strides(*(s if isinstance(s, int) else None for s in (stride["a_row"], stride["a_depth"])))
        a_row, a_depth, c_row = word(stride["a_row"]), word(stride["a_depth"]), word(stride["c_row"])
        between = [word(stride["a_segment"]), word(stride["b_segment"])]

        def panel(j: ir.Value, vectors: int, masked: bool) -> None:
            beside, _ = self._shape
            for first in range(0, vectors, beside):
                count = min(beside, vectors - first)
                tiles(j, first, count, masked and first + count == vectors)

        def tiles(start: ir.Value, first: int, vectors: int, masked: bool) -> None:
            """All rows of some vectors of a panel."""
            j = b.add(start, word(first * self.tiling.lanes))
            columns = b.sub(n, j)
            right = at(b, given["b"], times(b, stride["b_panel"], b.sdiv(start, word(self.tiling.width))))
            right = at(b, right, first * self.tiling.lanes * self.tiling.size)
            c_j = at(b, given["c"], times(b, j, self.tiling.size))
            a_j = at(b, given["a"], times(b, j, self.tiling.size)) if self.by_lanes else given["a"]

            def tile(i: ir.Value, height: int, real: range | None = None) -> None:
                slides = self._slides if height > 1 else 0
                steps = 0 if real is None else self.literals["k"]
                kind = Tile(
                    self.tiling, height, vectors, masked, True, self.by_lanes, slides, self.within, real, steps
                )  # fmt: skip
                call = emit_tile(self.module, kind, in_tile)
                a_i, c_ij = at(b, a_j, times(b, stride["a_row"], i)), at(b, c_j, times(b, stride["c_row"], i))
                operands = [k, a_i, a_row, a_depth, right, word(stride["b_depth"]), c_ij, c_row, columns, resume]
                margins = [word(given[x]) for x in ("first", "last")] if self.within else []
                b.call(call, [*operands, segments, *between, *margins])

            self._tiles(m, tile)

        each_panel(b, self.tiling, n, self.literals.get("n"), panel)

    def _tiles(self, m: ir.Value, tile: Callable[..., None]) -> None:
        """All rows of a panel."""
        _, tiling = self._shape
        if "m" in self.literals:
            each_even_tile(self.b, tiling, self.literals["m"], tile)
        else:
            each_tile(self.b, tiling, m, tile)


class Lanes(Segments):
    """The same for columns that have left operands of their own."""

    title = "gemm_lanes"
    by_lanes = True

    @property
    def _slides(self) -> int:
        row, step = self.literals.get("a_row"), self.literals.get("a_depth")
        if row is None or row != step:
            return 0
        k = self.literals.get("k", 0)
        return k if k <= STEPS else max(steps for steps in (1, 3, 4, STEPS) if k % steps == 0)

    @property
    def _shape(self) -> tuple[int, Tiling]:
        """Steps that are taken at once hold as many rows of B: where registers are few, tiles are one vector wide."""
        registers = machine().vector_registers
        if not self._slides or registers > FEW_REGISTERS:
            return super()._shape
        return 1, replace(self.tiling, rows=registers - self._slides - 1)


class LanesWithin(Lanes):
    """The same for an image without its margins."""

    title, names = "gemm_lanes_within", WITHIN
    within = True

    def _tiles(self, m: ir.Value, tile: Callable[..., None]) -> None:
        """Those at an edge are tiles of their own; what they read exists in part."""
        row, depth = (self.literals[name] * self.tiling.size for name in ("a_row", "a_depth"))
        real = range(*(self.literals[name] * self.tiling.size for name in ("a_first", "a_last")))
        between: dict[int, list[int]] = {}  # the others, by their heights
        for i, height in even_tiles(self._shape[1], self.literals["m"]):
            last = (height - 1) * row + (self.literals["k"] - 1) * depth
            if i * row in real and i * row + last in real:
                between.setdefault(height, []).append(i)
            else:
                tile(word(i), height, range(real.start - i * row, real.stop - i * row))
        for height, places in between.items():
            start, stop = word(places[0]), word(places[-1] + 1)
            count_up(self.b, start, stop, height, partial(tile, height=height), f"tall{height}")
