"""Integers under the CPU backend's functions: every dtype against the ops' references, the hard cases among them."""

from itertools import product
from typing import Any

import numpy as np
import pytest

import graphc as gc
from compiled_functions import INTEGERS, Array, compiled
from graphc import ops
from graphc.backends.cpu.functions.intrinsic import TWINS
from graphc.op import REGISTRY

assert ops

BINARY = ("floordiv", "rem", "fmod", "pow", "shift_left", "shift_right", "maximum", "minimum")
SUMS = {"add_reassociated": "add", "mul_reassociated": "mul"}
UNARY = ("sign", "abs")


def corners(dtype: Any) -> Array:
    info = np.iinfo(dtype)
    small = [value for value in (-65, -9, -8, -7, -2, -1, 0, 1, 2, 3, 7, 8, 9, 15, 31, 63, 64, 65) if value >= info.min]
    edges = [info.min, info.min + 1, info.max // 2, info.max - 1, info.max]
    random = np.random.default_rng(1).integers(info.min, info.max, 12, dtype=dtype, endpoint=True)
    return np.array([*small, *edges, *random.tolist()], dtype)


def pairs(dtype: Any) -> tuple[Array, Array]:
    a, b = zip(*product(corners(dtype), repeat=2), strict=True)
    return np.array(a, dtype), np.array(b, dtype)


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_functions_of_two_integers(dtype: Any) -> None:
    a, b = pairs(dtype)
    names = (*BINARY, *SUMS)
    for name, y in zip(names, compiled(names, dtype, dtype)(a, b), strict=True):
        reference: Any = REGISTRY[SUMS.get(name, name)].reference
        np.testing.assert_array_equal(y, reference(a, b), err_msg=name, strict=True)
        np.testing.assert_array_equal(TWINS[name](a, b), y, err_msg=f"{name} in Python", strict=True)


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_functions_of_one_integer_and_of_three(dtype: Any) -> None:
    x = corners(dtype)
    for name, y in zip(UNARY, compiled(UNARY, dtype)(x), strict=True):
        reference: Any = REGISTRY[name].reference
        np.testing.assert_array_equal(y, reference(x), err_msg=name, strict=True)
        np.testing.assert_array_equal(TWINS[name](x), y, err_msg=name, strict=True)
    a, low = pairs(dtype)
    high = np.roll(low, 3)
    (y,) = compiled(("clip",), dtype, dtype, dtype)(a, low, high)
    clip: Any = REGISTRY["clip"].reference
    np.testing.assert_array_equal(y, clip(a, low, high), strict=True)
    np.testing.assert_array_equal(TWINS["clip"](a, low, high), y, strict=True)


def test_i64_wraps_around_as_numpy_does() -> None:
    """What would not hold if the compiler took overflow for impossible."""
    least, greatest = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    x = np.array([greatest, least, least + 1, 5, -7, greatest - 3], np.int64)

    def f(x):
        rows = gc.reshape(x, (2, 3))
        total = rows + gc.max(rows, axis=1, keepdims=True)
        return (
            x + 1 > x, x - 1 < x, (x * 2) // 2 == x, -x, x * x, gc.abs(x - 1) > 0, gc.argmin(total, axis=1),
            gc.sum(x), gc.prod(rows, axis=1),
        )  # fmt: skip

    with np.errstate(over="ignore"):
        expected = gc.evaluate(gc.trace(f, gc.i64[6]), x)
    for got, want in zip(gc.compile(gc.trace(f, gc.i64[6]))(x), expected, strict=True):
        np.testing.assert_array_equal(got, want)
