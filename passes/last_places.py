"""`last_places`: the last place of a scan's stack is what its carry ends as.

    %h, %hs: f32[T,N,4] = scan(%h0, …) { … return %next, %next }
    %turned: f32[N,T,4] = permute_dims(%hs, axes=(1, 0, 2))
    %y: f32[N,1,4] = slice(%turned, starts=(0, T-1, 0), limits=(N, T, 4))      ->    reshape(%h, shape=(N, 1, 4))

A network that goes on from a sequence's last state writes `output[:, -1]`. Then the stack need not be there, and its
cotangent, which would be zero everywhere else, neither: so this comes before derivatives are taken, too.
"""

from __future__ import annotations

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
    return _reading_carries(graph, is_known=False)


@in_regions_too
def known_last_places(graph: Graph) -> tuple[Graph, dict[str, int]]:
    """The same where the length is a number.

    A named length may be 0 in a call, and then there is no last place. That is an error which the graph as it was
    declared shows, so who passes on another graph leaves the slice in it.
    """
    return _reading_carries(graph, is_known=True)


def _reading_carries(graph: Graph, is_known: bool) -> tuple[Graph, dict[str, int]]:
    read: dict[Node, tuple[Value, tuple[int, ...]]] = {}
    for node in graph.nodes:
        if node.op is scan and (isinstance(node.attributes["length"], int) or not is_known):
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
    return graph.with_(nodes=tuple(builder.nodes)), {"read": len(read)}


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
    """Whether a slice takes one place along an axis."""
    starts, limits = node.attributes["starts"], node.attributes["limits"]
    return bool(starts[axis] == place and limits[axis] == starts[axis] + 1)


def _read_carry(builder: Builder, node: Node, carry: Value, order: tuple[int, ...]) -> None:
    """The carry with its axes in this order and an axis of extent 1 for its place; of this, what the slice takes."""
    axes = tuple(axis - 1 for axis in order if axis)
    if axes != tuple(range(len(axes))):
        (carry,) = builder.emit(permute_dims, (carry,), {"axes": axes})
    place = order.index(0)
    shape = tuple(1 if axis == place else extent for axis, extent in enumerate(node.operands[0].type.shape))
    if shape == node.result.type.shape:
        builder.append(Node(reshape, (carry,), {"shape": shape}, node.results, (), node.provenance))
        return
    (whole,) = builder.emit(reshape, (carry,), {"shape": shape})
    starts, limits, strides = (node.attributes[name] for name in ("starts", "limits", "strides"))
    part = {
        "starts": (*starts[:place], 0, *starts[place + 1 :]),
        "limits": (*limits[:place], 1, *limits[place + 1 :]),
        "strides": strides and (*strides[:place], 1, *strides[place + 1 :]),
    }
    builder.append(Node(node.op, (whole,), part, node.results, (), node.provenance))
