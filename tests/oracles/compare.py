"""Runs a case on graphc and compares with what torch gave: outputs, then the gradients that torch's backward gave.

    check(case, F.leaky_relu)           # traces, evaluates, differentiates Σ output · cotangent

float64 agrees to 1e-10, float32 to 1e-5, both relative and absolute.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import graphc as gc
from oracles.case import Case

TOLERANCE = {"float64": 1e-10, "float32": 1e-5, "int64": 0.0}


def check(case: Case, function: Callable[..., Any], batch: str | None = None) -> None:
    """`function(**inputs, **arguments)` gives the case's output and, where the case has them, its gradients.

    With `batch` the extent of the first axis has that name in the graph, for all inputs that share it.
    """
    inputs = case["inputs"]
    specs = named_specs(inputs, batch) if batch else inputs

    def call(*tensors: Any) -> Any:
        return function(**dict(zip(inputs, tensors, strict=True)), **case.arguments)

    compare(gc.evaluate(traced(call, specs), *inputs.values()), case["outputs"]["output"], "output")
    if "gradients" in case:
        expected = case["gradients"]
        given_gradients = gradients(call, inputs, case["cotangents"]["output"], list(expected), batch)
        for name, gradient in given_gradients.items():
            compare(gradient, expected[name], f"gradient of {name}")


def named_specs(inputs: Mapping[str, np.ndarray], batch: str) -> dict[str, Any]:
    """The types of the inputs, with a name for the first extent of those that have a row for each example."""
    count = next(iter(inputs.values())).shape[0]
    return {name: named_rows(x, batch) if has_rows(name, x, count) else x for name, x in inputs.items()}


def has_rows(name: str, x: np.ndarray, count: int) -> bool:
    """Whether an input has a row for each example; a weight of one axis has a number for each class."""
    return x.ndim > 0 and x.shape[0] == count and not (x.ndim == 1 and "weight" in name)


def named_rows(x: np.ndarray, batch: str) -> Any:
    """The type of an array, its first extent named."""
    dtype = {"float64": gc.f64, "float32": gc.f32, "int64": gc.i64}[x.dtype.name]
    return dtype[(batch, *x.shape[1:])]


def traced(function: Callable[..., Any], inputs: Mapping[str, Any]) -> Any:
    """The graph of a function of positional tensors, its inputs named as those of the case."""

    def named(*tensors: Any) -> Any:
        return function(*tensors)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    named.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in inputs])  # type: ignore[attr-defined]
    return gc.trace(named, *inputs.values())


def gradients(
    function: Callable[..., Any],
    inputs: Mapping[str, np.ndarray],
    cotangent: np.ndarray,
    names: list[str],
    batch: str | None = None,
) -> dict[str, np.ndarray]:
    """The gradients of Σ function(inputs) · cotangent with respect to inputs and parameters by name."""
    arrays = {**inputs, "cotangent": cotangent}
    types = arrays if batch is None else named_specs(arrays, batch)
    graph = traced(lambda *tensors: gc.sum(function(*tensors[:-1]) * tensors[-1]), types)
    given = gc.evaluate(gc.grad(graph, wrt=names), *arrays.values())
    return dict(zip(names, given if isinstance(given, tuple) else (given,), strict=True))


def compare(given: Any, expected: np.ndarray, what: str) -> None:
    """Same shape, same dtype, same numbers within the dtype's tolerance, NaN where NaN is expected."""
    array = np.asarray(given)
    assert (array.shape, array.dtype) == (expected.shape, expected.dtype), f"{what}: {array.dtype}{array.shape}"
    tolerance = TOLERANCE[expected.dtype.name]
    np.testing.assert_allclose(array, expected, rtol=tolerance, atol=tolerance, err_msg=what)


def without_undefined(case: Case) -> Case:
    """A case with the elements left out where torch made NaN of an infinite input: 0 · inf, not a value."""
    infinite = np.isinf(case["inputs"]["input"])
    undefined = infinite & np.isnan(case["outputs"]["output"])
    for gradient in case.groups.get("gradients", {}).values():
        undefined |= infinite & np.isnan(gradient)
    groups = {
        group: {name: array[~undefined] for name, array in arrays.items()} for group, arrays in case.groups.items()
    }
    return Case(case.name, case.function, case.arguments, groups, case.facts)
