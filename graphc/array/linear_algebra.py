"""Products of matrices and vectors, through `dot_general`.

matmul(x, w)                 x: f32[N,3], w: f32[3,4]            ->   f32[N,4]
matmul(q, k)                 q: f32[B,1,T,8], k: f32[H,8,T]      ->   f32[B,H,T,T]
tensordot(x, w, axes=1)      x: f32[N,T,3], w: f32[3,4]          ->   f32[N,T,4]
vecdot(x, y)                 x, y: f32[N,3]                      ->   f32[N]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.array.contract import Label, Labelled, contract, same_dtype
from graphc.array.joining import narrow
from graphc.array.manipulation import broadcast_to, moveaxis, reshape
from graphc.array.operands import Operand, accumulator, as_axes, as_axis, as_tensor, call, cast, fail
from graphc.dim import broadcast_extent, max_extent, min_extent
from graphc.errors import OpAttributeError, ShapeError
from graphc.tensor import Tensor
from graphc.types import i64


def matmul(x1: Operand, x2: Operand) -> Tensor:
    """The matrix product over the last axis of x1 and the last but one of x2; leading axes broadcast.

        matmul(x, w)   x: f32[N,3], w: f32[3,4]   ->   f32[N,4]

    A vector on the left is a row, on the right a column, and its axis goes. Raises ShapeError where the inner extents
    differ or an operand is a scalar.
    """
    lhs, rhs = same_dtype([as_tensor(x1, "matmul"), as_tensor(x2, "matmul")], "matmul")
    for name, tensor in (("x1", lhs), ("x2", rhs)):
        if tensor.ndim == 0:
            fail(ShapeError(f"matmul: {name} is the scalar {tensor.type}; multiply with *"))
    inner = (lhs.shape[-1], rhs.shape[-2] if rhs.ndim > 1 else rhs.shape[0])
    if inner[0] != inner[1]:
        fail(ShapeError(f"matmul: x1 is {lhs.type} and x2 is {rhs.type}: {inner[0]} columns meet {inner[1]} rows"))
    left: list[Label] = ["k"] if lhs.ndim == 1 else [*_leading(lhs.ndim - 2), "i", "k"]
    right: list[Label] = ["k"] if rhs.ndim == 1 else [*_leading(rhs.ndim - 2), "k", "j"]
    _check_leading("matmul", lhs, rhs, 2)
    result = [*_leading(max(lhs.ndim, rhs.ndim) - 2), *(x for x in "ij" if x in left or x in right)]
    product = contract(Labelled(lhs, tuple(left)), Labelled(rhs, tuple(right)), result)
    return _restored(product, result)


def _leading(count: int) -> list[Label]:
    """Labels of leading axes, counted from the last: … -2, -1."""
    return list(range(-count, 0))


def _check_leading(what: str, lhs: Tensor, rhs: Tensor, inner: int) -> None:
    for back in range(inner + 1, min(lhs.ndim, rhs.ndim) + 1):
        if broadcast_extent(lhs.shape[-back], rhs.shape[-back]) is None:
            fail(
                ShapeError(
                    f"{what}: x1 is {lhs.type} and x2 is {rhs.type}: axis {-back} has "
                    f"{lhs.shape[-back]} and {rhs.shape[-back]}"
                )
            )


def _restored(product: Labelled, result: Sequence[Label]) -> Tensor:
    """With the axes of extent 1 that both operands had."""
    return product.tensor if product.labels == tuple(result) else product.aligned(result)


def tensordot(x1: Operand, x2: Operand, *, axes: Any = 2) -> Tensor:
    """The sum of products over axes of both: the last `axes` of x1 with the first of x2, or two lists of axes.

        tensordot(x, w, axes=1)            x: f32[N,T,3], w: f32[3,4]   ->   f32[N,T,4]
        tensordot(x, w, axes=([0], [1]))   x: f32[N,3], w: f32[4,N]     ->   f32[3,4]

    Raises ShapeError where the extents of a pair differ.
    """
    lhs, rhs = same_dtype([as_tensor(x1, "tensordot"), as_tensor(x2, "tensordot")], "tensordot")
    if isinstance(axes, int):
        if not 0 <= axes <= min(lhs.ndim, rhs.ndim):
            fail(OpAttributeError(f"tensordot: cannot sum over {axes} axes of {lhs.type} and {rhs.type}"))
        left = tuple(range(lhs.ndim - axes, lhs.ndim))
        right = tuple(range(axes))
    else:
        first, second = axes
        left = as_axes(first, lhs.ndim, "tensordot", name="axes[0]")
        right = as_axes(second, rhs.ndim, "tensordot", name="axes[1]")
    if len(left) != len(right):
        fail(OpAttributeError(f"tensordot: {len(left)} axes of x1, but {len(right)} of x2"))
    for a, b in zip(left, right, strict=True):
        if lhs.shape[a] != rhs.shape[b]:
            fail(
                ShapeError(
                    f"tensordot: axis {a} of x1 ({lhs.type}) has {lhs.shape[a]}, but axis {b} of x2 ({rhs.type}) "
                    f"has {rhs.shape[b]}"
                )
            )
    return call("dot_general", lhs, rhs, contract=(left, right), batch=((), ()))


def vecdot(x1: Operand, x2: Operand, *, axis: int = -1) -> Tensor:
    """The sum of products along one axis; the other axes broadcast: f32[N,3] and f32[3] give f32[N]."""
    lhs, rhs = same_dtype([as_tensor(x1, "vecdot"), as_tensor(x2, "vecdot")], "vecdot")
    if axis >= 0 and lhs.ndim != rhs.ndim:
        fail(OpAttributeError(f"vecdot: axis {axis} is ambiguous for {lhs.type} and {rhs.type}; count from the end"))
    left, right = (as_axis(axis, t.ndim, "vecdot") for t in (lhs, rhs))
    if lhs.shape[left] != rhs.shape[right]:
        extents = f"{lhs.shape[left]} and {rhs.shape[right]}"
        fail(ShapeError(f"vecdot: x1 is {lhs.type} and x2 is {rhs.type}: axis {axis} has {extents}"))
    if lhs.ndim == rhs.ndim == 1:
        return call("dot_general", lhs, rhs, contract=((0,), (0,)), batch=((), ()))
    product = call("mul", accumulator(moveaxis(lhs, left, -1)), accumulator(moveaxis(rhs, right, -1)))
    return cast(call("sum", product, axis=(product.ndim - 1,), keepdims=False), lhs.dtype)


def diagonal(x: Operand, *, offset: int = 0) -> Tensor:
    """The diagonal of the last two axes, as a new last one.

    diagonal(x)             x: f32[N,3,4]   ->   f32[N,3]
    diagonal(x, offset=1)   x: f32[N,3,4]   ->   f32[N,3], starting at column 1
    """
    tensor = as_tensor(x, "diagonal")
    if tensor.ndim < 2:
        fail(ShapeError(f"diagonal: takes rank 2 or more, but x is {tensor.type}"))
    rows, columns = tensor.shape[-2:]
    first_row, first_column = max(-offset, 0), max(offset, 0)
    length = max_extent(min_extent(rows - first_row, columns - first_column), 0)
    start = min_extent(first_row, rows) if isinstance(rows, int) else first_row
    block = narrow(tensor, start, start + length, tensor.ndim - 2)
    column: Operand = call("iota", shape=(length, 1), axis=0, dtype=i64)
    if first_column:
        column = call("add", column, first_column)
    indices = reshape(column, (1,) * (tensor.ndim - 2) + (length, 1))
    places = broadcast_to(indices, (*tensor.shape[:-2], length, 1))
    return reshape(call("take_along_axis", block, places, axis=tensor.ndim - 1), (*tensor.shape[:-2], length))


__all__ = ["diagonal", "matmul", "tensordot", "vecdot"]
