"""The source of a chain: for every block of rows all stages, the matrices between them in the slice's scratch memory.

    for unit in range(begin, end):
        line, top = unit // 16, unit % 16 * 128
        gemm_f32(height, 2048, 64, address(q_in, …), …, address(weights, slice * 264192), 2064)
        for i in range(line_begin, line_end):                   # passes over the rows of the block
            ...
        gemm_f32(height, 64, 2048, address(weights, slice * 264192), 2064, 1, address(v_in, …), …)

A stage that sums over rows adds every block's part to its result, in the order of the rows; then a line is computed by
one slice, and the stage's passes follow the last block.
"""

from __future__ import annotations

from graphc.backends.cpu.emit import PRODUCTS_PER_OPERATION
from graphc.backends.cpu.emit_stage import Stage
from graphc.backends.cpu.kernel_source import KernelSource
from graphc.backends.cpu.writer import Writer
from graphc.backends.nests.chain import Chain
from graphc.backends.nests.nest import Nest
from graphc.dim import Extent
from graphc.passes.fuse.place import Cut

BLOCK_BYTES = 3 << 17  # of the rows of a block, all matrices together: they stay in the second-level cache
ROWS_OF_UNKNOWN = 48  # where the length of a row is not known
LEAST_ROWS, MOST_ROWS = 24, 144
ROW_UNIT = 12  # tiles of any machine are 6 or 12 rows tall
MOST_SLICES = 16  # each has blocks and panels of its own
REACH_UNIT = 32  # columns that are computed together before the diagonal
LINE = 16  # elements of a cache line, of f32


def emit_chain(chain: Chain) -> KernelSource:
    """The source of a chain."""
    return _Emitter(chain).run()


def has_long_lines(nest: Nest) -> bool:
    """Whether passes follow a product whose lines are larger than the caches, so that they follow blocks of rows."""
    product = nest.product
    if product is None or nest.cut is not Cut.ROWS or nest.margins:
        return False
    axes = product.axes
    if axes.inside or not axes.batch or len(axes.rows) != 1 or len(axes.depth) != 1:
        return False
    if not any(walk.lines or walk.needs_elements for walk in nest.passes):
        return False
    size = product.rows * product.columns
    return not isinstance(size, int) or size * product.result.dtype.itemsize > 2 * BLOCK_BYTES


