"""A product of few rows, its elements sums along two rows of memory: the right operand is read where it lies.

    dot(m, n, k, a, a_row, b, b_column, c, c_row)
        C[i·c_row + j] = sum over p of A[i·a_row + p] · B[j·b_column + p]           y = x · wᵀ for few rows of x

Lanes run along the depth, and are added up at the end: packing such a matrix to panels would take longer than reading
it a few times. Four or eight columns are summed side by side, so that the sums do not wait for each other. The order of
a sum depends on the depth alone.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from graphc.backends.cpu.ir_function import IrFunction
from graphc.backends.cpu.vector_ir import (
    I64,
    Vectors,
    Word,
    at,
    carry,
    count_up,
    intrinsic,
    times,
    word,
)

DOT = ("m", "n", "k", "a", "a_row", "b", "b_column", "c", "c_row")
FEW_ROWS = 4  # up to here packing takes longer


class Dots(IrFunction):
    """The loops: columns by eight and one by one, for each all rows."""

    title, names = "dot", DOT

    def body(self) -> None:
        b, given, stride = self.b, self.given, self.strides
        self.k = word(given["k"])
        m, n, size = word(given["m"]), word(given["n"]), self.tiling.size
        together = 8 if self._registers >= 32 else 4
        whole = b.sub(n, b.srem(n, word(together)))

        def columns(j: ir.Value, count: int) -> None:
            right = at(b, given["b"], times(b, stride["b_column"], j))

            def row(i: ir.Value) -> None:
                left = at(b, given["a"], times(b, stride["a_row"], i))
                to = at(b, given["c"], times(b, stride["c_row"], i), times(b, j, size))
                for number, total in enumerate(self._sums(b, left, right, stride["b_column"], count)):
                    b.store(total, at(b, to, number * size)).align = size

            count_up(b, 0, m, 1, row, "row")

        count_up(b, 0, whole, together, lambda j: columns(j, together), "columns")
        count_up(b, whole, n, 1, lambda j: columns(j, 1), "column")

    @property
    def _registers(self) -> int:
        return 32 if self.tiling.rows > 6 else 16

    def _sums(self, b: ir.IRBuilder, left: ir.Value, right: ir.Value, column: Word, count: int) -> list[ir.Value]:
        """The sums of one row of A with some columns of B."""
        v, lanes, size = Vectors(self.tiling, b), self.tiling.lanes, self.tiling.size

        def step(mask: ir.Value | None) -> Any:
            def body(a: ir.Value, at_b: ir.Value, *sums: ir.Value) -> list[ir.Value]:
                x = v.load(a, mask)
                found = [
                    v.multiply_add(x, v.load(at(b, at_b, times(b, column, number)), mask), total)
                    for number, total in enumerate(sums)
                ]
                return [at(b, a, lanes * size), at(b, at_b, lanes * size), *found]

            return body

        values = carry(b, self.k, lanes, [left, right, *[v.zero] * count], step(None), "along")
        rest = b.srem(self.k, word(lanes))
        if "k" not in self.literals or self.literals["k"] % lanes:
            some = b.zext(b.icmp_signed(">", rest, word(0)), I64)
            values = carry(b, some, 1, values, step(v.mask(rest)), "rest")
        return [self._total(b, value) for value in values[2:]]

    def _total(self, b: ir.IRBuilder, value: ir.Value) -> ir.Value:
        """The sum of the lanes: neighbouring halves, then halves of these."""
        scalar = self.tiling.scalar
        call = intrinsic(self.module, f"llvm.vector.reduce.fadd.{self.tiling.suffix}", scalar, [scalar, value.type])
        return b.call(call, [ir.Constant(scalar, -0.0), value], fastmath=("reassoc",))
