"""Exponentials of float32 without a branch, within 1 to 2 units in the last place over the whole range.

    exp(x) = 2ⁿ·eʳ,   n = ⌊x/ln 2⌉,   r = x - n·ln 2 in [-0.35, 0.35]

ln 2 is taken off in two parts (Cody and Waite, 1980), eʳ is a minimax polynomial, and 2ⁿ is put in by two factors, so
that results fade through the subnormals and overflow to infinity where they should. n is rounded by adding 1.5·2²³,
which leaves it in the low bits: converting a NaN to an integer would be undefined.
"""

from __future__ import annotations

import numpy as np

from graphc.backends.cpu.functions.vocabulary import (
    Number,
    bits,
    clamped,
    fma,
    full_like,
    in_f64,
    libm,
    magnitude,
    polynomial_by_pairs,
    select,
)

LOG2_E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 0.693147182464599609375, -1.904654299957768e-09  # the nearest float32, and what it lacks

_SHIFT, _SHIFT_BITS = 1.5 * 2.0**23, 0x4B400000
_TINY = 2.0**-24

# Minimax fits by linear programming, for the relative error of eʳ - 1 and of 2ʳ, rounded to float32 from the first on.
# (eʳ - 1 - r)/r² on [-0.3466, 0.3466], within 4.4e-10
_EXP = (0.5, 0.16666665673, 0.04166649282, 0.00833354704, 0.00139323284, 0.00019760508)
# (2ʳ - 1)/r on [-0.5, 0.5], within 3.1e-9
_EXP2 = (0.69314718246, 0.24022650719, 0.05550359562, 0.00961806253, 0.00133909856, 0.00015462865)


def exp(x: Number) -> Number:
    """eˣ."""
    high, low, k = exp_parts(clamped(x, -104.0, 89.0))
    return scaled(high + low, k)


def half_exp(x: Number) -> Number:
    """eˣ/2 for x ≥ 0, finite as long as itself is."""
    high, low, k = exp_parts(select(x > 90.0, 90.0, x))
    return scaled(high + low, k - 1)


def exp_parts(x: Number) -> tuple[Number, Number, Number]:
    """eˣ = (high + low)·2ᵏ, where high and low together are exact to a quarter of high's last place."""
    r, k = _reduced(x)
    high = 1 + r
    return high, fma(r * r, polynomial_by_pairs(r, _EXP), r - (high - 1)), k


def exp_inside(x: Number) -> Number:
    """eˣ for x in [-87, 88], where 2ⁿ is one factor, within 1 unit in the last place."""
    r, k = _reduced(x)
    return (fma(r * r, polynomial_by_pairs(r, _EXP), r) + 1) * power_of_two(k)


def exp_below(x: Number) -> Number:
    """eˣ for x ≤ 0 or NaN, within 1 unit in the last place: 2ⁿ is one factor above 2⁻⁶⁴ of it, and never large."""
    r, k = _reduced(select(x < -104.0, -104.0, x))
    return (fma(r * r, polynomial_by_pairs(r, _EXP), r) + 1) * power_of_two(k + 64) * 2.0**-64


def exp2(x: Number) -> Number:
    """2ˣ."""
    x = clamped(x, -151.0, 129.0)
    shifted = x + _SHIFT
    r = x - (shifted - _SHIFT)
    return scaled(fma(r, polynomial_by_pairs(r, _EXP2), 1.0), bits(shifted) - _SHIFT_BITS)


def expm1(x: Number) -> Number:
    """eˣ - 1 = 2ⁿ·(eʳ - 1) + (2ⁿ - 1), at half the size, so that 2ⁿ stays in range up to the overflow."""
    r, k = _reduced(clamped(x, -18.0, 88.8))
    half = power_of_two(k - 1)
    result = 2 * fma(fma(r * r, polynomial_by_pairs(r, _EXP), r), half, half - 0.5)
    return select(magnitude(x) < _TINY, x, result)


def sigmoid(x: Number) -> Number:
    """1/(1 + e⁻ˣ) for x ≥ 0, eˣ/(1 + eˣ) below: e^-|x| never overflows, and both tails are exact."""
    e = exp_below(-magnitude(x))
    above, below = select(x < 0, e, 1.0), 1 + e
    lost = e - (below - 1)
    inverse = 1 / below
    y = above * inverse
    return fma(fma(-y, below, above) - y * lost, inverse, y)  # one step of Newton's, which knows what the sum lost


@in_f64
def sigmoid_f64(x: Number) -> Number:
    """The same by the C library."""
    e = libm("exp", -magnitude(x))
    return select(x < 0, e, full_like(x, 1.0)) / (1 + e)


def _reduced(x: Number) -> tuple[Number, Number]:
    """r and n of x = n·ln 2 + r, n as an integer."""
    shifted = fma(x, LOG2_E, _SHIFT)
    n = shifted - _SHIFT
    return fma(n, -LN2_LOW, fma(n, -LN2_HIGH, x)), bits(shifted) - _SHIFT_BITS


def power_of_two(k: Number) -> Number:
    """2ᵏ for k in [-126, 127]."""
    return ((k + 127) << 23).view(np.float32)


def scaled(x: Number, k: Number) -> Number:
    """x·2ᵏ for k in [-252, 254], rounded once."""
    first = k >> 1
    return x * power_of_two(first) * power_of_two(k - first)
