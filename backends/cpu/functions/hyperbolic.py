"""Hyperbolic functions of float32 and their inverses without a branch, within 1 to 2 units in the last place.

    sinh(x) = x + x³·P(x²) for |x| < 1,           h - 1/4h beyond, h = e^|x|/2
    tanh(x) = x + x³·Q(x²) for |x| < 0.55,        1 - 2/(e²ˣ + 1) beyond
    asinh(x) = x + x³·R(x²) for |x| ≤ ½,          log(|x| + √(x² + 1)) beyond
    acosh(x) = 2·asinh(√((x - 1)/2)) for x ≤ 1½,  log(x + √(x² - 1)) beyond
    atanh(x) = x + x³·T(x²) for |x| ≤ ½,          ½·log((1 + |x|)/(1 - |x|)) beyond

The polynomials are minimax fits by linear programming, for the relative error, rounded to float32 from the first on.
What is under a logarithm has two parts, so that no rounding before it shows.
"""

from __future__ import annotations

from graphc.backends.cpu.functions.exponential import exp_inside, half_exp
from graphc.backends.cpu.functions.logarithm import log_of_sum
from graphc.backends.cpu.functions.vocabulary import (
    INFINITY,
    NAN,
    Number,
    clamped,
    fma,
    full_like,
    magnitude,
    polynomial,
    polynomial_by_pairs,
    select,
    sign_bit,
    square_root,
    with_sign,
)

_SINH = (0.16666667163, 0.00833331048, 0.00019842896, 2.78221319e-06)  # within 3.0e-10
_TANH = (-0.33333316445, 0.13332544267, -0.05384754762, 0.02105071396, -0.00624284940)  # within 1.2e-9
_ASINH = (-0.16666628420, 0.07498001307, -0.04429950311, 0.02773847245, -0.01249446347)  # within 2.3e-9
_ATANH = (0.33333298564, 0.20002615452, 0.14220760763, 0.11841495335, 0.05064957961, 0.17773404717)  # within 1.5e-9

_TINY = 2.0**-100
_LARGE = 2.0**12  # √(x² ± 1) is x from here on


def sinh(x: Number) -> Number:
    """(eˣ - e⁻ˣ)/2."""
    size = magnitude(x)
    square = size * size
    near = fma(size * square, polynomial(square, _SINH), size)
    half = half_exp(size)
    return with_sign(select(size < 1, near, half - 0.25 / half), sign_bit(x))


def cosh(x: Number) -> Number:
    """(eˣ + e⁻ˣ)/2."""
    half = half_exp(magnitude(x))
    return half + 0.25 / half


def tanh(x: Number) -> Number:
    """sinh(x)/cosh(x); 1 in float32 from 9.02 on."""
    size = clamped(magnitude(x), 0.0, 10.0)
    square = size * size
    near = fma(size * square, polynomial_by_pairs(square, _TANH), size)
    far = 1 - 2 / (exp_inside(size + size) + 1)
    return with_sign(select(size < 0.55, near, far), sign_bit(x))


def asinh(x: Number) -> Number:
    """The number whose sinh is x."""
    size = magnitude(x)
    square = size * size
    near = fma(size * square, polynomial(square, _ASINH), size)
    total = square + 1
    root = square_root(total)
    lost = fma(size, size, -square) + (square - (total - 1)) + fma(-root, root, total)
    far = _log_of_sum(root, size, lost * 0.5 / root, size)
    return with_sign(select(size <= 0.5, near, far), sign_bit(x))


def acosh(x: Number) -> Number:
    """The number ≥ 0 whose cosh is x; NaN below 1."""
    above = x - 1
    close = above <= 0.5
    square, half = x * x, above * 0.5
    total = select(close, half, square - 1)
    root = square_root(total)
    lost = fma(-root, root, total) + select(close, 0.0, fma(x, x, -square))
    lost = lost / (root + _TINY)  # twice what the root lacks
    twice = root + root
    near = twice + fma(twice * half, polynomial(half, _ASINH), lost)
    return select(close, near, _log_of_sum(x, root, lost * 0.5, x))


def atanh(x: Number) -> Number:
    """The number whose tanh is x; infinite of ±1, NaN beyond."""
    size = magnitude(x)
    square = size * size
    near = fma(size * square, polynomial(square, _ATANH), size)
    above, below = 1 + size, 1 - size
    inverse = 1 / below
    ratio = above * inverse
    lost = fma(-ratio, below, above) + (1 - above + size)
    far = 0.5 * log_of_sum(ratio, lost * inverse, full_like(size, 0.0))
    far = select(size < 1, far, select(size == 1, INFINITY, full_like(size, NAN)))
    return with_sign(select(size <= 0.5, near, far), sign_bit(x))


def _log_of_sum(large: Number, small: Number, lost: Number, x: Number) -> Number:
    """log(large + small + lost), or log 2x where x is large; infinity and NaN are their own."""
    beyond = x > _LARGE
    total = large + small
    high = select(beyond, x * 2.0**-20, total)
    low = select(beyond, 0.0, lost + (large - total + small))
    y = log_of_sum(high, low, select(beyond, 21.0, full_like(x, 0.0)))
    return select(x < INFINITY, y, x)
