"""Elementwise arithmetic of the array API: operands promote and broadcast, Python scalars take the tensor's dtype.

    add(x, y)        x: f32[N,3], y: f32[3]   ->   f32[N,3]
    multiply(i, 2)   i: i8[4]                 ->   i8[4]

Special values follow IEEE 754 as the standard lists them. Operands of a dtype that a function does not take raise
DTypeError, shapes that do not broadcast ShapeError.
"""

from __future__ import annotations

import builtins

from graphc.array.operands import Operand, as_tensor, call
from graphc.tensor import Tensor

# -- two operands -----------------------------------------------------------------------------------------------------


def add(x1: Operand, x2: Operand) -> Tensor:
    """x1 + x2; integers wrap around."""
    return call("add", x1, x2)


def subtract(x1: Operand, x2: Operand) -> Tensor:
    """x1 - x2; integers wrap around."""
    return call("sub", x1, x2)


def multiply(x1: Operand, x2: Operand) -> Tensor:
    """x1 · x2; integers wrap around."""
    return call("mul", x1, x2)


def divide(x1: Operand, x2: Operand) -> Tensor:
    """x1 / x2 of floating-point numbers; for integers see `floor_divide`."""
    return call("div", x1, x2)


def floor_divide(x1: Operand, x2: Operand) -> Tensor:
    """⌊x1 / x2⌋, rounded towards minus infinity."""
    return call("floordiv", x1, x2)


def remainder(x1: Operand, x2: Operand) -> Tensor:
    """x1 - ⌊x1 / x2⌋·x2, with the sign of x2, as Python's `%`."""
    return call("rem", x1, x2)


def fmod(x1: Operand, x2: Operand) -> Tensor:
    """x1 - trunc(x1 / x2)·x2, with the sign of x1, as C's `fmod` and torch's."""
    return call("fmod", x1, x2)


def pow(x1: Operand, x2: Operand) -> Tensor:
    """x1 to the power x2."""
    return call("pow", x1, x2)


def maximum(x1: Operand, x2: Operand) -> Tensor:
    """The greater of both; NaN where one is."""
    return call("maximum", x1, x2)


def minimum(x1: Operand, x2: Operand) -> Tensor:
    """The lesser of both; NaN where one is."""
    return call("minimum", x1, x2)


def hypot(x1: Operand, x2: Operand) -> Tensor:
    """√(x1² + x2²) without overflow in between."""
    return call("hypot", x1, x2)


def copysign(x1: Operand, x2: Operand) -> Tensor:
    """|x1| with the sign of x2, signs of zeros and NaN included."""
    return call("copysign", x1, x2)


def nextafter(x1: Operand, x2: Operand) -> Tensor:
    """The next representable number after x1 in the direction of x2."""
    return call("nextafter", x1, x2)


# -- one operand ------------------------------------------------------------------------------------------------------


def positive(x: Operand) -> Tensor:
    """+x."""
    return call("identity", x)


def negative(x: Operand) -> Tensor:
    """-x; unsigned integers wrap around."""
    return call("neg", x)


def abs(x: Operand) -> Tensor:
    """|x|."""
    return call("abs", x)


def sign(x: Operand) -> Tensor:
    """-1, 0 or 1; NaN of NaN."""
    return call("sign", x)


def signbit(x: Operand) -> Tensor:
    """Whether the sign bit is set: true of -0.0 and of negative numbers."""
    return call("signbit", x)


def square(x: Operand) -> Tensor:
    """x²."""
    return call("square", x)


def sqrt(x: Operand) -> Tensor:
    """√x; NaN below 0."""
    return call("sqrt", x)


def rsqrt(x: Operand) -> Tensor:
    """1 / √x."""
    return call("rsqrt", x)


def reciprocal(x: Operand) -> Tensor:
    """1 / x."""
    return call("reciprocal", x)


def floor(x: Operand) -> Tensor:
    """The greatest integer not above x; integers stay as they are."""
    return _rounded("floor", x)


def ceil(x: Operand) -> Tensor:
    """The least integer not below x; integers stay as they are."""
    return _rounded("ceil", x)


def trunc(x: Operand) -> Tensor:
    """The nearest integer towards 0; integers stay as they are."""
    return _rounded("trunc", x)


def round(x: Operand) -> Tensor:
    """The nearest integer, halves to the even one; integers stay as they are."""
    return _rounded("round", x)


def _rounded(op: str, x: Operand) -> Tensor:
    tensor = as_tensor(x, op)
    return tensor if tensor.dtype.is_integer else call(op, tensor)


def clip(x: Operand, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """x kept within min and max, either of which may be None; NaN stays NaN.

        clip(x, 0, 6)   x: f32[N,3]   ->   f32[N,3]

    The result has the dtype of x. Where min is above max, the result is max.
    """
    tensor = as_tensor(x, "clip")
    if min is None:
        return tensor if max is None else call("minimum", tensor, _bound(max, tensor))
    if max is None:
        return call("maximum", tensor, _bound(min, tensor))
    return call("clip", tensor, _bound(min, tensor), _bound(max, tensor))


def _bound(bound: Operand, x: Tensor) -> Operand:
    """A bound in the dtype of x."""
    if isinstance(bound, builtins.bool | int | float):
        return bound
    tensor = as_tensor(bound, "clip")
    return tensor if tensor.dtype is x.dtype else call("cast", tensor, dtype=x.dtype)


def nan_to_num(x: Operand, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """NaN, inf and -inf replaced by numbers: by `nan`, and by the greatest and least of the dtype where None."""
    from graphc.array.data_types import finfo

    tensor = as_tensor(x, "nan_to_num")
    if not tensor.dtype.is_float:
        return tensor
    info = finfo(tensor.dtype)
    high = info.max if posinf is None else posinf
    low = info.min if neginf is None else neginf
    number = call("where", call("equal", tensor, float("inf")), high, tensor)
    number = call("where", call("equal", number, float("-inf")), low, number)
    return call("where", call("isnan", tensor), nan, number)


__all__ = [
    "abs", "add", "ceil", "clip", "copysign", "divide", "floor", "floor_divide", "fmod", "hypot",
    "maximum", "minimum", "multiply", "nan_to_num", "negative", "nextafter", "positive", "pow", "reciprocal",
    "remainder", "round", "rsqrt", "sign", "signbit", "sqrt", "square", "subtract", "trunc",
]  # fmt: skip
