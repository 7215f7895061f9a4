"""A product of few rows, its elements sums along two rows of memory: the right operand is read where it lies.

    dot(m, n, k, a, a_row, b, b_column, c, c_row)
        C[i·c_row + j] = sum over p of A[i·a_row + p] · B[j·b_column + p]           y = x · wᵀ for few rows of x

Lanes run along the depth, and are added up at the end: packing such a matrix to panels would take longer than reading
it a few times. Two rows and several columns are summed side by side, so that the sums do not wait for each other, and
what is loaded is used more than once. Where there are fewer columns than lanes, this is faster than a tile for any
number of rows. The order of a sum depends on the depth alone.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from graphc.backends.cpu.ir_function import IrFunction
from graphc.backends.cpu.vector_ir import I32, I64, at, carry, count_up, times, word

DOT = ("m", "n", "k", "a", "a_row", "b", "b_column", "c", "c_row")
FEW_ROWS = 4  # up to here packing takes longer


class Dots(IrFunction):
    """The loops: groups of columns, for each all rows, two by two."""

    title, names = "dot", DOT

    def body(self) -> None:
        b, n = self.b, self.literals.get("n")
        if n is not None and 0 < n <= self._widest:
            self._rows(word(0), n)
            return
        together = 8 if self._registers >= 32 else 4
        columns = word(self.given["n"])
        whole = b.sub(columns, b.srem(columns, word(together)))
        count_up(b, 0, whole, together, lambda j: self._rows(j, together), "columns")
        if n is None:
            count_up(b, whole, columns, 1, lambda j: self._rows(j, 1), "column")
        elif n % together:
            self._rows(whole, n % together)

    @property
    def _registers(self) -> int:
        return 32 if self.tiling.rows > 6 else 16

    @property
    def _widest(self) -> int:
        """Columns whose sums, for two rows, fit the registers beside two vectors of A and one of B."""
        return 12 if self._registers >= 32 else 6

    def _rows(self, j: ir.Value, count: int) -> None:
        """All rows of some columns."""
        b, given, stride, size = self.b, self.given, self.strides, self.tiling.size
        right, m = at(b, given["b"], times(b, stride["b_column"], j)), word(given["m"])

        def rows(i: ir.Value, together: int) -> None:
            left = at(b, given["a"], times(b, stride["a_row"], i))
            sums = self._sums(left, right, together, count)
            for row in range(together):
                to = at(b, given["c"], times(b, stride["c_row"], b.add(i, word(row))), times(b, j, size))
                self._store(sums[row * count : (row + 1) * count], to)

        pairs = b.sub(m, b.srem(m, word(2)))
        if self.literals.get("m") != 1:
            count_up(b, 0, pairs, 2, lambda i: rows(i, 2), "rows")
        count_up(b, pairs, m, 1, lambda i: rows(i, 1), "row")

    def _sums(self, left: ir.Value, right: ir.Value, rows: int, columns: int) -> list[ir.Value]:
        """The sums of some rows of A with some columns of B, each a vector to be added up."""
        b, v, lanes, size = self.b, self.v, self.tiling.lanes, self.tiling.size
        k, row, column = word(self.given["k"]), self.strides["a_row"], self.strides["b_column"]

        def step(mask: ir.Value | None) -> Any:
            def body(a: ir.Value, at_b: ir.Value, *sums: ir.Value) -> list[ir.Value]:
                down = [v.load(at(b, a, times(b, row, i)), mask) for i in range(rows)]
                across = [v.load(at(b, at_b, times(b, column, j)), mask) for j in range(columns)]
                places = [(x, y) for x in down for y in across]
                found = [v.multiply_add(x, y, total) for (x, y), total in zip(places, sums, strict=True)]
                return [at(b, a, lanes * size), at(b, at_b, lanes * size), *found]

            return body

        zeros = [v.zero] * (rows * columns)
        values = carry(b, k, lanes, [left, right, *zeros], step(None), "along")
        if "k" not in self.literals or self.literals["k"] % lanes:
            rest = b.srem(k, word(lanes))
            some = b.zext(b.icmp_signed(">", rest, word(0)), I64)
            values = carry(b, some, 1, values, step(v.mask(rest)), "rest")
        return values[2:]

    def _store(self, sums: list[ir.Value], to: ir.Value) -> None:
        """The totals of some sums, side by side."""
        lanes = self.tiling.lanes
        for first in range(0, len(sums), lanes):
            some = sums[first : first + lanes]
            mask = None if len(some) == lanes else self.v.mask(word(len(some)))
            self.v.store(self._totals(some), at(self.b, to, first * self.tiling.size), mask)

    def _totals(self, sums: list[ir.Value]) -> ir.Value:
        """The sums of the lanes of up to as many vectors, each in a lane: of every one halves, then halves of these.

        Two vectors become one, with the halves of both added up; then two of these, and so on.
        """
        b, lanes = self.b, self.tiling.lanes
        length = lanes  # of the pieces that a vector consists of, each with what is left of one sum
        while length > 1:
            half = length // 2
            starts = range(0, 2 * lanes, length)
            low = [start + i for start in starts for i in range(half)]
            masks = [ir.Constant(ir.VectorType(I32, lanes), [lane + k for lane in low]) for k in (0, half)]
            pairs = zip(sums[::2], [*sums[1::2], self.v.zero], strict=False)
            sums = [b.fadd(*(b.shuffle_vector(x, y, mask) for mask in masks)) for x, y in pairs]
            length = half
        return sums[0]
