"""Special functions against SciPy's, over their whole domains, and against values known in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special

from graphc import special

GENERATOR = np.random.default_rng(0)
LINE = GENERATOR.uniform(-30.0, 30.0, 20_000)
POSITIVE = np.concatenate([GENERATOR.uniform(0.0, 30.0, 20_000), 10.0 ** GENERATOR.uniform(-12, 12, 3_000)])
NEGATIVE = GENERATOR.uniform(-30.0, 0.0, 20_000)
TAIL = 1 - 10.0 ** GENERATOR.uniform(-16, -1, 5_000)
TINY = 10.0 ** GENERATOR.uniform(-307, -1, 2_000)
Function = Callable[[Any], Any]


def error(got: Any, want: Any) -> float:
    """The greatest error in units of 2⁻⁵², relative above 1 and absolute below."""
    return float((np.abs(got - want) / np.maximum(1, np.abs(want))).max() / np.finfo(np.float64).eps)


def relative(got: Any, want: Any) -> float:
    return float((np.abs(got - want) / np.abs(want)).max() / np.finfo(np.float64).eps)


@pytest.mark.parametrize(
    ("ours", "theirs", "points", "limit"),
    [
        (special.erf, scipy.special.erf, np.concatenate([LINE / 5, TINY]), 4),
        (special.erfc, scipy.special.erfc, LINE / 6, 14),  # SciPy errs by 10 units, ours by 2: mpmath says so
        (special.erfinv, scipy.special.erfinv, np.concatenate([LINE / 30, TAIL, -TAIL, TINY]), 4),
    ],
    ids=["erf", "erfc", "erfinv"],
)
def test_error_functions(ours: Function, theirs: Function, points: Any, limit: float) -> None:
    assert relative(ours(points), theirs(points)) < limit


def _digamma_stepped_up(points: Any) -> Any:
    """ψ(x) = ψ(x + 40) - Σ 1/(x + k), summed exactly: SciPy's own values below 0 err by a thousand units near poles."""
    return np.array([math.fsum([scipy.special.digamma(x + 40), *(-1 / (x + k) for k in range(40))]) for x in points])


@pytest.mark.parametrize(
    ("ours", "theirs", "points", "limit"),
    [
        (special.lgamma, scipy.special.gammaln, POSITIVE, 12),
        (special.lgamma, scipy.special.gammaln, NEGATIVE, 12),
        (special.digamma, scipy.special.digamma, POSITIVE, 12),
        (special.digamma, _digamma_stepped_up, NEGATIVE[:2_000], 12),
    ],
    ids=["lgamma", "lgamma below 0", "digamma", "digamma below 0"],
)
def test_gamma_functions(ours: Function, theirs: Function, points: Any, limit: float) -> None:
    assert error(ours(points), theirs(points)) < limit


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_polygamma(n: int) -> None:
    assert relative(special.polygamma(POSITIVE, n), scipy.special.polygamma(n, POSITIVE)) < 16


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_polygamma_below_0_steps_up_to_above(n: int) -> None:
    """ψₙ(x) = ψₙ(x + 1) + (-1)ⁿ⁺¹·n!/xⁿ⁺¹"""
    x = NEGATIVE[(np.abs(NEGATIVE - np.rint(NEGATIVE)) > 0.05) & (NEGATIVE > -8)]
    above, step = special.polygamma(x + 1, n), (-1.0) ** (n + 1) * math.factorial(n) / x ** (n + 1)
    np.testing.assert_array_less(np.abs(special.polygamma(x, n) - (above + step)), 4e-14 * (abs(above) + abs(step)))


def test_closed_forms() -> None:
    gamma = 0.5772156649015329
    np.testing.assert_allclose(
        special.digamma(np.array([1.0, 0.5, 2.0])), [-gamma, -gamma - 2 * math.log(2), 1 - gamma], rtol=1e-15
    )
    np.testing.assert_allclose(special.polygamma(np.array([1.0, 0.5]), 1), [math.pi**2 / 6, math.pi**2 / 2], rtol=1e-15)
    np.testing.assert_allclose(
        special.lgamma(np.array([0.5, -0.5])), [math.log(math.pi) / 2, math.log(2 * math.sqrt(math.pi))], rtol=1e-15
    )
    np.testing.assert_allclose(
        special.lgamma(np.arange(1.0, 12.0)), np.log([math.factorial(k) for k in range(11)]), rtol=4e-16
    )


def test_zeros_are_exact() -> None:
    """Relative to the distance from the zero, where differences of large terms have no digits left."""
    z = 10.0 ** GENERATOR.uniform(-15, -5, 1_000)
    near_1 = special.lgamma(1 + z)
    exact = (1 + z) - 1
    gamma, zeta_2, zeta_3 = 0.5772156649015329, math.pi**2 / 6, 1.2020569031595942  # γ, ζ(2), ζ(3)
    np.testing.assert_allclose(near_1, -gamma * exact + zeta_2 / 2 * exact**2 - zeta_3 / 3 * exact**3, rtol=1e-15)
    root = np.array([1.4616321449683622, 1.4616321449683624])
    np.testing.assert_allclose(special.digamma(root), scipy.special.digamma(root), rtol=1e-9)


@pytest.mark.parametrize("function", [special.erf, special.erfc, special.erfinv, special.lgamma, special.digamma])
def test_dtype_and_shape_are_the_argument_s(function: Function) -> None:
    for dtype in (np.float64, np.float32):
        for shape in ((), (0,), (2, 3)):
            x = np.full(shape, 0.25, dtype)
            result = function(x)
            assert (result.dtype, result.shape) == (dtype, shape)
            np.testing.assert_array_equal(result, function(x.astype(np.float64)).astype(dtype))
