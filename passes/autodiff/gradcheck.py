"""`gradcheck`: compare the compiler's derivatives with central differences.

    >>> gc.gradcheck(lambda x: gc.sum(gc.tanh(x)), np.linspace(-1, 1, 5))
    True

(f(x + h·v) − f(x − h·v)) / 2h against the graph's own derivatives, in float64, along each coordinate. The step is
h = ε^(1/3)·max(1, |x|), which balances truncation (h²) against rounding (ε/h).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from graphc.errors import GradientError
from graphc.interpret import run
from graphc.ir import Graph
from graphc.passes.autodiff.derivatives import jvp, vjp

Array = np.ndarray[Any, Any]
STEP = float(np.finfo(np.float64).eps ** (1 / 3))


def gradcheck(
    target: Graph | Callable[..., Any],
    *arrays: Any,
    step: float = STEP,
    rtol: float = 1e-5,
    atol: float = 1e-7,
    forward: bool = True,
) -> bool:
    """Whether reverse mode, and with `forward` forward mode, agree with central differences at `arrays`.

    `target` is a graph or a function to trace over the arrays; floating-point arrays must be f64. Gives True, or
    raises GradientError with the input, the element and both numbers. The checked quantity is the sum of the
    outputs' elements under fixed random weights, so one pass checks every output.
    """
    given = [np.asarray(array) for array in arrays]
    for index, array in enumerate(given):
        if array.dtype.kind == "f" and array.dtype != np.float64:
            raise GradientError(f"gradcheck: argument {index} is {array.dtype}; differences need float64")
    graph = target if isinstance(target, Graph) else _trace(target, given)
    rng = np.random.default_rng(0)
    outputs, _ = run(graph, given)
    moving = [i for i, value in enumerate(graph.outputs) if value.type.dtype.is_float]
    weights = [rng.standard_normal(outputs[i].shape) for i in moving]

    def weighted(*at: Array) -> float:
        values, _ = run(graph, at)
        return float(sum((values[i] * w).sum() for i, w in zip(moving, weights, strict=True)))

    floating = [i for i, value in enumerate(graph.inputs) if value.type.dtype.is_float]
    gradients, _ = run(vjp(graph), [*given, *weights])
    numerical = [numerical_gradient(weighted, given, i, step) for i in floating]
    for i, gradient, differences in zip(floating, gradients, numerical, strict=True):
        _compare(f"reverse mode, %{graph.inputs[i].name}", gradient, differences, rtol, atol)
    if forward:
        directions = [rng.standard_normal(given[i].shape) for i in floating]
        results, _ = run(jvp(graph), [*given, *directions])
        tangents = results[len(graph.outputs) :]
        along = sum((t * w).sum() for t, w in zip(tangents, weights, strict=True))
        expected = sum((n * d).sum() for n, d in zip(numerical, directions, strict=True))
        scale = sum(np.abs(n * d).sum() for n, d in zip(numerical, directions, strict=True))
        _compare("forward mode", np.asarray(along), np.asarray(expected), rtol, atol + rtol * float(scale))
    return True


def numerical_gradient(f: Callable[..., float], at: list[Array], index: int, step: float = STEP) -> Array:
    """Central differences of a scalar function by the elements of one argument."""
    gradient = np.zeros_like(at[index])
    for position in _positions(at[index]):
        h = step * max(1.0, abs(float(at[index][position])))
        sides = []
        for sign in (1.0, -1.0):
            moved = list(at)
            moved[index] = at[index].copy()
            moved[index][position] += sign * h
            sides.append((f(*moved), moved[index][position]))
        gradient[position] = (sides[0][0] - sides[1][0]) / (sides[0][1] - sides[1][1])
    return gradient


def _positions(array: Array) -> Iterator[tuple[int, ...]]:
    return np.ndindex(array.shape)


def _compare(what: str, gradient: Array, differences: Array, rtol: float, atol: float) -> None:
    wrong = ~np.isclose(gradient, differences, rtol=rtol, atol=atol)
    if wrong.any():
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        element = f"[{', '.join(map(str, where))}]" if where else ""
        raise GradientError(
            f"gradcheck: {what}{element}: the derivative is {float(gradient[where]):.9g}, but central differences give "
            f"{float(differences[where]):.9g} ({int(wrong.sum())} of {wrong.size} elements differ)"
        )


def _trace(fn: Callable[..., Any], arrays: list[Array]) -> Graph:
    """The function's graph over these arrays, through the public face: passes may not import frontends."""
    import graphc

    graph: Graph = graphc.trace(fn, *arrays)
    return graph
