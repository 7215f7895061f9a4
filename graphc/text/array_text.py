"""Numbers and arrays in IR text: small arrays as numbers, large ones as base64 of their bytes; both read back exactly.

f32[2,2]{1.0, 0.1, -inf, nan}
f32[784]{base64 "AACAPwAAAEA…"}
"""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np

from graphc.dim import Dim
from graphc.types import DType, TensorType, type_of

READABLE = 32  # elements; more than this are printed as base64


def print_array(array: np.ndarray[Any, Any]) -> str:
    """The text of an array."""
    type = type_of(array)
    if array.size <= READABLE and not _has_nan_payload(array):
        return f"{type}{{{', '.join(_print_element(item) for item in array.ravel())}}}"
    data = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    return f'{type}{{base64 "{base64.b64encode(data).decode()}"}}'


def _print_element(element: Any) -> str:
    """The shortest of the texts that read back as this element: `0.1` for the f32 next to it."""
    exact = repr(element.item())
    short = str(element)
    is_shorter = len(short) < len(exact) and not short.lstrip("-").isdigit()
    return short if is_shorter and element.dtype.type(float(short)) == element else exact


def array_from_numbers(type: TensorType, numbers: list[Any]) -> np.ndarray[Any, Any]:
    """The array of numbers in row-major order; ValueError when they are too few, too many, or not of the dtype."""
    _check_size(type, len(numbers), "numbers")
    for number in numbers:
        if problem := number_problem(number, type.dtype):
            raise ValueError(problem)
    if type.dtype.is_float:
        numbers = [float(number) for number in numbers]
    with np.errstate(over="ignore"):
        array = np.array(numbers, dtype=type.dtype.numpy)
    for number, element in zip(numbers, array, strict=True):
        if type.dtype.is_float and np.isinf(element) and not math.isinf(number):
            raise ValueError(f"{number} is out of range for {type.dtype}")
    return array.reshape(type.shape)


def array_from_base64(type: TensorType, text: str) -> np.ndarray[Any, Any]:
    """The array of base64 text; ValueError when it is damaged or of the wrong length."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError(f"damaged base64 text: {error}") from None
    dtype = type.dtype.numpy
    _check_size(type, len(data) / dtype.itemsize, f"elements of {dtype.itemsize} bytes")
    if type.dtype.kind == "bool" and data.strip(b"\0\1"):
        raise ValueError("a byte of a bool array is neither 0 nor 1")
    return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype).reshape(type.shape)


def number_problem(value: Any, dtype: DType) -> str | None:
    """Why a number or an extent is no value of a dtype; None where it is one.

    Any integer serves as a float, but neither a boolean as a number nor a float as an integer.
    """
    if isinstance(value, bool) or dtype.kind == "bool":
        fits = isinstance(value, bool) and dtype.kind == "bool"
    else:
        fits = dtype.is_float or isinstance(value, int | Dim)
    if not fits:
        return f"{value} is no value of {dtype}"
    if dtype.is_integer and isinstance(value, int):
        info = np.iinfo(dtype.numpy)
        if not info.min <= value <= info.max:
            return f"{value} is out of range for {dtype} ({info.min} to {info.max})"
    return None


def _check_size(type: TensorType, count: float, what: str) -> None:
    size = type.size
    if isinstance(size, Dim):
        raise ValueError(f"an array has integer extents, unlike {type}")
    if count != size:
        raise ValueError(f"{type} has {size} {what}, but {count:g} are given")


def _has_nan_payload(array: np.ndarray[Any, Any]) -> bool:
    """Whether a NaN carries bits that the word `nan` would lose."""
    if array.dtype.kind not in "fV" or not array.size:
        return False
    nan = np.isnan(array)
    plain = np.full(1, math.nan, array.dtype).view(np.uint8)
    return bool(nan.any()) and not bool((array[nan].reshape(-1, 1).view(np.uint8) == plain).all())
