"""Logarithms of float32 without a branch, within 1 to 2 units in the last place over the whole range.

    log(x) = e·ln 2 + log(1 + f),   x = 2ᵉ·(1 + f),   1 + f in [√½, √2)

The exponent is read off the bits; log(1 + f) is f - f²/2 + f³·P(f) with P from Cephes (logf.c).
"""

from __future__ import annotations

import numpy as np

from graphc.backends.cpu.functions.exponential import exp, power_of_two
from graphc.backends.cpu.functions.vocabulary import (
    INFINITY,
    NAN,
    Number,
    bits,
    fma,
    full_like,
    greater_of,
    in_f64,
    libm,
    magnitude,
    polynomial,
    select,
)

_SQRT_HALF_BITS = 0x3F3504F3
_LEAST_NORMAL = 2.0**-126
_TINY = 2.0**-24
_LN2_HIGH, _LN2_LOW = 0.693359375, -2.12194440e-4  # the high part has 9 bits: exact times any exponent
_LOG2_E_LESS_1 = 0.44269504088896340735992
_LOG10_2_HIGH, _LOG10_2_LOW = 3.0078125e-1, 2.48745663981195213739e-4
_LOG10_E_HIGH, _LOG10_E_LOW = 4.3359375e-1, 7.00731903251827651129e-4

_P = (
    3.3333331174e-1, -2.4999993993e-1, 2.0000714765e-1, -1.6668057665e-1, 1.4249322787e-1, -1.2420140846e-1,
    1.1676998740e-1, -1.1514610310e-1, 7.0376836292e-2,
)  # fmt: skip


def log(x: Number) -> Number:
    """ln x."""
    f, e = _split(x)
    return _special(x, _natural(f, e))


def log2(x: Number) -> Number:
    """The logarithm to base 2; log₂e is 1 and a rest, so that the leading part of the sum is exact."""
    f, e = _split(x)
    y = _tail(f)
    return _special(x, fma(y, _LOG2_E_LESS_1, f * _LOG2_E_LESS_1) + y + f + e)


def log10(x: Number) -> Number:
    """The logarithm to base 10."""
    f, e = _split(x)
    y = _tail(f)
    low = fma(e, _LOG10_2_LOW, fma(f, _LOG10_E_LOW, y * _LOG10_E_LOW)) + y * _LOG10_E_HIGH
    return _special(x, low + f * _LOG10_E_HIGH + e * _LOG10_2_HIGH)


def log1p(x: Number) -> Number:
    """log(1 + x): the exponent is that of the rounded sum, but f = 2⁻ᵉ·x + (2⁻ᵉ - 1) is taken from x itself."""
    k = (bits(1 + x) - _SQRT_HALF_BITS) >> 23
    first = k >> 1
    scale, rest = power_of_two(-first), power_of_two(first - k)
    f = fma(x * scale, rest, scale * rest - 1)
    y = _natural(f, k.astype(np.float32))
    y = select(x > -1, y, select(x == -1, -INFINITY, full_like(x, NAN)))
    return select((magnitude(x) < _TINY) | (x == INFINITY), x, y)


def log_of_sum(high: Number, low: Number, twos: Number) -> Number:
    """log((high + low)·2ᵗʷᵒˢ) for normal numbers up to 2¹²⁰, `low` within a last place or two of `high`."""
    k = (bits(high) - _SQRT_HALF_BITS) >> 23
    leading = (bits(high) - (k << 23)).view(np.float32) - 1
    rest = low * power_of_two(-k)
    f = leading + rest
    return _natural(f, k.astype(np.float32) + twos, rest - (f - leading))


def logaddexp(a: Number, b: Number) -> Number:
    """log(eᵃ + eᵇ) = max(a, b) + log(1 + e^-|a - b|), where equal infinities differ by nothing."""
    difference = select(a == b, 0.0, magnitude(a - b))
    return greater_of(a, b) + log1p(exp(-difference))


@in_f64
def logaddexp_f64(a: Number, b: Number) -> Number:
    """The same by the C library."""
    difference = select(a == b, 0.0, magnitude(a - b))
    return greater_of(a, b) + libm("log1p", libm("exp", -difference))


def _split(x: Number) -> tuple[Number, Number]:
    """f and e of x = 2ᵉ·(1 + f); subnormal x are scaled up first."""
    small = x < _LEAST_NORMAL
    word = bits(select(small, x * 2.0**23, x))
    k = (word - _SQRT_HALF_BITS) >> 23
    e = k.astype(np.float32) - select(small, 23.0, full_like(x, 0.0))
    return (word - (k << 23)).view(np.float32) - 1, e


def _tail(f: Number) -> Number:
    """log(1 + f) - f."""
    square = f * f
    return fma(square, -0.5, f * square * polynomial(f, _P))


def _natural(f: Number, e: Number, lost: Number = None) -> Number:
    """e·ln 2 + log(1 + f), and what f lost where it was rounded."""
    square = f * f
    y = fma(e, _LN2_LOW, f * square * polynomial(f, _P))
    y = y if lost is None else y + lost
    return fma(e, _LN2_HIGH, f + fma(square, -0.5, y))


def _special(x: Number, y: Number) -> Number:
    """-inf of 0, NaN below and of NaN, inf of inf."""
    y = select(x > 0, y, select(x == 0, -INFINITY, full_like(x, NAN)))
    return select(x == INFINITY, x, y)
