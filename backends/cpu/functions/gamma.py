"""Derivatives of the gamma function's logarithm, in float64, by the formulas of `graphc.special`.

    digamma(x) = ψ(x)       polygamma(n, x) = ψₙ(x) = (-1)ⁿ⁺¹·n!·ζ(n + 1, x)

All cases are computed and one is chosen. Digamma of float32 has a form of its own, in `gamma_f32.py`.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.polynomial import polynomial as polynomials

from graphc.backends.cpu.functions.vocabulary import (
    INFINITY,
    NAN,
    Number,
    ceil,
    full_like,
    greater_of,
    in_f64,
    libm,
    nearest,
    polynomial,
    select,
)
from graphc.special import BERNOULLI, DIGAMMA_ROOT

_ASYMPTOTIC = tuple(b / (2 * k + 2) for k, b in enumerate(BERNOULLI))


@in_f64
def digamma(x: Number) -> Number:
    """ψ(x): up to 2 by the series at its root, up to 10 by the recurrence ψ(x) = ψ(x + 1) - 1/x, then asymptotic."""
    below = x < 0
    positive = select(below, 1 - x, x)
    far = _asymptotic(positive + greater_of(ceil(10 - positive), full_like(x, 0.0)))
    for k in reversed(range(10)):
        far = far - select(positive + k < 10, 1 / (positive + k), 0.0)
    first = positive < 1
    up = select(first, positive + 1, positive)
    distance = (up - DIGAMMA_ROOT[0]) - DIGAMMA_ROOT[1]
    near = distance * polynomial(distance, _root_series()) - select(first, 1 / positive, 0.0)
    result = select(up <= 2, near, far)
    result = select(below, result - math.pi / _tangent(x), result)
    result = select((x < 0) & (x == nearest(x)), NAN, result)
    return select(x == 0, -1 / x, select(x == INFINITY, x, result))


def _asymptotic(x: Number) -> Number:
    inverse = 1 / (x * x)
    return libm("log", x) - 0.5 / x - inverse * polynomial(inverse, _ASYMPTOTIC)


@cache
def _root_series() -> tuple[float, ...]:
    """ψ(r + d) / d = Σ (-1)ᵏ⁺¹·ζ(k + 1, r)·dᵏ⁻¹ over k ≥ 1, at the root r."""
    root = np.array(DIGAMMA_ROOT[0])
    return tuple((-1) ** (k + 1) * float(_zeta(k + 1, root)) for k in range(1, 42))


def polygamma(n: int, x: Number) -> Number:
    """The n-th derivative of digamma for n ≥ 1; at the poles infinite.

    Below 0 by reflection: ψₙ(x) = (-1)ⁿ·ψₙ(1 - x) - π·dⁿ/dxⁿ cot πx.
    """
    sign = (-1.0) ** (n + 1)

    @in_f64
    def formula(x: Number) -> Number:
        below = x < 0
        positive = _zeta(n + 1, select(below, 1 - x, x)) * (sign * math.factorial(n))
        reflected = positive * -sign - polynomial(1 / _tangent(x), _cotangent_derivative(n)) * math.pi ** (n + 1)
        result = select(below, reflected, positive)
        result = select((x <= 0) & (x == nearest(x)), sign * INFINITY, result)
        return select(x == -INFINITY, NAN, result)

    return formula(x)


def _tangent(x: Number) -> Number:
    """tan πx."""
    return libm("tan", (x - nearest(x)) * math.pi)


@cache
def _cotangent_derivative(n: int) -> tuple[float, ...]:
    """The n-th derivative of cot as a polynomial in cot: cot' = -(1 + cot²)."""
    coefficients: Any = np.array([0.0, 1.0])
    for _ in range(n):
        coefficients = polynomials.polymul(polynomials.polyder(coefficients), [-1.0, 0.0, -1.0])
    return tuple(coefficients.tolist())


def _zeta(s: int, q: Number) -> Number:
    """Hurwitz's ζ(s, q) = Σ (q + k)⁻ˢ over k ≥ 0, for s ≥ 2 and q ≥ 0, by Euler's and Maclaurin's formula."""
    count = 10 + s
    end = q + count
    last = _power(1 / end, s - 1)
    square = 1 / (end * end)
    series, factor = [], float(s)
    for k, bernoulli in enumerate(BERNOULLI, start=1):
        series.append(bernoulli / math.factorial(2 * k) * factor)
        factor *= (s + 2 * k - 1) * (s + 2 * k)
    total = last * (1 / (s - 1)) + 0.5 * last / end + last * square * polynomial(square, series)
    for k in reversed(range(count)):
        total = total + _power(1 / (q + k), s)
    return total


def _power(x: Number, n: int) -> Number:
    """xⁿ for n ≥ 1, by squaring."""
    half = _power(x, n // 2) if n > 1 else None
    if half is None:
        return x
    return half * half * x if n % 2 else half * half
