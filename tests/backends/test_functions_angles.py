"""Angles of points in float32: octants, signs of zeros, infinities; sine and cosine where the formula changes."""

import math
from typing import Any

import numpy as np
import pytest

from compiled_functions import Array, compiled, dispatcher, last_places, walk
from graphc.backends.cpu.functions.intrinsic import TWINS

INF = math.inf
# C99, F.9.1.4: y, x, atan2(y, x)
SPECIAL_ANGLES = [
    (0.0, 0.0, 0.0), (-0.0, 0.0, -0.0), (0.0, -0.0, math.pi), (-0.0, -0.0, -math.pi),
    (0.0, 3.0, 0.0), (-0.0, 3.0, -0.0), (0.0, -3.0, math.pi), (-0.0, -3.0, -math.pi),
    (2.0, 0.0, math.pi / 2), (2.0, -0.0, math.pi / 2), (-2.0, 0.0, -math.pi / 2), (-2.0, -0.0, -math.pi / 2),
    (2.0, INF, 0.0), (-2.0, INF, -0.0), (2.0, -INF, math.pi), (-2.0, -INF, -math.pi),
    (0.0, INF, 0.0), (-0.0, INF, -0.0), (0.0, -INF, math.pi), (-0.0, -INF, -math.pi),
    (INF, 2.0, math.pi / 2), (-INF, 2.0, -math.pi / 2), (INF, -2.0, math.pi / 2), (-INF, 0.0, -math.pi / 2),
    (INF, INF, math.pi / 4), (-INF, INF, -math.pi / 4), (INF, -INF, 3 * math.pi / 4), (-INF, -INF, -3 * math.pi / 4),
    (1e-45, 1e-45, math.pi / 4), (1e-45, -1e-45, 3 * math.pi / 4), (-3e38, 3e38, -math.pi / 4),
]  # fmt: skip


def angles(y: Array, x: Array) -> list[Array]:
    """atan2 by kernel and twin."""
    return [*compiled(("atan2",), np.float32, np.float32)(y, x), TWINS["atan2"](y, x)]


def assert_close(y: Array, x: Array) -> None:
    with np.errstate(all="ignore"):
        exact = np.arctan2(y.astype(np.float64), x.astype(np.float64))
    for given in angles(y, x):
        assert given.dtype == np.float32
        error = last_places(given, exact)
        at = int(error.argmax())
        assert error[at] <= 1.6, f"atan2({y[at]!r}, {x[at]!r}) is {given[at]!r}, not {exact[at]!r}"


def test_special_angles() -> None:
    y, x, expected = np.array(SPECIAL_ANGLES, np.float32).T
    for given in angles(y, x):
        np.testing.assert_array_equal(given, expected)
        np.testing.assert_array_equal(np.signbit(given), np.signbit(expected))


def test_nan_beside_anything_is_nan() -> None:
    others = np.array([0.0, -0.0, 1.0, -1.0, INF, -INF, np.nan, 1e-45], np.float32)
    nothing = np.full_like(others, np.nan)
    for given in (*angles(nothing, others), *angles(others, nothing)):
        assert np.isnan(given).all()


def test_angles_over_every_exponent() -> None:
    x = walk()
    for shift in (1, 777, 20_483, 30_011):
        assert_close(x, np.roll(x, shift))


def test_angles_in_every_octant_and_on_their_edges() -> None:
    turn = np.linspace(-math.pi, math.pi, 80_001)
    for radius in (1.0, 1e-30, 1e30):
        assert_close((radius * np.sin(turn)).astype(np.float32), (radius * np.cos(turn)).astype(np.float32))
    y, x = np.meshgrid(np.arange(-200, 201, dtype=np.float32), np.arange(-200, 201, dtype=np.float32))
    assert_close(y.ravel(), x.ravel())
    up = np.nextafter(y, np.float32(INF))
    assert_close(up.ravel(), y.ravel())


# Where the formula changes, and where float32 or what it is computed from ends.
EDGES = {
    "asin": (0.5, 1.0),
    "acos": (0.5, 1.0),
    "asinh": (0.5, 4096.0, 1.8e19, 3.4e38),
    "acosh": (1.0, 1.5, 4096.0, 1.8e19),
    "atanh": (0.5, 1.0),
}


@pytest.mark.parametrize("name", EDGES)
def test_inverse_functions_next_to_their_edges(name: str) -> None:
    reference: Any = getattr(np, "arc" + name[1:])
    steps = np.arange(-2000, 2001, dtype=np.int32)
    sizes = [(np.float32(edge).view(np.int32) + steps).view(np.float32) for edge in EDGES[name]]
    x = np.concatenate([*sizes, *(-size for size in sizes)])
    with np.errstate(all="ignore"):
        exact = reference(x.astype(np.float64))
    for y in (*compiled((name,), np.float32)(x), TWINS[name](x)):
        assert last_places(y, exact).max() <= 1


@pytest.mark.parametrize("name", EDGES)
def test_inverse_functions_of_special_values(name: str) -> None:
    x = np.array([0.0, -0.0, 1.0, -1.0, INF, -INF, np.nan, 1e-45, -1e-45, 2.0, -2.0], np.float32)
    with np.errstate(all="ignore"):
        expected = getattr(np, "arc" + name[1:])(x.astype(np.float64)).astype(np.float32)
    for y in (*compiled((name,), np.float32)(x), TWINS[name](x)):
        np.testing.assert_allclose(y, expected, rtol=2.0**-23)
        number = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(y[number]), np.signbit(expected[number]))


def test_loops_over_points_are_vectorised() -> None:
    (text,) = dispatcher(("atan2",), np.float32, np.float32).inspect_llvm().values()
    assert "x float>" in text
    assert "@atan2" not in text
