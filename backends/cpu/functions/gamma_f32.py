"""log|Γ| and its derivative of float32, computed in float64 without a branch or a call, and rounded once.

    log Γ(p) = (p - 1)·(p - 2)·G(p),                           ψ(p) = (p - r)·D(p)               for p in [1, 2½)
    log Γ(p) = (p - ½)·log p - p + ½·log 2π + S(1/p²)/p,       ψ(p) = log p - 1/2p - T(1/p²)/p²  from there on

with ψ's root r. Below 1 by one step of the recurrence, log Γ(p) = log Γ(p + 1) - log p and ψ(p) = ψ(p + 1) - 1/p; below
0 by reflection at ½. The polynomials meet their functions at Chebyshev's points. Next to the zeros below 0, where the
reflection cancels, what is left of it is exact to 1e-12.
"""

from __future__ import annotations

import math

from graphc.backends.cpu.functions.power import log2_in_f64
from graphc.backends.cpu.functions.value import F32, F64
from graphc.backends.cpu.functions.vocabulary import (
    INFINITY,
    NAN,
    Number,
    magnitude,
    nearest,
    polynomial,
    select,
)
from graphc.special import DIGAMMA_ROOT

_CENTRE, _FAR = 1.75, 2.5

# G about 1¾, within 3.1e-9: zeros are exact
_G = (
    0.45013931102556987, -0.11948158604380038, 0.04452058559718501, -0.019054032085593243, 0.008773533434973042,
    -0.00422467212158261, 0.0021165366158853506, -0.0010718317064225826, 0.00047614368776546204,
    -0.00024632486712550375, 0.00024690442944879065, -0.00013117774145616367,
)  # fmt: skip
# D about 1¾, within 1.2e-13, since it is also what reflection cancels at ψ's zero at -0.504
_D = (
    0.8581832171262119, -0.32625462786805565, 0.15712011338316276, -0.08228558637356098, 0.04479965263554638,
    -0.024890047450525567, 0.013985827174226527, -0.007910492203465638, 0.004491346559858477, -0.002556419463144549,
    0.0014604115985240237, -0.0008332339834805824, 0.0004627845934913384, -0.00026428113709004304,
    0.00018317966758698344, -0.00010465202056422448, 1.1101583761167756e-05, -6.341104470637147e-06,
    4.4357950596576704e-05, -2.5346842701735146e-05,
)  # fmt: skip
# Those of Stirling's series, fitted from 2½ on: S within 1.7e-12, T within 3.3e-12
_S = (
    0.08333333333319229, -0.0027777776643343414, 0.000793635458996566, -0.0005944254538883198, 0.0008196815803648571,
    -0.0015668722456236167, 0.002825807782455171, -0.0028705140896511934,
)  # fmt: skip
_T = (
    0.08333333333306166, -0.008333333056806051, 0.003968206493733949, -0.004163439881097666, 0.007461521847704156,
    -0.018673845714864218, 0.04963793374728373, -0.10134989427880309, 0.10450553396869543,
)  # fmt: skip
# sin(πf)/f and cos(πf) in f² for |f| ≤ ½, within 2.4e-16 and 2.0e-15
_SINE = (
    3.1415926535897927, -5.1677127800497855, 2.5501640398618677, -0.599264528825224, 0.08214587881631043,
    -0.0073703643265304155, 0.0004659870158043378, -2.113362735205297e-05,
)  # fmt: skip
_COSINE = (
    0.9999999999999981, -4.934802200543686, 4.058712126333295, -1.3352627661817635, 0.23533058831317874,
    -0.025806531975921563, 0.0019278700526981333, -0.0001004164642205389,
)  # fmt: skip


def lgamma_f32(x: Number) -> Number:
    """log|Γ(x)|; infinite at the poles and at both infinities."""
    x = x.astype(F64)
    below = x < 0
    p = select(below, 1 - x, x)
    first, logarithm, inverse = p < 1, _log(p), 1 / p
    q = select(first, p + 1, p)
    near = (q - 1) * (q - 2) * polynomial(q - _CENTRE, _G)
    near = near + select(first, -logarithm, 0.0)  # a zero's sign is + then
    stirling = (p - 0.5) * logarithm - p + 0.5 * math.log(2 * math.pi)
    y = select(q < _FAR, near, stirling + inverse * polynomial(inverse * inverse, _S))
    fraction = x - nearest(x)
    sine = magnitude(fraction * polynomial(fraction * fraction, _SINE))
    y = select(below, math.log(math.pi) - _log(sine) - y, y)
    return select(magnitude(x) == INFINITY, INFINITY, y).astype(F32)


def digamma_f32(x: Number) -> Number:
    """ψ(x); at 0 the infinity on its side, NaN at the poles below and of -inf."""
    x = x.astype(F64)
    below = x < 0
    p = select(below, 1 - x, x)
    first, inverse = p < 1, 1 / p
    q = select(first, p + 1, p)
    distance = (q - DIGAMMA_ROOT[0]) - DIGAMMA_ROOT[1]
    near = distance * polynomial(q - _CENTRE, _D) - select(first, inverse, 0.0)
    square = inverse * inverse
    y = select(q < _FAR, near, _log(p) - 0.5 * inverse - square * polynomial(square, _T))
    whole = nearest(x)
    fraction = x - whole
    turn = fraction * fraction
    cotangent = polynomial(turn, _COSINE) / (fraction * polynomial(turn, _SINE))
    y = select(below, y - math.pi * cotangent, y)
    y = select(below & (x == whole), NAN, y)
    return select(x == 0, -inverse, select(x == INFINITY, x, y)).astype(F32)


def _log(x: Number) -> Number:
    return log2_in_f64(x) * math.log(2)
