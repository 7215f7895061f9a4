"""`stored`: state whose axes lie in memory in another order is read and written as it lies there.

    parameter %w: f32[8,4,3,3] stored (2, 3, 1, 0)
    ->
    parameter %w.stored: f32[3,3,4,8]
    %w: f32[8,4,3,3] = permute_dims(%w.stored, axes=(3, 2, 0, 1))

    update %w = %w_next                     ->      update %w.stored = permute_dims(%w_next, axes=(2, 3, 1, 0))

Kernels know arrays by their addresses. What turns axes is a view like any other from here on, and meets those of the
convolutions and of their gradients (`layout.py`): a convolution's kernels are stored as its product reads them.
"""

from __future__ import annotations

from graphc.builder import Builder
from graphc.ir import Graph, Node, State, Value
from graphc.ops.shape import permute_dims
from graphc.order import Axes, inverse
from graphc.stored import as_stored, cell_of


def stored(graph: Graph) -> Graph:
    """The graph over its state as it lies in memory."""
    turned = {each.value: each.order for each in graph.state if each.order is not None and is_turned(each)}
    if not turned:
        return graph
    builder = Builder.extending(graph)
    states = tuple(lying(each, builder.scope.fresh(name_of(each))) if is_turned(each) else each for each in graph.state)
    lies = {before.value: after.value for before, after in zip(graph.state, states, strict=True)}
    seen = [_turned(lies[value], inverse(order), value) for value, order in turned.items()]
    written, updates = [], []
    for old, new in graph.updates:
        if old in turned:
            named = Value(builder.scope.fresh(f"{old.name}.stored_next"), lies[old].type)
            written.append(_turned(new, turned[old], named))
            new = named
        updates.append((lies[old], new))
    return graph.with_(state=states, nodes=(*seen, *graph.nodes, *written), updates=tuple(updates))


def _turned(value: Value, axes: Axes, result: Value) -> Node:
    return Node(permute_dims, (value,), {"axes": axes}, (result,))


def is_turned(state: State) -> bool:
    """Whether its axes lie in memory in another order than they are counted in."""
    return state.order is not None and state.order != tuple(range(len(state.order)))


def name_of(state: State) -> str:
    """What state is called as it lies in memory."""
    return f"{state.value.name}.stored" if is_turned(state) else state.value.name


def lying(state: State, name: str) -> State:
    """State as it lies in memory, under a name of its own; as it is where that is the same."""
    value, order, cell = state.value, state.order, state.cell
    if order is None or not is_turned(state):
        return state
    shape = tuple(value.type.shape[axis] for axis in order)
    of = None if cell is None else as_stored(cell_of(cell))
    return State(Value(name, value.type.with_shape(shape)), state.kind, of)
