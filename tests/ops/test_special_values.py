"""Special values of elementwise ops: the special-case tables of the Python array API standard, 2024.12."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ops.one_op import value

inf, nan, pi = math.inf, math.nan, math.pi

# op -> (x, f(x)) pairs
UNARY = {
    "abs": [(nan, nan), (-0.0, 0.0), (-inf, inf)],
    "acos": [(nan, nan), (1.5, nan), (-1.5, nan), (1.0, 0.0)],
    "acosh": [(nan, nan), (0.5, nan), (1.0, 0.0), (inf, inf)],
    "asin": [(nan, nan), (1.5, nan), (-1.5, nan), (0.0, 0.0), (-0.0, -0.0)],
    "asinh": [(nan, nan), (0.0, 0.0), (-0.0, -0.0), (inf, inf), (-inf, -inf)],
    "atan": [(nan, nan), (0.0, 0.0), (-0.0, -0.0), (inf, pi / 2), (-inf, -pi / 2)],
    "atanh": [(nan, nan), (-1.5, nan), (1.5, nan), (-1.0, -inf), (1.0, inf), (0.0, 0.0), (-0.0, -0.0)],
    "ceil": [(2.0, 2.0), (inf, inf), (-inf, -inf), (0.0, 0.0), (-0.0, -0.0), (nan, nan), (-0.5, -0.0), (0.5, 1.0)],
    "cos": [(nan, nan), (0.0, 1.0), (-0.0, 1.0), (inf, nan), (-inf, nan)],
    "cosh": [(nan, nan), (0.0, 1.0), (-0.0, 1.0), (inf, inf), (-inf, inf)],
    "exp": [(nan, nan), (0.0, 1.0), (-0.0, 1.0), (inf, inf), (-inf, 0.0)],
    "exp2": [(nan, nan), (0.0, 1.0), (-0.0, 1.0), (inf, inf), (-inf, 0.0), (3.0, 8.0)],
    "expm1": [(nan, nan), (0.0, 0.0), (-0.0, -0.0), (inf, inf), (-inf, -1.0)],
    "floor": [(2.0, 2.0), (inf, inf), (-inf, -inf), (0.0, 0.0), (-0.0, -0.0), (nan, nan), (-0.5, -1.0), (0.5, 0.0)],
    "isfinite": [(inf, False), (-inf, False), (nan, False), (1e38, True)],
    "isinf": [(inf, True), (-inf, True), (nan, False), (1e38, False)],
    "isnan": [(nan, True), (inf, False), (0.0, False)],
    "log": [(nan, nan), (-1.0, nan), (0.0, -inf), (-0.0, -inf), (1.0, 0.0), (inf, inf)],
    "log10": [(nan, nan), (-1.0, nan), (0.0, -inf), (-0.0, -inf), (1.0, 0.0), (inf, inf), (1000.0, 3.0)],
    "log1p": [(nan, nan), (-2.0, nan), (-1.0, -inf), (-0.0, -0.0), (0.0, 0.0), (inf, inf)],
    "log2": [(nan, nan), (-1.0, nan), (0.0, -inf), (-0.0, -inf), (1.0, 0.0), (inf, inf), (8.0, 3.0)],
    "neg": [(nan, nan), (0.0, -0.0), (-0.0, 0.0), (inf, -inf)],
    "reciprocal": [(nan, nan), (0.0, inf), (-0.0, -inf), (inf, 0.0), (-inf, -0.0)],
    "round": [
        (2.0, 2.0), (inf, inf), (-inf, -inf), (0.0, 0.0), (-0.0, -0.0), (nan, nan),
        (0.5, 0.0), (1.5, 2.0), (2.5, 2.0), (-0.5, -0.0), (-1.5, -2.0), (-2.5, -2.0),
    ],
    "sign": [(-2.0, -1.0), (0.0, 0.0), (-0.0, 0.0), (3.0, 1.0), (inf, 1.0), (-inf, -1.0), (nan, nan)],
    "signbit": [(0.0, False), (-0.0, True), (inf, False), (-inf, True), (2.0, False), (-2.0, True)],
    "sin": [(nan, nan), (0.0, 0.0), (-0.0, -0.0), (inf, nan), (-inf, nan)],
    "sinh": [(nan, nan), (0.0, 0.0), (-0.0, -0.0), (inf, inf), (-inf, -inf)],
    "sqrt": [(nan, nan), (-1.0, nan), (0.0, 0.0), (-0.0, -0.0), (inf, inf)],
    "square": [(nan, nan), (-0.0, 0.0), (-inf, inf)],
    "tan": [(nan, nan), (0.0, 0.0), (-0.0, -0.0), (inf, nan), (-inf, nan)],
    "tanh": [(nan, nan), (0.0, 0.0), (-0.0, -0.0), (inf, 1.0), (-inf, -1.0)],
    "trunc": [(2.0, 2.0), (inf, inf), (-inf, -inf), (0.0, 0.0), (-0.0, -0.0), (nan, nan), (-0.5, -0.0), (1.9, 1.0)],
    # beyond the standard: C99, and what networks rely on
    "erf": [(nan, nan), (0.0, 0.0), (-0.0, -0.0), (inf, 1.0), (-inf, -1.0)],
    "erfc": [(nan, nan), (0.0, 1.0), (inf, 0.0), (-inf, 2.0)],
    "erfinv": [(nan, nan), (0.0, 0.0), (-0.0, -0.0), (1.0, inf), (-1.0, -inf), (1.5, nan), (-1.5, nan)],
    "lgamma": [(nan, nan), (1.0, 0.0), (2.0, 0.0), (0.0, inf), (-3.0, inf), (inf, inf), (-inf, inf)],
    "digamma": [(nan, nan), (0.0, -inf), (-0.0, inf), (-3.0, nan), (inf, inf), (-inf, nan)],
    "relu": [(nan, nan), (-inf, 0.0), (inf, inf), (-1e-30, 0.0), (1e-30, 1e-30)],
    "rsqrt": [(nan, nan), (-1.0, nan), (0.0, inf), (-0.0, -inf), (inf, 0.0)],
    "sigmoid": [(nan, nan), (0.0, 0.5), (inf, 1.0), (-inf, 0.0), (1e4, 1.0), (-1e4, 0.0)],
}  # fmt: skip

# op -> (x1, x2, f(x1, x2))
BINARY = {
    "add": [
        (nan, 1.0, nan), (inf, -inf, nan), (-inf, inf, nan), (inf, inf, inf), (inf, 2.0, inf), (-0.0, -0.0, -0.0),
        (-0.0, 0.0, 0.0), (0.0, -0.0, 0.0), (2.0, -2.0, 0.0),
    ],
    "sub": [(inf, inf, nan), (-inf, inf, -inf), (0.0, 0.0, 0.0), (-0.0, 0.0, -0.0), (nan, 1.0, nan)],
    "mul": [
        (inf, 0.0, nan), (-0.0, inf, nan), (inf, -inf, -inf), (inf, 2.0, inf), (inf, -2.0, -inf), (-0.0, 2.0, -0.0),
    ],
    "div": [
        (inf, inf, nan), (-inf, inf, nan), (0.0, 0.0, nan), (-0.0, 0.0, nan), (2.0, 0.0, inf), (2.0, -0.0, -inf),
        (-2.0, 0.0, -inf), (-2.0, -0.0, inf), (inf, 2.0, inf), (inf, -2.0, -inf), (2.0, inf, 0.0),
        (2.0, -inf, -0.0), (0.0, 2.0, 0.0), (0.0, -2.0, -0.0),
    ],
    "floordiv": [
        (inf, inf, nan), (-inf, inf, nan), (0.0, 0.0, nan), (0.0, -0.0, nan), (0.0, 2.0, 0.0), (-0.0, 2.0, -0.0),
        (0.0, -2.0, -0.0), (-0.0, -2.0, 0.0), (2.0, 0.0, inf), (2.0, -0.0, -inf), (-2.0, 0.0, -inf),
        (-2.0, -0.0, inf), (2.0, inf, 0.0), (2.0, -inf, -1.0), (-2.0, inf, -1.0), (-2.0, -inf, 0.0),
        (7.5, 2.0, 3.0), (-7.5, 2.0, -4.0), (nan, 1.0, nan),
    ],
    "rem": [
        (inf, inf, nan), (inf, 2.0, nan), (0.0, 0.0, nan), (2.0, 0.0, nan), (-2.0, -0.0, nan), (0.0, 2.0, 0.0),
        (-0.0, 2.0, 0.0), (0.0, -2.0, -0.0), (-0.0, -2.0, -0.0), (2.0, inf, 2.0), (2.0, -inf, -inf),
        (-2.0, inf, inf), (-2.0, -inf, -2.0), (7.5, 2.0, 1.5), (-7.5, 2.0, 0.5), (7.5, -2.0, -0.5),
        (6.0, -2.0, -0.0), (-6.0, 2.0, 0.0), (nan, 1.0, nan),
    ],
    "fmod": [
        (inf, 2.0, nan), (2.0, 0.0, nan), (2.0, inf, 2.0), (-2.0, inf, -2.0), (7.5, 2.0, 1.5), (-7.5, 2.0, -1.5),
        (7.5, -2.0, 1.5), (-6.0, 2.0, -0.0), (-0.0, 2.0, -0.0),
    ],
    "pow": [
        (nan, 0.0, 1.0), (nan, -0.0, 1.0), (2.0, nan, nan), (nan, 2.0, nan), (1.0, nan, 1.0), (2.0, inf, inf),
        (2.0, -inf, 0.0), (1.0, inf, 1.0), (-1.0, inf, 1.0), (1.0, -inf, 1.0), (-1.0, -inf, 1.0), (0.5, inf, 0.0),
        (0.5, -inf, inf), (inf, 2.0, inf), (inf, -2.0, 0.0), (-inf, 3.0, -inf), (-inf, 2.0, inf),
        (-inf, -3.0, -0.0), (-inf, -2.0, 0.0), (0.0, 2.0, 0.0), (0.0, -2.0, inf), (-0.0, 3.0, -0.0),
        (-0.0, 2.0, 0.0), (-0.0, -3.0, -inf), (-0.0, -2.0, inf), (-2.0, 0.5, nan),
    ],
    "maximum": [(nan, 1.0, nan), (1.0, nan, nan), (inf, 1.0, inf)],
    "minimum": [(nan, 1.0, nan), (1.0, nan, nan), (-inf, 1.0, -inf)],
    "atan2": [
        (nan, 1.0, nan), (1.0, nan, nan), (2.0, 0.0, pi / 2), (2.0, -0.0, pi / 2), (0.0, 2.0, 0.0), (0.0, 0.0, 0.0),
        (0.0, -0.0, pi), (0.0, -2.0, pi), (-0.0, 2.0, -0.0), (-0.0, 0.0, -0.0), (-0.0, -0.0, -pi),
        (-0.0, -2.0, -pi), (-2.0, 0.0, -pi / 2), (2.0, inf, 0.0), (2.0, -inf, pi), (-2.0, inf, -0.0),
        (-2.0, -inf, -pi), (inf, 2.0, pi / 2), (-inf, 2.0, -pi / 2), (inf, inf, pi / 4), (inf, -inf, 3 * pi / 4),
        (-inf, inf, -pi / 4), (-inf, -inf, -3 * pi / 4),
    ],
    "hypot": [
        (inf, nan, inf), (nan, -inf, inf), (nan, 1.0, nan), (1.0, nan, nan), (3.0, 4.0, 5.0), (-0.0, -3.0, 3.0),
    ],
    "copysign": [(2.0, -0.0, -2.0), (-2.0, 0.0, 2.0), (nan, 1.0, nan), (2.0, nan, 2.0), (0.0, -1.0, -0.0)],
    "nextafter": [(nan, 1.0, nan), (1.0, nan, nan), (0.0, -0.0, -0.0), (-0.0, 0.0, 0.0), (inf, inf, inf)],
    "logaddexp": [
        (nan, 1.0, nan), (1.0, nan, nan), (-inf, -inf, -inf), (inf, inf, inf), (-inf, 3.0, 3.0), (inf, -inf, inf),
        (1e4, -1e4, 1e4),
    ],
    "equal": [(nan, nan, False), (0.0, -0.0, True), (inf, inf, True), (inf, -inf, False)],
    "not_equal": [(nan, nan, True), (0.0, -0.0, False)],
    "less": [(nan, 1.0, False), (1.0, nan, False), (-0.0, 0.0, False), (-inf, inf, True)],
    "less_equal": [(nan, nan, False), (-0.0, 0.0, True)],
    "greater": [(nan, 1.0, False), (0.0, -0.0, False), (inf, 1.0, True)],
    "greater_equal": [(nan, nan, False), (0.0, -0.0, True)],
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("op", UNARY)
def test_unary(op: str, dtype: type) -> None:
    points, expected = zip(*UNARY[op], strict=True)
    agree(value(op, np.array(points, dtype)), np.array(expected), dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("op", BINARY)
def test_binary(op: str, dtype: type) -> None:
    left, right, expected = zip(*BINARY[op], strict=True)
    agree(value(op, np.array(left, dtype), np.array(right, dtype)), np.array(expected), dtype)


def agree(got: np.ndarray, want: np.ndarray, dtype: type) -> None:
    """Equal, signs of zeros included; NaN is NaN whatever its sign."""
    if want.dtype == bool:
        np.testing.assert_array_equal(got, want)
        return
    assert got.dtype == dtype
    np.testing.assert_allclose(got, want, rtol=2 * np.finfo(dtype).eps)
    number = ~np.isnan(want)
    np.testing.assert_array_equal(np.signbit(got)[number], np.signbit(want)[number])


def test_float64_range() -> None:
    assert value("hypot", np.array(3e200), np.array(4e200)) == pytest.approx(5e200, rel=1e-15)
    got = value("nextafter", np.array([1.0, inf, 0.0]), np.array([2.0, 0.0, 1.0]))
    np.testing.assert_array_equal(got, [1.0000000000000002, 1.7976931348623157e308, 5e-324])


def test_clip() -> None:
    got = value("clip", np.array([nan, -inf, inf, -3.0, 3.0, 0.5]), np.array(-1.0), np.array(1.0))
    np.testing.assert_array_equal(got, [nan, -1.0, 1.0, -1.0, 1.0, 0.5])
    np.testing.assert_array_equal(value("clip", np.array([0.0, 5.0]), np.array(2.0), np.array(1.0)), [1.0, 1.0])
    np.testing.assert_array_equal(value("clip", np.array([0.0, 5.0]), np.array(nan), np.array(1.0)), [nan, nan])


def test_where_leaves_the_other_branch_out() -> None:
    got = value("where", np.array([True, False]), np.array([1.0, nan]), np.array([nan, 2.0]))
    np.testing.assert_array_equal(got, [1.0, 2.0])


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_neighbours_of_16_bit_floats_are_their_own(kind: str) -> None:
    import ml_dtypes

    dtype = np.dtype(np.float16) if kind == "float16" else np.dtype(ml_dtypes.bfloat16)
    got = value("nextafter", np.array([1.0, 0.0], dtype), np.array([2.0, 1.0], dtype))
    assert got.dtype == dtype
    assert [int(word) for word in got.view(np.uint16) - np.array([1.0, 0.0], dtype).view(np.uint16)] == [1, 1]
