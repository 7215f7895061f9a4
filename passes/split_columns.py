"""A product whose columns are read in parts becomes one product for each part: one kernel computes all of them, and
what is made of them.

    %all: f32[N,12] = dot_general(%h, %w)                     %u: f32[N,4] = dot_general(%h, %w[0:4])
    %sum: f32[N,12] = add(%x, %all)                           %i: f32[N,4] = add(%x[:, 0:4], %u)
    %i: f32[N,4] = slice(%sum, 0:4)                     ->    %v: f32[N,4] = dot_general(%h, %w[4:8])
    %f: f32[N,4] = slice(%sum, 4:8)                           %f: f32[N,4] = add(%x[:, 4:8], %v)
    …                                                         …
    %next: f32[N,4] = mul(sigmoid(%f), tanh(%i)) …            %next: f32[N,4] = mul(sigmoid(%f), tanh(%i)) …

Such are the gates of recurrent cells and gated linear units. A kernel walks one domain: as long as the parts lie side
by side, what puts them together needs the whole product in memory first. Fusion finds products of one left operand
that meet (`graphc/passes/fuse/grouping.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from graphc.builder import Builder
from graphc.ir import Graph, Literal, Node, Value
from graphc.op import Kind
from graphc.ops.contraction import dot_general, free_axes
from graphc.ops.slicing import slice as slice_op
from graphc.passes.fuse.group import MOST_PRODUCTS
from graphc.passes.fuse.product import product_of
from graphc.types import f32, f64

LEAST_WIDTH = 32  # columns of a part: a panel of a packed matrix


@dataclass(eq=False)
class _Columns:
    """A product, the values of its shape that are computed of it, and the parts that are read of these."""

    product: Node
    width: int = 0
    values: dict[Value, None] = field(default_factory=dict)
    slices: dict[Node, int] = field(default_factory=dict)  # and where each begins

    @property
    def count(self) -> int:
        columns = self.product.result.type.shape[-1]
        assert isinstance(columns, int)
        return columns // self.width

    def part_of(self, node: Node) -> int:
        return self.slices[node] // self.width


def split_columns(graph: Graph) -> Graph:
    """The graph with a product for each part of the columns, where all parts meet in one computation."""
    found: list[_Columns] = []
    for node in reversed(graph.nodes):  # of two products that are added first, the later one has the kernel
        columns = _columns_of(graph, node)
        if columns is not None and not any(columns.values.keys() & other.values.keys() for other in found):
            found.append(columns)
    if not found:
        return graph
    of = {value: columns for columns in found for value in columns.values}
    dropped = {node for columns in found for node in columns.slices}
    builder = Builder.rewriting(graph)
    parts: dict[tuple[Value, int], Value] = {}
    for columns in found:
        parts.update(_wanted(graph, builder, columns))
    for node in graph.nodes:
        if node in dropped:
            continue
        columns = of.get(node.results[0])
        if columns is None:
            builder.append(node)
            continue
        with builder.provenance(node.provenance):
            for number in range(columns.count):
                if (node.result, number) in parts:
                    _append_part(builder, node, columns, number, parts)
    return graph.with_(nodes=tuple(builder.nodes))


def _columns_of(graph: Graph, node: Node) -> _Columns | None:
    """A product whose columns are read in a few equal parts alone, which meet."""
    if node.op is not dot_general or node.attributes["batch"][0] or node.result.type.dtype not in (f32, f64):
        return None
    right = node.operands[1]
    shape, free = node.result.type.shape, free_axes(right.type.rank, node.attributes["contract"][1], ())
    if len(free) != 1 or len(shape) < 2 or not isinstance(shape[-1], int) or isinstance(right, Literal):
        return None
    columns = _Columns(node)
    pending = [node.result]
    while pending:
        value = pending.pop()
        if value in columns.values:
            continue
        columns.values[value] = None
        users = graph.users.get(value, ())
        if graph.is_result(value) or not users:
            return None
        for user in users:
            start = _start_of_columns(user)
            if start is not None:
                columns.slices[user] = start
            elif user.op.kind is Kind.ELEMENTWISE and len(user.results) == 1 and user.result.type.shape == shape:
                pending.append(user.result)
            else:
                return None
    widths = {each.result.type.shape[-1] for each in columns.slices}
    width = widths.pop()
    if widths or not isinstance(width, int) or not LEAST_WIDTH <= width < shape[-1] <= MOST_PRODUCTS * width:
        return None
    columns.width = width
    starts = sorted(set(columns.slices.values()))
    read = {(each.operands[0], start) for each, start in columns.slices.items()}
    is_cut = starts == list(range(0, shape[-1], width)) and len(read) == len(columns.slices)
    return columns if is_cut and _is_simple(graph, columns) and _meet(graph, columns) else None


def _is_simple(graph: Graph, columns: _Columns) -> bool:
    """Whether products of the parts can stand beside each other in a kernel."""
    node = columns.product
    left, right = node.operands
    (axis,) = free_axes(right.type.rank, node.attributes["contract"][1], ())
    shape = tuple(columns.width if a == axis else extent for a, extent in enumerate(right.type.shape))
    part, result = Value(right.name, right.type.with_shape(shape)), _narrower(node.result, columns.width)
    product = product_of(Node(node.op, (left, part), node.attributes, (result,)), graph.producers.get)
    return product.is_beside(product)


def _narrower(value: Value, width: int, name: str = "") -> Value:
    """A new value that has so many of the columns."""
    return Value(name or value.name, value.type.with_shape((*value.type.shape[:-1], width)))


def _start_of_columns(node: Node) -> int | None:
    """Where a slice of some of the last axis begins; None for other nodes."""
    if node.op is not slice_op or any(stride != 1 for stride in node.attributes["strides"] or ()):
        return None
    shape, starts, limits = node.operands[0].type.shape, node.attributes["starts"], node.attributes["limits"]
    is_whole = all(start == 0 for start in starts[:-1]) and limits[:-1] == shape[:-1]
    return starts[-1] if is_whole and isinstance(starts[-1], int) else None


def _meet(graph: Graph, columns: _Columns) -> bool:
    """Whether one value is computed of all parts, element by element, and until then of no other product: a kernel
    starts with one, or with several of one left operand.
    """
    reached: dict[Value, frozenset[int]] = {}
    of_others: set[Value] = set()
    for node in graph.nodes:
        if node in columns.slices:
            reached[node.result] = frozenset((columns.part_of(node),))
        elif node.op is dot_general:
            of_others.add(node.result)
        elif node.op.kind is Kind.ELEMENTWISE:
            parts = frozenset().union(*(reached.get(operand, frozenset()) for operand in node.operands))
            is_of_another = any(operand in of_others for operand in node.operands)
            if parts and is_of_another:
                return False
            if len(parts) == columns.count:
                return True
            if parts:
                reached[node.results[0]] = parts
            elif is_of_another:
                of_others.add(node.results[0])
    return False


def _wanted(graph: Graph, builder: Builder, columns: _Columns) -> Iterator[tuple[tuple[Value, int], Value]]:
    """For each value and part that is needed, the value that will hold it: what a slice gave, or a new one."""
    given = {(node.operands[0], columns.part_of(node)): node.result for node in columns.slices}
    needed = set(given)
    for node in reversed(graph.nodes):
        if node.results[0] in columns.values:
            parts = [number for number in range(columns.count) if (node.result, number) in needed]
            needed.update((o, n) for o in node.operands if o in columns.values for n in parts)
            for number in parts:
                new = given.get((node.result, number))
                if new is None:
                    new = _narrower(node.result, columns.width, builder.scope.fresh(f"{node.result.name}_part"))
                yield (node.result, number), new


def _append_part(
    builder: Builder, node: Node, columns: _Columns, number: int, parts: Mapping[tuple[Value, int], Value]
) -> None:
    """The node for one part of its columns."""

    def cut(value: Value, axis: int) -> Value:
        """The part of what comes from outside, along an axis."""
        start, shape = number * columns.width, value.type.shape
        starts = tuple(start if a == axis else 0 for a in range(len(shape)))
        limits = tuple(start + columns.width if a == axis else extent for a, extent in enumerate(shape))
        (view,) = builder.emit(slice_op, (value,), {"starts": starts, "limits": limits, "strides": None})
        return view

    if node is columns.product:
        left, right = node.operands
        (axis,) = free_axes(right.type.rank, node.attributes["contract"][1], ())
        operands = [left, cut(right, axis)]
    else:
        operands = [
            parts[operand, number] if operand in columns.values
            else cut(operand, operand.type.rank - 1) if operand.type.rank else operand
            for operand in node.operands
        ]  # fmt: skip
    result = parts[node.result, number]
    builder.append(Node(node.op, tuple(operands), node.attributes, (result,), (), node.provenance))
