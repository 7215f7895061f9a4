"""Matrix products inside generated kernels: `gemm_f32`, `gemm_f64`, and the packing of their right operand.

    width = panel_width("float32")                  # 16 columns with AVX2

    @cfunc("void(uintp, int64, int64)")
    def kernel(row, slice, slices):                # y = x · wᵀ for x[n, 784] and w[512, 784], columns by blocks of 128
        pack_f32(784, 128, w + slice * 128 * 784 * 4, 1, 784, packed)
        gemm_f32(n, 128, 784, x, 784, 1, packed, 784 * width, width, y + slice * 128 * 4, 512)

Addresses are in bytes, extents and strides in elements. A stride that is a literal (here 784 and 1) becomes part of the
instructions' addresses; the row's stride of C and the extents may be known only when the kernel runs, at no cost.
Blocks that are worth copying are copied to the stack, at most 352 KB of it.

    gemm(m, n, k, a, a_row, a_depth, b, b_panel, b_depth, c, c_row)
        C[i·c_row + j] = sum over p of A[i·a_row + p·a_depth] · B[(j // W)·b_panel + p·b_depth + j % W]
        B as it is, row by row: b_panel = W, b_depth = the row's stride; B packed: b_panel = k·W, b_depth = W
    gemm_segments(m, n, k, segments, a, a_row, a_depth, a_segment, b, b_panel, b_depth, b_segment, c, c_row, resume)
        the same with a depth of several pieces of k, `segments.py`; where resume is 1 the sums go on from C
    gemm_lanes(…)
        the same where column j has a left operand of its own, A[i·a_row + s·a_segment + p·a_depth + j]
    gemm_lanes_within(…, a_first, a_last, first, last)
        the same for an image without its margins: zeros, but for some segments and places
    dot(m, n, k, a, a_row, b, b_column, c, c_row)
        few rows, both operands along the depth, `dots.py`
    pack(k, n, b, b_row, b_column, packed)
        B[p·b_row + j·b_column], 0 <= p < k, 0 <= j < n, to ceil(n / W) panels of k rows of W; zeros beyond column n

Nothing is read or written beyond these elements, and a sum runs over p in ascending order wherever its element lies.
With NUMBA_DISABLE_JIT=1 the same names are plain Python over the same memory.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from llvmlite import ir

from graphc.backends.cpu.dots import DOT, Dots
from graphc.backends.cpu.intrinsics import called_by_kernels, memory_of, typed_call
from graphc.backends.cpu.ir_function import IrFunction
from graphc.backends.cpu.left_operand import DEEPER_BYTES, DEPTH_BYTES, AsItIs, left_operand
from graphc.backends.cpu.machine import machine
from graphc.backends.cpu.microkernel import Strides, Tile, each_tile, emit_tile
from graphc.backends.cpu.packing import PACK, Packing
from graphc.backends.cpu.panels import each_panel
from graphc.backends.cpu.segments import SEGMENTED, WITHIN, Lanes, LanesWithin, Segments
from graphc.backends.cpu.vector_ir import (
    Tiling,
    Word,
    at,
    count_up,
    smaller,
    stack,
    times,
    word,
)

GEMM = ("m", "n", "k", "a", "a_row", "a_depth", "b", "b_panel", "b_depth", "c", "c_row")
COPIED_COLUMNS = 256
MANY_ROWS = 32  # from here on a copy of B is read often enough
ROWS_OF_DEEP_COPY = 256  # from here on blocks of four times the depth, and a quarter of the rows, pay
MANY_COLUMNS = 256  # from here on a block of B is large enough to have left the caches, or never to have been there
LARGE = 1 << 18  # bytes of such a B
WIDE = 256  # bytes of a row of B that one row of A is multiplied with at once, at least


def panel_width(dtype: str) -> int:
    """Columns of a panel of packed B: two vectors of the machine."""
    return Tiling.of(dtype).width


# -- loops ----------------------------------------------------------------------------------------------------------


class Gemm(IrFunction):
    """The loops around the tiles: blocks of depth, of columns where B is copied, of rows, panels, tiles.

    Strides are in bytes from here on: integers where they are known, else arguments of the function.
    """

    title: str = "gemm"
    names: tuple[str, ...] = GEMM

    def body(self) -> None:
        b, given, stride = self.b, self.given, self.strides
        self.c_row, self.b_panel, self.b_depth = stride["c_row"], stride["b_panel"], stride["b_depth"]
        self.m, self.n, self.k = (word(given[x]) for x in "mnk")
        self.left = self.left_operand(b, given["k"], stride)
        self.a_row, self.a_depth = self.left.row, self.left.depth
        self._depths(b, given["a"], given["b"], given["c"])

    def left_operand(self, b: ir.IRBuilder, k: Word, stride: dict[str, Word]) -> AsItIs:
        """How A is read."""
        is_packed = self.b_depth == self._line
        columns, depth = self.literals.get("n"), self.literals.get("k")
        return left_operand(b, self.tiling, stride["a_row"], stride["a_depth"], columns, depth, is_packed)

    def _depths(self, b: ir.IRBuilder, a: ir.Value, right: ir.Value, c: ir.Value) -> None:
        """Blocks of depth, at least one: sums over nothing are written too."""
        stop = b.select(b.icmp_signed(">", self.k, word(0)), self.k, word(1))
        columns, copied = self._copied_columns(b)
        if self._may_copy_deep:
            is_tall = b.icmp_signed(">=", self.m, word(ROWS_OF_DEEP_COPY))
            self.left.deepen(b.and_(is_tall, b.icmp_signed(">", self.k, word(self.left.step))))
        step = self.left.step

        def block(p: ir.Value) -> None:
            depth = smaller(b, b.sub(self.k, p), step)
            resume = self._resumes(p)
            a_p, right_p = at(b, a, times(b, self.a_depth, p)), at(b, right, times(b, self.b_depth, p))

            def chunk(j: ir.Value) -> None:
                width = smaller(b, b.sub(self.n, j), columns)
                panels = self._panels(b, self._panel(b, right_p, self.b_panel, j), width, depth, copied)
                c_j = at(b, c, times(b, j, self.tiling.size))
                known = self.literals.get("n") if copied is None else None
                if not self._may_be_one_row:
                    self._rows(b, width, known, depth, a_p, panels, c_j, resume, j)
                    return
                with b.if_else(b.icmp_signed("==", self.m, word(1))) as (one, more):
                    with one:
                        self._one_row(b, width, known, depth, a_p, panels, c_j, resume, j)
                    with more:
                        self._rows(b, width, known, depth, a_p, panels, c_j, resume, j)

            count_up(b, 0, self.n, columns, chunk, "chunk")

        count_up(b, 0, stop, step, block, "depth")

    @property
    def _may_copy_deep(self) -> bool:
        """Whether few columns are copied at once, so that there is room for as many blocks of depth of them as the
        copy has columns for: sums go on from memory less often, which pays for many rows.
        """
        columns, depth = self.literals.get("n", COPIED_COLUMNS), self.literals.get("k")
        deepest = DEPTH_BYTES * COPIED_COLUMNS // DEEPER_BYTES
        is_deep = depth is None or depth * self.tiling.size > DEPTH_BYTES
        if not isinstance(self.b_depth, int) or not machine().crowds(self.b_depth) or columns > deepest:
            return False
        return is_deep and self.left.can_deepen and self.left.depth_bytes == DEPTH_BYTES

    def _resumes(self, p: ir.Value) -> ir.Value:
        """Whether the sums of the block of depth that begins at p go on from what C holds."""
        return self.b.icmp_signed(">", p, word(0))

    def _copied_columns(self, b: ir.IRBuilder) -> tuple[ir.Value, ir.Value | None]:
        """How many columns of B to take at once, and whether they are copied to panels; None where that cannot pay."""
        if isinstance(self.b_depth, int) and not machine().crowds(self.b_depth):
            return self.n, None
        self.copy = stack(b, COPIED_COLUMNS * DEPTH_BYTES)
        is_apart = b.icmp_signed(">", word(self.b_depth), word(self._line))
        collides = b.icmp_signed("==", b.and_(word(self.b_depth), word(machine().crowding - 1)), word(0))
        by_rows = b.icmp_signed("==", word(self.b_panel), word(self._line))
        copied = b.and_(b.and_(b.and_(is_apart, collides), by_rows), b.icmp_signed(">=", self.m, word(MANY_ROWS)))
        return b.select(copied, word(COPIED_COLUMNS), self.n), copied

    def _panels(
        self, b: ir.IRBuilder, right: ir.Value, columns: ir.Value, depth: ir.Value, copied: ir.Value | None
    ) -> tuple[ir.Value, Word, Word]:
        """Where the panels are that tiles read, and their strides."""
        if copied is None:
            return right, self.b_panel, self.b_depth
        with b.if_then(copied):
            pack = Packing(self.module, self.tiling, {"b_column": 1}).emit()
            row = b.sdiv(word(self.b_depth), word(self.tiling.size))
            b.call(pack, [depth, columns, right, row, word(1), self.copy])
        panel, line = times(b, depth, self._line), self._line
        return (
            b.select(copied, self.copy, right),
            b.select(copied, word(panel), word(self.b_panel)),
            b.select(copied, word(line), word(self.b_depth)),
        )

    def _rows(
        self, b: ir.IRBuilder, n: ir.Value, known: int | None, depth: ir.Value, a: ir.Value,
        panels: tuple[ir.Value, Word, Word], c: ir.Value, resume: ir.Value, first: ir.Value,
    ) -> None:  # fmt: skip
        """Blocks of rows, and for each all panels; `first` is the number of the first column."""
        right, b_panel, b_depth = panels
        fetches = self.left.is_one_piece and self.literals.get("m", MANY_ROWS) >= MANY_ROWS
        # The last panel asks for the next block; behind the last block is what the next slice reads.
        far = b.select(b.icmp_signed(">", self.m, word(self.left.rows)), word(self.left.bytes), word(0))

        def block(top: ir.Value) -> None:
            rows = smaller(b, b.sub(self.m, top), self.left.rows)
            left = self.left.fill(rows, depth, at(b, a, times(b, self.a_row, top)))
            c_i = at(b, c, times(b, self.c_row, top))
            is_final = b.icmp_signed("<=", b.sub(self.m, top), word(self.left.rows))

            def panel(j: ir.Value, vectors: int, masked: bool) -> None:
                columns = b.sub(n, j)
                is_last = b.icmp_signed("<=", columns, word(self.tiling.width))
                ahead = b.select(is_last, far, word(0))
                here, c_ij = self._panel(b, right, b_panel, j), at(b, c_i, times(b, j, self.tiling.size))

                def tile(i: ir.Value, height: int) -> None:
                    a_i, strides = self.left.tile(left, i, height)
                    kind = Tile(self.tiling, height, vectors, masked, fetches=fetches, asks=self.asked)
                    call = emit_tile(self.module, kind, strides)
                    to = at(b, c_ij, times(b, self.c_row, i))
                    a_row, a_depth, c_row = word(self.a_row), word(self.a_depth), word(self.c_row)
                    operands = [depth, a_i, a_row, a_depth, here, word(b_depth), to, c_row, columns, resume]
                    if self.asked:
                        places = self.places_asked(b.add(top, i), b.add(first, j))
                        operands += [word(self.strides["next_row"]), *places]
                    with_next = [*operands, at(b, a_i, ahead)] if fetches else operands
                    if not (self._fetches_right and height == self.tiling.rows):
                        b.call(call, with_next)
                        return
                    fetching = emit_tile(self.module, replace(kind, fetches=False, fetches_right=True), strides)
                    is_first = b.icmp_signed("<", i, word(height * kind.unroll))
                    with b.if_else(b.and_(is_final, is_first)) as (early, later):
                        with early:  # tiles of the last rows that read this block of depth share the next one
                            share = b.mul(b.sdiv(i, word(height)), b.sdiv(depth, word(kind.unroll)))
                            b.call(fetching, [*operands, at(b, here, times(b, b_depth, b.add(depth, share)))])
                        with later:
                            b.call(call, with_next)

                each_tile(b, self.tiling, rows, tile, in_panels=self.left.is_in_panels)

            each_panel(b, self.tiling, n, known, panel)

        count_up(b, 0, self.m, self.left.rows, block, "rows")

    @property
    def asked(self) -> int:
        """How many arrays beside C the tiles ask for, as many elements as they compute of C (`fetching.py`)."""
        return 0

    def places_asked(self, i: ir.Value, j: ir.Value) -> list[ir.Value]:
        """Where row i and column j are in them."""
        raise NotImplementedError

    @property
    def _fetches_right(self) -> bool:
        """Whether the tiles of one block of depth ask for what the next one reads of B: a large one, kept row by row,
        of which nothing is copied.
        """
        n, k, size = self.literals.get("n", 0), self.literals.get("k"), self.tiling.size
        if self.b_panel != self._line or not isinstance(self.b_depth, int) or machine().crowds(self.b_depth):
            return False
        is_deep = k is None or k * size > self.left.depth_bytes
        return n >= MANY_COLUMNS and is_deep and (k is None or n * k * size >= LARGE)

    @property
    def _may_be_one_row(self) -> bool:
        """Whether a row of B would be read in short pieces: a single row of C is done sooner by long ones."""
        columns = self.literals.get("n", WIDE)
        return self.b_panel == self._line and self.literals.get("m", 1) == 1 and columns * self.tiling.size >= WIDE

    def _one_row(
        self, b: ir.IRBuilder, n: ir.Value, known: int | None, depth: ir.Value, a: ir.Value,
        panels: tuple[ir.Value, Word, Word], c: ir.Value, resume: ir.Value, first: ir.Value,
    ) -> None:  # fmt: skip
        """One row of C from a B that lies row by row: tiles of many vectors, then panels for what is left."""
        right, b_panel, b_depth = panels
        size, known_bytes = self.tiling.size, None if known is None else known * self.tiling.size
        strides = Strides(*(s if isinstance(s, int) else None for s in (self.a_row, self.a_depth)))
        a_row, a_depth, c_row = word(self.a_row), word(self.a_depth), word(self.c_row)
        done, done_known = word(0), 0
        wide = machine().row_bytes
        while wide >= WIDE:
            step, of_rest = wide // size, None if known_bytes is None else known_bytes - done_known
            if of_rest is None or of_rest >= wide:
                tile = emit_tile(self.module, Tile(self.tiling, 1, step // self.tiling.lanes, False), strides)

                def columns(j: ir.Value, tile: Any = tile) -> None:
                    from_j, to_j = at(b, right, times(b, j, size)), at(b, c, times(b, j, size))
                    b.call(tile, [depth, a, a_row, a_depth, from_j, word(b_depth), to_j, c_row, b.sub(n, j), resume])

                rest = b.sub(n, done)
                stop = b.add(done, b.sub(rest, b.srem(rest, word(step))))
                count_up(b, done, stop, step, columns, "wide")
                done = stop
                done_known += 0 if of_rest is None else of_rest // wide * wide
            wide //= 2
        if known is not None and known * size == done_known:
            return
        left = None if known is None else known - done_known // size
        from_done, to_done = at(b, right, times(b, done, size)), at(b, c, times(b, done, size))
        panels_left = from_done, b_panel, b_depth
        self._rows(b, b.sub(n, done), left, depth, a, panels_left, to_done, resume, b.add(first, done))

    @property
    def _line(self) -> int:
        """Bytes of a panel's row."""
        return self.tiling.width * self.tiling.size

    def _panel(self, b: ir.IRBuilder, right: ir.Value, b_panel: Word, j: ir.Value) -> ir.Value:
        """The panel that starts with column j."""
        return at(b, right, times(b, b_panel, b.sdiv(j, word(self.tiling.width))))