class _Emitter:
    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.height = _height(chain)
        links = {link: _stride(columns) for link, columns in chain.links.items()}
        count = len(chain.stages)
        title = f"%{chain.name}: {count} product{'s' * (count > 1)}, {self.height} rows at a time."
        self.writer = Writer(title, chain.buffers)
        limited = chain.limited_links
        self.stages = [Stage(stage, self.height, links, limited, self.writer) for stage in chain.stages]
        self.links = links
        for link, stride in links.items():
            start = f"slice * {self.writer.extent(self.height * stride)}"
            self.writer.blocks[link] = f"{start} + (i - line_begin) * {self.writer.extent(stride)} + j"

    def run(self) -> KernelSource:
        writer, chain = self.writer, self.chain
        temporaries = {b: b.extent for b in chain.buffers if b.role == "temporary"}
        for stage in self.stages:
            if stage.passes.short is not None:
                stage.passes.short.place(writer)
            stage.enter()
            temporaries |= stage.temporaries()
        temporaries |= {link: self.height * stride for link, stride in self.links.items()}
        temporaries = {buffer: extent for buffer, extent in temporaries.items() if buffer in writer.buffers}
        with writer.indented():
            for stage in self.stages:
                writer.statements(stage.nest.scalars)
            self._finish()
            for stage in self.stages:
                if stage.nest.scalar_stores:
                    writer.line("if slice == 0:")
                    with writer.indented():
                        writer.statements(stage.nest.scalar_stores)
            self._slice()
        return KernelSource(
            chain.name, writer.text(), writer.words(), temporaries, self._units, self._cost(), MOST_SLICES,
            has_finish=any(stage.nest.finishes for stage in self.stages),
        )  # fmt: skip

    def _finish(self) -> None:
        writer = self.writer
        if not any(stage.nest.finishes for stage in self.stages):
            return
        writer.line("if slice < 0:")
        with writer.indented():
            for stage in self.stages:
                stage.enter()
                stage.reductions.finish()
            writer.line("return")

    # -- slices -------------------------------------------------------------------------------------------------------

    @property
    def _blocks(self) -> Extent:
        """Blocks of rows in a line."""
        return (self.chain.rows + (self.height - 1)) // self.height

    @property
    def _units(self) -> Extent:
        return self.chain.lines if self.chain.over_rows else self.chain.lines * self._blocks

    def _cost(self) -> Extent:
        total: Extent = 0
        for stage in self.stages:
            elements = stage.nest.rows * stage.nest.columns
            statements = sum(1 for _ in stage.nest.statements())
            total = total + elements * (statements + 1)
            total = total + elements * stage.product.depth // PRODUCTS_PER_OPERATION
        return total

    def _slice(self) -> None:
        writer, chain = self.writer, self.chain
        units, rows, height = writer.extent(self._units), writer.extent(chain.rows), self.height
        writer.line(f"begin = share({units}, slice, slices)")
        writer.line(f"end = share({units}, slice + 1, slices)")
        for stage in self.stages:
            stage.reductions.begin()
        if chain.over_rows:
            writer.line("for line in range(begin, end):")
            with writer.indented():
                self._begin_line()
                least = rows if isinstance(chain.rows, int) else f"max({rows}, 1)"  # a sum of nothing is written, too
                writer.line(f"for top in range(0, {least}, {height}):")
                with writer.indented():
                    self._block()
                self._end_line()
        else:
            blocks = writer.extent(self._blocks)
            writer.line("for unit in range(begin, end):")
            with writer.indented():
                writer.line("line = unit" if blocks == "1" else f"line = unit // {blocks}")
                writer.line("top = 0" if blocks == "1" else f"top = unit % {blocks} * {height}")
                if any(stage.product.panels is not None for stage in self.stages):
                    writer.line("if unit == begin or top == 0:")
                    with writer.indented():
                        self._begin_line()
                self._block()
        for stage in self.stages:
            stage.reductions.end()

    def _begin_line(self) -> None:
        for stage in self.stages:
            stage.begin_line()

    def _block(self) -> None:
        """All stages for a block of rows."""
        writer, rows = self.writer, self.writer.extent(self.chain.rows)
        writer.line(f"height = min({self.height}, {rows} - top)")
        writer.line(f"line_begin = line * {rows} + top")
        writer.line("line_end = line_begin + height")
        if any(stage.limited for stage in self.stages):
            unit = REACH_UNIT
            writer.line(f"reach = min({rows}, (top + height + {unit - 1}) // {unit} * {unit})  # up to the diagonal")
            if any(stage.over_rows for stage in self.stages):
                writer.line(f"reached = min({rows}, (top + {unit - 1}) // {unit} * {unit})")
        for stage in self.stages:
            stage.write()

    def _end_line(self) -> None:
        """What follows sums over all rows of a line."""
        for stage in self.stages:
            if stage.over_rows and stage.passes.has_passes:
                rows = self.writer.extent(stage.product.rows)
                self.writer.line(f"line_begin = line * {rows}")
                self.writer.line(f"line_end = line_begin + {rows}")
                stage.write_passes()


def _stride(columns: Extent) -> Extent:
    """How far the rows of a block are apart: not so that they crowd into few sets of the caches."""
    return ((columns + (LINE - 1)) // LINE) * LINE + LINE


def _height(chain: Chain) -> int:
    """Rows of a block: as many as the caches hold."""
    if not isinstance(chain.bytes_of_row, int):
        return ROWS_OF_UNKNOWN
    rows = BLOCK_BYTES // max(chain.bytes_of_row, 1) // ROW_UNIT * ROW_UNIT
    rows = min(MOST_ROWS, max(LEAST_ROWS, rows))
    return min(rows, chain.rows) if isinstance(chain.rows, int) else rows
