"""Trigonometric functions of float32 without a branch, within 2 units in the last place, the greatest arguments too.

    x/2π = whole turns + t,   t in [-½, ½];   4t = quadrant + q,   r = q·π/2 in [-π/4, π/4]

1/2π is cut into seven pieces of 28 or 29 bits, whose products with the 24 bits of x are exact in float64, so that each
sheds its whole turns without loss: Payne's and Hanek's reduction (1983), for all exponents at once.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from graphc.backends.cpu.functions.value import F32, F64
from graphc.backends.cpu.functions.vocabulary import (
    Number,
    bits,
    fma,
    magnitude,
    nearest,
    polynomial,
    select,
)

# π to 100 decimals (OEIS A000796); 1/2π to 185 bits needs 60
_PI = Fraction(
    3_1415926535897932384626433832795028841971693993751058209749445923078164062862089986280348253421170679, 10**100
)
_SHIFT, _SHIFT_BITS = 1.5 * 2.0**23, 0x4B400000
_TINY = 2.0**-13

# Minimax fits by linear programming, rounded to float32 from the first on, for |r| ≤ π/4:
# sin r = r + r³·S(r²), cos r = 1 - r²/2 + r⁴·C(r²), tan r = r + r³·T(r²)
_SIN = (-0.1666666716337204, 0.008333380334079266, -0.00019853512640111148, 2.8375427518767538e-06)
_COS = (0.04166664555668831, -0.00138873013202101, 2.4430670237052254e-05)
_TAN = (
    0.33333349227905273, 0.13332675397396088, 0.05405891314148903, 0.02128620818257332, 0.010827443562448025,
    9.82467972789891e-05, 0.0043726954609155655,
)  # fmt: skip


def _pieces(number: Fraction, width: int, count: int) -> tuple[float, ...]:
    """Floats of `width` bits each whose sum is the number, but for what is left after `count`."""
    pieces = []
    for _ in range(count):
        scale = Fraction(2) ** (width + (number.denominator.bit_length() - number.numerator.bit_length()))
        piece = Fraction(int(number * scale), 1) / scale
        pieces.append(float(piece))
        number -= piece
    return tuple(pieces)


TURNS = _pieces(1 / (2 * _PI), 28, 7)


def sin(x: Number) -> Number:
    """sin x; x itself near 0, with its sign."""
    wide, quadrant = _reduced(x)
    r = wide.astype(F32)
    y = _flipped(select((quadrant & 1) == 0, _sine(r), _cosine(r)), quadrant)
    return select(magnitude(x) < _TINY, x, y)


def cos(x: Number) -> Number:
    """cos x = sin(x + π/2)."""
    wide, quadrant = _reduced(x)
    r, quadrant = wide.astype(F32), quadrant + 1
    return _flipped(select((quadrant & 1) == 0, _sine(r), _cosine(r)), quadrant)


def tan(x: Number) -> Number:
    """tan x: tan r in the even quadrants, -1/tan r in the odd ones."""
    wide, quadrant = _reduced(x)
    r = wide.astype(F32)
    low = (wide - r.astype(F64)).astype(F32)  # counts 1 + tan² r times
    square = r * r
    y = r + fma(r * square, polynomial(square, _TAN), fma(low, square, low))
    even = (quadrant & 1) == 0
    y = select(even, y, -1.0) / select(even, 1.0, y)
    return select(magnitude(x) < _TINY, x, y)


def _reduced(x: Number) -> tuple[Number, Number]:
    """r in [-π/4, π/4], in float64, and the number of the quadrant, of which the two low bits count."""
    wide = x.astype(F64)
    products = [wide * piece for piece in TURNS]
    parts = [product - nearest(product) for product in products]
    quarters = nearest(sum(parts[1:], parts[0]) * 4)
    # The sum again, without what leaves: where x is next to a multiple of π/2, its leading digits cancel exactly.
    turns = sum(parts[1:], parts[0] - quarters * 0.25)
    return turns * (2 * np.pi), bits(quarters.astype(F32) + _SHIFT) - _SHIFT_BITS


def _sine(r: Number) -> Number:
    square = r * r
    return fma(r * square, polynomial(square, _SIN), r)


def _cosine(r: Number) -> Number:
    square = r * r
    return fma(square * square, polynomial(square, _COS), fma(square, -0.5, 1.0))


def _flipped(y: Number, quadrant: Number) -> Number:
    """-y in the third and fourth quadrant."""
    return (bits(y) ^ ((quadrant & 2) << 30)).view(np.float32)
