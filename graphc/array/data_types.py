"""Data types under the array API: conversion, promotion, and what a dtype can hold.

    astype(x, gc.f16)             x: f32[N,3]   ->   f16[N,3]
    result_type(gc.i8, gc.u8)     ->   i16
    finfo(gc.f32).eps             ->   1.1920929e-07

Wherever a dtype is asked for, a graphc dtype, its name, a NumPy dtype, or bool, int and float will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.array.operands import Operand, as_tensor, cast, fail, is_scalar
from graphc.errors import ArgumentError, DTypeError, OpAttributeError
from graphc.operands import default_dtype
from graphc.tensor import Tensor
from graphc.types import DType, TensorType, as_dtype, promote


@dataclass(frozen=True)
class FloatInfo:
    """The limits of a floating-point dtype: bits, the step after 1, greatest, least, and least normal number."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: DType


@dataclass(frozen=True)
class IntegerInfo:
    """The limits of an integer dtype: bits, greatest and least number."""

    bits: int
    max: int
    min: int
    dtype: DType


def astype(x: Operand, dtype: object, *, copy: bool = True, device: None = None) -> Tensor:
    """The same numbers in another dtype.

        astype(x, gc.i32)   x: f32[N,3]   ->   i32[N,3]

    Floats become integers towards zero, saturating, NaN becoming 0; booleans are 0 and 1. `copy` has no effect, since
    tensors do not change.
    """
    return cast(as_tensor(x, "astype"), as_dtype(dtype))


def dtype_of(x: Any) -> DType:
    """The dtype of a tensor, an array or a tensor type, or a dtype itself."""
    if isinstance(x, DType):
        return x
    if isinstance(x, TensorType):
        return x.dtype
    if isinstance(x, type):
        return as_dtype(x)
    return as_dtype(getattr(x, "dtype", x))


def result_type(*arrays_and_dtypes: Any) -> DType:
    """The dtype that operands of these dtypes are computed in; Python scalars take the dtype of the others.

        result_type(gc.i8, gc.u8)   ->   i16
        result_type(x, 1.5)         ->   f16 for x: f16[N]

    Raises DTypeError where the standard defines no promotion: u64 with signed integers, integers with floats.
    """
    if not arrays_and_dtypes:
        fail(ArgumentError("result_type: takes at least one array, dtype or scalar"))
    scalars = [x for x in arrays_and_dtypes if is_scalar(x)]
    strong = [dtype_of(x) for x in arrays_and_dtypes if not is_scalar(x)]
    try:
        result = promote(*strong) if strong else max(map(default_dtype, scalars), key=_rank)
    except DTypeError as error:
        fail(DTypeError(f"result_type: {error.rule}"))
    for scalar in scalars if strong else ():
        wanted, offered = _rank(default_dtype(scalar)), _rank(result)
        if wanted > offered or (wanted == 0) != (offered == 0):
            fail(DTypeError(f"result_type: a Python {type(scalar).__name__} ({scalar}) does not combine with {result}"))
    return result


def _rank(dtype: DType) -> int:
    """Booleans, integers and floats in this order: a scalar takes a dtype of its own rank or, numbers, above."""
    return 0 if dtype.kind == "bool" else 2 if dtype.is_float else 1


def can_cast(from_: Any, to: object) -> bool:
    """Whether promotion may turn a dtype, or the dtype of a tensor, into another: `can_cast(gc.i8, gc.i16)`."""
    target = as_dtype(to)
    try:
        return promote(dtype_of(from_), target) is target
    except DTypeError:
        return False


_KINDS = {
    "bool": ("bool",),
    "signed integer": ("signed",),
    "unsigned integer": ("unsigned",),
    "integral": ("signed", "unsigned"),
    "real floating": ("float",),
    "complex floating": (),
    "numeric": ("signed", "unsigned", "float"),
}


def isdtype(dtype: object, kind: Any) -> bool:
    """Whether a dtype is another, or of a kind, or of one of several: `isdtype(x.dtype, ("bool", "integral"))`.

    Kinds are "bool", "signed integer", "unsigned integer", "integral", "real floating", "complex floating" and
    "numeric".
    """
    given = as_dtype(dtype)
    if isinstance(kind, tuple):
        return any(isdtype(given, k) for k in kind)
    if isinstance(kind, str):
        if kind not in _KINDS:
            fail(OpAttributeError(f"isdtype: {kind!r} is no kind; there are {', '.join(map(repr, _KINDS))}"))
        return given.kind in _KINDS[kind]
    return given is as_dtype(kind)


def finfo(type: Any) -> FloatInfo:
    """The limits of a floating-point dtype, or of a tensor's: `finfo(gc.f32).max`."""
    dtype = dtype_of(type)
    if not dtype.is_float:
        fail(DTypeError(f"finfo: {dtype} is not a floating-point dtype; see iinfo"))
    if dtype.name == "bf16":
        import ml_dtypes

        info: Any = ml_dtypes.finfo(dtype.numpy)  # type: ignore[no-untyped-call]
    else:
        info = np.finfo(dtype.numpy)
    return FloatInfo(
        bits=dtype.bits,
        eps=float(info.eps),
        max=float(info.max),
        min=float(info.min),
        smallest_normal=float(info.smallest_normal),
        dtype=dtype,
    )


def iinfo(type: Any) -> IntegerInfo:
    """The limits of an integer dtype, or of a tensor's: `iinfo(gc.i8).max` is 127."""
    dtype = dtype_of(type)
    if not dtype.is_integer:
        fail(DTypeError(f"iinfo: {dtype} is not an integer dtype; see finfo"))
    info = np.iinfo(dtype.numpy)
    return IntegerInfo(bits=dtype.bits, max=int(info.max), min=int(info.min), dtype=dtype)


__all__ = ["FloatInfo", "IntegerInfo", "astype", "can_cast", "finfo", "iinfo", "isdtype", "result_type"]
