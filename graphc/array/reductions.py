"""Reductions of the array API: axes folded into one value.

    sum(x)                             x: f32[N,3]   ->   f32[]
    mean(x, axis=0)                    x: f32[N,3]   ->   f32[3]
    max(x, axis=(0, -1), keepdims=True)  x: f32[N,3,4] ->   f32[1,3,1]

`axis` is None for all axes, one axis, or a tuple of axes, negative ones counted from the end. Axes that are out of
range raise OpAttributeError. Over no elements, sums are 0, products 1, means NaN, and extrema raise ShapeError.
"""

from __future__ import annotations

import builtins

from graphc.array.operands import (
    Axis,
    Operand,
    accumulator,
    as_tensor,
    call,
    cast,
    extent_product,
    fail,
    reduced_axes,
)  # fmt: skip
from graphc.dim import Extent, max_extent
from graphc.errors import DTypeError
from graphc.tensor import Tensor
from graphc.types import DType, as_dtype, bool_, i64, u64


def summed_dtype(x: Tensor, dtype: object, what: str) -> DType:
    """The dtype of a sum or product: small integers and booleans accumulate in 64 bits unless told otherwise."""
    if dtype is not None:
        wanted = as_dtype(dtype)
        if x.dtype.is_float and not wanted.is_float:
            fail(DTypeError(f"{what}: {x.type} has floating-point elements, but dtype is {wanted}"))
        return wanted
    if x.dtype.kind == "unsigned":
        return u64
    return x.dtype if x.dtype.is_float else i64


def _reduce(op: str, x: Tensor, axis: Axis, keepdims: bool, what: str | None = None) -> Tensor:
    return call(op, x, axis=reduced_axes(axis, x.ndim, what or op), keepdims=bool(keepdims))


def sum(x: Operand, axis: Axis = None, *, dtype: object = None, keepdims: bool = False) -> Tensor:
    """The sum; 0 over no elements.

        sum(x, axis=1)   x: f32[N,3]   ->   f32[N]

    Integers and booleans sum in 64 bits, floats in their own dtype, unless `dtype` says otherwise.
    """
    tensor = as_tensor(x, "sum")
    return _reduce("sum", cast(tensor, summed_dtype(tensor, dtype, "sum")), axis, keepdims)


def prod(x: Operand, axis: Axis = None, *, dtype: object = None, keepdims: bool = False) -> Tensor:
    """The product; 1 over no elements. Dtypes as in `sum`."""
    tensor = as_tensor(x, "prod")
    return _reduce("prod", cast(tensor, summed_dtype(tensor, dtype, "prod")), axis, keepdims)


def max(x: Operand, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The greatest element; NaN where there is one. ShapeError over an axis of extent 0."""
    return _reduce("max", as_tensor(x, "max"), axis, keepdims)


def min(x: Operand, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The least element; NaN where there is one. ShapeError over an axis of extent 0."""
    return _reduce("min", as_tensor(x, "min"), axis, keepdims)


def any(x: Operand, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Whether one element is true, or not zero; false over no elements."""
    return _reduce("any", _truth(as_tensor(x, "any")), axis, keepdims)


def all(x: Operand, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """Whether all elements are true, or not zero; true over no elements."""
    return _reduce("all", _truth(as_tensor(x, "all")), axis, keepdims)


def count_nonzero(x: Operand, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The number of elements that are true, or not zero: i64."""
    truth = _truth(as_tensor(x, "count_nonzero"))
    return _reduce("sum", cast(truth, i64), axis, keepdims, "count_nonzero")


def _truth(x: Tensor) -> Tensor:
    return x if x.dtype is bool_ else call("not_equal", x, 0)


def floating(x: Operand, what: str) -> Tensor:
    """A tensor of floating-point numbers; DTypeError otherwise."""
    tensor = as_tensor(x, what)
    if not tensor.dtype.is_float:
        fail(DTypeError(f"{what}: takes floating-point numbers, but x is {tensor.type}; convert with gc.astype"))
    return tensor


def _count(x: Tensor, axes: tuple[int, ...]) -> Extent:
    return extent_product(x.shape[a] for a in axes)


def mean(x: Operand, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """The arithmetic mean, Σx / n; NaN over no elements.

        mean(x, axis=0)   x: f32[N,3]   ->   f32[3]

    16-bit floats are averaged in f32 and rounded once.
    """
    tensor = floating(x, "mean")
    axes = reduced_axes(axis, tensor.ndim, "mean")
    total = call("sum", accumulator(tensor), axis=axes, keepdims=bool(keepdims))
    return cast(call("div", total, _count(tensor, axes)), tensor.dtype)


def var(x: Operand, axis: Axis = None, *, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The variance, Σ(x - mean)² / (n - correction); `correction=1` is the unbiased estimate of a sample.

        var(x, axis=0)   x: f32[N,3]   ->   f32[3]

    NaN or infinite where n ≤ correction, NaN over no elements.
    """
    tensor = floating(x, "var")
    return cast(_variance(accumulator(tensor), axis, correction, keepdims, "var"), tensor.dtype)


def std(x: Operand, axis: Axis = None, *, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The standard deviation, the root of `var`."""
    tensor = floating(x, "std")
    return cast(call("sqrt", _variance(accumulator(tensor), axis, correction, keepdims, "std")), tensor.dtype)


def _variance(x: Tensor, axis: Axis, correction: float, keepdims: bool, what: str) -> Tensor:
    axes = reduced_axes(axis, x.ndim, what)
    count = _count(x, axes)
    center = call("div", call("sum", x, axis=axes, keepdims=True), count)
    total = call("sum", call("square", call("sub", x, center)), axis=axes, keepdims=bool(keepdims))
    return call("div", total, _degrees_of_freedom(count, correction, x))


def _degrees_of_freedom(count: Extent, correction: float, x: Tensor) -> Operand:
    """max(n - correction, 0), an extent where the correction is whole."""
    if float(correction).is_integer():
        return max_extent(count - int(correction), 0) if correction else count
    if isinstance(count, int):
        return builtins.max(count - correction, 0.0)
    number = call("sub", call("full", value=count, shape=(), dtype=x.dtype), correction)
    return call("maximum", number, 0)


def logsumexp(x: Operand, axis: Axis = None, *, keepdims: bool = False) -> Tensor:
    """log Σ eˣ without overflow; -inf over no elements.

    logsumexp(x, axis=-1)   x: f32[N,10]   ->   f32[N]
    """
    tensor = floating(x, "logsumexp")
    return _reduce("logsumexp", tensor, axis, keepdims)


__all__ = [
    "all", "any", "count_nonzero", "logsumexp", "max", "mean", "min", "prod", "std", "sum", "var",
]  # fmt: skip
