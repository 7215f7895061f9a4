"""The lines of a kernel whose product has few lines of many rows: slices share blocks of their rows.

    for unit in range(begin, end):
        unit1 = unit % 3                                    # three blocks of rows for each of five lines
        unit0 = unit // 3
        first = unit0 * 320 + unit1 * 108
        rows = min(108, 320 - unit1 * 108)
        for deep in range(0, max(n0, 1), 19):               # lines of images, with 247 pixels at once
            runs = min(19, n0 - deep)
            for run in range(deep, deep + runs):
                ...
                pack_run_f32(rows, 13, address(pad_in, …), 1, 64, address(pad_panels, …), runs * 13, 1088)
            gemm_gathered_f32(rows, 192, runs * 13, address(pad_panels, …), address(dy_in, …), …, min(deep, 1))

The gradient for a convolution's kernel is such a product, where it has too many results to be cut along its depth: its
lines are those of the taps, 5 of a kernel of 5×5, which two threads could not share evenly, nor eight at all. Its depth
is the pixels of all images, line by line; they are gathered where many columns read them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from graphc.backends.cpu.emit_product import ProductLines, Terms, tile_height
from graphc.backends.cpu.writer import Writer
from graphc.backends.nests.nest import Buffer, Nest, Product
from graphc.dim import Extent
from graphc.passes.fuse.place import Cut
from graphc.passes.fuse.product import Axis, MatrixProduct, extent_of

MOST_UNITS = 16  # blocks of rows of all lines: every slice reads all of the right operand
LEAST_ROWS = 36  # of a block
LEAST_COLUMNS = 128  # of a product from where on it pays to gather its left operand
GATHERED = 256  # places of the depth at once: a panel of the right operand stays in the first-level cache


def rows_together(nest: Nest, product: Product) -> int:
    """The rows of a block; 0 where lines are many, or have so few rows that they are not cut."""
    axes, lines, rows = product.axes, product.lines, product.rows
    if nest.cut is not Cut.ROWS or not axes.lines or axes.is_by_lanes or any(axis.right != 0 for axis in axes.lines):
        return 0
    if not isinstance(lines, int) or not isinstance(rows, int) or (product.panels and not product.is_packed_before):
        return 0
    height = tile_height(product)
    tiles = -(-rows // height)
    blocks = min(MOST_UNITS // lines, tiles // -(-LEAST_ROWS // height))
    return -(-tiles // blocks) * height if blocks > 1 else 0


def gathers(axes: MatrixProduct) -> bool:
    """Whether a product reads short runs of its left operand, which are rows of the right one without a gap."""
    *outer, run = axes.depth
    if not outer or axes.row.left != 1 or axes.column.right != 1:
        return False
    if not isinstance(run.extent, int) or not isinstance(axes.column.extent, int):
        return False
    follows = all(a.right == b.right * b.extent for a, b in zip(axes.depth, axes.depth[1:], strict=False))
    return follows and 0 < run.extent <= GATHERED and axes.column.extent >= LEAST_COLUMNS


class FewLines(ProductLines):
    """Writes the product of a block of a line's rows after another."""

    def __init__(self, nest: Nest, product: Product, rows: int, writer: Writer) -> None:
        super().__init__(nest, product, None, writer)
        assert isinstance(product.rows, int)
        self.rows = rows
        self.blocks = -(-product.rows // rows)
        self.is_exact = product.rows % rows == 0
        self.panels: Buffer | None = None
        if gathers(product.axes):
            size = rows * self._runs * product.axes.depth[-1].extent
            name, dtype = f"{product.lhs.name}_panels", product.result.dtype
            self.panels = Buffer(name, dtype, "temporary", size, per_slice=True)
            writer.buffers.append(self.panels)

    @property
    def _runs(self) -> int:
        """Runs of the depth that are gathered at once."""
        run = self.product.axes.depth[-1].extent
        assert isinstance(run, int)
        return GATHERED // run

    @property
    def units(self) -> Extent:
        return self.product.lines * self.blocks

    @property
    def _result_elements(self) -> Extent:
        return self.rows * self.product.columns

    @contextmanager
    def each_line(self) -> Iterator[None]:
        """A loop over the blocks of the slice: the product of each, and room for what follows it."""
        writer, product, whole = self.writer, self.product, self.product.rows
        block = Axis(self.blocks, product.axes.row.left * self.rows, 0)
        with self._walk("unit", (*product.axes.lines, block), "begin", "end") as (left, _):
            if self.is_exact:
                writer.line(f"first = unit * {self.rows}")
            else:
                number, _ = left[-1]
                line = f"unit // {self.blocks}" if len(left) > 2 else "unit0"
                writer.line(f"first = {line} * {whole} + {number} * {self.rows}")
                writer.line(f"rows = min({self.rows}, {whole} - {number} * {self.rows})")
            writer.node(product.node)
            if self.panels is not None:
                self._gather_and_multiply(self.panels, left)
            else:
                self._multiply(left, [])
            yield

    @contextmanager
    def each_stretch_of_rows(self) -> Iterator[tuple[str, str]]:
        self.writer.line("line_begin = first")
        self.writer.line(f"line_end = first + {self._count}")
        yield "line_begin", "line_end"

    @property
    def _count(self) -> str:
        """The rows of a block, as text."""
        return str(self.rows) if self.is_exact else "rows"

    def _rows(self, left: Terms) -> tuple[str, Terms]:
        return self._count, left

    def _target(self, group: Terms) -> tuple[str, Extent]:
        """Where the product of a block goes, and how far its rows are apart."""
        columns = self.product.columns
        if self.home is None:
            return self._address(self.product.result, 0, ("slice", self._result_elements), *group), columns
        return self._address(self.home, 0, ("first", columns), *group), columns

    def _gather_and_multiply(self, panels: Buffer, left: Terms) -> None:
        """Some runs of the depth after others: their columns to panels, then the product with what follows them."""
        writer, product, ex = self.writer, self.product, self.writer.extent
        axes, height = product.axes, tile_height(product)
        *outer, run = axes.depth
        count, runs, length = ex(extent_of(outer)), self._runs, ex(run.extent)
        part: Terms = [("slice", panels.extent)]
        with self._each_group() as (a_group, b_group, group):
            writer.line(f"for deep in range(0, max({count}, 1), {runs}):")  # written even where there is nothing to sum
            with writer.indented():
                writer.line(f"runs = min({runs}, {count} - deep)")
                with self._walk("run", tuple(outer), "deep", "deep + runs") as (a_run, _):
                    a = self._address(product.lhs, axes.left.offset, *left, *a_group, *a_run)
                    packed = self._address(panels, 0, *part, ("(run - deep)", run.extent * height))
                    self._call(
                        f"pack_run_{self.name}", self._count, length, a, ex(axes.row.left), ex(run.left), packed,
                        f"runs * {length}", ex(outer[-1].left),
                    )  # fmt: skip
                b = self._address(product.rhs, axes.right.offset, *b_group, ("deep", run.right * run.extent))
                target, stride = self._target(group)
                self._call(
                    f"gemm_gathered_{self.name}", self._count, self._columns, f"runs * {length}",
                    self._address(panels, 0, *part), b, str(self.width), ex(run.right), target, ex(stride),
                    "min(deep, 1)",
                )  # fmt: skip
