"""A left operand packed before: panels of as many rows as a tile has, so that a tile reads its part of A as one stream.

    pack_rows(m, k, a, a_row, a_depth, packed, depth)
        A[i·a_row + p·a_depth], 0 <= i < m, 0 <= p < k, to ceil(m / H) panels of k columns of H, the height of a tile;
        panels are of `depth` columns, of which these are some
    gemm_panels(m, n, k, a, b, b_panel, b_depth, c, c_row)
        `gemm` for an A in such panels

A tile reads one element of each of its rows at every p. Where rows are 4 KB apart, all of these fall into one set of
the first-level cache; and a copy on the stack (`left_operand.py`) has to be made anew for each block of columns.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from graphc.backends.cpu.contraction import Gemm, panel_width
from graphc.backends.cpu.intrinsics import called_by_kernels, memory_of, typed_call
from graphc.backends.cpu.ir_function import IrFunction
from graphc.backends.cpu.left_operand import COLUMNS_AHEAD, DEEPER_BYTES, DEPTH_BYTES, AsItIs
from graphc.backends.cpu.microkernel import Strides
from graphc.backends.cpu.packing import transpose
from graphc.backends.cpu.vector_ir import (
    I32,
    POINTER,
    Tiling,
    Word,
    at,
    count_up,
    intrinsic,
    smaller,
    times,
    word,
)

PACK_ROWS = ("m", "k", "a", "a_row", "a_depth", "packed", "depth")
GEMM_PANELS = ("m", "n", "k", "a", "b", "b_panel", "b_depth", "c", "c_row")


class Panels(AsItIs):
    """Row i is in panel i // H; tiles that are shorter than H are parts of the last one."""

    is_one_piece = True
    is_in_panels = True

    def __init__(self, b: ir.IRBuilder, tiling: Tiling, k: Word, depth_bytes: int) -> None:
        super().__init__(b, tiling, times(b, k, tiling.size), tiling.rows * tiling.size, depth_bytes)

    def tile(self, block: ir.Value, i: ir.Value, height: int) -> tuple[ir.Value, Strides]:
        b, tiling = self.b, self.tiling
        within = b.srem(i, word(tiling.rows))
        start = at(b, block, times(b, self.row, b.sub(i, within)), times(b, within, tiling.size))
        return start, Strides(tiling.size, tiling.rows * tiling.size)


class GemmPanels(Gemm):
    """The loops of a product whose left operand is in panels."""

    title: str = "gemm_panels"
    names: tuple[str, ...] = GEMM_PANELS

    def left_operand(self, b: ir.IRBuilder, k: Word, stride: dict[str, Word]) -> AsItIs:
        is_packed = self.b_depth == self._line
        return Panels(b, self.tiling, k, DEEPER_BYTES if is_packed else DEPTH_BYTES)


