"""The check of every array function: traced over known and over named extents, it gives what NumPy gives."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphc import array as xp
from graphc.dsl.trace import trace
from graphc.interpret import evaluate
from graphc.types import TensorType, as_dtype

Function = Callable[..., Any]
TOLERANCE = {"float16": 2e-3, "bfloat16": 2e-2, "float32": 2e-6, "float64": 1e-13}


def named(array: np.ndarray) -> TensorType:
    """The type of an array with its extents named, equal ones alike; 1 stays, for a named dim is never broadcast."""
    shape = tuple(e if e == 1 else f"d{e}" for e in array.shape)
    return as_dtype(array.dtype)[shape]


def run(function: Function, *arrays: np.ndarray, symbolic: bool = False) -> Any:
    """What a function of (xp, *tensors) gives on arrays."""
    specs = [named(a) if symbolic else as_dtype(a.dtype)[a.shape] for a in arrays]

    def traced(*tensors: Any) -> Any:
        return function(xp, *tensors)

    return evaluate(trace(traced, *specs), *arrays)


def assert_same(got: Any, wanted: Any) -> None:
    """Equal shapes and dtypes; equal numbers, but for the rounding of floats. NaN equals NaN, -0.0 is not 0.0."""
    wanted = np.asarray(wanted)
    assert got.shape == wanted.shape
    assert got.dtype == wanted.dtype
    if got.dtype.kind in "fV":
        tolerance = TOLERANCE[got.dtype.name]
        got, wanted = got.astype(np.float64), wanted.astype(np.float64)
        np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)
        zero = wanted == 0
        np.testing.assert_array_equal(np.signbit(got[zero & (got == 0)]), np.signbit(wanted[zero & (got == 0)]))
    else:
        np.testing.assert_array_equal(got, wanted)


@pytest.fixture
def check() -> Function:
    """check(function, *arrays): function(xp, *tensors) against function(np, *arrays), or against `expected`."""

    def check(function: Function, *arrays: Any, expected: Any = None, symbolic: bool = True) -> None:
        arrays = tuple(map(np.asarray, arrays))
        if expected is None:
            with np.errstate(all="ignore"):
                expected = function(np, *arrays)
        several = isinstance(expected, tuple | list)
        wanted = tuple(expected) if several else (expected,)
        for is_symbolic in (False, True) if symbolic else (False,):
            given = run(function, *arrays, symbolic=is_symbolic)
            results = given if len(wanted) > 1 else (given,)
            for got, array in zip(results, wanted, strict=True):
                assert_same(got, array)

    return check


def array_of(shape: tuple[int, ...], dtype: str = "float32", seed: int = 0) -> np.ndarray:
    """Reproducible numbers: floats in (-3, 3), integers in [-5, 6) or [0, 6), booleans."""
    generator = np.random.default_rng(seed)
    chosen = as_dtype(dtype).numpy
    if chosen.kind == "b":
        return generator.integers(0, 2, shape).astype(bool)
    if chosen.kind in "iu":
        return generator.integers(0 if chosen.kind == "u" else -5, 6, shape).astype(chosen)
    return generator.uniform(-3, 3, shape).astype(chosen)


@pytest.fixture
def make() -> Function:
    """make(shape, dtype="float32", seed=0): reproducible numbers."""
    return array_of
