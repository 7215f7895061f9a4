"""The left operand of a contraction, as tiles read it: where it lies, or a block of it copied to the stack.

    AsItIs     rows are contiguous: a tile's broadcast loads go straight to A
    Columns    the transpose of a matrix kept row by row, or any other strides: of every tile the column at p = 0, the
               column at p = 1, ..., side by side

A tile reads a few addresses at every p, one stride from each other. Where that is a multiple of 4 KB, all of them fall
into one set of the first-level cache, and the next tile finds none of what the one before brought in: this is why a
weight gradient, whose left operand is read by columns, is worth a copy.
"""

from __future__ import annotations

from llvmlite import ir

from graphc.backends.cpu.microkernel import Strides, each_tile
from graphc.backends.cpu.packing import transpose
from graphc.backends.cpu.vector_ir import (
    I32,
    POINTER,
    Tiling,
    Vectors,
    Word,
    at,
    count_up,
    intrinsic,
    stack,
    times,
    word,
)

SETS_OF_CACHE = 4096  # bytes after which the first-level cache begins anew
WAYS_OF_CACHE = 8  # lines it holds of addresses that far apart
DEPTH_BYTES = 1024  # of a row, in a block of depth
DEEPER_BYTES = 4096  # the same, where both operands are streams: the sums go on from memory less often
BLOCK_BYTES = 240 * DEPTH_BYTES  # of A, which stay in the second-level cache
COPIED_ROWS = 96
COLUMNS_AHEAD = 16  # that are asked for before they are copied, where each is on a page of its own
FAR = 1024  # bytes between columns of A from where on each is on a page of its own, or nearly so


