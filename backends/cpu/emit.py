"""From a nest to Python source that Numba compiles for the CPU.

    kernel = emit(nest)
    print(kernel.text)          # def kernel(row, slice, slices): …

The source is straight-line Python in loops: `i` walks the rows, `j` the columns, and above each statement stands the
line of the IR that it computes. What the row holds, word by word, is in `kernel.words`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphc.backends.cpu.blocks import Block, cut_by_columns, has_few_rows
from graphc.backends.cpu.emit_guarded import parts_of_columns
from graphc.backends.cpu.emit_margins import write_margins
from graphc.backends.cpu.emit_parts import ProductParts
from graphc.backends.cpu.emit_product import panel_width, tile_height
from graphc.backends.cpu.emit_reductions import Reductions
from graphc.backends.cpu.emit_rows import Rows
from graphc.backends.cpu.emit_short_rows import has_tiny_rows
from graphc.backends.cpu.jobs import AS_VECTORS
from graphc.backends.cpu.kernel_source import KernelSource
from graphc.backends.cpu.machine import machine
from graphc.backends.cpu.product_writer import product_lines
from graphc.backends.cpu.writer import Writer, collapse, indices
from graphc.backends.nests.nest import Index, Nest, Pass, Statement
from graphc.backends.nests.scalar import start_of
from graphc.dim import Extent
from graphc.passes.fuse.place import Cut

COLUMN_UNIT = 16  # columns that belong together: a cache line of f32; with a product, one of its panels
BLOCK = 64  # columns that all passes are made over before the next ones
FEW_BLOCKS = 4  # that threads can share, where a block of each of several products is to lie in the caches

PARTS_AT_THE_FINISH = 1 << 18  # sums of slices that one thread adds up
PRODUCTS_PER_OPERATION = 16  # multiplications and additions of a product in the time of one scalar statement
READS_PER_OPERATION = 4  # elements of a product's right operand that come from a distant cache in this time
ROW_UNIT = 8  # rows of a product that stay together when slices are cut, as tiles are a few rows high
TILED_ROWS = 256  # from here on there are enough for slices of whole tiles, however few threads share them
ROWS_TOGETHER = 64  # which read a right operand often enough, where there are that many for each of a few slices


def emit(nest: Nest) -> KernelSource:
    """The source of a nest."""
    return _Emitter(nest).run()


class _Emitter:
    def __init__(self, nest: Nest) -> None:
        positions = list(indices(nest))
        self.is_flat = _is_flat(nest, positions)
        if self.is_flat:
            nest = replace(nest, cut=Cut.COLUMNS, split=0)
        self.nest = nest
        domain = ", ".join(map(str, nest.domain))
        self.writer = Writer(f"%{nest.name} over ({domain}), cut by {nest.cut}.", nest.buffers)
        unit = COLUMN_UNIT if nest.product is None else max(COLUMN_UNIT, panel_width(nest.product))
        self.block = cut_by_columns(nest, unit, _least_of_block(nest))
        self.product = product_lines(nest, nest.product, self.block, self.writer) if nest.product is not None else None
        self.writer.unrolls = has_tiny_rows(nest) or (AS_VECTORS if has_few_rows(nest, self.block) else False)
        self.reductions = Reductions(nest, self.writer)
        self.passes = Rows(nest, self.writer, self.reductions, positions)
        self.rows, self.columns = self.passes.rows, self.passes.columns
        self.writer.unrolls = self.writer.unrolls or bool(self.rows.inner)
        if self.block is not None:
            self.columns.walk_blocks(self.block.columns)

    def run(self) -> KernelSource:
        nest, writer = self.nest, self.writer
        if self.product is not None and nest.cut is not Cut.DEPTH:
            self.product.place()
        temporaries = {buffer: buffer.extent for buffer in writer.buffers if buffer.role == "temporary"}
        temporaries |= self.product.temporaries() if self.product is not None else {}
        temporaries |= self.reductions.temporaries()
        if self.passes.short is not None:
            self.passes.short.place(writer)
            temporaries |= self.passes.short.temporaries()
        with writer.indented():
            writer.loops = [self.rows, self.columns]
            writer.statements(nest.scalars)
            if nest.finishes:
                writer.line("if slice < 0:")
                with writer.indented():
                    self.reductions.finish()
                    writer.line("return")
            if nest.scalar_stores:
                writer.line("if slice == 0:")
                with writer.indented():
                    writer.statements(nest.scalar_stores)
            if nest.domain:
                self._slice()
        return KernelSource(
            nest.name, writer.text(), writer.words(), temporaries, self._units(), self._cost(), self._most_slices(),
            ROWS_TOGETHER // self._row_unit if self._by_row_units else 1, bool(nest.finishes),
        )  # fmt: skip

    # -- slices -------------------------------------------------------------------------------------------------------

    @property
    def _unit(self) -> int:
        """Columns that stay together when slices are cut."""
        return self.block.columns if self.block is not None else COLUMN_UNIT

    @property
    def _by_row_units(self) -> bool:
        """Whether slices are groups of rows of a product."""
        return self.nest.cut is Cut.ROWS and self.product is not None and not self.product.by_lines

    @property
    def _row_unit(self) -> int:
        """Rows of a product that stay together when slices are cut: a tile's where rows are many."""
        rows = self.nest.rows
        if self.product is None or not isinstance(rows, int) or rows < TILED_ROWS:
            return ROW_UNIT
        height = tile_height(self.nest.products[0])
        return height * (-(-ROW_UNIT // height))

    def _units(self) -> Extent:
        if not self.nest.domain:
            return 1
        if isinstance(self.product, ProductParts):
            return self.product.parts
        if self.nest.cut is Cut.COLUMNS:
            return (self.nest.columns + (self._unit - 1)) // self._unit
        if self._by_row_units:
            return (self.nest.rows + (self._row_unit - 1)) // self._row_unit
        return self.product.units if self.product is not None and self.product.by_lines else self.rows.units

    def _cost(self) -> Extent:
        statements = sum(1 for _ in self.nest.statements())
        elements = self.nest.rows * self.nest.columns
        cost = elements * (statements + 1)
        for product in self.nest.products:
            read = product.right_elements // READS_PER_OPERATION  # what takes the time where there are few rows
            cost = cost + elements * product.depth // PRODUCTS_PER_OPERATION + read
        return cost

    def _most_slices(self) -> int | None:
        """Few, where each has all results once more; the depth is as long as it is, and the finish runs alone."""
        size = self.nest.rows * self.nest.columns
        return (
            max(2, PARTS_AT_THE_FINISH // max(size, 1))
            if self.nest.cut is Cut.DEPTH and isinstance(size, int)
            else None
        )

    def _slice(self) -> None:
        writer, nest = self.writer, self.nest
        if nest.cut is Cut.COLUMNS:
            number = writer.parameter if self.is_flat else writer.extent
            units, columns = number(self._units()), number(nest.columns)
            writer.line(f"first = share({units}, slice, slices) * {self._unit}")
            writer.line(f"last = min(share({units}, slice + 1, slices) * {self._unit}, {columns})")
        elif self._by_row_units:
            units, rows = writer.extent(self._units()), writer.extent(nest.rows)
            writer.line(f"begin = share({units}, slice, slices) * {self._row_unit}")
            writer.line(f"end = min(share({units}, slice + 1, slices) * {self._row_unit}, {rows})")
        else:
            units = writer.extent(self._units())
            writer.line(f"begin = share({units}, slice, slices)")
            writer.line(f"end = share({units}, slice + 1, slices)")
        for margins in nest.margins:
            write_margins(margins, writer)
        self.reductions.begin()
        if self.block is not None:
            self._by_blocks(self.block)
        elif nest.cut is Cut.COLUMNS:
            self._by_columns("first, last")
        else:
            self._product_and_rows()
        self.reductions.end()

    def _product_and_rows(self) -> None:
        """The product, if there is one, and the passes over its rows: line by line where it has lines."""
        if isinstance(self.product, ProductParts):
            self.product.write_parts()
            return
        if self.product is not None and self.product.by_lines:
            self.product.before_lines()
            with self.product.each_line():
                if self.passes.has_passes:
                    with self.product.each_stretch_of_rows() as (begin, end):
                        self.passes.write(begin, end)
            return
        if self.product is not None:
            self.product.write()
        self.passes.write("begin", "end")

    def _by_blocks(self, block: Block) -> None:
        """All that is to be done for a block of columns, while it is in the cache; then the next block."""
        writer = self.writer
        writer.line(f"for block in range(first, last, {block.columns}):")
        with writer.indented():
            if not block.is_exact:
                writer.line(f"stop = min(block + {block.columns}, last)")
            first, span = self.nest.passes[0], f"block, {block.stop}"
            if self.product is not None and self.product.has_stretches:
                self._column_lines(first, span)
                with self.product.each_stretch():
                    self._column_rows(first, "top, bottom", span)
                return
            if self.product is not None:
                self.product.write()
            self._by_columns(span)

    def _by_columns(self, span: str) -> None:
        for number, walk in enumerate(self.nest.passes):
            if len(self.nest.passes) > 1:
                self.writer.comment(f"pass {number}")
            self._column_lines(walk, span)
            if not walk.needs_elements:
                continue
            if self.nest.split:
                self._column_rows(walk, self.writer.extent(self.nest.rows), span)
            else:
                self._column_elements(walk, span)

    def _column_rows(self, walk: Pass, rows: str, span: str) -> None:
        """The elements of some columns in some rows."""
        writer = self.writer
        writer.line(f"for i in range({rows}):")
        with writer.indented():
            self.rows.write_indices(writer)
            writer.statements(walk.row_loads)
            self._column_elements(walk, span)

    def _column_lines(self, walk: Pass, span: str) -> None:
        writer = self.writer
        if not walk.lines and not walk.accumulators:
            return
        writer.line(f"for j in range({span}):")
        with writer.indented():
            self.columns.write_indices(writer)
            writer.statements(walk.lines, self.reductions.fold)
            for accumulator in walk.accumulators:
                start = start_of(accumulator.op, accumulator.dtype)
                assert accumulator.buffer is not None
                writer.line(f"{writer.element(accumulator.buffer, accumulator.index)} = {start}")

    def _column_elements(self, walk: Pass, span: str) -> None:
        writer = self.writer
        parts = [] if self.nest.split else parts_of_columns(self.nest, walk.elements)
        first, last = span.split(", ")
        for part in parts:
            start = first if part.first == 0 else f"max({first}, {writer.extent(part.first)})"
            stop = last if part.last == self.nest.columns else f"min({last}, {writer.extent(part.last)})"
            self._column_loop(f"{start}, {stop}", part.statements)
        if not parts:
            self._column_loop(span, walk.elements)

    def _column_loop(self, span: str, statements: Sequence[Statement]) -> None:
        writer = self.writer
        writer.line(f"for j in range({span}):")
        with writer.indented():
            self.columns.write_indices(writer)
            writer.statements(statements, self.reductions.fold)


def _least_of_block(nest: Nest) -> int:
    """Columns of a block: fewer where a block belongs to several products, and there are not many.

    A single row times a matrix reads long pieces of each of its rows, where that leaves enough blocks for threads.
    """
    if nest.product is not None and nest.product.rows == 1 and isinstance(nest.columns, int):
        wide = machine().row_bytes // nest.product.result.dtype.itemsize
        while wide > BLOCK and nest.columns < FEW_BLOCKS * wide:
            wide //= 2
        return wide
    is_short = isinstance(nest.columns, int) and nest.columns < FEW_BLOCKS * BLOCK
    return BLOCK // 2 if nest.beside and is_short else BLOCK


def _is_flat(nest: Nest, positions: Sequence[Index]) -> bool:
    """Whether one loop over all elements does: then the kernel serves arrays of any shape, and is compiled once."""
    if not nest.domain or nest.product is not None or nest.slice_accumulators:
        return False
    (walk, *more) = nest.passes
    if more or walk.lines or walk.accumulators:
        return False
    return len(collapse(range(len(nest.domain)), nest.domain, positions)) == 1
