"""Chains: kernels that hand a matrix on, made one kernel that has a block of its rows at a time.

    %weights: f32[N,4,T,T] = fused(%q, %k) { q·kᵀ, softmax }          %out = fused(%q, %k, %v) {
    %out: f32[N,4,T,64] = dot_general(%weights, %v)             ->      … %weights = fused(%q, %k) { … }
                                                                        %out = dot_general(%weights, %v) }

A *stage* is a kernel that starts with a product of matrices, one for each place of the batch axes, and is cut by rows.
A *link* is a matrix that one stage computes and later ones read: as the left operand of their product, row by row or
summed over its rows, or element by element. Where nobody else reads a link, it never is an array: a block of its rows
lies in the slice's scratch memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc.dim import Extent
from graphc.ir import Graph, Node, Value
from graphc.op import Kind
from graphc.passes.fuse.group import Group, reads_memory
from graphc.passes.fuse.place import Cut, squeezed
from graphc.passes.fuse.region import group_of, region_of
from graphc.passes.fuse.views import is_floating
from graphc.types import Shape, f32, f64

MOST_STAGES = 8


@dataclass(frozen=True)
class Stage:
    """A kernel that may be part of a chain.

    `over_rows` says that its product sums over the rows of a link: it is complete when all blocks of rows are done.
    """

    node: Node
    region: Graph
    group: Group
    inside: dict[Value, Value]  # what values of the graph are in the region
    results: dict[Value, Value]  # what results of the region are in the graph

    @property
    def product(self) -> Node:
        assert self.group.contraction is not None
        return self.group.contraction

    @property
    def batch(self) -> Shape:
        """The extents of the batch axes."""
        return self.product.result.type.shape[:-2]

    @property
    def links(self) -> list[Value]:
        """The results that a later stage may read as a matrix."""
        return [
            value
            for inner, value in self.results.items()
            if self._is_full(inner)
            and inner.type.shape == self.product.result.type.shape
            and inner.type.dtype in (f32, f64)
        ]

    @property
    def lines(self) -> list[Value]:
        """The results that have a number for each row."""
        rows = tuple(range(len(self.group.domain) - 1))
        return [v for inner, v in self.results.items() if self._place(inner) == rows]

    def _place(self, inner: Value) -> tuple[int, ...] | None:
        place = self.group.places.get(inner)
        return None if place is None or place.finish else place.axes

    def _is_full(self, inner: Value) -> bool:
        return self._place(inner) == tuple(range(len(self.group.domain)))

    def left_of(self, links: set[Value]) -> Value | None:
        """The link that its product reads as its left operand, if it is one."""
        return next((value for value, inner in self.inside.items() if value in links and inner is self._left), None)

    @property
    def _left(self) -> Value:
        return self.product.operands[0]


def stage_of(node: Node) -> Stage | None:
    """A kernel as a stage: a product of matrices with its passes, cut by rows."""
    if not is_stage(node):
        return None
    region, operands, results = region_of(node)
    products = [each for each in region.nodes if is_stage(each)]
    if len(products) != 1 or products[0].regions or not products[0].attributes["batch"][0]:
        return None
    group = group_of(region)
    contraction, product = group.contraction, group.product
    if contraction is None or product is None or group.cut is not Cut.ROWS or product.inside or len(product.depth) != 1:
        return None
    count = len(contraction.attributes["batch"][0])
    shape = contraction.result.type.shape
    if len(shape) != count + 2 or 1 in shape[-2:] or group.domain != squeezed(shape) or group.joined:
        return None
    inside = dict(zip(operands, region.inputs, strict=True))
    return Stage(node, region, group, inside, dict(zip(region.outputs, results, strict=True)))


def is_stage(node: Node) -> bool:
    """Whether a node has a product of matrices, by itself or in its region."""
    if node.op.name == "fused":
        return any(is_stage(each) for each in node.regions[0].nodes)
    return node.op.kind is Kind.CONTRACTION


def sums_over_rows(product: Node) -> bool:
    """Whether a product sums over the rows of its left operand, a matrix behind its batch axes."""
    (depth, _), (batch, _) = product.attributes["contract"], product.attributes["batch"]
    return tuple(depth) == (len(batch),)


def _reads_matrix(product: Node, operand: int) -> bool:
    """Whether a product reads an operand as a matrix behind its batch axes: by rows, or the left one by columns."""
    depth, batch = product.attributes["contract"][operand], product.attributes["batch"][operand]
    rank, count = product.operands[operand].type.rank, len(batch)
    if tuple(batch) != tuple(range(count)) or rank != count + 2 or len(depth) != 1:
        return False
    return tuple(depth) == (count,) or (operand == 0 and tuple(depth) == (count + 1,))


class Chain:
    """Stages that one kernel computes."""

    def __init__(self, first: Stage) -> None:
        self.stages = [first]
        self.links: set[Value] = set(first.links)
        self.lines: set[Value] = set(first.lines)
        self.values: set[Value] = set(first.node.results)

    @property
    def batch(self) -> Shape:
        return self.stages[0].batch

    @property
    def rows(self) -> Extent:
        return self.stages[0].product.result.type.shape[-2]

    def takes(self, stage: Stage) -> bool:
        """Whether a later stage reads the chain's matrices, and nothing else of it that is not complete then.

        One that reads numbers of its rows alone is the start of another chain, such as weights that are computed again.
        """
        if len(self.stages) == MOST_STAGES or stage.batch != self.batch:
            return False
        shared = [value for value in stage.inside if value in self.values]
        left = stage.left_of(self.links)
        over_rows = left is not None and sums_over_rows(stage.product)
        if not over_rows and stage.product.result.type.shape[-2] != self.rows:
            return False
        is_packed = stage.group.product is not None and stage.group.product.is_packed
        if not self.links.intersection(shared) or (over_rows and is_packed):
            return False
        return all(self._may_read(stage, value, over_rows) for value in shared)

    def _may_read(self, stage: Stage, value: Value, over_rows: bool) -> bool:
        inner = stage.inside[value]
        for user in stage.region.users.get(inner, ()):
            if user is stage.product:
                if value not in self.links or not self._multiplies(user, inner, over_rows):
                    return False
            elif over_rows or (is_floating(user) and value in self.links):
                return False
            elif value in self.links:
                if inner.type.shape != stage.product.result.type.shape or len(reads_memory(user)):
                    return False
            elif value not in self.lines or not self._is_line(stage, value):
                return False
        return True

    def _multiplies(self, product: Node, inner: Value, over_rows: bool) -> bool:
        """Whether a product reads a link as it comes, block by block: on the right only where it sums over rows."""
        left, right = product.operands
        if left is right or (right is inner and not over_rows):
            return False
        return _reads_matrix(product, 0) if left is inner else _reads_matrix(product, 1) and sums_over_rows(product)

    def _is_line(self, stage: Stage, value: Value) -> bool:
        """Whether a number of each row is read at its own row."""
        number, column = (*self.batch, self.rows), (*self.batch, self.rows, 1)
        pending = [stage.inside[value]]
        while pending:
            inner = pending.pop()
            if inner.type.shape not in (number, column):
                return False
            for user in stage.region.users.get(inner, ()):
                if not is_floating(user):
                    if len(reads_memory(user)):
                        return False
                elif user.op.name == "reshape":
                    pending.append(user.result)
                elif user.op.name != "broadcast_to" or inner.type.shape != column:
                    return False
        return True

    def add(self, stage: Stage) -> None:
        over_rows = stage.left_of(self.links) is not None and sums_over_rows(stage.product)
        self.stages.append(stage)
        self.values.update(stage.node.results)
        if not over_rows:
            self.links.update(stage.links)
            self.lines.update(stage.lines)

    @property
    def is_useful(self) -> bool:
        """Whether a matrix is multiplied on, so that its block of rows is read while it is in the cache."""
        return any(stage.left_of(self.links) is not None for stage in self.stages)
