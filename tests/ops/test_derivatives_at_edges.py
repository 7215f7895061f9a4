"""Derivatives where a formula is 0/0, 0·∞ or a kink: torch 2.13's values there, taken once and written down."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import graphc as gc
from ops.one_op import pulled

inf, nan = math.inf, math.nan

UNARY = [
    ("abs", [0.0, -0.0, -2.0, inf], [0.0, 0.0, -1.0, 1.0]),
    ("acos", [1.0, -1.0], [-inf, -inf]),
    ("acosh", [1.0], [inf]),
    ("asin", [1.0, -1.0], [inf, inf]),
    ("atanh", [1.0], [inf]),
    ("erf", [inf, -inf], [0.0, 0.0]),
    ("exp", [-inf, inf], [0.0, inf]),
    ("floor", [0.5, 1.0, inf], [0.0, 0.0, 0.0]),
    ("log", [0.0, -0.0, inf], [inf, -inf, 0.0]),
    ("log1p", [-1.0], [inf]),
    ("reciprocal", [0.0, inf], [-inf, 0.0]),
    ("relu", [0.0, -0.0, -inf, inf, nan], [0.0, 0.0, 0.0, 1.0, 1.0]),
    ("round", [0.5], [0.0]),
    ("rsqrt", [0.0, inf], [-inf, 0.0]),
    ("sigmoid", [inf, -inf, 1e4, -1e4], [0.0, 0.0, 0.0, 0.0]),
    ("sign", [0.0, 1.0], [0.0, 0.0]),
    ("sqrt", [0.0, inf], [inf, 0.0]),
    ("square", [0.0, inf], [0.0, inf]),
    ("tanh", [inf, -inf], [0.0, 0.0]),
]

# op, operands, derivatives by each
BINARY = [
    ("maximum", (1.0, 1.0), (0.5, 0.5)),
    ("maximum", (inf, inf), (0.5, 0.5)),
    ("maximum", (1.0, nan), (1.0, 1.0)),
    ("minimum", (-0.0, 0.0), (0.5, 0.5)),
    ("minimum", (1.0, 2.0), (1.0, 0.0)),
    ("pow", (0.0, 2.0), (0.0, 0.0)),
    ("pow", (0.0, 1.0), (1.0, 0.0)),
    ("pow", (0.0, 0.0), (0.0, 0.0)),
    ("pow", (inf, 0.0), (0.0, inf)),
    ("pow", (nan, 0.0), (0.0, nan)),
    ("pow", (0.0, 0.5), (inf, 0.0)),
    ("pow", (-2.0, 3.0), (12.0, nan)),
    ("pow", (0.0, -1.0), (-inf, -inf)),
    ("atan2", (0.0, 0.0), (0.0, 0.0)),
    ("atan2", (0.0, -1.0), (-1.0, 0.0)),
    ("hypot", (0.0, 0.0), (nan, nan)),
    ("copysign", (0.0, -1.0), (0.0, 0.0)),
    ("copysign", (2.0, -1.0), (-1.0, 0.0)),
    ("rem", (6.0, 2.0), (1.0, -3.0)),
    ("rem", (-7.0, 2.0), (1.0, 4.0)),
    ("fmod", (-7.0, 2.0), (1.0, 3.0)),
    ("div", (1.0, inf), (0.0, 0.0)),
    ("logaddexp", (-inf, 0.0), (0.0, 1.0)),
    ("logaddexp", (1e4, -1e4), (1.0, 0.0)),
]


@pytest.mark.parametrize(("op", "points", "expected"), UNARY, ids=[row[0] for row in UNARY])
def test_unary(op: str, points: list[float], expected: list[float]) -> None:
    x = np.array(points)
    np.testing.assert_array_equal(pulled(op, np.ones_like(x), x), expected)


@pytest.mark.parametrize(("op", "operands", "expected"), BINARY, ids=[f"{op}{operands}" for op, operands, _ in BINARY])
def test_binary(op: str, operands: tuple[float, float], expected: tuple[float, float]) -> None:
    given = pulled(op, np.array(1.0), *map(np.array, operands))
    np.testing.assert_array_equal(given, expected)


@pytest.mark.parametrize(
    ("x", "low", "high", "expected"),
    [
        (0.5, 0.0, 1.0, (1.0, 0.0, 0.0)),
        (0.0, 0.0, 1.0, (1.0, 0.0, 0.0)),  # at a bound the gradient passes
        (1.0, 0.0, 1.0, (1.0, 0.0, 0.0)),
        (-1.0, 0.0, 1.0, (0.0, 1.0, 0.0)),
        (2.0, 0.0, 1.0, (0.0, 0.0, 1.0)),
        (0.5, 1.0, 0.0, (0.0, 0.0, 1.0)),
        (nan, 0.0, 1.0, (0.0, 0.0, 0.0)),
    ],
)
def test_clip(x: float, low: float, high: float, expected: Any) -> None:
    np.testing.assert_array_equal(pulled("clip", np.array(1.0), *map(np.array, (x, low, high))), expected)


@pytest.mark.parametrize("op", ["relu", "clip", "where", "maximum"])
def test_a_blocked_infinite_cotangent_is_0(op: str) -> None:
    operands: Any = {
        "relu": [np.array([-1.0])],
        "clip": [np.array([-1.0]), np.array(0.0), np.array(1.0)],
        "where": [np.array([False]), np.array([1.0]), np.array([1.0])],
        "maximum": [np.array([-1.0]), np.array([0.0])],
    }[op]
    given = pulled(op, np.array([inf]), *operands)
    assert (given if op == "relu" else given[0]).tolist() == [0.0]


@pytest.mark.parametrize(("exponent", "first", "second"), [(0, 0.0, 0.0), (1, 1.0, 0.0), (2, 0.0, 2.0), (3, 0.0, 0.0)])
def test_powers_at_0(exponent: int, first: float, second: float) -> None:
    """With the exponent a literal, and with it a tensor."""
    literal = gc.trace(lambda x: x**exponent, gc.f64())
    tensor = gc.trace(lambda x, n: x**n, gc.f64(), gc.f64())
    zero, n = np.array(0.0), np.array(float(exponent))
    assert gc.evaluate(gc.grad(literal), zero) == first
    assert gc.evaluate(gc.grad(gc.grad(literal)), zero) == second
    assert gc.evaluate(gc.grad(tensor, wrt="x"), zero, n) == first
    assert gc.evaluate(gc.grad(gc.grad(tensor, wrt="x"), wrt="x"), zero, n) == second


def test_xlogy_in_the_exponent() -> None:
    """d/dn xⁿ = xⁿ·log x at x = 0, and its derivative by n, stay 0."""
    graph = gc.trace(lambda x, n: x**n, gc.f64(), gc.f64())
    zero, two = np.array(0.0), np.array(2.0)
    assert gc.evaluate(gc.grad(graph, wrt="n"), zero, two) == 0.0
    assert gc.evaluate(gc.grad(gc.grad(graph, wrt="n"), wrt="n"), zero, two) == 0.0


def test_stop_gradient() -> None:
    graph = gc.trace(lambda x: x * gc.stop_gradient(x), gc.f64())
    assert gc.evaluate(gc.grad(graph), np.array(3.0)) == 3.0


def test_casts_carry_gradients_between_floats_only() -> None:
    there_and_back = gc.trace(lambda x: gc.astype(gc.astype(x, gc.f16), gc.f64) * 2.0, gc.f64())
    assert gc.evaluate(gc.grad(there_and_back), np.array(3.0)) == 2.0
    through_integers = gc.trace(lambda x: gc.astype(gc.astype(x, gc.i32), gc.f64) * x, gc.f64())
    assert gc.evaluate(gc.grad(through_integers), np.array(3.5)) == 3.0