class RowPacking(IrFunction):
    """Panels out of a matrix: squares of vectors turned around in registers, or vectors as they are."""

    title: str = "pack_rows"
    names: tuple[str, ...] = PACK_ROWS

    def column_ahead(self) -> Word:
        """How many bytes behind a column of neighbours lies the one that is asked for."""
        return times(self.b, self.depth, COLUMNS_AHEAD)

    def body(self) -> None:
        b, given, size, height = self.b, self.given, self.tiling.size, self.tiling.rows
        self.m, self.k = word(given["m"]), word(given["k"])
        self.row, self.depth = times(b, given["a_row"], size), times(b, given["a_depth"], size)
        self.ahead = self.column_ahead()
        whole = b.sub(self.k, b.srem(self.k, word(self.tiling.lanes)))

        def place(i: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value]:
            source = at(b, given["a"], times(b, self.row, i))
            target = at(b, given["packed"], times(b, times(b, word(given["depth"]), size), i))
            return source, target, b.sub(smaller(b, b.sub(self.m, i), height), word(1))

        def column(p: ir.Value) -> None:
            count_up(b, 0, self.m, height, lambda i: self._neighbours(p, *place(i)), "panel")

        if self.row == size:
            count_up(b, 0, self.k, 1, column, "column")
            return

        def panel(i: ir.Value) -> None:
            source, target, last = place(i)
            unit = b.icmp_signed("==", word(self.depth), word(size))
            stop = b.select(unit, whole, word(0))
            count_up(b, 0, stop, self.tiling.lanes, lambda p: self._square(p, source, target, last), "square")
            count_up(b, stop, self.k, 1, lambda p: self._column(p, source, target, last), "column")

        count_up(b, 0, self.m, height, panel, "panel")

    def _square(self, p: ir.Value, source: ir.Value, target: ir.Value, last: ir.Value) -> None:
        """As many columns as a vector has lanes; where rows are missing, the last one again."""
        b, v, lanes, size, height = self.b, self.v, self.tiling.lanes, self.tiling.size, self.tiling.rows
        from_p, to_p = at(b, source, times(b, p, size)), at(b, target, times(b, p, height * size))
        groups = []
        for first in range(0, height, lanes):
            rows = range(first, min(first + lanes, height))
            read = [v.load(at(b, from_p, times(b, self.row, smaller(b, word(i), last)))) for i in rows]
            groups.append(transpose(b, read + [v.zero] * (lanes - len(read))))
        for j in range(lanes):
            for number, group in enumerate(groups):
                count = min(lanes, height - number * lanes)
                mask = None if count == lanes else v.mask(word(count))
                v.store(group[j], at(b, to_p, (j * height + number * lanes) * size), mask)

    def _neighbours(self, p: ir.Value, source: ir.Value, target: ir.Value, last: ir.Value) -> None:
        """One column whose elements lie side by side; where rows are missing, zeros."""
        b, v, lanes, size, height = self.b, self.v, self.tiling.lanes, self.tiling.size, self.tiling.rows
        from_p, to_p = at(b, source, times(b, self.depth, p)), at(b, target, times(b, p, height * size))
        prefetch = intrinsic(b.module, "llvm.prefetch.p0", ir.VoidType(), [POINTER, I32, I32, I32])
        b.call(prefetch, [at(b, from_p, self.ahead), I32(0), I32(3), I32(1)])
        for first in range(0, height, lanes):
            count = min(lanes, height - first)
            there = smaller(b, b.sub(b.add(last, word(1)), word(first)), count)
            value = v.load(at(b, from_p, first * size), v.mask(there))
            v.store(value, at(b, to_p, first * size), None if count == lanes else v.mask(word(count)))

    def _column(self, p: ir.Value, source: ir.Value, target: ir.Value, last: ir.Value) -> None:
        """One column, element by element."""
        b, size, height = self.b, self.tiling.size, self.tiling.rows
        from_p, to_p = at(b, source, times(b, self.depth, p)), at(b, target, times(b, p, height * size))

        def element(i: ir.Value) -> None:
            value = self.v.scalar(at(b, from_p, times(b, self.row, smaller(b, i, last))))
            b.store(value, at(b, to_p, times(b, i, size))).align = size

        count_up(b, 0, word(height), 1, element, "element")


def _gemm_panels(dtype: str) -> Any:
    def typed(_: Any, m: Any, n: Any, k: Any, a: Any, b: Any, b_panel: Any, b_depth: Any, c: Any, c_row: Any) -> Any:
        kinds = (m, n, k, a, b, b_panel, b_depth, c, c_row)
        return typed_call(GemmPanels, dtype, dict(zip(GEMM_PANELS, kinds, strict=True)))

    def plain(m: int, n: int, k: int, a: int, b: int, b_panel: int, b_depth: int, c: int, c_row: int) -> None:
        height, width = Tiling.of(dtype).rows, panel_width(dtype)
        panels = memory_of(dtype, a, (-(-int(m) // height), k, height), (int(k) * height, height, 1))
        A = panels.transpose(0, 2, 1).reshape(-1, int(k))[: int(m)]
        for j in range(0, int(n), width):
            columns = min(width, int(n) - j)
            B = memory_of(dtype, int(b) + j // width * int(b_panel) * A.itemsize, (k, columns), (b_depth, 1))
            memory_of(dtype, int(c) + j * A.itemsize, (m, columns), (c_row, 1))[:] = A @ B

    return called_by_kernels(f"gemm_panels_{dtype}", typed, plain)


def _pack_rows(dtype: str) -> Any:
    def typed(_: Any, m: Any, k: Any, a: Any, a_row: Any, a_depth: Any, packed: Any, depth: Any) -> Any:
        kinds = (m, k, a, a_row, a_depth, packed, depth)
        return typed_call(RowPacking, dtype, dict(zip(PACK_ROWS, kinds, strict=True)))

    def plain(m: int, k: int, a: int, a_row: int, a_depth: int, packed: int, depth: int) -> None:
        height = Tiling.of(dtype).rows
        A = memory_of(dtype, a, (m, k), (a_row, a_depth))
        panels = memory_of(dtype, packed, (-(-int(m) // height), k, height), (int(depth) * height, height, 1))
        for i, panel in enumerate(panels):
            rows = A[i * height : (i + 1) * height]
            panel[:, : len(rows)] = rows.T
            panel[:, len(rows) :] = 0

    return called_by_kernels(f"pack_rows_{dtype}", typed, plain)


gemm_panels_f32, gemm_panels_f64 = _gemm_panels("float32"), _gemm_panels("float64")
pack_rows_f32, pack_rows_f64 = _pack_rows("float32"), _pack_rows("float64")
