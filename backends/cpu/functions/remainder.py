"""The remainder of float32 by float32, exact for all that it holds, without a branch.

    fmod_f32(7.5, -2.0) = 1.5       fmod_f32(3.4028235e38, 1e-45) = 0.0       fmod_f32(-6.0, 3.0) = -0.0

In float64, as signed rests whose sizes shrink by 2⁵¹ a step, from at most 2²⁷⁷·|b| to half of |b|:

    r ← r - q·|b|,   q = ⌊r·(1/|b|)⌉

No step rounds. Each r, the first being |a|, is a multiple of the last place of q times that of b, since both are powers
of two and neither is above the last place of r; and |r - q·b| is at most a few last places of q times |b|, which has 24
bits: so it fits into 53. Where q has a fraction to lose, the rest is at most |b|/2 and a multiple of the last places of
a and b.
"""

from __future__ import annotations

from graphc.backends.cpu.functions.value import F32, F64
from graphc.backends.cpu.functions.vocabulary import (
    INFINITY,
    Number,
    fma,
    magnitude,
    nearest,
    select,
    sign_bit,
    with_sign,
)

# a/b is at most (2²⁴ - 1)·2¹⁰⁴ / 2⁻¹⁴⁹ < 2²⁷⁷: five steps of 51 bits leave 22, and the sixth a rest
_STEPS = 6
_BEYOND = 2.0**200  # a divisor as good as inf, by which 0·b is 0


def fmod_f32(a: Number, b: Number) -> Number:
    """a - trunc(a/b)·b with the sign of a; NaN of an infinite a and of b = 0, a itself where b is infinite."""
    rest, divisor = magnitude(a).astype(F64), magnitude(b).astype(F64)
    divisor = select(divisor == INFINITY, _BEYOND, divisor)
    inverse = -1 / divisor
    for _ in range(_STEPS):
        rest = fma(nearest(rest * inverse), divisor, rest)
    rest = select(rest < 0, rest + divisor, rest)
    return with_sign(rest.astype(F32), sign_bit(a))
