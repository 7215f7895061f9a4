"""A matrix turned around in memory: `transpose_f32` and `transpose_f64`, which kernels call.

    transpose_f32(rows, columns, source, source_row, target, target_row)
        target[j·target_row + i] = source[i·source_row + j]      for i < rows, j < columns; strides count elements

Element by element, one of the two sides would be walked from row to row, and every element would be a line of the cache
of its own. Squares of vectors are read along the rows of the source, turned in registers, and written along the rows of
the target. What is left beside whole squares are parts of squares, where the numbers of rows and columns are known, as
those of weights are; else it goes element by element.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from graphc.backends.cpu.intrinsics import called_by_kernels, memory_of, typed_call
from graphc.backends.cpu.ir_function import IrFunction
from graphc.backends.cpu.packing import transpose
from graphc.backends.cpu.vector_ir import Word, at, count_up, times, word

ARGUMENTS = ("rows", "columns", "source", "source_row", "target", "target_row")


class Transposition(IrFunction):
    """Loops over squares, and over what is left of the rows and the columns."""

    title, names = "transpose", ARGUMENTS

    def body(self) -> None:
        b, given = self.b, self.given
        self.source, self.target = given["source"], given["target"]
        self.source_row = times(b, given["source_row"], self.tiling.size)
        self.target_row = times(b, given["target_row"], self.tiling.size)
        rows, columns, lanes = word(given["rows"]), word(given["columns"]), self.tiling.lanes
        whole_rows = b.sub(rows, b.srem(rows, word(lanes)))
        whole_columns = b.sub(columns, b.srem(columns, word(lanes)))
        known = [self.literals.get(name) for name in ("rows", "columns")]
        last_rows, last_columns = (0 if extent is None else extent % lanes for extent in known)

        def band(i: ir.Value, height: int) -> None:
            count_up(b, 0, whole_columns, lanes, lambda j: self._square(i, j, height, lanes), "square")
            if known[1] is None:
                self._elements(i, b.add(i, word(height)), whole_columns, columns)
            elif last_columns:
                self._square(i, whole_columns, height, last_columns)

        count_up(b, 0, whole_rows, lanes, lambda i: band(i, lanes), "band")
        if known[0] is None:
            self._elements(whole_rows, rows, word(0), columns)
        elif last_rows:
            band(whole_rows, last_rows)

    def _square(self, i: ir.Value, j: ir.Value, height: int, width: int) -> None:
        """Some rows of some columns, as many as a vector has lanes or fewer."""
        b, v, lanes, size = self.b, self.v, self.tiling.lanes, self.tiling.size
        exist, fit = (None if count == lanes else v.mask(word(count)) for count in (width, height))
        start = at(b, self.source, times(b, self.source_row, i), times(b, j, size))
        read = [v.load(at(b, start, times(b, self.source_row, k)), exist) for k in range(height)]
        end = at(b, self.target, times(b, self.target_row, j), times(b, i, size))
        for k, value in enumerate(transpose(b, read + [v.zero] * (lanes - height))[:width]):
            v.store(value, at(b, end, times(b, self.target_row, k)), fit)

    def _elements(self, first: Word, last: ir.Value, start: ir.Value, stop: ir.Value) -> None:
        """Rows from first to last, of the columns from start to stop."""
        b, size = self.b, self.tiling.size

        def column(j: ir.Value) -> None:
            def element(i: ir.Value) -> None:
                value = self.v.scalar(at(b, self.source, times(b, self.source_row, i), times(b, j, size)))
                there = at(b, self.target, times(b, self.target_row, j), times(b, i, size))
                b.store(value, there).align = size

            count_up(b, first, last, 1, element, "row")

        count_up(b, start, stop, 1, column, "column")


def _transpose(dtype: str) -> Any:
    def typed(_: Any, rows: Any, columns: Any, source: Any, source_row: Any, target: Any, target_row: Any) -> Any:
        kinds = (rows, columns, source, source_row, target, target_row)
        return typed_call(Transposition, dtype, dict(zip(ARGUMENTS, kinds, strict=True)))

    def plain(rows: int, columns: int, source: int, source_row: int, target: int, target_row: int) -> None:
        read = memory_of(dtype, source, (rows, columns), (source_row, 1))
        memory_of(dtype, target, (columns, rows), (target_row, 1))[:] = read.T

    return called_by_kernels(f"transpose_{dtype}", typed, plain)


transpose_f32, transpose_f64 = _transpose("float32"), _transpose("float64")
