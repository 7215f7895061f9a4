"""`last_places`: the last place of a scan's stack is what its carry ends as.

    %h, %hs: f32[T,N,4] = scan(%h0, …) { … return %next, %next }
    %turned: f32[N,T,4] = permute_dims(%hs, axes=(1, 0, 2))
    %y: f32[N,1,4] = slice(%turned, starts=(0, T-1, 0), limits=(N, T, 4))      ->    reshape(%h, shape=(N, 1, 4))

A network that goes on from a sequence's last state writes `output[:, -1]`. Then the stack need not be there, and its
cotangent, which would be zero everywhere else, neither: so this comes before derivatives are taken, too.
"""

from __future__ import annotations

from collections import Counter

from graphc.builder import Builder
from graphc.ir import Graph, Node, Value
from graphc.ops.recurrence import scan
from graphc.ops.shape import permute_dims, reshape
from graphc.ops.slicing import slice as slice_op
from graphc.passes.regions import in_regions_too
from graphc.passes.scans import Scan


@in_regions_too
def last_places(graph: Graph) -> tuple[Graph, dict[str, int]]:
    """Read carries instead of the last places of stacks; counts those that were `read`."""
    read: dict[Node, tuple[Value, tuple[int, ...]]] = {}
    for node in graph.nodes:
        if node.op is scan:
            read |= _slices_of_last_places(graph, node)
    if not read:
        return graph, {}
    builder = Builder.rewriting(graph)
    for node in graph.nodes:
        if node in read:
            with builder.provenance(node.provenance):
                _read_carry(builder, node, *read[node])
        else:
            builder.append(node)
    return graph.with_(nodes=tuple(builder.nodes)), dict(Counter(read=len(read)))


def _slices_of_last_places(graph: Graph, node: Node) -> dict[Node, tuple[Value, tuple[int, ...]]]:
    """Slices that take the last place of a stack alone: the carry that ends as it, and the order of its axes there."""
    parts = Scan.of(node)
    ends = {carry.after: carry.last for carry in parts.carries}
    length = node.attributes["length"]
    last = 0 if node.attributes["reverse"] else length - 1
    found: dict[Node, tuple[Value, tuple[int, ...]]] = {}
    for output, stack in parts.stacks:
        pending = [(stack, tuple(range(stack.type.rank)))] if output in ends else []
        while pending:
            value, order = pending.pop()
            places = order.index(0)
            for user in graph.users.get(value, ()):
                if user.op is permute_dims:
                    pending.append((user.result, tuple(order[axis] for axis in user.attributes["axes"])))
                elif user.op is slice_op and _takes(user, places, last):
                    found[user] = ends[output], order
    return found


def _takes(node: Node, axis: int, place: object) -> bool:
    """Whether a slice takes one place along an axis and everything along the others."""
    starts, limits, shape = node.attributes["starts"], node.attributes["limits"], node.operands[0].type.shape
    others = [a for a in range(len(shape)) if a != axis]
    is_whole = all(starts[a] == 0 and limits[a] == shape[a] for a in others)
    steps = node.attributes["strides"] or (1,) * len(shape)
    return (
        is_whole and starts[axis] == place and limits[axis] == starts[axis] + 1 and all(steps[a] == 1 for a in others)
    )


def _read_carry(builder: Builder, node: Node, carry: Value, order: tuple[int, ...]) -> None:
    """The carry with its axes in this order, and an axis of extent 1 for its place."""
    axes = tuple(axis - 1 for axis in order if axis)
    if axes != tuple(range(len(axes))):
        (carry,) = builder.emit(permute_dims, (carry,), {"axes": axes})
    shape = {"shape": node.result.type.shape}
    builder.append(Node(reshape, (carry,), shape, node.results, (), node.provenance))
