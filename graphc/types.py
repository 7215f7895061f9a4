"""What a value is: a dtype and a shape whose extents are integers or polynomials in named dims.

    >>> import graphc as gc
    >>> t = gc.f32["N", 784]
    >>> t
    f32[N,784]
    >>> t.rank, t.shape
    (2, (N, 784))

Dtype promotion follows the Python array API standard (2024.12, "Type promotion rules").
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeGuard

import numpy as np

from graphc.dim import Dim, Extent, parse_extent
from graphc.errors import DTypeError, ShapeError

Shape = tuple[Extent, ...]


@dataclass(frozen=True, eq=False)
class DType:
    """A scalar type; indexing it makes a tensor type: `gc.f32["N", 784]`.

    `kind` is "bool", "unsigned", "signed" or "float"; `bits` the width. Instances are singletons.
    """

    name: str
    kind: str
    bits: int

    @property
    def numpy(self) -> np.dtype[Any]:
        """The NumPy dtype (`ml_dtypes.bfloat16` for bf16)."""
        dtype: np.dtype[Any] = numpy_dtype(self.name)
        return dtype

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return max(1, self.bits // 8)

    @property
    def is_float(self) -> bool:
        return self.kind == "float"

    @property
    def is_integer(self) -> bool:
        return self.kind in ("signed", "unsigned")

    def __getitem__(self, shape: object) -> TensorType:
        extents = shape if isinstance(shape, tuple) else (shape,)
        return TensorType(self, tuple(as_extent(e) for e in extents))

    def __call__(self, *extents: object) -> TensorType:
        """`gc.f32()` is the rank-0 type; `gc.f32("N", 3)` is `gc.f32["N", 3]`."""
        return TensorType(self, tuple(as_extent(e) for e in extents))

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        return _named, (self.name,)


bool_ = DType("bool", "bool", 1)
u8, u16, u32, u64 = (DType(f"u{b}", "unsigned", b) for b in (8, 16, 32, 64))
i8, i16, i32, i64 = (DType(f"i{b}", "signed", b) for b in (8, 16, 32, 64))
f16, bf16 = DType("f16", "float", 16), DType("bf16", "float", 16)
f32, f64 = DType("f32", "float", 32), DType("f64", "float", 64)

DTYPES: dict[str, DType] = {d.name: d for d in (bool_, u8, i8, u16, i16, u32, i32, u64, i64, f16, bf16, f32, f64)}
_ARRAY_API_NAMES = {
    "bool": bool_, "uint8": u8, "uint16": u16, "uint32": u32, "uint64": u64, "int8": i8, "int16": i16, "int32": i32,
    "int64": i64, "float16": f16, "bfloat16": bf16, "float32": f32, "float64": f64,
}  # fmt: skip
_NUMPY_NAMES = {dtype.name: name for name, dtype in _ARRAY_API_NAMES.items()}


def _named(name: str) -> DType:
    return DTYPES[name]


@cache
def numpy_dtype(name: str) -> np.dtype[Any]:
    if name == "bf16":
        import ml_dtypes

        bfloat16: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
        return bfloat16
    return np.dtype(_NUMPY_NAMES[name])


def as_dtype(dtype: object) -> DType:
    """A dtype from a `DType`, its name under graphc or the array API, a NumPy dtype, or bool, int, float.

    `as_dtype(np.float32) is gc.f32`. int means i64 and float means f32, the default dtypes.
    Raises DTypeError for anything else (complex numbers, strings, objects).
    """
    if isinstance(dtype, DType):
        return dtype
    if isinstance(dtype, type) and dtype in _PYTHON:
        return _PYTHON[dtype]
    if isinstance(dtype, str) and dtype in DTYPES:
        return DTYPES[dtype]
    try:
        name = np.dtype(dtype).name  # type: ignore[call-overload]
    except TypeError:
        name = None
    if name in _ARRAY_API_NAMES:
        return _ARRAY_API_NAMES[name]
    raise DTypeError(f"{dtype!r} is not a graphc dtype; there are {', '.join(DTYPES)}")


_PYTHON: dict[type, DType] = {bool: bool_, int: i64, float: f32}


def as_extent(extent: object) -> Extent:
    """An extent from a non-negative integer, a `Dim`, or text such as `"N"` and `"4*N"`; ShapeError otherwise."""
    if isinstance(extent, Dim):
        return extent
    if isinstance(extent, str):
        try:
            extent = parse_extent(extent)
        except ValueError as error:
            raise ShapeError(f"{extent!r} is not an extent: {error}") from None
        if isinstance(extent, Dim):
            return extent
    if isinstance(extent, int | np.integer) and not isinstance(extent, bool):
        if extent < 0:
            raise ShapeError(f"an extent is at least 0, but this one is {extent}")
        return int(extent)
    raise ShapeError(f'an extent is an integer or a named dim such as "N", not {extent!r}')


def as_shape(shape: object) -> Shape:
    """A shape from one extent or an iterable of extents."""
    if isinstance(shape, Iterable) and not isinstance(shape, str):
        return tuple(as_extent(e) for e in shape)
    return (as_extent(shape),)


@dataclass(frozen=True)
class TensorType:
    """The type of a value, printed `f32[N,784]`: a dtype and a shape."""

    dtype: DType
    shape: Shape = ()

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> Extent:
        """The number of elements, a polynomial when an extent is one."""
        size: Extent = 1
        for extent in self.shape:
            size = size * extent
        return size

    @property
    def is_static(self) -> bool:
        """Whether all extents are integers."""
        return all(isinstance(e, int) for e in self.shape)

    @property
    def dims(self) -> frozenset[str]:
        """The names of the dims that the extents mention."""
        return frozenset(name for e in self.shape if isinstance(e, Dim) for name in e.names)

    def with_shape(self, shape: Iterable[Extent]) -> TensorType:
        return TensorType(self.dtype, tuple(shape))

    def with_dtype(self, dtype: DType) -> TensorType:
        return TensorType(dtype, self.shape)

    def __str__(self) -> str:
        return f"{self.dtype.name}[{','.join(map(str, self.shape))}]"

    __repr__ = __str__


def type_of(array: np.ndarray[Any, Any]) -> TensorType:
    """The static type of a NumPy array."""
    return TensorType(as_dtype(array.dtype), tuple(array.shape))


def is_spec(value: object) -> TypeGuard[TensorType | np.ndarray[Any, Any]]:
    """Whether a value can declare an input: a tensor type, or a NumPy array with its static extents."""
    return isinstance(value, TensorType | np.ndarray)


def promote(*dtypes: DType) -> DType:
    """The dtype that operands of these dtypes are computed in, as the array API says.

    Raises DTypeError where the standard leaves it undefined: booleans with numbers, u64 with signed integers,
    integers with floats.
    """
    result = dtypes[0]
    for dtype in dtypes[1:]:
        result = _promote(result, dtype)
    return result


@cache
def _promote(a: DType, b: DType) -> DType:
    if a is b:
        return a
    if a.is_float and b.is_float:
        if a.bits == b.bits == 16:
            return f32  # f16 and bf16 hold neither each other's range nor precision
        return a if a.bits > b.bits else b
    if a.is_integer and b.is_integer:
        if a.kind == b.kind:
            return a if a.bits > b.bits else b
        unsigned, signed = (a, b) if a.kind == "unsigned" else (b, a)
        if signed.bits > unsigned.bits:
            return signed
        if unsigned.bits < 64:
            return DTYPES[f"i{2 * unsigned.bits}"]
    raise DTypeError(f"{a} and {b} do not promote to a common dtype; convert one with gc.astype")
