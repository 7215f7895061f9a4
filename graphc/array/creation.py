"""Tensors made from nothing but numbers, inside a trace.

    zeros((N, 3))             ->   f32[N,3]
    arange(N)                 ->   i64[N]
    eye(3, dtype=gc.f64)      ->   f64[3,3]
    linspace(0, 1, 5)         ->   f32[5]

Shapes may hold named dims: `zeros(x.shape)`, `arange(x.shape[0])`. The default dtypes are f32, i64 and bool. `device`
is accepted and has no effect: where a graph runs is decided when it is compiled.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import numpy as np

from graphc.array.manipulation import broadcast_to, reshape
from graphc.array.operands import Operand, as_tensor, call, cast, extent_product, fail, shape_of
from graphc.dim import Dim, Extent, max_extent
from graphc.errors import ArgumentError, DTypeError, OpAttributeError, ShapeError
from graphc.operands import default_dtype
from graphc.tensor import Tensor
from graphc.types import DType, as_dtype, bool_, f32, f64, i64

Number: TypeAlias = Any  # int, float, or an extent


def asarray(obj: Operand, *, dtype: object = None, device: None = None, copy: bool | None = None) -> Tensor:
    """A tensor from a tensor, an array, nested lists of numbers, or a number.

        asarray([[1, 2], [3, 4]])   ->   i64[2,2]

    Python floats become f32, integers i64; arrays keep their dtype.
    """
    tensor = as_tensor(obj, "asarray")
    return tensor if dtype is None else cast(tensor, as_dtype(dtype))


def full(shape: Any, fill_value: Operand, *, dtype: object = None, device: None = None) -> Tensor:
    """One value everywhere: `full((N, 3), 0.5)` is f32[N,3]. The value is a number, an extent, or a rank-0 tensor."""
    target = shape_of(shape, "full")
    if isinstance(fill_value, np.generic):
        dtype, fill_value = dtype or fill_value.dtype, fill_value.item()
    if not isinstance(fill_value, bool | int | float | Dim):
        tensor = as_tensor(fill_value, "full")
        if tensor.ndim:
            fail(ShapeError(f"full: the value is a scalar, not {tensor.type}; use gc.broadcast_to"))
        return broadcast_to(tensor if dtype is None else cast(tensor, as_dtype(dtype)), target)
    chosen = default_dtype(fill_value) if dtype is None else as_dtype(dtype)
    return call("full", value=_fitting(fill_value, chosen), shape=target, dtype=chosen)


def _fitting(value: bool | int | float | Dim, dtype: DType) -> bool | int | float | Dim:
    """The value as a Python number of the dtype's kind; DTypeError where it would change."""
    if isinstance(value, Dim):
        return value
    if dtype.is_float:
        return float(value)
    if value != value or math.isinf(value) or int(value) != value:
        fail(DTypeError(f"full: {value} is no {dtype}"))
    if dtype is bool_:
        if value not in (0, 1):
            fail(DTypeError(f"full: {value} is no bool"))
        return bool(value)
    info = np.iinfo(dtype.numpy)
    if not info.min <= value <= info.max:
        fail(DTypeError(f"full: {value} is out of range for {dtype} ({info.min} to {info.max})"))
    return int(value)


def zeros(shape: Any, *, dtype: object = None, device: None = None) -> Tensor:
    """Zeros: `zeros((N, 3))` is f32[N,3]."""
    return full(shape, 0, dtype=f32 if dtype is None else dtype)


def ones(shape: Any, *, dtype: object = None, device: None = None) -> Tensor:
    """Ones: `ones((N, 3))` is f32[N,3]."""
    return full(shape, 1, dtype=f32 if dtype is None else dtype)


def empty(shape: Any, *, dtype: object = None, device: None = None) -> Tensor:
    """Zeros: the standard leaves the values open, and a graph's are always defined."""
    return zeros(shape, dtype=dtype)


def full_like(x: Operand, fill_value: Operand, *, dtype: object = None, device: None = None) -> Tensor:
    """One value everywhere, in the shape and dtype of x."""
    tensor = as_tensor(x, "full_like")
    return full(tensor.shape, fill_value, dtype=tensor.dtype if dtype is None else dtype)


def zeros_like(x: Operand, *, dtype: object = None, device: None = None) -> Tensor:
    """Zeros in the shape and dtype of x."""
    return full_like(x, 0, dtype=dtype)


def ones_like(x: Operand, *, dtype: object = None, device: None = None) -> Tensor:
    """Ones in the shape and dtype of x."""
    return full_like(x, 1, dtype=dtype)


def empty_like(x: Operand, *, dtype: object = None, device: None = None) -> Tensor:
    """Zeros in the shape and dtype of x, as `empty`."""
    return zeros_like(x, dtype=dtype)


def arange(
    start: Number, stop: Number = None, step: Number = 1, *, dtype: object = None, device: None = None
) -> Tensor:
    """start, start + step … up to and without stop: ⌈(stop - start) / step⌉ numbers.

    arange(5)               ->   i64[5]
    arange(x.shape[0])      ->   i64[N]
    arange(0, 1, 0.25)      ->   f32[4]
    """
    if stop is None:
        start, stop = 0, start
    numbers = tuple(n.item() if isinstance(n, np.generic) else n for n in (start, stop, step))
    if any(isinstance(n, bool) or not isinstance(n, int | float | Dim) for n in numbers):
        fail(ArgumentError(f"arange: takes numbers and extents, not {numbers}; the length must be known"))
    first, last, by = numbers
    if by == 0:
        fail(OpAttributeError("arange: step is 0"))
    count = _count(first, last, by)
    chosen = as_dtype(dtype) if dtype is not None else f32 if any(isinstance(n, float) for n in numbers) else i64
    if chosen is bool_:
        fail(DTypeError("arange: gives numbers, not booleans"))
    if first == 0 and by == 1:
        return positions(count, chosen)
    wide = f64 if chosen.is_float else i64
    line = positions(count, wide)
    line = line if by == 1 else call("mul", line, by)
    line = line if first == 0 else call("add", line, first)
    return cast(line, chosen)


