"""A contraction as a kernel reads it: a product of matrices whose rows and depth may consist of several axes.

    dot_general(windows(x): f32[N,30,30,3,3,8], w: f32[3,3,8,16])
        lines    N, 30           each a product of its own
        rows     30              stride 8
        depth    3, 24           3 segments, each a run of 24 neighbours of x
        columns  16

Operands that are affine views are read where they lie. Neighbouring axes become one where both operands allow it; what
is left of the rows are *lines*, and of the depth *segments*.

A `grouped_dot` has its batch axes among the columns, and is done group by group in every line. Where each group has one
column, and groups lie side by side in both operands, they are the columns themselves: every column has a left operand
of its own, as in a depthwise convolution.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from graphc.dim import Extent, evaluate_extent
from graphc.ir import Graph, Node, Value
from graphc.ops.contraction import free_axes, grouped_dot
from graphc.passes.fuse.margins import within_margins
from graphc.passes.fuse.strided import Producer, Strided, contiguous, strided
from graphc.passes.fuse.views import has_plain_margins, is_floating
from graphc.types import f32, f64

MOST_PARTS = 1 << 17  # results of a product that is cut along its depth: each slice has a sum of its own for each
FEW_COLUMNS = 128  # which cannot be shared by many threads
MOST_COLUMNS = 256  # of a product that is cut along its depth: operands are read once, not once for each block
LEAST_WORK = 400_000  # multiplications in a batch of one, from where on it is worth it
LEAST_DEPTH = 32  # in a batch of one
LONG = 64  # what a named dim is taken to be at least, where there are several
LONG_DEPTH = 1024  # the same, of one axis: only groups of its places can be given to threads
MOST_TAPS = 9  # of a line of a depthwise kernel, where the steps at the ends of an image's lines are written out
MOST_ENDS = 16  # such steps at either end
LEAST_OF_ROW = 8  # columns of a matrix that a row is multiplied with
LEAST_RUN = 4  # neighbours that make a run of the depth, or a line of rows, worth a loop


@dataclass(frozen=True)
class Axis:
    """An axis of a product: its extent, and how far its places are apart in the left and the right operand."""

    extent: Extent
    left: Extent
    right: Extent
    along: int | None = None  # the margin of the left operand that a step leads to

    def follows(self, outer: Axis) -> bool:
        """Whether this axis and the one around it are one axis."""
        is_apart = self.along is not None or outer.along is not None
        return not is_apart and outer.left == self.left * self.extent and outer.right == self.right * self.extent


@dataclass(frozen=True)
class MatrixProduct:
    """Where the elements lie that a contraction multiplies: batch and row axes, columns, depth, outermost first."""

    left: Strided
    right: Strided
    batch: tuple[Axis, ...]
    rows: tuple[Axis, ...]
    columns: tuple[Axis, ...]
    depth: tuple[Axis, ...]
    inside: bool = False  # whether the batch axes stand between rows and columns in the result

    @property
    def groups(self) -> tuple[Axis, ...]:
        """The batch axes that stand among the columns."""
        return self.batch if self.inside else ()

    @property
    def lines(self) -> tuple[Axis, ...]:
        """The axes that are walked one place after another, with a product of matrices at each."""
        return (*(() if self.inside else self.batch), *self.rows[:-1])

    @property
    def row(self) -> Axis:
        return self.rows[-1]

    @property
    def column(self) -> Axis:
        return self.columns[-1]

    @property
    def is_by_lanes(self) -> bool:
        """Whether every column has a left operand of its own."""
        return self.column.left != 0

    @property
    def keeps_columns(self) -> bool:
        """Whether a slice has all columns of its rows."""
        return bool(self.lines) or self.inside

    def is_beside(self, other: MatrixProduct) -> bool:
        """Whether both are products of one left operand with matrices that differ in what they hold and where they lie
        alone, so that one kernel can compute them side by side.
        """
        return (
            self.left == other.left
            and not (self.lines or self.inside or self.is_deep)
            and len(self.depth) == 1
            and (self.rows, self.columns, self.depth) == (other.rows, other.columns, other.depth)
        )

    @property
    def is_packed(self) -> bool:
        """Whether the right operand is copied to panels before it is read."""
        return self.column.right != 1

    @property
    def is_simple(self) -> bool:
        """Whether kernels can compute it as it is."""
        if self.inside and (len(self.batch) > 1 or self.is_packed):
            return False
        return len(self.columns) == 1 and (not self.is_packed or len(self.depth) == 1)

    @property
    def is_deep(self) -> bool:
        """Whether it is cut along its depth: few columns, each a sum over many places."""
        size, depth = extent_of((*self.batch, *self.rows, *self.columns)), at_least(extent_of(self.depth))
        if self.is_packed or not isinstance(size, int) or not isinstance(self.column.extent, int):
            return False
        if self.batch and not self.inside and at_least(self.row.extent) >= FEW_COLUMNS:
            return False  # matrices of many rows are shared by rows
        is_small = size <= MOST_PARTS and (self.column.extent <= MOST_COLUMNS or self.inside)
        is_worth_it = size * depth >= LEAST_WORK or self.is_by_lanes
        return is_small and depth >= (LEAST_DEPTH if self.depth[1:] else LONG_DEPTH) and is_worth_it

    @property
    def reads_margins(self) -> bool:
        """Whether kernels can compute it from a left operand without its margins: lines of known length, and few steps
        at their ends.
        """
        run, row = self.depth[-1], self.row
        known = (run.extent, row.extent, run.left, row.left)
        if not self.is_by_lanes or not all(isinstance(number, int) and number > 0 for number in known):
            return False
        if not (self.lines or self.is_deep):
            return False
        others = [axis for axis in (*self.lines, *self.depth[:-1]) if axis.along is not None]
        if row.along is None or row.along != run.along or any(axis.along == row.along for axis in others):
            return False
        ends = self.left.margins[row.along]
        if len(self.left.margins) > 2 or not all(isinstance(n, int) and n > 0 for n in (ends.extent, ends.apart)):
            return False
        if not isinstance(ends.low, int) or ends.low < 0 or min(run.extent, row.extent) > MOST_TAPS:
            return False
        reach = ((run.extent - 1) * run.left + (row.extent - 1) * row.left) // ends.apart + 1
        return max(ends.low, reach - ends.low - ends.extent) <= MOST_ENDS

    @property
    def suits(self) -> bool:
        """Whether it is fast as it is: runs along the depth or along rows and columns, and long enough ones."""
        repeats = any(axis.left == 0 or axis.right == 0 for axis in self.depth if axis.extent != 1)
        if self.is_by_lanes:
            return not repeats
        if self.inside and self.column.extent == 1:
            return False
        left = self.depth[-1].left == 1 or self.row.left == 1
        right = self.column.right == 1 or self.depth[-1].right == 1
        is_cut = len(self.rows) > 1 or len(self.depth) > 1
        return left and right and not repeats and not (is_cut and (_is_short(self.row) or _is_short(self.depth[-1])))


def product_of(node: Node, producer: Producer) -> MatrixProduct:
    """The product of a contraction, its operands read in place where that is fast, else as arrays of their own."""
    views = [strided(operand, producer) for operand in node.operands]
    image = within_margins(node.operands[0], producer) if node.op is grouped_dot else None
    if image is not None:
        for right in (views[1], contiguous(node.operands[1])):
            found = _product(node, image, right)
            if found.is_simple and found.suits and found.reads_margins:
                return found
    arrays = [contiguous(operand) for operand in node.operands]
    for left, right in ((views[0], views[1]), (views[0], arrays[1]), (arrays[0], views[1])):
        found = _product(node, left, right)
        if found.is_simple and found.suits:
            return found
    return _product(node, arrays[0], arrays[1])


def fits_a_kernel(node: Node) -> bool:
    """Whether a contraction can be computed well if both operands lie in memory row by row."""
    product = _product(node, *(contiguous(operand) for operand in node.operands))
    return product.is_simple and product.suits


def is_row_times_matrix(node: Node) -> bool:
    """Whether a contraction is of a row and a matrix that is kept row by row: v @ w.

    As a sum of products along the depth it would read the matrix by columns, or turn it around; that is as well for
    very few of them.
    """
    product = _product(node, *(contiguous(operand) for operand in node.operands))
    if node.op is grouped_dot or node.result.type.dtype not in (f32, f64) or product.is_packed:
        return False
    rows, columns, depth = extent_of(product.rows), extent_of(product.columns), extent_of(product.depth)
    if rows != 1 or depth == 1 or (isinstance(columns, int) and columns < LEAST_OF_ROW):
        return False
    return product.is_simple and product.suits


def is_product_of_groups(node: Node) -> bool:
    """Whether a kernel computes a `grouped_dot` as it is: products of matrices, or columns with operands of their own.

    Numbers of 16 bits and integers are no products of matrices, and neither is one row, or one column of a group.
    """
    product = _product(node, *(contiguous(operand) for operand in node.operands))
    if node.result.type.dtype not in (f32, f64) or not (product.is_simple and product.suits):
        return False
    extents = extent_of(product.rows), product.column.extent, extent_of(product.depth)
    return extents[0] != 1 if product.is_by_lanes else 1 not in extents


def reads_in_place(node: Node, operand: int, producer: Producer) -> bool:
    """Whether a contraction reads an operand through the views that it consists of."""
    product = product_of(node, producer)
    return (product.left, product.right)[operand].base is not node.operands[operand]


def margins_in_place(graph: Graph, producer: Producer) -> frozenset[Node]:
    """The `pad`s that nobody reads but products, which know the margins themselves: no kernel stores their results."""
    return frozenset(
        node for node in graph.nodes if has_plain_margins(node) and _is_read_within(node.result, graph, producer)
    )


def _is_read_within(value: Value, graph: Graph, producer: Producer) -> bool:
    """Whether all that reads a padded image, through views, are products that read the image without its margins."""
    users = graph.users.get(value, ())
    if graph.is_result(value) or not users:
        return False
    for user in users:
        if is_floating(user):
            if not _is_read_within(user.result, graph, producer):
                return False
        elif user.op is not grouped_dot or user.operands[1] is value or not product_of(user, producer).left.margins:
            return False
    return True


def _product(node: Node, left: Strided, right: Strided) -> MatrixProduct:
    lhs, rhs = node.operands
    (a_depth, b_depth), (a_batch, b_batch) = node.attributes["contract"], node.attributes["batch"]
    a_free, b_free = free_axes(lhs.type.rank, a_depth, a_batch), free_axes(rhs.type.rank, b_depth, b_batch)
    a, b = left.strides, right.strides
    along = left.along or (None,) * lhs.type.rank

    def both(first: Iterable[int], second: Iterable[int]) -> Iterator[Axis]:
        for i, j in zip(first, second, strict=True):
            yield Axis(lhs.type.shape[i], a[i], b[j], along[i])

    batch, inside = _collapsed(both(a_batch, b_batch)), node.op is grouped_dot
    columns = _collapsed(Axis(rhs.type.shape[j], 0, b[j]) for j in b_free)
    if inside and not columns and [(axis.left, axis.right) for axis in batch] == [(1, 1)]:
        batch, columns = (), batch
    return MatrixProduct(
        left,
        right,
        batch,
        _collapsed(Axis(lhs.type.shape[i], a[i], 0, along[i]) for i in a_free) or (Axis(1, 0, 0),),
        columns or (Axis(1, 0, 1),),
        _collapsed(both(a_depth, b_depth)) or (Axis(1, 1, 1),),
        inside,
    )


def _collapsed(axes: Iterable[Axis]) -> tuple[Axis, ...]:
    """Axes without those of extent 1, neighbours put together where they are one."""
    found: list[Axis] = []
    for axis in axes:
        if axis.extent == 1:
            continue
        if found and axis.follows(found[-1]):
            found[-1] = Axis(found[-1].extent * axis.extent, axis.left, axis.right)
        else:
            found.append(axis)
    return tuple(found)


def extent_of(axes: Iterable[Axis]) -> Extent:
    """The places along several axes."""
    return product_of_extents(axis.extent for axis in axes)


def product_of_extents(extents: Iterable[Extent]) -> Extent:
    """The product of extents; 1 for none."""
    total: Extent = 1
    for extent in extents:
        total = total * extent
    return total


def at_least(extent: Extent) -> int:
    """An extent with a named dim at 1, whichever makes it least, and every other at 64.

    A batch may be of one, but an image is no single place, and a sequence is rarely short. Nor is a dim the batch that
    leaves nothing when it is 1, such as the height of an image before its pixels are pooled by twos.
    """
    if isinstance(extent, int):
        return extent
    names = extent.names
    found = [evaluate_extent(extent, {name: 1 if name == one else LONG for name in names}) for one in names]
    return min((size for size in found if size > 0), default=0)


def _is_short(axis: Axis) -> bool:
    return isinstance(axis.extent, int) and axis.extent < LEAST_RUN
