"""Two graphs mean the same: they are run on the same arrays, ordinary and special ones, and compared.

assert_equivalent(before, after)                    # up to rounding, special values exactly
assert_equivalent(before, after, special=False)     # ordinary numbers only, for laws of real numbers
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.dim import evaluate_extent
from graphc.errors import GraphcError
from graphc.interpret import run
from graphc.ir import Graph
from graphc.order import Axes, inverse
from graphc.types import DType, TensorType

Array = np.ndarray[Any, Any]

SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 2.0, 0.5, -3.0, 1e30, -1e30, 1e-40, 7.25]
RTOL = {"f64": 1e-12, "f32": 1e-5, "f16": 1e-2, "bf16": 5e-2}
DIMS = {"N": 5, "T": 3, "M": 4}


def array_of(type: TensorType, generator: np.random.Generator, special: bool, dims: dict[str, int]) -> Array:
    """A random array of a type; with `special`, of special values mostly."""
    shape = tuple(evaluate_extent(extent, dims) for extent in type.shape)
    if type.dtype.kind == "bool":
        return generator.integers(0, 2, shape).astype(bool)
    if type.dtype.is_integer:
        return _integers(type.dtype, shape, generator, special)
    values = generator.normal(size=shape)
    if special:
        with np.errstate(over="ignore", under="ignore"):
            chosen = generator.choice(SPECIAL, shape)
            return np.where(generator.random(shape) < 0.8, chosen, values).astype(type.dtype.numpy)
    return values.astype(type.dtype.numpy)


def _integers(dtype: DType, shape: tuple[int, ...], generator: np.random.Generator, special: bool) -> Array:
    if not special:
        return generator.integers(0, 3, shape).astype(dtype.numpy)  # they may be indices
    info = np.iinfo(dtype.numpy)
    return generator.choice([info.min, info.max, 0, 1, 2, 3, 100], shape).astype(dtype.numpy)


def arrays_for(graph: Graph, seed: int = 0, *, special: bool = False, dims: dict[str, int] | None = None) -> Any:
    """Arrays for a graph's inputs, and for its state by name."""
    generator = np.random.default_rng(seed)
    dims = DIMS if dims is None else dims
    inputs = [array_of(value.type, generator, special, dims) for value in graph.inputs]
    state = {}
    for each in graph.state:
        array = array_of(each.value.type, generator, special, dims)
        positive = each.kind == "buffer" and not special  # a running variance is positive
        state[each.value.name] = np.abs(array) + np.asarray(0.5, array.dtype) if positive else array
    return inputs, state


def results_of(graph: Graph, inputs: list[Array], state: dict[str, Array]) -> list[Array] | str:
    """Outputs and updates, or the name of the error that a run ends with."""
    try:
        outputs, updates = run(graph, inputs, state)
    except GraphcError as error:
        return type(error).__name__
    return [*outputs, *updates]


def assert_equivalent(
    before: Graph, after: Graph, *, special: bool = True, rtol: float | None = None, seeds: int = 3
) -> None:
    """Fail unless both graphs give the same; `special` values must come out as the very same special values.

    `after` may read and write state as it lies in memory, where `before` says how it does.
    """
    turns = turns_between(before, after)
    assert [v.name for v in before.inputs] == [v.name for v in after.inputs]
    if not turns:
        assert [v.type for v in before.results] == [v.type for v in after.results]
    for seed in range(seeds):
        for with_special in (False, True) if special else (False,):
            inputs, state = arrays_for(before, seed, special=with_special)
            lying = state | {f"{name}.stored": state[name].transpose(order) for name, order in turns.items()}
            expected, given = results_of(before, inputs, state), results_of(after, inputs, lying)
            if not isinstance(given, str):
                olds = [*(None for _ in before.outputs), *(old.name for old, _ in before.updates)]
                given = [as_seen(array, turns.get(old)) for old, array in zip(olds, given, strict=True)]
            if isinstance(expected, str) or isinstance(given, str):
                assert expected == given
                continue
            for number, (e, g) in enumerate(zip(expected, given, strict=True)):
                compare(e, g, f"result {number} for {inputs}", rtol=rtol, special=with_special)


def turns_between(before: Graph, after: Graph) -> dict[str, Axes]:
    """The orders of the state that `after` works with as it lies in memory."""
    names = {each.value.name for each in after.state}
    return {
        each.value.name: each.order
        for each in before.state
        if each.order is not None and f"{each.value.name}.stored" in names
    }


def as_seen(array: Array, order: Axes | None) -> Array:
    """A new value of state with its axes as they are counted."""
    return array if order is None else array.transpose(inverse(order))


def compare(expected: Array, given: Array, what: str, *, rtol: float | None = None, special: bool = True) -> None:
    """Fail unless two arrays agree: integers exactly, floats up to rounding, of one class where `special`."""
    assert (expected.dtype, expected.shape) == (given.dtype, given.shape), what
    if expected.dtype.kind in "biu":
        np.testing.assert_array_equal(given, expected, what)
        return
    name = {"float64": "f64", "float32": "f32", "float16": "f16"}.get(expected.dtype.name, "bf16")
    e, g = expected.astype(np.float64), given.astype(np.float64)
    scale = 0.0 if special else np.abs(np.where(np.isfinite(e), e, 0)).max(initial=1.0)
    tolerance = rtol or RTOL[name]
    np.testing.assert_allclose(g, e, rtol=tolerance, atol=tolerance * scale, equal_nan=True, err_msg=what)
    if special:
        np.testing.assert_array_equal(np.isnan(g), np.isnan(e), what)
        np.testing.assert_array_equal(np.signbit(g[e == 0]), np.signbit(e[e == 0]), f"sign of zero, {what}")