# -- what kernels call ----------------------------------------------------------------------------------------------


def _gemm(dtype: str) -> Any:
    def typed(
        _: Any, m: Any, n: Any, k: Any, a: Any, a_row: Any, a_depth: Any, b: Any, b_panel: Any, b_depth: Any, c: Any,
        c_row: Any,
    ) -> Any:  # fmt: skip
        kinds = (m, n, k, a, a_row, a_depth, b, b_panel, b_depth, c, c_row)
        return typed_call(Gemm, dtype, dict(zip(GEMM, kinds, strict=True)))

    def plain(
        m: int, n: int, k: int, a: int, a_row: int, a_depth: int, b: int, b_panel: int, b_depth: int, c: int, c_row: int
    ) -> None:
        width = panel_width(dtype)
        A = memory_of(dtype, a, (m, k), (a_row, a_depth))
        for j in range(0, int(n), width):
            columns = min(width, int(n) - j)
            B = memory_of(dtype, int(b) + j // width * int(b_panel) * A.itemsize, (k, columns), (b_depth, 1))
            memory_of(dtype, int(c) + j * A.itemsize, (m, columns), (c_row, 1))[:] = A @ B

    return called_by_kernels(f"gemm_{dtype}", typed, plain)


def _gemm_segments(dtype: str, name: str, emitter: type[Segments]) -> Any:
    def typed(
        _: Any, m: Any, n: Any, k: Any, segments: Any, a: Any, a_row: Any, a_depth: Any, a_segment: Any, b: Any,
        b_panel: Any, b_depth: Any, b_segment: Any, c: Any, c_row: Any, resume: Any,
    ) -> Any:  # fmt: skip
        kinds = (
            m, n, k, segments, a, a_row, a_depth, a_segment, b, b_panel, b_depth, b_segment, c, c_row, resume,
        )  # fmt: skip
        return typed_call(emitter, dtype, dict(zip(SEGMENTED, kinds, strict=True)))

    def plain(
        m: int, n: int, k: int, segments: int, a: int, a_row: int, a_depth: int, a_segment: int, b: int, b_panel: int,
        b_depth: int, b_segment: int, c: int, c_row: int, resume: int,
    ) -> None:  # fmt: skip
        width, size = panel_width(dtype), np.dtype(dtype).itemsize
        for j in range(0, int(n), width):
            columns = min(width, int(n) - j)
            start = int(b) + j // width * int(b_panel) * size
            B = memory_of(dtype, start, (segments, k, columns), (b_segment, b_depth, 1))
            C = memory_of(dtype, int(c) + j * size, (m, columns), (c_row, 1))
            if emitter.by_lanes:
                strides = (a_row, a_segment, a_depth, 1)
                product = (memory_of(dtype, int(a) + j * size, (m, segments, k, columns), strides) * B).sum((1, 2))
            else:
                A = memory_of(dtype, a, (m, segments, k), (a_row, a_segment, a_depth))
                product = A.reshape(int(m), -1) @ B.reshape(-1, columns)
            C[:] = C + product if resume else product

    return called_by_kernels(f"{name}_{dtype}", typed, plain)


def _gemm_lanes_within(dtype: str) -> Any:
    def typed(
        _: Any, m: Any, n: Any, k: Any, segments: Any, a: Any, a_row: Any, a_depth: Any, a_segment: Any, b: Any,
        b_panel: Any, b_depth: Any, b_segment: Any, c: Any, c_row: Any, resume: Any, a_first: Any, a_last: Any,
        first: Any, last: Any,
    ) -> Any:  # fmt: skip
        kinds = (
            m, n, k, segments, a, a_row, a_depth, a_segment, b, b_panel, b_depth, b_segment, c, c_row, resume, a_first,
            a_last, first, last,
        )  # fmt: skip
        return typed_call(LanesWithin, dtype, dict(zip(WITHIN, kinds, strict=True)))

    def plain(
        m: int, n: int, k: int, segments: int, a: int, a_row: int, a_depth: int, a_segment: int, b: int, b_panel: int,
        b_depth: int, b_segment: int, c: int, c_row: int, resume: int, a_first: int, a_last: int, first: int, last: int,
    ) -> None:  # fmt: skip
        columns, size = int(n), np.dtype(dtype).itemsize
        A = np.zeros((int(m), int(segments), int(k), columns), dtype)
        for i, s, p in np.ndindex(A.shape[:-1]):
            place = i * int(a_row) + p * int(a_depth)
            if first <= s < last and a_first <= place < a_last:
                A[i, s, p] = memory_of(dtype, int(a) + (place + s * int(a_segment)) * size, (columns,), (1,))
        C = memory_of(dtype, c, (m, n), (c_row, 1))
        for j in range(0, columns, panel_width(dtype)):
            here = slice(j, j + panel_width(dtype))
            start = int(b) + j // panel_width(dtype) * int(b_panel) * size
            B = memory_of(dtype, start, (segments, k, len(range(columns)[here])), (b_segment, b_depth, 1))
            product = (A[..., here] * B).sum((1, 2))
            C[:, here] = C[:, here] + product if resume else product

    return called_by_kernels(f"gemm_lanes_within_{dtype}", typed, plain)


def _dot(dtype: str) -> Any:
    def typed(
        _: Any, m: Any, n: Any, k: Any, a: Any, a_row: Any, b: Any, b_column: Any, c: Any, c_row: Any
    ) -> Any:  # fmt: skip
        return typed_call(Dots, dtype, dict(zip(DOT, (m, n, k, a, a_row, b, b_column, c, c_row), strict=True)))

    def plain(
        m: int, n: int, k: int, a: int, a_row: int, b: int, b_column: int, c: int, c_row: int
    ) -> None:  # fmt: skip
        A, B = memory_of(dtype, a, (m, k), (a_row, 1)), memory_of(dtype, b, (k, n), (1, b_column))
        memory_of(dtype, c, (m, n), (c_row, 1))[:] = A @ B

    return called_by_kernels(f"dot_{dtype}", typed, plain)


def _pack(dtype: str) -> Any:
    def typed(_: Any, k: Any, n: Any, b: Any, b_row: Any, b_column: Any, packed: Any) -> Any:
        return typed_call(Packing, dtype, dict(zip(PACK, (k, n, b, b_row, b_column, packed), strict=True)))

    def plain(k: int, n: int, b: int, b_row: int, b_column: int, packed: int) -> None:
        width = panel_width(dtype)
        B = memory_of(dtype, b, (k, n), (b_row, b_column))
        panels = memory_of(dtype, packed, (-(-int(n) // width), k, width), (int(k) * width, width, 1))
        for j, panel in enumerate(panels):
            columns = B[:, j * width : (j + 1) * width]
            panel[:, : columns.shape[1]] = columns
            panel[:, columns.shape[1] :] = 0

    return called_by_kernels(f"pack_{dtype}", typed, plain)


gemm_f32, gemm_f64 = _gemm("float32"), _gemm("float64")
gemm_segments_f32, gemm_segments_f64 = (_gemm_segments(x, "gemm_segments", Segments) for x in ("float32", "float64"))
gemm_lanes_f32, gemm_lanes_f64 = (_gemm_segments(x, "gemm_lanes", Lanes) for x in ("float32", "float64"))
gemm_lanes_within_f32, gemm_lanes_within_f64 = _gemm_lanes_within("float32"), _gemm_lanes_within("float64")
dot_f32, dot_f64 = _dot("float32"), _dot("float64")
pack_f32, pack_f64 = _pack("float32"), _pack("float64")
