"""Special functions in NumPy, to a few units in the last place of float64; the reference of the ops of these names.

    erf(np.array([0.0, 1.0], np.float32))     float32 [0.0, 0.8427008], computed in float64 and rounded once

Each takes an array of floats and gives one of its dtype. At the poles of lgamma, digamma and polygamma they give what
the limit is, and NaN where the limits from both sides differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache, wraps
from typing import Any

import numpy as np
from numpy.polynomial import polynomial

Array = np.ndarray[Any, Any]

# B₂ₖ for k = 1 … 10
BERNOULLI = (
    1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330,
)  # fmt: skip
EULER_GAMMA = 0.5772156649015329
DIGAMMA_ROOT = (
    1.4616321449683622,
    9.549995429965697e-17,
)  # its two parts: the root is nearer to their sum than to any float


def _in_f64(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Compute in float64, without warnings, and round to the dtype of the argument."""

    @wraps(function)
    def over(x: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(function(np.asarray(x, np.float64))).astype(x.dtype)

    return over


def _each(function: Callable[[float], float], x: Array) -> Array:
    """A function of the math module on every element."""
    return np.fromiter(map(function, x.ravel().tolist()), np.float64, count=x.size).reshape(x.shape)


# -- the error function -----------------------------------------------------------------------------------------------


@_in_f64
def erf(x: Array) -> Array:
    """2/√π · ∫₀ˣ e^(-t²) dt."""
    return _each(math.erf, x)


@_in_f64
def erfc(x: Array) -> Array:
    """1 - erf(x)."""
    return _each(math.erfc, x)


@_in_f64
def erfinv(x: Array) -> Array:
    """The number whose erf is x: Winitzki's estimate (2008), within 0.3 %, and three steps of Halley's method.

    In the tail the steps solve erfc(y) = 1 - x, where 1 - x is exact.
    """
    size = np.abs(x)
    tail = size > 0.5
    logarithm = np.log1p(-size) + np.log1p(size)
    half = 2 / (math.pi * 0.147) + logarithm / 2
    y = np.where(size < 0.1, size * math.sqrt(math.pi) / 2, np.sqrt(np.sqrt(half**2 - logarithm / 0.147) - half))
    for _ in range(3):
        excess = np.where(tail, (1 - size) - _each(math.erfc, y), _each(math.erf, y) - size)
        step = excess * (math.sqrt(math.pi) / 2) * np.exp(y * y)
        y = y - step / (1 + step * y)
    y = np.where(size == 1, np.inf, np.where(size == 0, 0.0, y))
    return np.copysign(y, x)


# -- the gamma function's logarithm -----------------------------------------------------------------------------------


def _lgamma(x: float) -> float:
    try:
        return math.lgamma(x)
    except (ValueError, OverflowError):  # a pole, or beyond the greatest float
        return math.inf


@_in_f64
def lgamma(x: Array) -> Array:
    """log|Γ(x)|, inf at the poles; from 0.5 to 3.5, with the zeros at 1 and 2, by the series of log Γ(2 + z)."""
    near = (x >= 0.5) & (x < 3.5)
    whole = np.where(near, np.floor(x + 0.5), 2)
    z = np.where(near, x - whole, 0)
    series = z * polynomial.polyval(z, _log_gamma_series())
    series = np.select([whole == 1, whole == 3], [series - np.log1p(z), series + np.log1p(z + 1)], series)
    return np.where(near, series, _each(_lgamma, x))


@cache
def _log_gamma_series() -> Array:
    """log Γ(2 + z) / z = (1 - γ) + Σ (-1)ᵏ·(ζ(k) - 1)/k · zᵏ⁻¹ over k ≥ 2."""
    terms = [(-1) ** k * float(_zeta(k, np.array(2.0))) / k for k in range(2, 30)]
    return np.array([1 - EULER_GAMMA, *terms])


# -- its derivatives --------------------------------------------------------------------------------------------------


@_in_f64
def digamma(x: Array) -> Array:
    """ψ(x) = Γ'(x)/Γ(x); at 0 the infinity on its side, NaN at the poles below.

    By the recurrence ψ(x) = ψ(x + 1) - 1/x up to 10, where the asymptotic series holds; up to 2 by the
    series at its root; below 0 by reflection.
    """
    below = x < 0
    positive = np.where(below, 1 - x, x)
    steps = [np.where(positive + k < 10, 1 / (positive + k), 0) for k in range(10)]
    shifted = positive + np.maximum(0, np.ceil(10 - positive))
    inverse = 1 / (shifted * shifted)
    tail = inverse * polynomial.polyval(inverse, [b / (2 * k + 2) for k, b in enumerate(BERNOULLI)])
    result = np.log(shifted) - 0.5 / shifted - tail - np.sum(steps[::-1], axis=0)
    up = np.where(positive < 1, positive + 1, positive)
    distance = np.where(up <= 2, (up - DIGAMMA_ROOT[0]) - DIGAMMA_ROOT[1], 0)
    series = distance * polynomial.polyval(distance, _digamma_series()) - np.where(positive < 1, 1 / positive, 0)
    result = np.where(up <= 2, series, result)
    reflected = result - math.pi / np.tan(math.pi * (x - np.rint(x)))
    poles = np.where(x == 0, -np.copysign(np.inf, x), np.nan)
    return np.where(x == np.inf, x, np.where((x <= 0) & (x == np.rint(x)), poles, np.where(below, reflected, result)))


@cache
def _digamma_series() -> Array:
    """ψ(r + d) / d = Σ (-1)ᵏ⁺¹·ζ(k + 1, r)·dᵏ⁻¹ over k ≥ 1, at the root r."""
    return np.array([(-1) ** (k + 1) * float(_zeta(k + 1, np.array(DIGAMMA_ROOT[0]))) for k in range(1, 42)])


def polygamma(x: Array, n: int) -> Array:
    """The n-th derivative of digamma for n ≥ 1: (-1)ⁿ⁺¹·n!·ζ(n + 1, x); at the poles infinite.

    Below 0 by reflection: ψₙ(x) = (-1)ⁿ·ψₙ(1 - x) - π·dⁿ/dxⁿ cot πx.
    """

    @_in_f64
    def over(x: Array) -> Array:
        sign = (-1.0) ** (n + 1)
        below = x < 0
        positive = sign * math.factorial(n) * _zeta(n + 1, np.where(below, 1 - x, x))
        cotangent = 1 / np.tan(math.pi * (x - np.rint(x)))
        reflected = -sign * positive - math.pi ** (n + 1) * polynomial.polyval(cotangent, _cotangent_derivative(n))
        result = np.where(below, reflected, positive)
        result = np.where((x <= 0) & (x == np.rint(x)), sign * np.inf, result)
        return np.where(np.isneginf(x), np.nan, result)

    return over(x)


@cache
def _cotangent_derivative(n: int) -> Array:
    """The n-th derivative of cot as a polynomial in cot: cot' = -(1 + cot²)."""
    coefficients: Array = np.array([0.0, 1.0])
    for _ in range(n):
        coefficients = polynomial.polymul(polynomial.polyder(coefficients), [-1.0, 0.0, -1.0])
    return coefficients


def _zeta(s: int, q: Array) -> Array:
    """Hurwitz's ζ(s, q) = Σ (q + k)⁻ˢ over k ≥ 0, for s ≥ 2 and q ≥ 0, by Euler's and Maclaurin's formula."""
    count = 10 + s
    end = q + count
    last = end ** (1.0 - s)
    total: Array = last / (s - 1) + 0.5 * last / end
    factor: float = s
    power = last / end**2
    for k, bernoulli in enumerate(BERNOULLI, start=1):
        total = total + bernoulli / math.factorial(2 * k) * factor * power
        factor *= (s + 2 * k - 1) * (s + 2 * k)
        power = power / end**2
    for k in reversed(range(count)):
        total = total + (q + k) ** (-float(s))
    return total