class AsItIs:
    """No copy: the strides of A are in the tiles' addresses."""

    is_one_piece = False  # whether a tile reads neighbours from its first element on, and the next tile those behind
    is_in_panels = False  # whether rows lie in panels as tall as the tallest tile
    can_deepen = True  # whether blocks may be deeper than they are

    def __init__(self, b: ir.IRBuilder, tiling: Tiling, row: Word, depth: Word, depth_bytes: int = DEPTH_BYTES) -> None:
        self.b, self.tiling, self.row, self.depth = b, tiling, row, depth
        self.depth_bytes = depth_bytes
        self.step: Word = depth_bytes // tiling.size  # of the depth, in a block
        self.rows: Word = BLOCK_BYTES // depth_bytes

    @property
    def bytes(self) -> Word:
        """How far the block of rows after this one is."""
        return times(self.b, self.row, self.rows)

    def deepen(self, where: ir.Value) -> None:
        """Take blocks that are as deep as those of streams, of fewer rows, where the run says so."""
        b = self.b
        self.step = b.select(where, word(DEEPER_BYTES // self.tiling.size), word(self.step))
        self.rows = b.select(where, word(BLOCK_BYTES // DEEPER_BYTES), word(self.rows))

    def fill(self, rows: ir.Value, depth: ir.Value, a: ir.Value) -> ir.Value:
        """Make the block that starts at `a` ready; the address that `tile` counts from."""
        return a

    def tile(self, block: ir.Value, i: ir.Value, height: int) -> tuple[ir.Value, Strides]:
        """Where the rows of a tile begin, and its strides."""
        known = (stride if isinstance(stride, int) else None for stride in (self.row, self.depth))
        return at(self.b, block, times(self.b, self.row, i)), Strides(*known)


class Columns(AsItIs):
    """A copy in the order in which the tiles read."""

    can_deepen = False  # the copy is as wide as a block is deep

    def __init__(self, b: ir.IRBuilder, tiling: Tiling, row: Word, depth: Word) -> None:
        super().__init__(b, tiling, row, depth)
        self.rows = COPIED_ROWS
        self.copy = stack(b, COPIED_ROWS * DEPTH_BYTES)

    def fill(self, rows: ir.Value, depth: ir.Value, a: ir.Value) -> ir.Value:
        b, size = self.b, self.tiling.size
        if isinstance(self.row, int):
            (self._neighbours if self.row == size else self._apart)(rows, depth, a)
            return self.copy
        with b.if_else(b.icmp_signed("==", self.row, word(size))) as (neighbours, apart):
            with neighbours:
                self._neighbours(rows, depth, a)
            with apart:
                self._apart(rows, depth, a)
        return self.copy

    def _neighbours(self, rows: ir.Value, depth: ir.Value, a: ir.Value) -> None:
        """Columns that are contiguous: tile by tile, or one after another where they are on pages of their own, each of
        which is looked up once then. No machine foresees the next page, so what is there is asked for.
        """
        b, size = self.b, self.tiling.size
        prefetch = intrinsic(self.b.module, "llvm.prefetch.p0", ir.VoidType(), [POINTER, I32, I32, I32])
        reading, near, data = I32(0), I32(3), I32(1)

        def copy(i: ir.Value, height: int, p: ir.Value) -> None:
            here = at(b, a, times(b, self.depth, p), times(b, i, size))
            value = b.load(here, typ=ir.VectorType(self.tiling.scalar, height))
            value.align = size
            self._store(value, i, p)

        def column(p: ir.Value) -> None:
            later = at(b, a, times(b, self.depth, b.add(p, word(COLUMNS_AHEAD))))

            def part(i: ir.Value, height: int) -> None:
                copy(i, height, p)
                b.call(prefetch, [at(b, later, times(b, i, size)), reading, near, data])

            each_tile(b, self.tiling, rows, part)

        def tile(i: ir.Value, height: int) -> None:
            count_up(b, 0, depth, 1, lambda p: copy(i, height, p), "column")

        if isinstance(self.depth, int) and self.depth >= FAR:
            count_up(b, 0, depth, 1, column, "column")
        else:
            each_tile(b, self.tiling, rows, tile)

    def _apart(self, rows: ir.Value, depth: ir.Value, a: ir.Value) -> None:
        """Tile by tile: squares of vectors turned around where rows are contiguous, else one element at a time."""
        b, lanes, size = self.b, self.tiling.lanes, self.tiling.size
        v = Vectors(self.tiling, b)

        def tile(i: ir.Value, height: int) -> None:
            source = at(b, a, times(b, self.row, i))

            def square(p: ir.Value) -> None:
                here = at(b, source, times(b, p, size))
                read = [v.load(at(b, here, times(b, self.row, k))) for k in range(height)]
                for j, column in enumerate(transpose(b, read + [v.zero] * (lanes - height))):
                    first = ir.Constant(ir.VectorType(I32, height), list(range(height)))
                    self._store(b.shuffle_vector(column, v.zero, first), i, b.add(p, word(j)))

            def column(p: ir.Value) -> None:
                here = at(b, source, times(b, self.depth, p))
                value = ir.Constant(ir.VectorType(self.tiling.scalar, height), ir.Undefined)
                for k in range(height):
                    element = v.scalar(at(b, here, times(b, self.row, k)))
                    value = b.insert_element(value, element, ir.Constant(I32, k))
                self._store(value, i, p)

            done: Word = 0
            if self.depth == size and 1 < height <= lanes:
                done = b.sub(depth, b.srem(depth, word(lanes)))
                count_up(b, 0, done, lanes, square, "square")
            count_up(b, done, depth, 1, column, "column")

        each_tile(b, self.tiling, rows, tile)

    def _store(self, column: ir.Value, i: ir.Value, p: ir.Value) -> None:
        """Put a column of the tile that begins with row i to its place."""
        size = self.tiling.size
        place = at(self.b, self._place(i), times(self.b, p, column.type.count * size))
        self.b.store(column, place).align = size

    def tile(self, block: ir.Value, i: ir.Value, height: int) -> tuple[ir.Value, Strides]:
        return self._place(i), Strides(self.tiling.size, height * self.tiling.size)

    def _place(self, i: ir.Value) -> ir.Value:
        return at(self.b, self.copy, times(self.b, i, DEPTH_BYTES))


def left_operand(
    b: ir.IRBuilder,
    tiling: Tiling,
    row: Word,
    depth: Word,
    columns: int | None,
    deep: int | None,
    right_is_stream: bool,
) -> AsItIs:
    """How to read an A of these strides, in bytes, and so deep; `columns` of C tell whether a copy is worth it."""
    # The rows of two tiles: those of the next are asked for while a tile is computed.
    collides = isinstance(row, int) and row % SETS_OF_CACHE == 0 and 2 * tiling.rows > WAYS_OF_CACHE
    is_near = isinstance(depth, int) and depth < FAR
    panels = 2 if is_near else 1  # of C, for which reading A again costs less than a copy
    known = isinstance(row, int) and isinstance(depth, int)
    few = columns is not None and columns <= panels * tiling.width
    as_it_is = (known and few) or (isinstance(depth, int) and depth == tiling.size and not collides)
    if not as_it_is:
        return Columns(b, tiling, row, depth)
    is_stream = right_is_stream and depth == tiling.size
    found = AsItIs(b, tiling, row, depth, DEEPER_BYTES if is_stream else DEPTH_BYTES)
    found.is_one_piece = depth == tiling.size and row == (deep or 0) * tiling.size and row <= found.depth_bytes
    return found
