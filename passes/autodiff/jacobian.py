"""`jacobian`: every output by every element of an input, by reverse or forward mode, whichever is cheaper.

    >>> g = gc.trace(lambda x: gc.stack([x[0] * x[1], gc.sin(x[2])]), gc.f64[3])
    >>> gc.evaluate(gc.jacobian(g), np.array([1.0, 2.0, 0.0]))
    array([[2., 1., 0.],
           [0., 0., 1.]])

Reverse mode gives a row of the Jacobian per output element, forward mode a column per input element. The forward graph
runs once; a `map` node runs the derivative's nodes for each unit vector, so the graph does not grow with the number of
rows, and extents may be symbolic.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from graphc.builder import Builder
from graphc.dim import Dim, Extent
from graphc.ir import Graph, Literal, Node, Value
from graphc.op import find_op, recording
from graphc.passes.autodiff.active import open_composites
from graphc.passes.autodiff.derivatives import as_graph, wrt_values, zeros_like
from graphc.passes.autodiff.forward import push_forward
from graphc.passes.autodiff.reverse import pull_back
from graphc.passes.dce import dce
from graphc.tensor import Tensor
from graphc.types import TensorType, i64


def jacobian(graph: Graph, wrt: str | Iterable[str] | None = None) -> Graph:
    """The Jacobians of each floating-point output by each `wrt`, outputs varying slowest.

    One has the shape of the output followed by the shape of the input. `wrt` as in `grad`.
    """
    graph = as_graph(graph)
    names = [value.name for value in wrt_values(graph, wrt)]
    opened = open_composites(open_composites(graph, "vjp"), "jvp")
    builder = Builder.extending(opened)
    builder.name = f"{graph.name}_jacobian"
    results = []
    for output in opened.outputs:
        if not output.type.dtype.is_float:
            continue
        for source in (opened[name] for name in names):
            by_rows = not _provably_less(source.type.size, output.type.size)
            results.append((_by_rows if by_rows else _by_columns)(builder, opened, output, source))
    with recording(builder):
        return dce(builder.finish(results))


def _provably_less(a: Extent, b: Extent) -> bool:
    if isinstance(a, Dim) or isinstance(b, Dim):
        return False
    return a < b


def _by_rows(builder: Builder, graph: Graph, output: Value, source: Value) -> Tensor:
    inner = Builder.extending(graph)
    seed = inner.input("unit", output.type)
    gradients = pull_back(inner, graph, {output: seed}, [source])
    shape = (*output.type.shape, *source.type.shape)
    if source not in gradients:
        return zeros_like(builder, TensorType(source.type.dtype, shape))
    rows = _map_over_units(builder, graph, inner, seed.value, gradients[source])
    return builder.node(find_op("reshape"), rows, shape=shape)


def _by_columns(builder: Builder, graph: Graph, output: Value, source: Value) -> Tensor:
    inner = Builder.extending(graph)
    seed = inner.input("unit", source.type)
    tangents = push_forward(inner, graph, {source: seed})
    shape = (*output.type.shape, *source.type.shape)
    if output not in tangents:
        return zeros_like(builder, TensorType(source.type.dtype, shape))
    columns = _map_over_units(builder, graph, inner, seed.value, tangents[output])
    rank = output.type.rank
    stacked = builder.node(find_op("reshape"), columns, shape=(*source.type.shape, *output.type.shape))
    axes = (*range(source.type.rank, source.type.rank + rank), *range(source.type.rank))
    return builder.node(find_op("permute_dims"), stacked, axes=axes)


def _map_over_units(builder: Builder, graph: Graph, inner: Builder, seed: Value, result: Tensor) -> Tensor:
    """Stack `result` for every unit vector that `seed` can be; forward values come from the nodes of `builder`."""
    with recording(inner):
        derivative = dce(inner.finish([result]))
    forward = {*graph.sources, *(r for node in graph.nodes for r in node.results)}
    for node, before in zip(inner.nodes, graph.nodes, strict=False):
        if node is not before:  # a scan that saves what its derivative reads: it runs once, too
            forward.update(_saved(builder, node, before))
    nodes = tuple(node for node in derivative.nodes if node.results[0] not in forward)
    shared = _free_values(nodes, derivative.outputs, forward)
    region = Graph("derivative", (seed, *shared), nodes, derivative.outputs)
    with recording(builder):
        units = builder.tensor(_units(builder, seed.type))
        (stacked,) = builder.emit(find_op("map"), (units.value, *shared), {"mapped": 1}, (_renamed(region),))
    return builder.tensor(stacked)


def _saved(builder: Builder, node: Node, before: Node) -> Sequence[Value]:
    """Append a scan that stacks more than the one that is there; gives what it stacks besides."""
    count = len(before.results)
    again = tuple(Value(builder.scope.fresh(value.name), value.type) for value in before.results)
    for value in node.results[count:]:
        value.name = builder.scope.fresh(value.name)
    builder.append(replace(node, results=(*again, *node.results[count:])))
    return node.results[count:]


def _free_values(nodes: Sequence[Node], outputs: Sequence[Value], forward: set[Value]) -> list[Value]:
    read = [operand for node in nodes for operand in node.operands]
    return list(dict.fromkeys(v for v in (*read, *outputs) if v in forward and not isinstance(v, Literal)))


def _renamed(region: Graph) -> Graph:
    """A region's inputs are values of its own, though they stand for values of the graph around it."""
    own = {value: Value(value.name, value.type) for value in region.inputs}
    nodes = tuple(replace(n, operands=tuple(own.get(o, o) for o in n.operands)) for n in region.nodes)
    return region.with_(
        inputs=tuple(own.values()), nodes=nodes, outputs=tuple(own.get(value, value) for value in region.outputs)
    )


def _units(builder: Builder, type: TensorType) -> Tensor:
    """All unit tensors of a type, stacked: row i is one at position i of the flattened tensor."""
    count = type.size
    iota, equal, cast, reshape = (find_op(name) for name in ("iota", "equal", "cast", "reshape"))
    row = builder.node(iota, shape=(count, count), axis=0, dtype=i64)
    column = builder.node(iota, shape=(count, count), axis=1, dtype=i64)
    identity = builder.node(cast, builder.node(equal, row, column), dtype=type.dtype)
    return builder.node(reshape, identity, shape=(count, *type.shape))
