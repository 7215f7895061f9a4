"""A `pad` that has a kernel of its own copies whole lines, and stores them within their margins.

    %padded: f32[N,8,10,4] = pad(%x: f32[N,6,7,4], low=(0, 1, 2, 0), high=(0, 1, 1, 0))
    ->
    %lines: f32[N,6,28] = reshape(%x, shape=(N, 6, 28))
    %padded_lines: f32[N,8,40] = fused(%lines) { identity, then pad with 1 line and 8 elements before, 1 and 4 behind }
    %padded: f32[N,8,10,4] = reshape(%padded_lines, shape=(N, 8, 10, 4))

Asked element by element whether it lies in a margin, a loop over the few channels of each pixel takes longer than what
it moves. Axes behind the last one with margins are a part of it.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphc.dim import Extent
from graphc.ir import Graph, Literal, Node, Value
from graphc.op import find_op
from graphc.passes.fuse.product import product_of_extents
from graphc.passes.fuse.views import has_plain_margins
from graphc.types import Shape


def by_lines(node: Node, names: set[str]) -> Iterator[Node]:
    """The node, or what copies its lines; new values take names that are not among `names`, and are added to them."""
    if not has_plain_margins(node):
        yield node
        return
    (x,), low, high = node.operands, node.attributes["low"], node.attributes["high"]
    sides = [axis for axis, both in enumerate(zip(low, high, strict=True)) if any(both)]
    last = max(sides, default=0)
    if not sides or isinstance(x, Literal) or not isinstance(product_of_extents(x.type.shape[last + 1 :]), int):
        yield node
        return

    def merged(extents: Shape, behind: Shape) -> tuple[Extent, ...]:
        return (*extents[:last], extents[last] * product_of_extents(behind))

    def value(wish: str, shape: Shape) -> Value:
        while wish in names:
            wish += "_"
        names.add(wish)
        return Value(wish, x.type.with_shape(shape))

    def reshaped(source: Value, target: Value) -> Node:
        attributes = {"shape": target.type.shape}
        return Node(find_op("reshape"), (source,), attributes, (target,), (), node.provenance)

    behind, result = x.type.shape[last + 1 :], node.result
    lines = x
    if behind:
        lines = value(f"{x.name}_lines", merged(x.type.shape, behind))
        yield reshaped(x, lines)
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
        yield reshaped(whole, result)
