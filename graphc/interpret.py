"""The reference interpreter: one walk over the graph, asking each op for its value. It defines what graphs mean.

    >>> evaluate(g, np.ones((2, 3), np.float32))

Every other backend is compared with it. Named dims take their values from the arrays; state comes from its cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.admission import admit, bound
from graphc.arguments import bind_arguments
from graphc.dim import evaluate_extent
from graphc.errors import GraphcError
from graphc.ir import Graph, Literal, Node, Value
from graphc.state import commit_updates, read_state

Array = np.ndarray[Any, Any]
Observer = Any


def evaluate(graph: Graph, *arrays: Any, state: Mapping[str, Any] | None = None) -> Any:
    """Run a graph on arrays: one array for one output, else a tuple. Updated state is written to its cells.

    `state` gives arrays for state by name instead of the cells'; then nothing is written. Raises ArgumentError,
    ShapeError or DTypeError where the arrays do not fit the inputs.
    """
    outputs, updates = run(graph, arrays, state)
    if state is None:
        commit_updates(graph, updates)
    return outputs[0] if len(outputs) == 1 else outputs


def run(
    graph: Graph,
    arrays: Sequence[Any],
    state: Mapping[str, Any] | None = None,
    observe: Observer = None,
    admitted: bool = False,
) -> tuple[tuple[Array, ...], list[Array]]:
    """The outputs, and the new values of updated state, which stays unwritten.

    `admitted` says that the ops have been asked whether they take these extents.
    """
    inputs, dims = bind_arguments(graph, arrays)
    if not admitted:
        admit(graph, dims)
    results = run_nodes(graph, [*inputs, *read_state(graph, state)], dims, observe)
    count = len(graph.outputs)
    return tuple(own_result(r) for r in results[:count]), [own_result(r) for r in results[count:]]


def run_nodes(graph: Graph, sources: Sequence[Array], dims: Mapping[str, int], observe: Observer = None) -> list[Array]:
    """The arrays of `graph.results`, from those of `graph.sources`; values are dropped after their last use.

    `observe(node, arrays)` sees each node's results.
    """
    environment: dict[Value, Array] = dict(zip(graph.sources, sources, strict=True))
    last_use = {operand: node for node in graph.nodes for operand in node.operands}
    for node in graph.nodes:
        operands = [_read(operand, environment, dims) for operand in node.operands]
        results = run_node(node, operands, dims)
        environment.update(zip(node.results, results, strict=True))
        if observe is not None:
            observe(node, results)
        for value in (*node.operands, *node.results):
            if last_use.get(value, node) is node and not graph.is_result(value):
                environment.pop(value, None)
    return [_read(value, environment, dims) for value in graph.results]


def run_node(node: Node, operands: Sequence[Array], dims: Mapping[str, int]) -> tuple[Array, ...]:
    """The results of one node."""
    if node.op.is_composite:
        body = node.op.body(tuple(value.type for value in node.operands), node.attributes)
        try:
            return tuple(run_nodes(body, operands, dims))
        except GraphcError as error:
            error.line = node.line  # the user wrote the composite, not the ops of its body
            raise error.located(where=node.provenance.where) from None
    attributes = {name: bound(value, dims) for name, value in node.attributes.items()}
    if node.regions:
        attributes["regions"] = [_region(region, dims) for region in node.regions]
    assert node.op.reference is not None
    try:
        given = node.op.reference(*operands, **attributes)
    except GraphcError as error:
        raise error.located(line=node.line, where=node.provenance.where) from None
    results = given if isinstance(given, tuple) else (given,)
    arrays = tuple(np.asarray(result) for result in results)
    for value, array in zip(node.results, arrays, strict=True):
        expected = tuple(evaluate_extent(extent, dims) for extent in value.type.shape)
        if array.shape != expected or array.dtype != value.type.dtype.numpy:
            raise AssertionError(f"the reference of {node.op.name} gave {array.dtype}{array.shape} for {value!r}")
    return arrays


def _region(region: Graph, dims: Mapping[str, int]) -> Any:
    return lambda *arrays: tuple(run_nodes(region, arrays, dims))


def _read(value: Value, environment: Mapping[Value, Array], dims: Mapping[str, int]) -> Array:
    if isinstance(value, Literal):
        return np.asarray(bound(value.value, dims), value.type.dtype.numpy)
    return environment[value]


def own_result(array: Array) -> Array:
    """A result that belongs to the caller: contiguous, writable, sharing memory with no input."""
    return np.array(array, order="C", copy=True)
