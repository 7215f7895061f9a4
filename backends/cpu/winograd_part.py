"""Functions of vector IR over numbers that a kernel may know or not: what those of Winograd's tiles have in common.

    class Doubled(Part):
        title, names = "doubled", ("channels", "source", "target")

        def body(self) -> None:
            self.each_vector("channels", lambda i, mask: ...)

Arguments are words: integers where the kernel gives literals, so that extents and strides fold into the addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llvmlite import ir

from graphc.backends.cpu.ir_function import IrFunction
from graphc.backends.cpu.microkernel import Strides, Tile, each_even_tile, each_tile, emit_tile
from graphc.backends.cpu.panels import each_panel
from graphc.backends.cpu.vector_ir import (
    I1,
    I32,
    POINTER,
    Word,
    at,
    count_up,
    intrinsic,
    times,
    word,
)

LINE = 64  # bytes of a cache line

Body = Callable[[ir.Value, "ir.Value | None"], None]  # where a vector of channels begins, in elements; its mask


@dataclass(frozen=True)
class Matrices:
    """Matrices one after another: where the first begins, and how far they are apart, their rows, and their columns.

    All in bytes. The rows of a right operand are cut into panels, `column` from each other.
    """

    start: ir.Value
    apart: Word
    row: Word
    column: Word


class Part(IrFunction):
    """A function with loops over vectors of channels, and products of many matrices."""

    def sum(self, x: Word, y: Word) -> Word:
        return x + y if isinstance(x, int) and isinstance(y, int) else self.b.add(word(x), word(y), flags=("nsw",))

    def half(self, x: Word) -> Word:
        """Pairs in a number, the last one perhaps of one."""
        return (x + 1) // 2 if isinstance(x, int) else self.b.lshr(self.sum(x, 1), word(1))

    def each_vector(self, extent: str, body: Body) -> None:
        """body(i, mask) for the vectors of channels or columns; the mask says which lanes of the last one exist."""
        b, lanes, count = self.b, self.tiling.lanes, self[extent]
        if isinstance(count, int):
            count_up(b, 0, word(count - count % lanes), lanes, lambda i: body(i, None), extent)
            if count % lanes:
                body(word(count - count % lanes), self.v.mask(word(count % lanes)))
            return
        rest = b.srem(count, word(lanes))
        count_up(b, 0, b.sub(count, rest), lanes, lambda i: body(i, None), extent)
        with b.if_then(b.icmp_signed(">", rest, word(0))):
            body(b.sub(count, rest), self.v.mask(rest))

    def places_of_tile(self, start: ir.Value, apart: Word, mask: ir.Value | None) -> list[list[ir.Value]]:
        """The 4×4 places of a tile, each in a matrix of its own, line by line."""
        places = [[times(self.b, apart, 4 * k + q) for q in range(4)] for k in range(4)]
        return [[self.v.load(at(self.b, start, place), mask) for place in line] for line in places]

    def each_product(
        self, count: int, rows: Word, depth: Word, left: Matrices, right: Matrices, target: Matrices, *, resume: bool,
        ahead: Sequence[tuple[ir.Value, Word]],
    ) -> None:  # fmt: skip
        """The products of so many pairs of matrices of `rows` by `depth` by the function's columns.

        Meanwhile memory is asked for what is transformed next: `ahead` says where it begins, and how many bytes it has.
        """
        b, columns = self.b, self["columns"]
        strides = Strides(*(x if isinstance(x, int) else None for x in (left.row, left.column)))

        def product(number: ir.Value) -> None:
            for start, size in ahead:
                self._fetch(start, size, number, count)
            starts = [at(b, each.start, times(b, each.apart, number)) for each in (left, right, target)]
            a, panels, c = starts

            def panel(j: ir.Value, vectors: int, masked: bool) -> None:
                here = at(b, panels, times(b, right.column, b.sdiv(j, word(self.tiling.width))))
                c_j, rest = at(b, c, self.bytes_of(j)), b.sub(word(columns), j)

                def tile(i: ir.Value, height: int) -> None:
                    call = emit_tile(self.module, Tile(self.tiling, height, vectors, masked), strides)
                    a_i, c_ij = at(b, a, times(b, left.row, i)), at(b, c_j, times(b, target.row, i))
                    operands = [word(depth), a_i, word(left.row), word(left.column), here, word(right.row), c_ij]
                    b.call(call, [*operands, word(target.row), rest, ir.Constant(I1, resume)])

                if isinstance(rows, int):
                    each_even_tile(b, self.tiling, rows, tile)
                else:
                    each_tile(b, self.tiling, rows, tile)

            each_panel(b, self.tiling, word(columns), columns if isinstance(columns, int) else None, panel)

        count_up(b, 0, word(count), 1, product, "product")

    def _fetch(self, start: ir.Value, size: Word, number: ir.Value, count: int) -> None:
        """Ask for one of `count` parts of some bytes, line by line; beyond the end of memory this does nothing."""
        b = self.b
        part = b.and_(b.add(b.sdiv(word(size), word(count)), word(LINE - 1)), word(-LINE))
        prefetch = intrinsic(self.module, "llvm.prefetch.p0", ir.VoidType(), [POINTER, I32, I32, I32])
        reading, near, data = (ir.Constant(I32, number) for number in (0, 2, 1))
        first = times(b, part, number)

        def line(offset: ir.Value) -> None:
            b.call(prefetch, [at(b, start, first, offset), reading, near, data])

        count_up(b, 0, part, LINE, line, "line")
