"""The lines of a kernel that compute its matrix product: packing, and a gemm for each block of columns or line of rows.

    pack_f32(784, 64, address(weight_in, block * 784), 1, 784, address(weight_panels, slice * 50176))
    gemm_f32(n0, 64, 784, address(input_in, 0), 784, 1, address(weight_panels, slice * 50176), …, 64)

A kernel that is cut by columns computes a block of them at a time, for all rows, and its passes over the block follow
while the block is in the cache. One with lines, such as those of an image, computes line after line, each followed by
its passes. Then the product needs no memory but the block's or the line's, unless an output is to hold it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from graphc.backends.cpu.blocks import STRETCH, Block, goes_by_stretches, stays_with
from graphc.backends.cpu.dots import FEW_ROWS
from graphc.backends.cpu.emit_within import Indices, margin_arguments
from graphc.backends.cpu.read_beside import MOST_ASKED, read_beside
from graphc.backends.cpu.vector_ir import Tiling
from graphc.backends.cpu.writer import Writer
from graphc.backends.nests.nest import Buffer, Nest, Product
from graphc.backends.nests.scalar import computing
from graphc.dim import Extent
from graphc.passes.fuse.place import Cut
from graphc.passes.fuse.product import Axis, extent_of

LONG_DEPTH = 64  # elements of a sum, from where on adding up its lanes at the end does not count

Terms = list[tuple[str, Extent]]  # an index and its stride


def names_of(terms: Terms) -> list[str]:
    """The indices of some terms."""
    return [name for name, _ in terms]


def panel_elements(product: Product) -> Extent:
    """Elements of the whole right operand, packed."""
    width = panel_width(product)
    return product.depth * (((product.columns + (width - 1)) // width) * width)


def panel_width(product: Product) -> int:
    """Columns of a panel of the packed right operand."""
    return Tiling.of(computing(product.result.dtype).numpy.name).width


def tile_height(product: Product) -> int:
    """Rows of a tile, and of a panel of the packed left operand."""
    return Tiling.of(computing(product.result.dtype).numpy.name).rows


def has_few_columns(product: Product) -> bool:
    """Whether sums along the depth are faster than tiles: they use all lanes, where columns would leave some idle."""
    columns, (*outer, depth) = product.columns, product.axes.depth
    if product.panels is None or outer or not (depth.left == depth.right == 1):
        return False
    lanes = Tiling.of(computing(product.result.dtype).numpy.name).lanes
    is_long = isinstance(depth.extent, int) and depth.extent >= LONG_DEPTH
    return is_long and isinstance(columns, int) and 4 * columns <= 3 * lanes


class ProductLines:
    """Writes the product of a nest; `block` is None where the kernel is cut by rows."""

    def __init__(self, nest: Nest, product: Product, block: Block | None, writer: Writer) -> None:
        self.nest = nest
        self.product = product
        self.block = block
        self.writer = writer
        self.width = panel_width(product)
        self.name = computing(product.result.dtype).name
        self._in_stretch = False
        is_first = product is nest.product
        self.home = nest.product_home if is_first else None  # the output in which it lies
        others = nest.beside if is_first else []
        self.beside = [ProductLines(nest, other, block, writer) for other in others]

    @property
    def by_lines(self) -> bool:
        """Whether the kernel walks the product line by line."""
        return self.block is None and bool(self.product.axes.lines)

    @property
    def units(self) -> Extent:
        """What slices share of a product that is walked line by line."""
        return self.product.lines

    # -- memory -------------------------------------------------------------------------------------------------------

    def temporaries(self) -> dict[Buffer, Extent]:
        """Scratch for a slice: packed panels, and the block of the product that no output holds."""
        product, found = self.product, {}
        if product.panels is not None and not product.is_packed_before and not self._are_few:
            found[product.panels] = self._panel_elements
        if self.home is None and self.nest.cut is not Cut.DEPTH:
            found[product.result] = self._result_elements
        for other in self.beside:
            found |= other.temporaries()
        return found

    @property
    def _panel_elements(self) -> Extent:
        columns: Extent = self.product.columns if self.block is None else self.block.columns
        return self.product.depth * (((columns + (self.width - 1)) // self.width) * self.width)

    @property
    def _result_elements(self) -> Extent:
        product = self.product
        if self.block is not None:
            rows = STRETCH if self.has_stretches else product.lines * product.rows
            return rows * self.block.columns
        return product.rows * product.columns

    def place(self) -> None:
        """Say where the product lies, and those beside it, for the statements that follow."""
        self.writer.place_product(self.product, self.home, self._element())
        for other in self.beside:
            other.place()

    def _element(self) -> str | None:
        """The product at row i and column j, where it is a block or a line of the slice's own."""
        if self.home is not None or self.nest.cut is Cut.DEPTH:
            return None
        start = f"slice * {self.writer.extent(self._result_elements)}"
        if self.block is not None:
            i = "(i - top)" if self.has_stretches else "i"
            row = f" + {i} * {self.block.columns}" if self.nest.split else ""  # none where a row is the whole domain
            return f"{self.product.result.name}[{start}{row} + j - block]"
        if self.by_lines:
            columns = self.writer.extent(self.product.columns)
            return f"{self.product.result.name}[{start} + (i - line_begin) * {columns} + j]"
        return None

    # -- lines --------------------------------------------------------------------------------------------------------

    def write(self) -> None:
        """The product for a block of columns, or for the rows of the slice: there are no lines to walk."""
        self.writer.node(self.product.node)
        self._pack_and_multiply([], [])
        for other in self.beside:
            other.write()

    @property
    def has_stretches(self) -> bool:
        """Whether a block of columns is computed some rows at a time."""
        return self.block is not None and self.nest.product_home is None and goes_by_stretches(self.nest)

    @contextmanager
    def each_stretch(self) -> Iterator[None]:
        """A loop over stretches of rows, from `top` to `bottom`: the product of each, and room for what follows it.

        The product of a stretch lies in the first-level cache, however far the rows of the result are apart, and the
        result is written once.
        """
        writer, rows = self.writer, self.writer.extent(self.product.rows)
        for product in (self, *self.beside):
            product._pack_for_stretches(rows)
        writer.line(f"for top in range(0, {rows}, {STRETCH}):")
        with writer.indented():
            writer.line(f"bottom = min(top + {STRETCH}, {rows})")
            for product in (self, *self.beside):
                product._write_stretch(rows)
            yield

    def _pack_for_stretches(self, rows: str) -> None:
        if self._may_be_few:
            self.writer.line(f"if {rows} > {FEW_ROWS}:")
            with self.writer.indented():
                self._pack([])
        elif not self._are_few:
            self._pack([])

    def _write_stretch(self, rows: str) -> None:
        """The product from row `top` to row `bottom`."""
        writer = self.writer
        self._in_stretch = True
        writer.node(self.product.node)
        if self._may_be_few:
            writer.line(f"if {rows} <= {FEW_ROWS}:")
            with writer.indented():
                self._dot([], [])
            writer.line("else:")
            with writer.indented():
                self._multiply([], [])
        else:
            (self._dot if self._are_few else self._multiply)([], [])
        self._in_stretch = False

    @contextmanager
    def each_line(self) -> Iterator[None]:
        """A loop over the lines of the slice: the product of each, and room for what follows it."""
        writer, product = self.writer, self.product
        with self._walk("line", product.axes.lines, "begin", "end") as (left, right):
            writer.node(product.node)
            if self._are_few or not self._serves_all_lines:
                self._pack_and_multiply(left, right)
            else:
                self._multiply(left, right)
            yield

    @contextmanager
    def each_stretch_of_rows(self) -> Iterator[tuple[str, str]]:
        """The first and the last row of a line, for the passes that follow it."""
        rows = self.writer.extent(self.product.rows)
        self.writer.line(f"line_begin = line * {rows}")
        self.writer.line(f"line_end = line_begin + {rows}")
        yield "line_begin", "line_end"

    def before_lines(self) -> None:
        """What serves all lines of a slice."""
        if self._serves_all_lines and not self._are_few:
            self._pack([])

    @property
    def _serves_all_lines(self) -> bool:
        """Whether the right operand is the same for every line."""
        return self.by_lines and all(axis.right == 0 for axis in self.product.axes.lines)

    @contextmanager
    def _walk(self, name: str, axes: tuple[Axis, ...], begin: str, end: str) -> Iterator[tuple[Terms, Terms]]:
        """for line in range(begin, end): where it begins in the operands."""
        writer = self.writer
        if not axes:
            yield [], []
            return
        writer.line(f"for {name} in range({begin}, {end}):")
        with writer.indented():
            yield self._places(name, axes)

    def _places(self, name: str, axes: tuple[Axis, ...]) -> tuple[Terms, Terms]:
        """Where the place with this number along some axes begins in the operands."""
        writer = self.writer
        names = [name] if len(axes) == 1 else [f"{name}{number}" for number in range(len(axes))]
        rest = name
        for number in range(len(axes) - 1, 0, -1):
            extent = writer.extent(axes[number].extent)
            writer.line(f"{names[number]} = {rest} % {extent}")
            following = names[0] if number == 1 else f"{name}_rest"
            writer.line(f"{following} = {rest} // {extent}")
            rest = following
        left = [(each, axis.left) for each, axis in zip(names, axes, strict=True)]
        right = [(each, axis.right) for each, axis in zip(names, axes, strict=True)]
        return left, right

    def _pack_and_multiply(self, left: Terms, right: Terms) -> None:
        """The product by way of panels, where there are any; but few rows take the right operand as it is."""
        product, writer = self.product, self.writer
        if self._may_be_few:
            writer.line(f"if {writer.extent(product.rows)} <= {FEW_ROWS}:")
            with writer.indented():
                self._dot(left, right)
            writer.line("else:")
            with writer.indented():
                self._pack(right)
                self._multiply(left, right)
        elif self._are_few:
            self._dot(left, right)
        else:
            self._pack(right)
            self._multiply(left, right)

    @property
    def _are_few(self) -> bool:
        """Whether the right operand is read where it lies, along the depth."""
        rows = self.product.rows
        is_few = isinstance(rows, int) and rows <= FEW_ROWS
        return has_few_columns(self.product) or (self._is_along_the_depth and is_few and not self._serves_all_lines)

    @property
    def _may_be_few(self) -> bool:
        """Whether the run decides that."""
        is_known = isinstance(self.product.rows, int) or has_few_columns(self.product)
        return self._is_along_the_depth and not is_known and not self._serves_all_lines

    @property
    def _is_along_the_depth(self) -> bool:
        """Whether the kernel would pack an operand, and neighbours along the depth are neighbours in both of them."""
        if self.product.panels is None or self.product.is_packed_before:
            return False
        (*outer, depth) = self.product.axes.depth
        return not outer and depth.left == depth.right == 1

    def _dot(self, left: Terms, right: Terms) -> None:
        """The product of few rows, both operands read where they lie."""
        product, ex = self.product, self.writer.extent
        axes = product.axes
        (depth,) = axes.depth
        rows, left = self._rows(left)
        target, stride = self._target([])
        a = self._address(product.lhs, axes.left.offset, *left)
        b = self._address(product.rhs, axes.right.offset, *right, *self._column(axes.column.right))
        self._call(
            f"dot_{self.name}", rows, self._columns, ex(depth.extent), a, ex(axes.row.left), b, ex(axes.column.right),
            target, ex(stride),
        )  # fmt: skip

    def _rows(self, left: Terms) -> tuple[str, Terms]:
        """How many rows there are, and where the first one is."""
        axes = self.product.axes
        if self._in_stretch:
            return "bottom - top", [*left, ("top", axes.row.left)]
        if self.block is None and not axes.lines:
            return "end - begin", [*left, ("begin", axes.row.left)]
        return self.writer.extent(self.product.rows), left

    def _pack(self, right: Terms) -> None:
        product, ex = self.product, self.writer.extent
        if product.panels is None or product.is_packed_before:
            return
        (depth,) = product.axes.depth
        source = self._address(product.rhs, product.axes.right.offset, *right, *self._column(product.axes.column.right))
        self._call(
            f"pack_{self.name}", ex(depth.extent), self._columns, source, ex(depth.right),
            ex(product.axes.column.right), self._panels,
        )  # fmt: skip

    @property
    def _panels(self) -> str:
        assert self.product.panels is not None
        if self.product.is_packed_before:
            return self._address(self.product.panels, 0, *self._column(self.product.depth))
        return self._address(self.product.panels, 0, ("slice", self._panel_elements))

    @property
    def _columns(self) -> str:
        return self.block.count if self.block is not None else self.writer.extent(self.product.axes.column.extent)

    def _column(self, stride: Extent) -> Terms:
        """Where the block of columns begins."""
        return [("block", stride)] if self.block is not None else []

    def _multiply(self, left: Terms, right: Terms) -> None:
        """The product of a line, of a block of columns, or of the rows of a slice."""
        product, ex = self.product, self.writer.extent
        axes = product.axes
        rows, left = self._rows(left)
        *outer, depth = axes.depth
        segment = outer.pop() if outer else Axis(1, 0, 0) if axes.is_by_lanes else None
        if outer and segment is not None:  # written even where there is nothing to sum
            writer = self.writer
            count = writer.extent(extent_of(outer))
            writer.line(f"segments = {ex(segment.extent)} if {count} > 0 else 0")
        loop = self._walk("deep", tuple(outer), "0", f"max({count}, 1)") if outer else self._each("deep", ())
        with loop as (a_depth, b_depth), self._each_group() as (a_group, b_group, group):
            target, stride = self._target(group)
            a = self._address(product.lhs, axes.left.offset, *left, *a_depth, *a_group)
            if product.panels is not None:
                b, panel, step = self._panels, ex(depth.extent * self.width), str(self.width)
            else:
                b = self._address(product.rhs, axes.right.offset, *right, *b_depth, *b_group, *self._column(1))
                panel, step = str(self.width), ex(depth.right)
            asked = self._asked
            asking = "_fetching" if asked else ""
            if product.left_panels is not None:
                has_some = self._in_stretch or self.block is None  # of the rows
                first = [("top" if self._in_stretch else "begin", depth.extent)] if has_some else []
                self._call(
                    f"gemm_panels{asking}_{self.name}", rows, self._columns, ex(depth.extent),
                    self._address(product.left_panels, 0, *first), b, panel, step, target, ex(stride), *asked,
                )  # fmt: skip
                return
            if segment is None:
                self._call(
                    f"gemm{asking}_{self.name}", rows, self._columns, ex(depth.extent), a, ex(axes.row.left),
                    ex(depth.left), b, panel, step, target, ex(stride), *asked,
                )  # fmt: skip
                return
            self._call(
                self._gemm_segments, rows, self._columns, ex(depth.extent),
                "segments" if outer else ex(segment.extent), a, ex(axes.row.left), ex(depth.left), ex(segment.left), b,
                panel, step, ex(segment.right), target, ex(stride), "min(deep, 1)" if outer else "0",
                *self._margins(zip([*names_of(left), *names_of(a_depth)], [*axes.lines, *outer], strict=True), segment),
            )  # fmt: skip

    @property
    def _asked(self) -> list[str]:
        """What the tiles of a block of columns are told of the arrays that are read with it (`fetching.py`)."""
        arrays = [] if self.block is None else read_beside(self.nest, self.product)
        if not arrays or not (self._in_stretch or stays_with(len(arrays), self.product)):
            return []
        columns = self.writer.extent(self.product.columns)
        first: Terms = [("top", self.product.columns)] if self._in_stretch else []
        places = [self._address(array, 0, *first, ("block", 1)) for array in arrays]
        return [str(len(arrays)), columns, *places, *["0"] * (MOST_ASKED - len(arrays))]

    def _margins(self, around: Indices, segment: Axis) -> list[str]:
        """What else the call is told where the image has margins that are not in memory."""
        if not self.product.axes.left.margins:
            return []
        return margin_arguments(self.product, around, segment, self.writer)

    def _each(self, name: str, axes: Sequence[Axis]) -> AbstractContextManager[tuple[Terms, Terms]]:
        """A loop over all places of some axes."""
        return self._walk(name, tuple(axes), "0", self.writer.extent(extent_of(axes)))

    @contextmanager
    def _each_group(self) -> Iterator[tuple[Terms, Terms, Terms]]:
        """A loop over the groups, where there are some: where each begins in the operands and among the columns."""
        axes = self.product.axes
        with self._each("group", axes.groups) as (left, right):
            yield left, right, [("group", axes.column.extent)] if axes.groups else []

    @property
    def _gemm_segments(self) -> str:
        axes = self.product.axes
        kind = "lanes_within" if axes.left.margins else "lanes" if axes.is_by_lanes else "segments"
        return f"gemm_{kind}_{self.name}"

    def _target(self, group: Terms) -> tuple[str, Extent]:
        """Where the product of a group goes, and how far its rows are apart."""
        product, home = self.product, self.home
        if home is None and (self.block is not None or self.by_lines):
            row = self.block.columns if self.block is not None else product.columns
            return self._address(product.result, 0, ("slice", self._result_elements), *group), row
        start = self._column(1)
        if self.by_lines:
            start = [("line", product.rows * product.columns)]
        elif self.block is None:
            start = [("begin", product.columns)]
        return self._address(home or product.result, 0, *start, *group), product.columns

    def _address(self, buffer: Buffer, offset: Extent, *terms: tuple[str, Extent]) -> str:
        """The address of an element: offset + Σ index · stride."""
        parts = [i if s == 1 else f"{i} * {self.writer.extent(s)}" for i, s in terms if s != 0]
        if offset != 0 or not parts:
            parts.append(self.writer.extent(offset))
        return f"address({buffer.name}, {' + '.join(parts)})"

    def _call(self, function: str, *arguments: str) -> None:
        self.writer.line(self.writer.called(f"{function}({', '.join(arguments)})"))