def _count(start: Number, stop: Number, step: Number) -> Extent:
    if all(isinstance(n, int) for n in (start, stop, step)):
        return len(range(start, stop, step))
    if any(isinstance(n, float) for n in (start, stop, step)):
        if any(isinstance(n, Dim) for n in (start, stop, step)):
            fail(ArgumentError(f"arange: floats and extents do not mix, as in ({start}, {stop}, {step})"))
        exact: float = (stop - start) / step
        return max(0, math.ceil(exact))
    return max_extent(-((start - stop) // step), 0)


def positions(count: Extent, dtype: DType = i64) -> Tensor:
    """0, 1, 2 … of rank 1."""
    return call("iota", shape=(count,), axis=0, dtype=dtype)


def linspace(
    start: float, stop: float, num: Any, *, dtype: object = None, device: None = None, endpoint: bool = True
) -> Tensor:
    """`num` evenly spaced numbers from start to stop, stop included unless `endpoint` is False.

    linspace(0, 1, 5)   ->   f32[5]: 0, 0.25, 0.5, 0.75, 1
    """
    chosen = f32 if dtype is None else as_dtype(dtype)
    if not chosen.is_float:
        fail(DTypeError(f"linspace: gives floating-point numbers, not {chosen}"))
    (count,) = shape_of(num, "linspace")
    line = positions(count, f64)
    intervals = max_extent(count - 1, 1) if endpoint else max_extent(count, 1)
    spread = call("div", call("mul", line, float(stop) - float(start)), intervals)
    values = call("add", spread, float(start))
    if endpoint:  # rounding must not move the last number
        values = call("where", call("equal", line, intervals), float(stop), values)
    return cast(values, chosen)


# -- matrices ---------------------------------------------------------------------------------------------------------


def _compared(comparison: str, k: int, rows: Extent, columns: Extent) -> Tensor:
    """Of a matrix, where column `comparison` row + k."""
    row = call("iota", shape=(rows, columns), axis=0, dtype=i64)
    column = call("iota", shape=(rows, columns), axis=1, dtype=i64)
    return call(comparison, column, call("add", row, k) if k else row)


def eye(n_rows: Any, n_cols: Any = None, *, k: int = 0, dtype: object = None, device: None = None) -> Tensor:
    """Ones on the k-th diagonal, zeros elsewhere: `eye(3)` is f32[3,3]."""
    rows, columns = shape_of((n_rows, n_rows if n_cols is None else n_cols), "eye")
    return cast(_compared("equal", k, rows, columns), f32 if dtype is None else as_dtype(dtype))


def _matrices(x: Operand, what: str) -> Tensor:
    tensor = as_tensor(x, what)
    if tensor.ndim < 2:
        fail(ShapeError(f"{what}: takes rank 2 or more, but x is {tensor.type}"))
    return tensor


def tril(x: Operand, *, k: int = 0) -> Tensor:
    """The elements on and below the k-th diagonal of the last two axes, zeros above."""
    tensor = _matrices(x, "tril")
    return call("where", _compared("less_equal", k, *tensor.shape[-2:]), tensor, _zero(tensor))


def triu(x: Operand, *, k: int = 0) -> Tensor:
    """The elements on and above the k-th diagonal of the last two axes, zeros below."""
    tensor = _matrices(x, "triu")
    return call("where", _compared("greater_equal", k, *tensor.shape[-2:]), tensor, _zero(tensor))


def _zero(x: Tensor) -> bool | int:
    return False if x.dtype is bool_ else 0


def meshgrid(*arrays: Operand, indexing: Literal["xy", "ij"] = "xy") -> tuple[Tensor, ...]:
    """Coordinate grids: two tensors of 4 and of 3 give two of (3, 4), or of (4, 3) with `indexing="ij"`."""
    if indexing not in ("xy", "ij"):
        fail(OpAttributeError(f'meshgrid: indexing is "xy" or "ij", not {indexing!r}'))
    lines = [as_tensor(x, "meshgrid") for x in arrays]
    for line in lines:
        if line.ndim > 1:
            fail(ShapeError(f"meshgrid: takes tensors of rank 1, not {line.type}"))
    extents: list[Extent] = [extent_product(line.shape) for line in lines]
    axes = list(range(len(lines)))
    if indexing == "xy" and len(lines) > 1:
        axes[:2] = [1, 0]
    shape: list[Extent] = [1] * len(lines)
    for at, extent in zip(axes, extents, strict=True):
        shape[at] = extent
    return tuple(
        broadcast_to(reshape(line, tuple(e if i == at else 1 for i, e in enumerate(shape))), tuple(shape))
        for at, line in zip(axes, lines, strict=True)
    )


__all__ = [
    "arange", "asarray", "empty", "empty_like", "eye", "full", "full_like", "linspace", "meshgrid", "ones",
    "ones_like", "tril", "triu", "zeros", "zeros_like",
]  # fmt: skip
