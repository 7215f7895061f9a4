"""A stage of a chain: its product for the block of rows that begins at `top`, then the passes over the block.

    gemm_f32(height, 64, 2048, address(weights, slice * 99072), 2064, 1, address(v_in, line * 131072), …)
    gemm_segments_f32(2048, 64, height, 1, address(weights, …), 1, 2064, 0, address(g_in, …), …, min(top, 1))

The second sums over the rows: a block adds its part. The block is rows `line_begin` to `line_end` of all lines.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from graphc.backends.cpu.emit_product import ProductLines, Terms
from graphc.backends.cpu.emit_reductions import Reductions
from graphc.backends.cpu.emit_rows import Rows
from graphc.backends.cpu.writer import Writer, indices
from graphc.backends.nests.chain import ChainStage
from graphc.backends.nests.nest import Buffer
from graphc.dim import Extent
from graphc.passes.fuse.product import Axis


class Stage(ProductLines):
    """Writes a product over blocks of rows, and the passes that follow it."""

    def __init__(
        self,
        stage: ChainStage,
        height: int,
        links: Mapping[Buffer, Extent],
        limited: Collection[Buffer],
        writer: Writer,
    ) -> None:
        nest = stage.nest
        assert nest.product is not None
        super().__init__(nest, nest.product, None, writer)
        self.over_rows = stage.over_rows
        self.limited = stage.limited
        self.reads_limited = nest.product.lhs in limited
        self.height = height
        self.links = links  # and how far their rows are apart
        self.reductions = Reductions(nest, writer)
        self.passes = Rows(nest, writer, self.reductions, list(indices(nest)), "reach" if stage.limited else "")

    # -- memory -------------------------------------------------------------------------------------------------------

    @property
    def _result_elements(self) -> Extent:
        rows = self.product.rows if self.over_rows else self.height
        return rows * self.product.columns

    @property
    def _are_few(self) -> bool:
        """A block is multiplied tile by tile, with the right operand in panels."""
        return False

    def temporaries(self) -> dict[Buffer, Extent]:
        found = super().temporaries() | self.reductions.temporaries()
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
        writer.place_product(product, self.nest.product_home, element)
        writer.loops = [self.passes.rows, self.passes.columns]

    # -- lines --------------------------------------------------------------------------------------------------------

    def begin_line(self) -> None:
        """Pack the right operand, where its columns do not lie side by side."""
        if self.product.panels is not None:
            _, right = self._places("line", self.product.axes.lines)
            self._pack(right)

    def write(self) -> None:
        """The product for a block, or a block's part of it; then the passes over the block."""
        self.writer.node(self.product.node)
        left, right = self._places("line", self.product.axes.lines)
        if self.over_rows:
            self._add(left, right)
        else:
            self._multiply_rows(left, right)
            self.write_passes()

    def write_passes(self) -> None:
        """The passes over the rows from `line_begin` to `line_end`."""
        if self.passes.has_passes:
            self.enter()
            self.passes.write("line_begin", "line_end")

    def _multiply_rows(self, left: Terms, right: Terms) -> None:
        """The rows of the block."""
        product, ex, axes = self.product, self.writer.extent, self.product.axes
        a, *steps = self._left(left, axes.row)
        b, panel, step = self._address(product.rhs, axes.right.offset, *right), str(self.width), self._depth.right
        if product.panels is not None:
            b, panel, step = self._panels, ex(self._depth.extent * self.width), self.width
        columns = "reach" if self.limited else self._columns
        places = "reach" if self.reads_limited else ex(self._depth.extent)
        home = self.nest.product_home
        row, start = product.columns, ("line_begin", product.columns)
        if home is None:
            start = ("slice", self._result_elements)
        elif home in self.links:
            row = self.links[home]
            start = ("slice", self.height * row)
        target = self._address(home or product.result, 0, start)
        self._call(f"gemm_{self.name}", "height", columns, places, a, *steps, b, panel, ex(step), target, ex(row))

    def _add(self, left: Terms, right: Terms) -> None:
        """What the block adds to a sum over rows: to rows of the result that have begun, and to others their first."""
        product, ex, axes = self.product, self.writer.extent, self.product.axes
        b, step = self._address(product.rhs, axes.right.offset, *right, ("top", self._depth.right)), self._depth.right
        if product.rhs in self.links:
            step = self.links[product.rhs]
            b = self._address(product.rhs, 0, ("slice", self.height * step))
        parts = [(ex(product.rows), "", "min(top, 1)")]
        if self.reads_limited:
            parts = [("reached", "", "1"), ("reach - reached", "reached", "0")]
        home, start = self.nest.product_home, ("line", product.rows * product.columns)
        if home is None:
            start = ("slice", self._result_elements)
        for rows, first, resume in parts:
            a, *steps = self._left([*left, (first, axes.row.left)] if first else left, self._depth)
            at: Terms = [start, (first, product.columns)] if first else [start]
            target = self._address(home or product.result, 0, *at)
            self._call(
                f"gemm_segments_{self.name}", rows, self._columns, "height", "1", a, *steps, "0", b, str(self.width),
                ex(step), "0", target, ex(product.columns), resume,
            )  # fmt: skip

    def _left(self, terms: Terms, along: Axis) -> tuple[str, str, str]:
        """Where the left operand begins for a block, and how far its rows and the places of its depth are apart."""
        product, ex, axes = self.product, self.writer.extent, self.product.axes
        stride = self.links.get(product.lhs)
        if stride is None:
            a = self._address(product.lhs, axes.left.offset, *terms, ("top", along.left))
            return a, ex(axes.row.left), ex(self._depth.left)
        within = [term for term in terms if term[0] == "reached"]
        a = self._address(product.lhs, 0, ("slice", self.height * stride), *within)
        return (a, "1", ex(stride)) if self.over_rows else (a, ex(stride), "1")

    @property
    def _depth(self) -> Axis:
        (depth,) = self.product.axes.depth
        return depth
