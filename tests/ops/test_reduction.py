"""Reductions: no elements, NaN, ties, products with zeros, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.errors import DTypeError, OpAttributeError, ShapeError
from graphc.op import find_op
from ops.one_op import pulled, pushed, value

nan, inf = np.nan, np.inf
EMPTY = np.zeros((0, 3))


def test_no_elements() -> None:
    np.testing.assert_array_equal(value("sum", EMPTY, axis=(0,)), np.zeros(3))
    np.testing.assert_array_equal(value("prod", EMPTY, axis=(0,)), np.ones(3))
    assert value("any", EMPTY == 0, axis=(0,)).tolist() == [False] * 3
    assert value("all", EMPTY == 0, axis=(0,)).tolist() == [True] * 3
    assert value("max", EMPTY, axis=(1,)).shape == value("argmax", EMPTY, axis=1).shape == (0,)


@pytest.mark.parametrize("op", ["max", "min", "argmax", "argmin"])
def test_the_extremum_of_no_elements(op: str) -> None:
    axis = 0 if op.startswith("arg") else (0,)
    message = rf"{op}: of no elements is undefined; axes \(0,\) of a \[0,3\] have none"
    with pytest.raises(ShapeError, match=message):
        gc.trace(lambda x: find_op(op)(x, axis=axis), EMPTY)
    named = gc.trace(lambda x: find_op(op)(x, axis=axis), gc.f64["N", 3])
    with pytest.raises(ShapeError, match=message):
        gc.evaluate(named, EMPTY)


def test_nan_wins() -> None:
    x = np.array([[1.0, nan, 3.0, nan], [5.0, inf, 7.0, -inf]])
    for op in ("sum", "prod", "max", "min"):
        assert np.isnan(value(op, x, axis=(1,))[0])
    assert value("argmax", x, axis=1).tolist() == [1, 1]
    assert value("argmin", x, axis=1).tolist() == [1, 3]


@pytest.mark.parametrize("op", ["max", "min"])
def test_infinities_are_numbers(op: str) -> None:
    x = np.array([-inf, 0.0, inf])
    assert value(op, x, axis=(0,)) == (inf if op == "max" else -inf)
    assert value(op, x[:1], axis=(0,)) == -inf


def test_the_first_of_equal_extrema() -> None:
    x = np.array([[1, 3, 3, 0, 0]])
    assert (value("argmax", x, axis=1).tolist(), value("argmin", x, axis=1).tolist()) == ([1], [3])


@pytest.mark.parametrize("op", ["sum", "prod", "max", "min"])
@pytest.mark.parametrize("axis", [(), (0,), (2, 0), (0, 1, 2)], ids=str)
@pytest.mark.parametrize("keepdims", [False, True])
def test_axes_are_numpys(op: str, axis: tuple[int, ...], keepdims: bool) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 4))
    expected = getattr(np, op)(x, axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(value(op, x, axis=axis, keepdims=keepdims), expected, rtol=1e-14)


def test_sums_of_16_bit_floats_are_rounded_once() -> None:
    assert value("sum", np.full(4096, 1.0, np.float16), axis=(0,)) == 4096.0  # in steps of f16 it would stop at 2048
    assert value("cumulative_sum", np.full(4096, 1.0, np.float16), axis=0)[-1] == 4096.0


def test_ties_share_the_gradient_equally() -> None:
    x, g = np.array([[3.0, 1.0, 3.0], [2.0, 2.0, 2.0]]), np.array([6.0, 6.0])
    np.testing.assert_array_equal(pulled("max", g, x, axis=(1,)), [[3.0, 0.0, 3.0], [2.0, 2.0, 2.0]])
    np.testing.assert_array_equal(pulled("min", g, x, axis=(1,)), [[0.0, 6.0, 0.0], [2.0, 2.0, 2.0]])
    tangent = np.array([[1.0, 5.0, 3.0], [1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(pushed("max", (tangent,), x, axis=(1,)), [2.0, 2.0])


def test_the_gradient_of_a_product_with_zeros() -> None:
    x = np.array([[2.0, 0.0, 5.0], [0.0, 0.0, 5.0], [2.0, 3.0, 5.0]])
    expected = [[0.0, 10.0, 0.0], [0.0, 0.0, 0.0], [15.0, 10.0, 6.0]]
    np.testing.assert_array_equal(pulled("prod", np.ones(3), x, axis=(1,)), expected)


def test_what_they_refuse() -> None:
    def reduced(op: str, spec: object, **attributes: object) -> None:
        gc.trace(lambda x: find_op(op)(x, **attributes), spec)

    with pytest.raises(DTypeError, match=r"sum: takes numbers, but x is bool\[3\]; convert with gc.astype"):
        reduced("sum", gc.bool[3], axis=(0,))
    with pytest.raises(DTypeError, match=r"any: takes booleans, but x is f32\[3\]"):
        reduced("any", gc.f32[3], axis=(0,))
    with pytest.raises(OpAttributeError, match=r"sum: axes \(0, 0\) do not name distinct axes of f32\[3,4\]"):
        reduced("sum", gc.f32[3, 4], axis=(0, 0))
    with pytest.raises(OpAttributeError, match=r"max: axes \(2,\) do not name distinct axes of f32\[3,4\]"):
        reduced("max", gc.f32[3, 4], axis=(2,))
    with pytest.raises(OpAttributeError, match=r"argmax: axis -1 is out of range for f32\[3,4\]"):
        reduced("argmax", gc.f32[3, 4], axis=-1)
