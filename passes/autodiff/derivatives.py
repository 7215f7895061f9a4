"""`grad`, `value_and_grad`, `vjp`, `jvp`, `jacobian`, `hvp`: from a graph to the graph of its derivative.

    >>> g = gc.trace(lambda x: gc.sum(x * x), gc.f32["N"])
    >>> print(gc.grad(g))
    graph @lambda_grad(%x: f32[N]) {
      %full: f32[N] = broadcast_to(1.0:f32, shape=(N,))
      …
      return %d_x
    }

The derivative of a graph is a graph, so derivatives nest to any order. Inputs and state stay what they were, and
updates of state (BatchNorm's running statistics) stay in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from graphc.builder import Builder
from graphc.errors import GradientError
from graphc.ir import Graph, Literal, Value
from graphc.op import recording
from graphc.ops.creation import full
from graphc.passes.autodiff.active import open_composites
from graphc.passes.autodiff.forward import push_forward
from graphc.passes.autodiff.reverse import pull_back
from graphc.passes.dce import dce
from graphc.passes.last_places import known_last_places
from graphc.tensor import Tensor
from graphc.types import TensorType


def grad(graph: Graph, wrt: str | Iterable[str] | None = None) -> Graph:
    """The gradients of a scalar graph, in `wrt` order.

    `wrt` names inputs or parameters; None means every floating-point input. A gradient has the type of what it is the
    gradient of, and is zero where the output does not depend on it. Raises GradientError for an output that is no
    floating-point scalar, and for a name that does not exist or is of an integer or boolean dtype.
    """
    graph = as_graph(graph)
    result = value_and_grad(graph, wrt)
    return dce(result.with_(name=f"{graph.name}_grad", outputs=result.outputs[1:]))


def value_and_grad(graph: Graph, wrt: str | Iterable[str] | None = None) -> Graph:
    """The value of a scalar graph, then its gradients in `wrt` order; see `grad`."""
    graph = as_graph(graph)
    _scalar_output(graph)
    names = wrt_values(graph, wrt)
    graph, _ = known_last_places(open_composites(graph, "vjp"))
    loss = graph.outputs[0]
    builder = Builder.extending(graph)
    builder.name = f"{graph.name}_value_and_grad"
    seed = builder.tensor(Literal(1.0, loss.type.dtype))
    gradients = pull_back(builder, graph, {loss: seed}, names)
    with recording(builder):
        outputs = [_or_zeros(builder, gradients, value) for value in names]
        return dce(builder.finish([loss, *outputs]))


def vjp(graph: Graph) -> Graph:
    """The vector-Jacobian product: takes the inputs, then a cotangent per floating-point output.

    Gives one gradient per floating-point input.
    """
    graph = open_composites(as_graph(graph), "vjp")
    builder = Builder.extending(graph)
    builder.name = f"{graph.name}_vjp"
    wrt = _float_inputs(graph)
    seeds: dict[Value, Tensor] = {}
    with recording(builder):
        for i, output in enumerate(graph.outputs):
            if output.type.dtype.is_float:
                cotangent = builder.input(f"ct_{output.name or i}", output.type)
                seeds[output] = seeds[output] + cotangent if output in seeds else cotangent
    gradients = pull_back(builder, graph, seeds, wrt)
    with recording(builder):
        return dce(builder.finish([_or_zeros(builder, gradients, value) for value in wrt]))


def jvp(graph: Graph) -> Graph:
    """The Jacobian-vector product: takes the inputs, then a tangent per floating-point input.

    Gives the outputs, then the tangent of each floating-point output.
    """
    graph = open_composites(as_graph(graph), "jvp")
    builder = Builder.extending(graph)
    builder.name = f"{graph.name}_jvp"
    seeds = {value: builder.input(f"t_{value.name}", value.type) for value in _float_inputs(graph)}
    return _with_tangents(builder, graph, seeds, primal=True)


def hvp(graph: Graph, wrt: str | Iterable[str] | None = None) -> Graph:
    """The Hessian-vector product of a scalar graph: takes the inputs, then a vector per `wrt`; gives H·v per `wrt`.

    Forward mode over reverse mode: about the cost of two gradients, and no Hessian is formed.
    """
    graph = as_graph(graph)
    names = [value.name for value in wrt_values(graph, wrt)]
    gradient = open_composites(grad(graph, wrt), "jvp")
    builder = Builder.extending(gradient)
    builder.name = f"{graph.name}_hvp"
    seeds = {gradient[name]: builder.input(f"v_{name}", gradient[name].type) for name in names}
    return _with_tangents(builder, gradient, seeds, primal=False)


def _with_tangents(builder: Builder, graph: Graph, seeds: dict[Value, Tensor], *, primal: bool) -> Graph:
    tangents = push_forward(builder, graph, seeds)
    with recording(builder):
        primals = list(graph.outputs) if primal else []
        moving = [v for v in graph.outputs if v.type.dtype.is_float]
        return dce(builder.finish([*primals, *(_or_zeros(builder, tangents, v) for v in moving)]))


# -- which values -----------------------------------------------------------------------------------------------------


def as_graph(graph: object) -> Graph:
    """The graph itself; the graph of a `gc.function`. GradientError for what is neither."""
    graph = getattr(graph, "graph", graph)
    if not isinstance(graph, Graph):
        raise GradientError(
            f"a derivative is of a graph (gc.trace makes one of a function), not of {type(graph).__name__}"
        )
    return graph


def wrt_values(graph: Graph, wrt: str | Iterable[str] | None) -> list[Value]:
    """The inputs and state that names stand for; all floating-point inputs for None."""
    if wrt is None:
        values = _float_inputs(graph)
        if not values:
            raise GradientError(
                f"@{graph.name} has no floating-point input to differentiate by; name a parameter in wrt"
            )
        return values
    sources = {value.name: value for value in graph.sources}
    names = [wrt] if isinstance(wrt, str) else wrt
    if not isinstance(names, Iterable):
        raise GradientError(
            f"wrt names inputs or parameters of @{graph.name}, such as {next(iter(sources), 'x')!r}, not {wrt!r}"
        )
    values = []
    for name in names:
        value = sources.get(str(name).removeprefix("%"))
        if value is None:
            known = ", ".join(f"%{n}" for n, v in sources.items() if v.type.dtype.is_float)
            raise GradientError(f"@{graph.name} has no input or parameter {name!r}; it has {known}")
        if not value.type.dtype.is_float:
            raise GradientError(f"%{value.name} is {value.type}: only floating-point values have gradients")
        values.append(value)
    return values


def _float_inputs(graph: Graph) -> list[Value]:
    return [value for value in graph.inputs if value.type.dtype.is_float]


def _scalar_output(graph: Graph) -> Value:
    outputs: Sequence[Value] = graph.outputs
    if len(outputs) != 1 or outputs[0].type.rank or not outputs[0].type.dtype.is_float:
        given = ", ".join(map(str, (value.type for value in outputs)))
        raise GradientError(
            f"@{graph.name} gives ({given}); a gradient needs one floating-point scalar, such as f32[]: sum it, or use "
            "gc.vjp or gc.jacobian"
        )
    return outputs[0]


def _or_zeros(builder: Builder, derivatives: Mapping[Value, Tensor], value: Value) -> Tensor:
    """A value's derivative; zeros where the function does not depend on it."""
    return derivatives[value] if value in derivatives else zeros_like(builder, value.type)


def zeros_like(builder: Builder, type: TensorType) -> Tensor:
    """Zeros of a type."""
    return builder.node(full, value=0.0, shape=type.shape, dtype=type.dtype)
