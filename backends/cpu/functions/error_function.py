"""The error function of float32 without a branch, its complement and its inverse.

    erf(x) = x + x·P(x²) for |x| ≤ 0.93,   1 - e^Q(|x|) beyond
    erfc(x) = e^-x²·(1 + t·R(t - 1))/(1 + 2x),   t = 2x/(x + 2),   for x ≥ 0

P, Q, which approximates log erfc, and the polynomials of the inverse are N. Juffa's minimax fits (2016).
"""

from __future__ import annotations

import math

from graphc.backends.cpu.functions.exponential import exp_inside, exp_parts, scaled
from graphc.backends.cpu.functions.logarithm import log
from graphc.backends.cpu.functions.vocabulary import (
    INFINITY,
    Number,
    clamped,
    fma,
    libm,
    magnitude,
    polynomial,
    polynomial_by_pairs,
    select,
    sign_bit,
    square_root,
    with_sign,
)

_P = (1.28379166e-1, -3.76125336e-1, 1.12819925e-1, -2.67681349e-2, 4.99119423e-3, -5.96761703e-4)
_Q = (
    -1.28717512e-1, -6.34846687e-1, -1.06777877e-1, 2.42546219e-2, -3.88396438e-3, 3.83197126e-4, -1.72853470e-5,
)  # fmt: skip

# Minimax fit by linear programming, within 1.8e-8, rounded to float32 from the first on
_R = (
    0.2769784033298492, -0.3697422742843628, 0.2037107646465302, -0.03965669870376587, -0.01454780995845795,
    0.006492130924016237, 0.002141907578334212, -0.0008323744987137616, -0.0004010400152765214,
)  # fmt: skip
_INVERSE = (
    8.86226892e-1, -2.32015476e-1, 1.15392581e-2, 2.31468678e-3, -1.47697632e-4, -5.61530760e-5, 1.12963626e-7,
    1.22774793e-6, 1.43285448e-7, 5.43877832e-9,
)  # fmt: skip
_INVERSE_TAIL = (
    8.40016484e-1, -2.64646143e-1, 4.83185798e-3, 3.02698812e-3, 3.93552968e-4, 2.84108955e-5, 1.22150334e-6,
    2.93243101e-8, 3.03697567e-10,
)  # fmt: skip


def erf(x: Number) -> Number:
    """2/√π · ∫₀ˣ e^(-t²) dt."""
    size = clamped(magnitude(x), 0.0, 4.0)
    near = fma(polynomial_by_pairs(size * size, _P), size, size)
    far = 1 - exp_inside(fma(polynomial_by_pairs(size, _Q), size, -size))
    return with_sign(select(size > 0.927734375, far, near), sign_bit(x))


def erfc(x: Number) -> Number:
    """1 - erf(x), exact in its tail, which fades at 10.06.

    e^-x² and the quotient keep what rounding took from them until they are multiplied. e^-x² begins with (-x)·x, as
    LLVM has exp(-(x·x)) begin, so that a kernel with both, such as that of gelu and its derivative, computes it once.
    """
    size = magnitude(x)
    twice = size + size
    t, inverse = twice / (size + 2), 1 / (twice + 1)
    p = t * polynomial(t - 1, _R)
    y = fma(p, inverse, inverse)
    is_near = size < 0.5  # of 1 + p - 2x·y - y, what nearly cancels comes first
    y_low = (fma(-y, twice, select(is_near, p, 1.0)) + (select(is_near, 1.0, p) - y)) * inverse
    exponent = -x * x
    high, low, k = exp_parts(clamped(exponent, -104.0, 89.0))
    y_low = fma(-y, fma(size, size, exponent), y_low)  # -x² is `exponent` less the inner sum
    tail = select(size > 10.1, 0.0, scaled(fma(high, y, fma(high + low, y_low, low * y)), k))
    return select(x < 0, 2 - tail, tail)


def erfinv(x: Number) -> Number:
    """The number whose erf is x, as x·P(log(1 - x²)), within 3 units in the last place."""
    t = log(fma(-x, x, 1.0))
    return x * select(t < -6.125, polynomial(t, _INVERSE_TAIL), polynomial(t, _INVERSE))


def erfinv_f64(x: Number) -> Number:
    """The same in float64: Winitzki's estimate (2008), within 0.3 %, and three steps of Halley's method.

    In the tail the steps solve erfc(y) = 1 - x, where 1 - x is exact.
    """
    size = magnitude(x)
    logarithm = libm("log1p", -size) + libm("log1p", size)
    half = 2 / (math.pi * 0.147) + logarithm * 0.5
    y = square_root(square_root(half * half - logarithm * (1 / 0.147)) - half)
    y = select(size < 0.1, size * (math.sqrt(math.pi) / 2), y)
    for _ in range(3):
        excess = select(size > 0.5, (1 - size) - libm("erfc", y), libm("erf", y) - size)
        step = excess * (math.sqrt(math.pi) / 2) * libm("exp", y * y)
        y = y - step / (1 + step * y)
    y = select(size == 1, INFINITY, select(size == 0, 0.0, y))
    return with_sign(magnitude(y), sign_bit(x))
