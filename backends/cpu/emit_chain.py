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

from graphc.backends.cpu.emit import PRODUCTS_PER_OPERATION, KernelSource
from graphc.backends.cpu.emit_product import ProductLines, Terms
from graphc.backends.cpu.emit_reductions import Reductions
from graphc.backends.cpu.emit_rows import Rows
from graphc.backends.cpu.writer import Writer, indices
from graphc.backends.nests.chain import Chain, ChainStage
from graphc.backends.nests.nest import Buffer, Nest
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


class _Stage(ProductLines):
    """A product over a block of rows, and the passes that follow it."""

    def __init__(
        self, stage: ChainStage, height: int, links: dict[Buffer, Extent], limited: set[Buffer], writer: Writer
    ) -> None:
        nest = stage.nest
        assert nest.product is not None
        super().__init__(nest, nest.product, None, writer)
        self.over_rows = stage.over_rows
        self.height = height
        self.links = links  # and how far their rows are apart
        self.reductions = Reductions(nest, writer)
        self.limited = stage.limited
        self.reads_limited = nest.product.lhs in limited
        limit = "reach" if stage.limited else ""
        self.passes = Rows(nest, writer, self.reductions, list(indices(nest)), limit)

    # -- memory -------------------------------------------------------------------------------------------------------

    @property
    def _result_elements(self) -> Extent:
        rows = self.product.rows if self.over_rows else self.height
        return rows * self.product.columns

    def temporaries(self) -> dict[Buffer, Extent]:
        found = super().temporaries()
        if self.passes.short is not None:
            found |= self.passes.short.temporaries()
        return found

    def enter(self) -> None:
        """Say where this stage's product lies, for the statements that follow."""
        product, writer = self.product, self.writer
        element = None
        if self.nest.product_home is None:
            start = f"slice * {writer.extent(self._result_elements)}"
            element = f"{product.result.name}[{start} + (i - line_begin) * {writer.extent(product.columns)} + j]"
        writer.place_product(self.nest, element)
        writer.loops = [self.passes.rows, self.passes.columns]

    # -- lines --------------------------------------------------------------------------------------------------------

    def begin_line(self) -> None:
        """Pack the right operand, where its columns do not lie side by side."""
        if self.product.panels is not None:
            _, right = self._places("line", self.product.axes.lines)
            self._pack(right)

    def write(self) -> None:
        """The product for a block, or a block's part of it; then the passes over the block."""
        writer, product, ex = self.writer, self.product, self.writer.extent
        axes = product.axes
        writer.node(product.node)
        left, right = self._places("line", axes.lines)
        (depth,) = axes.depth
        along = depth if self.over_rows else axes.row
        stride = self.links.get(product.lhs)
        if stride is not None:
            a = self._address(product.lhs, 0, ("slice", self.height * stride))
            steps = ("1", ex(stride)) if self.over_rows else (ex(stride), "1")
        else:
            a = self._address(product.lhs, axes.left.offset, *left, ("top", along.left))
            steps = (ex(axes.row.left), ex(depth.left))
        target, row = self._target([])
        if self.over_rows:
            b, far = self._address(product.rhs, axes.right.offset, *right, ("top", depth.right)), depth.right
            if product.rhs in self.links:
                far = self.links[product.rhs]
                b = self._address(product.rhs, 0, ("slice", self.height * far))
            if self.reads_limited:
                self._add_up_to_reach(steps, b, ex(far), row)
                return
            self._call(
                f"gemm_segments_{self.name}", ex(product.rows), self._columns, "height", "1", a, *steps, "0", b,
                str(self.width), ex(far), "0", target, ex(row), "min(top, 1)",
            )  # fmt: skip
            return
        if product.panels is not None:
            b, panel, step = self._panels, ex(depth.extent * self.width), str(self.width)
        else:
            b, panel, step = self._address(product.rhs, axes.right.offset, *right), str(self.width), ex(depth.right)
        columns = "reach" if self.limited else self._columns
        places = "reach" if self.reads_limited else ex(depth.extent)
        self._call(f"gemm_{self.name}", "height", columns, places, a, *steps, b, panel, step, target, ex(row))
        self.write_passes()

    def _add_up_to_reach(self, steps: tuple[str, str], b: str, step: str, row: Extent) -> None:
        """A block's part of the rows that earlier blocks have begun, and the first part of those they did not reach."""
        product, stride = self.product, self.links[self.product.lhs]
        start: Terms = [("slice", self._result_elements)]
        if self.nest.product_home is not None:
            start = [("line", product.rows * product.columns)]
        for rows, at, resume in (("reached", "0", "1"), ("reach - reached", "reached", "0")):
            a = self._address(product.lhs, 0, ("slice", self.height * stride), (at, 1))
            target = self._address(self.nest.product_home or product.result, 0, *start, (at, row))
            self._call(
                f"gemm_segments_{self.name}", rows, self._columns, "height", "1", a, *steps, "0", b, str(self.width),
                step, "0", target, self.writer.extent(row), resume,
            )  # fmt: skip

    def write_passes(self) -> None:
        """The passes over the rows from `line_begin` to `line_end`."""
        if self.passes.has_passes:
            self.enter()
            self.passes.write("line_begin", "line_end")

    def _target(self, group: Terms) -> tuple[str, Extent]:
        product, home = self.product, self.nest.product_home
        if home is None:
            return self._address(product.result, 0, ("slice", self._result_elements)), product.columns
        if home in self.links:
            return self._address(home, 0, ("slice", self.height * self.links[home])), self.links[home]
        start: Terms = (
            [("line", product.rows * product.columns)] if self.over_rows else [("line_begin", product.columns)]
        )
        return self._address(home, 0, *start), product.columns


class _Emitter:
    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.height = _height(chain)
        links = {link: _stride(columns) for link, columns in chain.links.items()}
        count = len(chain.stages)
        title = f"%{chain.name}: {count} product{'s' * (count > 1)}, {self.height} rows at a time."
        self.writer = Writer(title, chain.buffers)
        limited = chain.limited_links
        self.stages = [_Stage(stage, self.height, links, limited, self.writer) for stage in chain.stages]
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
