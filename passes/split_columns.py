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
    found = [columns for node in graph.nodes if (columns := _columns_of(graph, node)) is not None]
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
    widths = {slice.result.type.shape[-1] for slice in columns.slices}
    width = widths.pop()
    if widths or not isinstance(width, int) or not LEAST_WIDTH <= width < shape[-1] <= MOST_PRODUCTS * width:
        return None
    columns.width = width
    starts = sorted(set(columns.slices.values()))
    read = {(slice.operands[0], start) for slice, start in columns.slices.items()}
    is_cut = starts == list(range(0, shape[-1], width)) and len(read) == len(columns.slices)
    return columns if is_cut and _meet(graph, columns) else None


def _start_of_columns(node: Node) -> int | None:
    """Where a slice of some of the last axis begins; None for other nodes."""
    if node.op is not slice_op or any(stride != 1 for stride in node.attributes["strides"] or ()):
        return None
    shape, starts, limits = node.operands[0].type.shape, node.attributes["starts"], node.attributes["limits"]
    is_whole = all(start == 0 for start in starts[:-1]) and limits[:-1] == shape[:-1]
    return starts[-1] if is_whole and isinstance(starts[-1], int) else None


def _meet(graph: Graph, columns: _Columns) -> bool:
    """Whether one value is computed of all parts, element by element."""
    reached: dict[Value, frozenset[int]] = {}
    for node in graph.nodes:
        if node in columns.slices:
            reached[node.result] = frozenset((columns.part_of(node),))
        elif node.op.kind is Kind.ELEMENTWISE:
            of = frozenset().union(*(reached.get(operand, frozenset()) for operand in node.operands))
            if len(of) == columns.count:
                return True
            if of:
                reached[node.results[0]] = of
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
                known = given.get((node.result, number))
                yield (node.result, number), known or _part(builder, node.result, columns)


def _part(builder: Builder, value: Value, columns: _Columns) -> Value:
    """A new value for a part of a value."""
    shape = (*value.type.shape[:-1], columns.width)
    return Value(builder.scope.fresh(f"{value.name}_part"), value.type.with_shape(shape))


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
