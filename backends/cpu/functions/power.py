"""Powers: of float32 without a branch, correctly rounded but for one case in thousands; of integers by squaring.

    aᵇ = 2ᵗ,   t = b·log₂|a|,   with C99's special values and signs

t is computed in float64, to which its relative error of 3e-14 leaves more than float32 shows:

    log₂ a = e + s·P(s²),   a = 2ᵉ·(1 + f),   1 + f in [√½, √2),   s = f/(2 + f)

and 2ᵗ likewise. Both polynomials are minimax fits by linear programming.
"""

from __future__ import annotations

from graphc.backends.cpu.functions.value import F32, F64
from graphc.backends.cpu.functions.vocabulary import (
    INFINITY,
    NAN,
    Number,
    bits,
    clamped,
    full_like,
    is_nan,
    libm,
    magnitude,
    nearest,
    plain_polynomial,
    select,
    sign_bit,
    with_sign,
)

_ONE_BITS, _SQRT_HALF_BITS = 0x3FF0000000000000, 0x3FE6A09E667F3BCD
_MANTISSA = (1 << 52) - 1
_INTEGER, _INTEGER_BITS = 2.0**52, 0x4330000000000000  # 2⁵² + n has n in its low bits
_SHIFT = 1.5 * 2.0**52

# log₂((1 + s)/(1 - s))/s in s², for |s| ≤ 0.1716, within 2.7e-14
_LOG2 = (
    2.8853900817778495, 0.9617966941140843, 0.577077942158098, 0.41220927332684715, 0.31990482691540156,
    0.28291275972529895,
)  # fmt: skip
# 2ʳ for |r| ≤ 0.5, within 4.1e-11
_EXP2 = (
    0.9999999999616821, 0.6931471807284458, 0.24022651198157038, 0.055504103534505043, 0.00961802725374169,
    0.0013333922561374204, 0.0001546929111511995, 1.5201922137025233e-05,
)  # fmt: skip


def power(a: Number, b: Number) -> Number:
    """aᵇ; of integers the truncated 1/a⁻ᵇ where b < 0, and 0 where a is 0."""
    if a.dtype.kind != "f":
        return _power_of_integers(a, b)
    return _power_of_float32(a, b) if a.dtype == F32 else libm("pow", a, b)


def _power_of_float32(a: Number, b: Number) -> Number:
    base, exponent = magnitude(a).astype(F64), b.astype(F64)
    logarithm = log2_in_f64(base)
    t = select(logarithm == 0, select(is_nan(a), NAN, full_like(exponent, 0.0)), exponent * logarithm)
    size = _exp2(t).astype(F32)
    whole = b == nearest(b)
    half = b * 0.5
    odd = whole & (half != nearest(half))
    size = select((a < 0) & (a != -INFINITY) & ~whole, NAN, size)
    size = with_sign(size, sign_bit(a) & select(odd, sign_bit(-magnitude(b)), 0))
    return select(b == 0, 1.0, size)


def log2_in_f64(x: Number) -> Number:
    """log₂ x for x ≥ 0 in float64, of which no subnormal comes from float32; exactly 0 of 1."""
    word = bits(x) + (_ONE_BITS - _SQRT_HALF_BITS)
    e = ((word >> 52) | _INTEGER_BITS).view(F64) - (_INTEGER + 1023)
    f = ((word & _MANTISSA) + _SQRT_HALF_BITS).view(F64) - 1
    s = f / (2 + f)
    result = e + s * plain_polynomial(s * s, _LOG2)
    result = select(x == 0, -INFINITY, result)
    return select(x < INFINITY, result, x)


def _exp2(t: Number) -> Number:
    """2ᵗ in float64, for what float32 holds of it."""
    t = clamped(t, -200.0, 200.0)
    shifted = t + _SHIFT
    r = t - (shifted - _SHIFT)
    return plain_polynomial(r, _EXP2) * ((bits(shifted) << 52) + _ONE_BITS).view(F64)


def _power_of_integers(a: Number, b: Number) -> Number:
    result, square = full_like(a, 1), a
    for k in range(int(a.dtype.itemsize) * 8):
        result = select((b >> k) & 1 == 1, result * square, result)
        square = square * square
    if a.dtype.kind == "u":
        return result
    of_units = select(a == 1, full_like(a, 1), select(a == -1, 1 - ((b & 1) << 1), full_like(a, 0)))
    return select(b < 0, of_units, result)
