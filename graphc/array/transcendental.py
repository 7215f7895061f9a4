"""Exponentials, logarithms, angles and special functions, elementwise on floating-point tensors.

    exp(x)   x: f32[N,3]   ->   f32[N,3]

Special values follow the array API standard. Integers and booleans raise DTypeError: convert them with `astype`.
"""

from __future__ import annotations

from graphc.array.operands import Operand, call
from graphc.tensor import Tensor

# -- exponentials and logarithms --------------------------------------------------------------------------------------


def exp(x: Operand) -> Tensor:
    """eˣ."""
    return call("exp", x)


def exp2(x: Operand) -> Tensor:
    """2ˣ."""
    return call("exp2", x)


def expm1(x: Operand) -> Tensor:
    """eˣ - 1, exact near 0."""
    return call("expm1", x)


def log(x: Operand) -> Tensor:
    """The natural logarithm; -inf of 0, NaN below."""
    return call("log", x)


def log1p(x: Operand) -> Tensor:
    """log(1 + x), exact near 0."""
    return call("log1p", x)


def log2(x: Operand) -> Tensor:
    """The logarithm to base 2."""
    return call("log2", x)


def log10(x: Operand) -> Tensor:
    """The logarithm to base 10."""
    return call("log10", x)


def logaddexp(x1: Operand, x2: Operand) -> Tensor:
    """log(eˣ¹ + eˣ²) without overflow."""
    return call("logaddexp", x1, x2)


# -- angles -----------------------------------------------------------------------------------------------------------


def sin(x: Operand) -> Tensor:
    """The sine of x radians."""
    return call("sin", x)


def cos(x: Operand) -> Tensor:
    """The cosine of x radians."""
    return call("cos", x)


def tan(x: Operand) -> Tensor:
    """The tangent of x radians."""
    return call("tan", x)


def asin(x: Operand) -> Tensor:
    """The angle in [-π/2, π/2] whose sine is x; NaN outside [-1, 1]."""
    return call("asin", x)


def acos(x: Operand) -> Tensor:
    """The angle in [0, π] whose cosine is x; NaN outside [-1, 1]."""
    return call("acos", x)


def atan(x: Operand) -> Tensor:
    """The angle in [-π/2, π/2] whose tangent is x."""
    return call("atan", x)


def atan2(x1: Operand, x2: Operand) -> Tensor:
    """The angle in [-π, π] of the point with ordinate x1 and abscissa x2."""
    return call("atan2", x1, x2)


def sinh(x: Operand) -> Tensor:
    """(eˣ - e⁻ˣ) / 2."""
    return call("sinh", x)


def cosh(x: Operand) -> Tensor:
    """(eˣ + e⁻ˣ) / 2."""
    return call("cosh", x)


def tanh(x: Operand) -> Tensor:
    """sinh(x) / cosh(x)."""
    return call("tanh", x)


def asinh(x: Operand) -> Tensor:
    """The number whose sinh is x."""
    return call("asinh", x)


def acosh(x: Operand) -> Tensor:
    """The number ≥ 0 whose cosh is x; NaN below 1."""
    return call("acosh", x)


def atanh(x: Operand) -> Tensor:
    """The number whose tanh is x; ±inf of ±1, NaN beyond."""
    return call("atanh", x)


# -- special functions ------------------------------------------------------------------------------------------------


def erf(x: Operand) -> Tensor:
    """The error function 2/√π · ∫₀ˣ e^(-t²) dt."""
    return call("erf", x)


def erfc(x: Operand) -> Tensor:
    """1 - erf(x), exact in its tail."""
    return call("erfc", x)


def erfinv(x: Operand) -> Tensor:
    """The number whose erf is x; ±inf of ±1, NaN beyond."""
    return call("erfinv", x)


def lgamma(x: Operand) -> Tensor:
    """log|Γ(x)|."""
    return call("lgamma", x)


def digamma(x: Operand) -> Tensor:
    """Γ'(x) / Γ(x), the derivative of lgamma."""
    return call("digamma", x)


def sigmoid(x: Operand) -> Tensor:
    """1 / (1 + e⁻ˣ), stable for large |x|."""
    return call("sigmoid", x)


def relu(x: Operand) -> Tensor:
    """max(x, 0); NaN stays NaN."""
    return call("relu", x)


__all__ = [
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "digamma", "erf", "erfc",
    "erfinv", "exp", "exp2", "expm1", "lgamma", "log", "log10", "log1p", "log2", "logaddexp", "relu",
    "sigmoid", "sin", "sinh", "tan", "tanh",
]  # fmt: skip
