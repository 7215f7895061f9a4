"""Angles of float32 by their tangent, sine and cosine, without a branch, within 1 to 2 units in the last place.

    atan2(y, x) = offset ± (z + z³·A(z²)),   z = min(|x|, |y|)/max(|x|, |y|)
    asin(x) = s + s³·S(s²) for |x| ≤ ½,      π/2 - 2·asin(s) beyond,   s² = (1 - |x|)/2

What the polynomials give is the angle to the nearest of 0, π/2 and π, which have two parts. A and S are minimax fits by
linear programming, for the relative error, rounded to float32 from the first on.
"""

from __future__ import annotations

from graphc.backends.cpu.functions.vocabulary import (
    Number,
    fma,
    full_like,
    magnitude,
    polynomial,
    select,
    sign_bit,
    square_root,
    with_sign,
)

# Five of A's are moved by a last place or two, so that the angle at z = 1 is π/4 rounded
_ATAN = (
    -0.33333298563957214, 0.1999852955341339, -0.14264015853405, 0.10950881242752075, -0.08399313688278198,
    0.057881712913513184, -0.03109760396182537, 0.010869237594306469, -0.0017830078722909093,
)  # fmt: skip
# (asin(s)/s - 1)/s² in s² for s ≤ ½, within 4.9e-9 of asin(s)
_ASIN = (0.16666752099990845, 0.07495306432247162, 0.045469772070646286, 0.02418077364563942, 0.04216641187667847)

# π/2 as a float32 and what it lacks; those of π are twice as large
_HALF_PI_HIGH, _HALF_PI_LOW = 1.57079637050628662109375, -4.37113900018624283e-8
_TINY = 2.0**-100


def atan(x: Number) -> Number:
    """The angle in [-π/2, π/2] whose tangent is x: π/2 - atan(1/x) beyond 1."""
    size = magnitude(x)
    beyond = size > 1
    z = select(beyond, 1 / size, size)
    square = z * z
    tail = z * square * polynomial(square, _ATAN)
    far = _HALF_PI_HIGH - (z + (tail - _HALF_PI_LOW))
    return with_sign(select(beyond, far, z + tail), sign_bit(x))


def atan2(y: Number, x: Number) -> Number:
    """The angle in [-π, π] of the point (x, y), with C99's signs and special values.

    Of the origin and of two infinities it is that of the axis or diagonal that their signs say.
    """
    height, width = magnitude(y), magnitude(x)
    steep, left = height > width, sign_bit(x) < 0
    short, long = select(steep, width, height), select(steep, height, width)
    z = select(short == long, 1.0, short / long)
    z = select(long == 0, short, z)  # 0, or NaN beside a zero
    square = z * z
    quarters = select(steep, 1.0, select(left, 2.0, full_like(z, 0.0)))
    angle = _turned(quarters, steep ^ left, z, z * square * polynomial(square, _ATAN))
    return with_sign(angle, sign_bit(y))


def asin(x: Number) -> Number:
    """The angle in [-π/2, π/2] whose sine is x; NaN beyond 1."""
    beyond, high, low = _arc(magnitude(x))
    return with_sign(_turned(select(beyond, 1.0, full_like(high, 0.0)), beyond, high, low), sign_bit(x))


def acos(x: Number) -> Number:
    """The angle in [0, π] whose cosine is x; NaN beyond 1."""
    beyond, high, low = _arc(magnitude(x))
    left = x < 0
    quarters = select(beyond, select(left, 2.0, full_like(high, 0.0)), 1.0)
    return _turned(quarters, beyond ^ ~left, high, low)


def _arc(size: Number) -> tuple[Number, Number, Number]:
    """Whether |x| is above ½, and high + low = asin|x|, or acos|x| where it is."""
    beyond = size > 0.5
    square = select(beyond, 0.5 - 0.5 * size, size * size)
    root = square_root(square)
    lost = fma(-root, root, square) / (root + _TINY)  # twice what the root lacks
    high = select(beyond, root + root, size)
    return beyond, high, fma(high * square, polynomial(square, _ASIN), select(beyond, lost, 0.0))


def _turned(quarters: Number, backwards: Number, high: Number, low: Number) -> Number:
    """quarters·π/2 ± (high + low), where high is no more than the angle that it is taken off from."""
    sign = select(backwards, -1.0, full_like(high, 1.0))
    start = quarters * _HALF_PI_HIGH
    angle = fma(sign, high, start)
    lost = fma(sign, high, start - angle)
    return angle + fma(sign, low, fma(quarters, _HALF_PI_LOW, lost))
