"""Quotients, remainders, shifts, signs and extrema of every dtype, with the cases that hardware leaves open.

    floordiv(i8 -128, -1) = -128        floordiv(7, 0) = 0        shift_left(1, 99) = 0

Integers wrap around; the rules are those of `graphc/ops/arithmetic.py` and `logic.py`. Floor division of floats is
CPython's and NumPy's (`npy_divmod`), built on fmod, which is exact.
"""

from __future__ import annotations

import numpy as np

from graphc.backends.cpu.functions.remainder import fmod_f32
from graphc.backends.cpu.functions.value import F32, F64
from graphc.backends.cpu.functions.vocabulary import (
    INFINITY,
    Number,
    bits,
    fast,
    floor,
    fmod,
    full_like,
    greater_of,
    is_nan,
    lesser_of,
    libm,
    magnitude,
    quotient,
    select,
    sign_bit,
    square_root,
    with_sign,
)

_fmod = fast(fmod_f32, fmod)


def _is_float(x: Number) -> bool:
    return bool(x.dtype.kind == "f")


def _width(x: Number) -> int:
    return int(x.dtype.itemsize) * 8


# -- quotients and remainders -----------------------------------------------------------------------------------------


def _divisor(a: Number, b: Number) -> Number:
    """b, but 1 where it is 0 or where the quotient overflows: hardware traps there."""
    bad = b == 0
    if a.dtype.kind == "i":
        bad = bad | ((b == -1) & (a == np.iinfo(a.dtype).min))
    return select(bad, full_like(b, 1), b)


def floordiv(a: Number, b: Number) -> Number:
    """⌊a/b⌋; of integers 0 where b is 0."""
    if _is_float(a):
        return _floordiv_of_floats(a, b)
    divisor = _divisor(a, b)
    whole = quotient(a, divisor)
    if a.dtype.kind == "i":
        rest = fmod(a, divisor)
        whole = whole - ((rest != 0) & ((rest ^ divisor) < 0)).astype(a.dtype)
    return select(b == 0, full_like(a, 0), whole)


def rem(a: Number, b: Number) -> Number:
    """a - ⌊a/b⌋·b, with the sign of b; of integers 0 where b is 0."""
    if _is_float(a):
        rest = magnitude(_fmod(a, b))
        other_side = (rest != 0) & ((bits(a) ^ bits(b)) < 0)
        return with_sign(select(other_side, magnitude(b) - rest, rest), sign_bit(b))
    divisor = _divisor(a, b)
    rest = fmod(a, divisor)
    if a.dtype.kind == "i":
        rest = select((rest != 0) & ((rest ^ divisor) < 0), rest + divisor, rest)
    return select(b == 0, full_like(a, 0), rest)


def _floordiv_of_floats(a: Number, b: Number) -> Number:
    rest = _fmod(a, b)
    ratio = a / b
    other_sign = (rest != 0) & ((b < 0) != (rest < 0))
    exact = (a - rest) / b
    exact = select(other_sign, exact - 1, exact)
    whole = floor(exact)
    whole = select(exact - whole > 0.5, whole + 1, whole)
    whole = select(exact == 0, with_sign(full_like(a, 0.0), sign_bit(ratio)), whole)
    return select(b == 0, ratio, whole)


def fmod_of(a: Number, b: Number) -> Number:
    """a - trunc(a/b)·b, with the sign of a; of integers 0 where b is 0."""
    if _is_float(a):
        return _fmod(a, b)
    return select(b == 0, full_like(a, 0), fmod(a, _divisor(a, b)))


# -- roots -------------------------------------------------------------------------------------------------


def hypot(a: Number, b: Number) -> Number:
    """√(a² + b²): squares of float32 are exact in float64 and do not overflow there."""
    if a.dtype != F32:
        return libm("hypot", a, b)
    wide, high = a.astype(F64), b.astype(F64)
    length = square_root(wide * wide + high * high).astype(F32)
    return select((magnitude(a) == INFINITY) | (magnitude(b) == INFINITY), INFINITY, length)


# -- signs and extrema ------------------------------------------------------------------------------------------------


def sign(x: Number) -> Number:
    """-1, 0 or 1; NaN of NaN."""
    one = (x > 0).astype(x.dtype)
    if x.dtype.kind == "u":
        return one
    signed = one - (x < 0).astype(x.dtype)
    return select(is_nan(x), x, signed) if _is_float(x) else signed


def absolute(x: Number) -> Number:
    """|x|; the least integer is its own."""
    if _is_float(x):
        return magnitude(x)
    return x if x.dtype.kind == "u" else select(x < 0, 0 - x, x)


def copysign(a: Number, b: Number) -> Number:
    """|a| with the sign of b."""
    return with_sign(magnitude(a), sign_bit(b))


def clip(x: Number, low: Number, high: Number) -> Number:
    """x kept within [low, high]; high where low is above it; NaN where one of the three is."""
    return lesser_of(greater_of(x, low), high)


# -- bits -------------------------------------------------------------------------------------------------------------


def shift_left(a: Number, b: Number) -> Number:
    """a·2ᵇ; 0 where b is negative or at least the width."""
    inside = _shift_is_inside(a, b)
    return select(inside, a << select(inside, b, full_like(b, 0)), full_like(a, 0))


def shift_right(a: Number, b: Number) -> Number:
    """⌊a/2ᵇ⌋; where b is negative or at least the width, 0, or -1 of a negative a."""
    inside = _shift_is_inside(a, b)
    if a.dtype.kind == "i":
        return a >> select(inside, b, full_like(b, _width(b) - 1))
    return select(inside, a >> select(inside, b, full_like(b, 0)), full_like(a, 0))


def _shift_is_inside(a: Number, b: Number) -> Number:
    below = b < _width(a)
    return below & (b >= 0) if b.dtype.kind == "i" else below


def is_infinite(x: Number) -> Number:
    """Whether x is inf or -inf."""
    return magnitude(x) == INFINITY


def is_finite(x: Number) -> Number:
    """Whether x is neither infinite nor NaN."""
    return magnitude(x) < INFINITY


def has_sign(x: Number) -> Number:
    """Whether the sign bit is set, of -0.0 and NaN too."""
    return bits(x) < 0
