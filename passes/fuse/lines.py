"""A `pad` or a `concat` that has a kernel of its own copies whole lines.

    %padded: f32[N,8,10,4] = pad(%x: f32[N,6,7,4], low=(0, 1, 2, 0), high=(0, 1, 1, 0))
    ->
    %lines: f32[N,6,28] = reshape(%x, shape=(N, 6, 28))
    %padded_lines: f32[N,8,40] = fused(%lines) { identity, then pad with 1 line and 8 elements before, 1 and 4 behind }
    %padded: f32[N,8,10,4] = reshape(%padded_lines, shape=(N, 8, 10, 4))

    %joined: f32[N,16,7,7] = concat(%x: f32[N,8,7,7], %y: f32[N,8,7,7], axis=1)
    ->
    %joined_lines: f32[N,784] = concat(%x_lines: f32[N,392], %y_lines: f32[N,392], axis=1), each a reshape of its array

Asked element by element whether it lies in a margin, a loop over the few channels of each pixel takes longer than what
it moves; so does one that asks for each short row in which array it lies. Axes behind the last one with margins, or the
one that grows, are a part of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from graphc.dim import Extent
from graphc.ir import Graph, Literal, Node, Value
from graphc.op import find_op
from graphc.passes.fuse.product import product_of_extents
from graphc.passes.fuse.views import has_plain_margins, is_squeeze
from graphc.types import Shape

SHORT_ROW = 64  # elements of a row for which a loop of its own takes longer than what it moves
MANY_LINES = 16  # that threads can share


def by_lines(node: Node, names: set[str]) -> Iterator[Node]:
    """The node, or what copies its lines; new values take names that are not among `names`, and are added to them."""
    if has_plain_margins(node):
        yield from _padded_lines(node, names)
    elif node.op.name == "concat" and _has_short_lines(node):
        yield from _joined_lines(node, names)
    else:
        yield node


def _has_short_lines(node: Node) -> bool:
    """Whether rows are short, and lines are as many as threads need, or one that any number of them can share."""
    shape, axis = node.result.type.shape, node.attributes["axis"]
    lines = product_of_extents(shape[:axis])
    known = isinstance(product_of_extents(shape[axis + 1 :]), int)
    is_short = isinstance(shape[-1], int) and shape[-1] < SHORT_ROW
    is_shared = not isinstance(lines, int) or lines == 1 or lines >= MANY_LINES
    return axis < len(shape) - 1 and known and is_short and is_shared


def _joined_lines(node: Node, names: set[str]) -> Iterator[Node]:
    """The lines of all operands side by side, each as an axis of its own."""
    axis, result = node.attributes["axis"], node.result

    def lines_of(value: Value) -> Value:
        shape = value.type.shape
        whole = (*shape[:axis], product_of_extents(shape[axis:]))
        return _value(f"{value.name}_lines", value, whole, names)

    reshaped: dict[Value, Node] = {}
    for operand in node.operands:
        if operand not in reshaped:
            reshaped[operand] = _reshaped(node, operand, lines_of(operand))
    whole = lines_of(result)
    operands = tuple(reshaped[operand].result for operand in node.operands)
    joined = Node(node.op, operands, {"axis": axis}, (whole,), (), node.provenance)
    if all(map(is_squeeze, reshaped.values())):  # views, which the kernel repeats
        yield _region_of_views(list(reshaped.values()), joined)
    else:
        yield from (*reshaped.values(), joined)
    yield _reshaped(node, whole, result)


def _region_of_views(views: Sequence[Node], node: Node) -> Node:
    """A node and the views that it reads as one kernel."""
    values = (*(view.operands[0] for view in views), *(view.result for view in views), node.result)
    inside = {value: Value(value.name, value.type) for value in values}
    nodes = tuple(
        replace(each, operands=tuple(inside[o] for o in each.operands), results=(inside[each.result],))
        for each in (*views, node)
    )
    outside = tuple(view.operands[0] for view in views)
    region = Graph(node.result.name, tuple(inside[value] for value in outside), nodes, (inside[node.result],))
    return Node(find_op("fused"), outside, {}, node.results, (region,), node.provenance)


def _value(wish: str, like: Value, shape: Shape, names: set[str]) -> Value:
    """A value of another shape under a name of its own."""
    while wish in names:
        wish += "_"
    names.add(wish)
    return Value(wish, like.type.with_shape(shape))


def _reshaped(node: Node, source: Value, target: Value) -> Node:
    return Node(find_op("reshape"), (source,), {"shape": target.type.shape}, (target,), (), node.provenance)


def _padded_lines(node: Node, names: set[str]) -> Iterator[Node]:
    """The elements of a line beside each other, stored within margins that are elements, too."""
    (x,), low, high = node.operands, node.attributes["low"], node.attributes["high"]
    sides = [axis for axis, both in enumerate(zip(low, high, strict=True)) if any(both)]
    last = max(sides, default=0)
    if not sides or isinstance(x, Literal) or not isinstance(product_of_extents(x.type.shape[last + 1 :]), int):
        yield node
        return

    def merged(extents: Shape, behind: Shape) -> tuple[Extent, ...]:
        return (*extents[:last], extents[last] * product_of_extents(behind))

    def value(wish: str, shape: Shape) -> Value:
        return _value(wish, x, shape, names)

    behind, result = x.type.shape[last + 1 :], node.result
    lines = x
    if behind:
        lines = value(f"{x.name}_lines", merged(x.type.shape, behind))
        yield _reshaped(node, x, lines)
    whole = value(f"{result.name}_lines", merged(result.type.shape, behind)) if behind else result
    inside, copied, padded = (Value(each.name, each.type) for each in (lines, value("copied", lines.type.shape), whole))
    margins = {"low": merged(low, behind), "high": merged(high, behind), "value": node.attributes["value"]}
    nodes = (
        Node(find_op("identity"), (inside,), {}, (copied,), (), node.provenance),
        Node(node.op, (copied,), {**node.attributes, **margins, "interior": None}, (padded,), (), node.provenance),
    )
    region = Graph(padded.name, (inside,), nodes, (padded,))
    yield Node(find_op("fused"), (lines,), {}, (whole,), (region,), node.provenance)
    if behind:
        yield _reshaped(node, whole, result)
