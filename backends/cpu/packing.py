"""Packing: a matrix into panels of two vectors of columns, so that a tile reads its part of B as one stream.

    pack = Packing(module, Tiling.of("float32"), {"b_row": 1}).emit()       # an IR function
    # pack(k, n, b, b_row, b_column, packed)
    # B[p·b_row + j·b_column], 0 <= p < k, 0 <= j < n, to ceil(n / W) panels of k rows of W; zeros beyond column n

Where the rows of B are contiguous they are copied; where its columns are (the transpose of a weight kept row by row),
squares of vectors are transposed in registers; else elements are moved one at a time.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from graphc.backends.cpu.ir_function import IrFunction
from graphc.backends.cpu.vector_ir import (
    I32,
    Word,
    at,
    count_up,
    smaller,
    times,
    word,
)

PACK = ("k", "n", "b", "b_row", "b_column", "packed")


class Packing(IrFunction):
    """Panels out of a matrix: by vectors where its rows or its columns are contiguous, else one element at a time."""

    title, names = "pack", PACK

    def body(self) -> None:
        b, size, width = self.b, self.tiling.size, self.tiling.width
        k, n = word(self["k"]), word(self["n"])
        source, packed = self.given["b"], self.given["packed"]
        self.row, self.column = self.bytes_of(self["b_row"]), self.bytes_of(self["b_column"])

        def panel(j: ir.Value) -> None:
            left = b.sub(n, j)
            to = at(b, packed, times(b, times(b, k, size), j))
            source_j = at(b, source, times(b, self.column, j))
            self._branch(
                "b_column", lambda: self._rows(k, left, source_j, to), lambda: self._others(k, left, source_j, to)
            )

        count_up(b, 0, n, width, panel, "panel")

    def _branch(self, stride: str, unit: Callable[[], None], other: Callable[[], None]) -> None:
        """Choose by whether a stride is one element: now where it is known, else in the function."""
        known = self.literals.get(stride)
        if known is not None:
            unit() if known == 1 else other()
            return
        value = self.row if stride == "b_row" else self.column
        with self.b.if_else(self.b.icmp_signed("==", word(value), word(self.tiling.size))) as (then, otherwise):
            with then:
                unit()
            with otherwise:
                other()

    def _rows(self, k: ir.Value, left: ir.Value, source: ir.Value, to: ir.Value) -> None:
        """Rows are contiguous: copy W elements of each."""
        b, v, lanes, size = self.b, self.v, self.tiling.lanes, self.tiling.size
        line = self.tiling.width * size

        def copy(masked: bool) -> None:
            masks = [v.mask(b.sub(left, word(j * lanes))) if masked else None for j in range(2)]

            def row(p: ir.Value) -> None:
                for j in range(2):
                    offset = j * lanes * size
                    value = v.load(at(b, source, times(b, self.row, p), offset), masks[j])
                    v.store(value, at(b, to, times(b, p, line), offset))

            count_up(b, 0, k, 1, row, "row")

        with b.if_else(b.icmp_signed(">=", left, word(self.tiling.width))) as (full, edge):
            with full:
                copy(False)
            with edge:
                copy(True)

    def _others(self, k: ir.Value, left: ir.Value, source: ir.Value, to: ir.Value) -> None:
        self._branch(
            "b_row",
            lambda: self._columns(k, left, source, to),
            lambda: self._elements(k, left, source, to, word(0), word(self.tiling.width)),
        )

    def _columns(self, k: ir.Value, left: ir.Value, source: ir.Value, to: ir.Value) -> None:
        """Columns are contiguous: transpose squares of vectors, the rest by elements."""
        b, lanes = self.b, self.tiling.lanes
        whole = b.sub(k, b.srem(k, word(lanes)))

        def group(j: ir.Value) -> None:
            from_j, to_j = at(b, source, times(b, self.column, j)), at(b, to, times(b, j, self.tiling.size))
            exist = b.sub(left, j)
            with b.if_else(b.icmp_signed(">=", exist, word(lanes))) as (full, edge):
                with full:
                    self._squares(whole, from_j, to_j, None)
                with edge, b.if_else(b.icmp_signed(">", exist, word(0))) as (some, none):
                    with some:
                        self._squares(whole, from_j, to_j, exist)
                    with none:
                        self._zeros(whole, to_j)
            self._elements(k, left, source, to, j, b.add(j, word(lanes)), whole)

        count_up(b, 0, word(self.tiling.width), lanes, group, "group")

    def _squares(self, stop: ir.Value, source: ir.Value, to: ir.Value, exist: ir.Value | None) -> None:
        """Squares of vectors, turned around; where only some columns exist, the last one again, and zeros for it."""
        b, v, lanes, size = self.b, self.v, self.tiling.lanes, self.tiling.size
        line = self.tiling.width * size

        def column(i: int, here: ir.Value) -> ir.Value:
            if exist is None:
                return v.load(at(b, here, times(b, self.column, i)))
            value = v.load(at(b, here, times(b, self.column, smaller(b, word(i), b.sub(exist, word(1))))))
            return b.select(b.icmp_signed("<", word(i), exist), value, v.zero)

        def square(p: ir.Value) -> None:
            here, there = at(b, source, times(b, p, size)), at(b, to, times(b, p, line))
            for i, value in enumerate(transpose(b, [column(i, here) for i in range(lanes)])):
                v.store(value, at(b, there, i * line))

        count_up(b, 0, stop, lanes, square, "square")

    def _zeros(self, stop: ir.Value, to: ir.Value) -> None:
        """A vector of zeros for each row, where there is no column."""
        line = self.tiling.width * self.tiling.size
        count_up(self.b, 0, stop, 1, lambda p: self.v.store(self.v.zero, at(self.b, to, times(self.b, p, line))), "row")

    def _elements(
        self, k: ir.Value, left: ir.Value, source: ir.Value, to: ir.Value,
        first: ir.Value, stop: ir.Value, start: Word = 0,
    ) -> None:  # fmt: skip
        """One element at a time, zero where there is no column."""
        b, size = self.b, self.tiling.size
        line = self.tiling.width * size

        def column(j: ir.Value) -> None:
            from_j, to_j = at(b, source, times(b, self.column, j)), at(b, to, times(b, j, size))
            exists = b.icmp_signed("<", j, left)

            def element(p: ir.Value) -> None:
                there = at(b, to_j, times(b, p, line))
                with b.if_else(exists) as (yes, no):
                    with yes:
                        value = self.v.scalar(at(b, from_j, times(b, self.row, p)))
                        b.store(value, there).align = size
                    with no:
                        b.store(ir.Constant(self.tiling.scalar, 0.0), there).align = size

            count_up(b, start, k, 1, element, "element")

        count_up(b, first, stop, 1, column, "column")


def transpose(b: ir.IRBuilder, rows: list[ir.Value]) -> list[ir.Value]:
    """A square of vectors, transposed: swap blocks of half, a quarter, ... of the lanes."""
    lanes = len(rows)
    block = lanes // 2
    while block:
        swapped = list(rows)
        for i in range(lanes):
            if i & block == 0:
                x, y = rows[i], rows[i + block]
                low = [lane if lane & block == 0 else lanes + lane - block for lane in range(lanes)]
                high = [lane + block if lane & block == 0 else lanes + lane for lane in range(lanes)]
                for place, pattern in ((i, low), (i + block, high)):
                    kind = ir.VectorType(I32, lanes)
                    swapped[place] = b.shuffle_vector(x, y, ir.Constant(kind, pattern))
        rows = swapped
        block //= 2
    return rows
