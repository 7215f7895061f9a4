"""The names of `graphc.backends.cpu.pointer` in plain Python: kernels run, slowly, and can be stepped through.

>>> x = f32(row, 1)
>>> x[3] = float32(2); x[3]
np.float32(2.0)
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

__all__ = [
    "address", "bf16", "bool_", "extent", "f16", "f32", "f64", "fail", "fetch", "i8", "i16", "i32", "i64", "share",
    "u8", "u16", "u32", "u64",
]  # fmt: skip

_DTYPES: dict[str, Any] = {
    "bool": np.bool_, "u8": np.uint8, "u16": np.uint16, "u32": np.uint32, "u64": np.uint64, "i8": np.int8,
    "i16": np.int16, "i32": np.int32, "i64": np.int64, "f16": np.uint16, "bf16": np.uint16, "f32": np.float32,
    "f64": np.float64,
}  # fmt: skip
_MOST = 1 << 62  # bytes that an index may reach; nothing is checked


class Pointer:
    """Elements of one dtype from an address on."""

    def __init__(self, dtype: str, base: int) -> None:
        self.base = base
        self.dtype = np.dtype(_DTYPES[dtype])

    def _element(self, index: int) -> Any:
        size = self.dtype.itemsize
        memory = (ctypes.c_char * size).from_address(self.base + int(index) * size)
        return np.frombuffer(memory, self.dtype)

    def __getitem__(self, index: int) -> Any:
        value = self._element(index)[0]
        return int(value) if self.dtype == np.int64 else value

    def __setitem__(self, index: int, value: Any) -> None:
        self._element(index)[0] = value


def _word(row: int, word: int) -> int:
    value: int = ctypes.c_int64.from_address(int(row) + 8 * word).value
    return value


def _pointer(dtype: str) -> Any:
    return lambda row, word: Pointer(dtype, _word(row, word))


f16, bf16, f32, f64 = (_pointer(name) for name in ("f16", "bf16", "f32", "f64"))
u8, u16, u32, u64 = (_pointer(name) for name in ("u8", "u16", "u32", "u64"))
i8, i16, i32, i64 = (_pointer(name) for name in ("i8", "i16", "i32", "i64"))
bool_ = _pointer("bool")


def extent(row: int, word: int) -> int:
    """The number in a word of the row."""
    return _word(row, word)


def share(n: int, slice: int, slices: int) -> int:
    """Where a slice begins."""
    return n * slice // slices


def address(pointer: Pointer, index: int) -> int:
    """The address of an element."""
    return pointer.base + int(index) * int(pointer.dtype.itemsize)


def fetch(start: int, size: int) -> None:
    """Ask for memory ahead of its use: nothing that Python could do."""


def fail(row: int, code: int, found: int) -> None:
    """Report trouble in the row's status block."""
    block = _word(row, 0)
    ctypes.c_int64.from_address(block + 8).value = int(found)
    ctypes.c_int64.from_address(block).value = code
