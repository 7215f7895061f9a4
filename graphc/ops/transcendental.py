"""Exponentials, logarithms, angles and hyperbolic functions, elementwise on floats, each with its derivative.

    exp(x): f32[N,3] -> f32[N,3]

Special values are those of the array API standard, which are C99's.
"""

from __future__ import annotations

from math import log as _log_of
from typing import Any

import numpy as np

from graphc.op import Op
from graphc.ops.arithmetic import OTHER, SPECIAL, TWO_REALS, TWO_SPECIAL, rsqrt
from graphc.ops.choice import where
from graphc.ops.declare import binary, unary
from graphc.ops.logic import isinf
from graphc.samples import exactly, positive, real, sample

LN2, LN10 = _log_of(2), _log_of(10)
_SPECIAL = sample(SPECIAL, differentiable=False)
_REAL = [sample(real(4, 5)), _SPECIAL]
_POSITIVE = [sample(positive(4, 5)), _SPECIAL]
_INSIDE = [
    sample(real(4, 5, low=-0.95, high=0.95)),
    sample(exactly([-1.0, 1.0, 0.0, -0.0]), differentiable=False),
    _SPECIAL,
]

# -- exponentials and logarithms --------------------------------------------------------------------------------------

exp = unary("exp", np.exp, lambda y, x: y, "exp({x})", samples=_REAL, doc="eˣ.")
exp2 = unary("exp2", np.exp2, lambda y, x: y * LN2, "exp2({x})", samples=_REAL, doc="2ˣ.")
expm1 = unary("expm1", np.expm1, lambda y, x: y + 1, "expm1({x})", samples=_REAL, doc="eˣ - 1, exact near 0.")
log = unary("log", np.log, lambda y, x: 1 / x, "log({x})", samples=_POSITIVE, doc="The natural logarithm; -inf of 0.")
log2 = unary(
    "log2", np.log2, lambda y, x: 1 / (x * LN2), "log2({x})", samples=_POSITIVE, doc="The logarithm to base 2."
)
log10 = unary(
    "log10", np.log10, lambda y, x: 1 / (x * LN10), "log10({x})", samples=_POSITIVE, doc="The logarithm to base 10."
)
log1p = unary(
    "log1p", np.log1p, lambda y, x: 1 / (1 + x), "log1p({x})", samples=_POSITIVE, doc="log(1 + x), exact near 0."
)


def _logaddexp_partials(y: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """σ(a - b) and σ(b - a); one half each where both are the same infinity."""
    difference = where(isinf(a) & (a == b), 0, a - b)
    return sigmoid(difference), sigmoid(-difference)


logaddexp = binary(
    "logaddexp", np.logaddexp, _logaddexp_partials, "logaddexp({a}, {b})", commutative=True,
    samples=[
        TWO_REALS, TWO_SPECIAL,
        sample(exactly([1e4, -1e4, -np.inf, np.inf]), exactly([1e4, 1e4, -np.inf, np.inf]), differentiable=False),
    ],
    doc="log(eᵃ + eᵇ) without overflow.",
)  # fmt: skip


def _sigmoid_reference(x: Any) -> Any:
    """e^-|x| never overflows: 1/(1 + e⁻ˣ) for x ≥ 0, eˣ/(1 + eˣ) below."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


sigmoid = unary(
    "sigmoid", _sigmoid_reference, lambda y, x: y * (1 - y), "sigmoid({x})",
    samples=[*_REAL, sample(exactly([1e4, -1e4, 90.0, -90.0]))], doc="1/(1 + e⁻ˣ), exact in both tails.",
)  # fmt: skip

# -- angles -----------------------------------------------------------------------------------------------------------

sin = unary("sin", np.sin, lambda y, x: cos(x), "sin({x})", samples=_REAL, doc="The sine of x radians.")
cos: Op = unary("cos", np.cos, lambda y, x: -sin(x), "cos({x})", samples=_REAL, doc="The cosine of x radians.")
tan = unary(
    "tan", np.tan, lambda y, x: 1 + y * y, "tan({x})", samples=[sample(real(4, 5, low=-1.2, high=1.2)), _SPECIAL],
    doc="The tangent of x radians.",
)  # fmt: skip
asin = unary(
    "asin", np.arcsin, lambda y, x: rsqrt(1 - x * x), "asin({x})", samples=_INSIDE,
    doc="The angle in [-π/2, π/2] whose sine is x; NaN outside [-1, 1].",
)  # fmt: skip
acos = unary(
    "acos", np.arccos, lambda y, x: -rsqrt(1 - x * x), "acos({x})", samples=_INSIDE,
    doc="The angle in [0, π] whose cosine is x; NaN outside [-1, 1].",
)  # fmt: skip
atan = unary(
    "atan", np.arctan, lambda y, x: 1 / (1 + x * x), "atan({x})", samples=_REAL,
    doc="The angle in [-π/2, π/2] whose tangent is x.",
)  # fmt: skip


def _atan2_partials(y: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """b/(a² + b²) and -a/(a² + b²); both 0 at the origin, as in torch."""
    squares = a * a + b * b
    squares = where(squares == 0, 1, squares)
    return b / squares, -a / squares


atan2 = binary(
    "atan2", np.arctan2, _atan2_partials, "atan2({a}, {b})",
    samples=[sample(real(4, 5), positive(4, 5)), sample(positive(4, 5), real(4, 5)), TWO_SPECIAL,
             sample(OTHER, SPECIAL, differentiable=False)],
    doc="The angle in [-π, π] of the point with ordinate a and abscissa b.",
)  # fmt: skip

# -- hyperbolic functions ---------------------------------------------------------------------------------------------

sinh = unary("sinh", np.sinh, lambda y, x: cosh(x), "sinh({x})", samples=_REAL, doc="(eˣ - e⁻ˣ)/2.")
cosh: Op = unary("cosh", np.cosh, lambda y, x: sinh(x), "cosh({x})", samples=_REAL, doc="(eˣ + e⁻ˣ)/2.")
tanh = unary("tanh", np.tanh, lambda y, x: 1 - y * y, "tanh({x})", samples=_REAL, doc="sinh(x)/cosh(x).")
asinh = unary(
    "asinh", np.arcsinh, lambda y, x: rsqrt(x * x + 1), "asinh({x})", samples=_REAL, doc="The number whose sinh is x."
)
acosh = unary(
    "acosh", np.arccosh, lambda y, x: rsqrt(x * x - 1), "acosh({x})",
    samples=[sample(positive(4, 5, low=1.1)), _SPECIAL],
    doc="The number ≥ 0 whose cosh is x; NaN below 1.",
)  # fmt: skip
atanh = unary(
    "atanh", np.arctanh, lambda y, x: 1 / (1 - x * x), "atanh({x})", samples=_INSIDE,
    doc="The number whose tanh is x; ±inf of ±1, NaN beyond.",
)  # fmt: skip
