"""Composites over 16-bit floats compute in f32 and round each result once, for f16 and bf16 are storage types.

    @composite(vjp=cotangents_in_f32(vjp))
    @computed_in_f32
    def softmax(x, *, axis): ...        # x: f16[N,10]  ->  cast to f32, exp, sum, div, cast to f16

Without it every op of the body would round: e^x summed over 100,000 classes is infinite in f16.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from graphc.errors import DTypeError
from graphc.ops.elementwise import cast
from graphc.types import DType, TensorType, f32

Rule = Callable[..., Any]


def computing_dtype(dtype: DType) -> DType:
    """The dtype that floats of this dtype are computed in."""
    return f32 if dtype.is_float and dtype.bits == 16 else dtype


def widen(x: Any) -> Any:
    """A tensor in the dtype that it is computed in; None and integers stay."""
    if isinstance(x, tuple):
        return tuple(map(widen, x))
    return x if x is None or computing_dtype(x.dtype) is x.dtype else cast(x, dtype=f32)


def narrow(x: Any, dtype: DType) -> Any:
    """A tensor in the dtype that it is stored in; None stays."""
    return x if x is None or x.dtype is dtype else cast(x, dtype=dtype)


def computed_in_f32(body: Rule) -> Rule:
    """A body whose 16-bit operands are widened, and whose result gets the dtype of the first operand."""

    @wraps(body)
    def wrapped(x: Any, *others: Any, **attributes: Any) -> Any:
        return narrow(body(widen(x), *map(widen, others), **attributes), x.dtype)

    return wrapped


def cotangents_in_f32(vjp: Rule) -> Rule:
    """A vjp whose 16-bit tensors are widened, and whose cotangents get the dtypes of the operands."""

    @wraps(vjp)
    def wrapped(g: Any, y: Any, *operands: Any, **attributes: Any) -> tuple[Any, ...]:
        cotangents = vjp(widen(g), widen(y), *map(widen, operands), **attributes)
        return tuple(narrow(c, operand.dtype) for c, operand in zip(cotangents, operands, strict=True))

    return wrapped


def tangents_in_f32(jvp: Rule) -> Rule:
    """A jvp whose 16-bit tensors are widened, and whose tangent gets the dtype of the result."""

    @wraps(jvp)
    def wrapped(tangents: Any, y: Any, *operands: Any, **attributes: Any) -> Any:
        return narrow(jvp(widen(tangents), widen(y), *map(widen, operands), **attributes), y.dtype)

    return wrapped


def check_floats(what: str, **operands: TensorType | None) -> None:
    """Raise DTypeError unless the operands (those that are not None) are floats that compute in one dtype."""
    given = [(name, type) for name, type in operands.items() if type is not None]
    first, reference = given[0]
    for name, type in given:
        if not type.dtype.is_float:
            raise DTypeError(f"{what}: takes floating-point numbers, but {name} is {type}; convert with gc.astype")
        if computing_dtype(type.dtype) is not computing_dtype(reference.dtype):
            raise DTypeError(
                f"{what}: {first} is {reference.dtype}, but {name} is {type.dtype}; convert one with gc.astype"
            )
