"""Hyperbolic functions of float32 without a branch, within 2 units in the last place.

    sinh(x) = x + x³·P(x²) for |x| < 1,       h - 1/4h beyond, h = e^|x|/2
    tanh(x) = x + x³·Q(x²) for |x| < 0.55,    1 - 2/(e²ˣ + 1) beyond

P and Q are minimax fits by linear programming, for the relative error, rounded to float32 from the first on.
"""

from __future__ import annotations

from graphc.backends.cpu.functions.exponential import exp_inside, half_exp
from graphc.backends.cpu.functions.vocabulary import (
    Number,
    clamped,
    fma,
    magnitude,
    polynomial,
    select,
    sign_bit,
    with_sign,
)

_SINH = (0.16666667163, 0.00833331048, 0.00019842896, 2.78221319e-06)  # within 3.0e-10
_TANH = (-0.33333316445, 0.13332544267, -0.05384754762, 0.02105071396, -0.00624284940)  # within 1.2e-9


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
    near = fma(size * square, polynomial(square, _TANH), size)
    far = 1 - 2 / (exp_inside(size + size) + 1)
    return with_sign(select(size < 0.55, near, far), sign_bit(x))
