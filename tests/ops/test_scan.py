"""Scans against loops, in both directions, and their derivatives where a division would fail."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import DTypeError, ShapeError
from graphc.op import find_op
from graphc.passes.autodiff import gradcheck
from ops.one_op import graph, pulled, value

inf, nan = np.inf, np.nan
FOLDS = {"cumulative_sum": np.add, "cumulative_prod": np.multiply, "logcumsumexp": np.logaddexp}


@pytest.mark.parametrize("op", FOLDS)
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("reverse", [False, True])
def test_every_prefix_is_a_fold(op: str, axis: int, reverse: bool) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 4))
    lines = np.moveaxis(x[..., ::1], axis, 0)
    lines = lines[::-1] if reverse else lines
    expected = [lines[0]]
    for line in lines[1:]:
        expected.append(FOLDS[op](expected[-1], line))
    stacked = np.stack(expected[::-1] if reverse else expected)
    np.testing.assert_allclose(value(op, x, axis=axis, reverse=reverse), np.moveaxis(stacked, 0, axis), rtol=1e-13)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_linear_recurrence(reverse: bool) -> None:
    a, b = np.array([nan, 2.0, 3.0, 0.5]), np.array([1.0, 10.0, 100.0, 1000.0])
    if reverse:
        a, b = a[::-1], b[::-1]
    expected = np.array([1.0, 12.0, 136.0, 1068.0])  # the first factor has no effect
    got = value("linear_recurrence", a, b, axis=0, reverse=reverse)
    np.testing.assert_array_equal(got, expected[::-1] if reverse else expected)


def test_special_numbers_stay_from_where_they_appear() -> None:
    got = value("logcumsumexp", np.array([-inf, -inf, 1.0, nan, 2.0]), axis=0)
    np.testing.assert_array_equal(got, [-inf, -inf, 1.0, nan, nan])
    got = value("cumulative_sum", np.array([1.0, inf, -inf, 1.0]), axis=0)
    np.testing.assert_array_equal(got, [1.0, inf, nan, nan])


def test_no_overflow() -> None:
    np.testing.assert_allclose(value("logcumsumexp", np.array([1e4, 1e4, -1e4]), axis=0), 1e4 + np.log([1, 2, 2]))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("zeros", [[], [0], [2], [1, 3], [0, 1, 2, 3]], ids=str)
def test_products_with_zeros_have_exact_gradients(zeros: list[int], reverse: bool) -> None:
    x = np.array([2.0, -3.0, 0.5, 4.0])
    x[zeros] = 0.0
    expected = np.zeros(4)
    for i in range(4):  # the prefix that ends at i, without its factor k
        prefix = range(i, 4) if reverse else range(i + 1)
        for k in prefix:
            expected[k] += np.prod([x[j] for j in prefix if j != k])
    np.testing.assert_array_equal(pulled("cumulative_prod", np.ones(4), x, axis=0, reverse=reverse), expected)
    assert gradcheck(gc.vjp(graph("cumulative_prod", x, axis=0, reverse=reverse)), x, np.array([1.0, -2.0, 0.5, 3.0]))


def test_leading_minus_infinities_have_finite_gradients() -> None:
    gradient = pulled("logcumsumexp", np.array([0.0, 1.0, 1.0]), np.array([-inf, 0.0, 0.0]), axis=0)
    np.testing.assert_allclose(gradient, [0.0, 1.5, 0.5])


def test_steep_logcumsumexp_has_finite_gradients() -> None:
    gradient = pulled("logcumsumexp", np.ones(4), np.array([-1e4, 1e4, 0.0, -1e4]), axis=0)
    np.testing.assert_array_equal(gradient, [1.0, 3.0, 0.0, 0.0])


def test_what_they_refuse() -> None:
    def traced(op: str, *specs: Any) -> None:
        gc.trace(lambda *xs: find_op(op)(*xs, axis=0), *specs)

    with pytest.raises(DTypeError, match=r"cumulative_sum: takes numbers, but x is bool\[3\]"):
        traced("cumulative_sum", gc.bool[3])
    with pytest.raises(DTypeError, match=r"logcumsumexp: takes floating-point numbers, but x is i64\[3\]"):
        traced("logcumsumexp", gc.i64[3])
    with pytest.raises(DTypeError, match=r"linear_recurrence: a is f32\[3\], but b is f64\[3\]"):
        traced("linear_recurrence", gc.f32[3], gc.f64[3])
    with pytest.raises(ShapeError, match=r"linear_recurrence: a is f32\[3\], but b is f32\[4\]"):
        traced("linear_recurrence", gc.f32[3], gc.f32[4])
