"""Arrays in IR text: small ones as numbers, large ones as base64 of their bytes; either reads back exactly.

    f32[2,2]{1.0, 2.0, -inf, nan}
    f32[784]{base64 "AACAPwAAAEA…"}
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from graphc.types import TensorType, type_of

READABLE = 32  # elements; more than this are printed as base64


def print_array(array: np.ndarray[Any, Any]) -> str:
    """The text of an array."""
    type = type_of(array)
    if array.size <= READABLE and not _has_nan_payload(array):
        return f"{type}{{{', '.join(repr(item) for item in array.ravel().tolist())}}}"
    data = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    return f'{type}{{base64 "{base64.b64encode(data).decode()}"}}'


def array_from_numbers(type: TensorType, numbers: list[Any]) -> np.ndarray[Any, Any]:
    """The array of numbers in row-major order; ValueError when there are too few or too many."""
    return np.array(numbers, dtype=type.dtype.numpy).reshape(type.shape)


def array_from_base64(type: TensorType, text: str) -> np.ndarray[Any, Any]:
    """The array of base64 text; ValueError when it is damaged or of the wrong length."""
    data = base64.b64decode(text, validate=True)
    dtype = type.dtype.numpy
    array = np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype)
    return array.reshape(type.shape)


def _has_nan_payload(array: np.ndarray[Any, Any]) -> bool:
    """Whether a NaN carries bits that the word `nan` would lose."""
    if array.dtype.kind not in "fV" or not array.size:
        return False
    nan = np.isnan(array)
    plain = np.full(1, np.nan, array.dtype).view(np.uint8)
    return bool(nan.any()) and not bool((array[nan].reshape(-1, 1).view(np.uint8) == plain).all())
