"""Elements read from and written to computed places.

    take(x, indices, axis=0)                  x: f32[V,8], indices: i64[N,T]     ->   f32[N,T,8]
    take_along_axis(x, indices, axis=1)       x: f32[N,C], indices: i64[N,1]     ->   f32[N,1]
    scatter_add(x, 0, index, src)             x: f32[V,8], index, src: [N,8]     ->   f32[V,8]
    one_hot(labels, 10)                       labels: i64[N]                     ->   i64[N,10]

Reading, negative indices count from the end; writing, they are out of range, as in torch. An index beyond its axis
raises IndexRangeError: at once where its value and the extent are known, else when the graph runs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.array.manipulation import broadcast_to, reshape
from graphc.array.operands import Operand, as_axis, as_tensor, call, cast, fail, shape_of
from graphc.dim import Dim, Extent
from graphc.errors import DTypeError, IndexRangeError, OpAttributeError, ShapeError
from graphc.operands import broadcast_shapes
from graphc.tensor import Tensor
from graphc.types import as_dtype, bool_, i64


def as_indices(indices: Operand, what: str) -> Tensor:
    """Indices as a tensor of integers."""
    tensor = as_tensor(indices, what)
    if not tensor.dtype.is_integer:
        fail(DTypeError(f"{what}: indices are integers, but these are {tensor.type}"))
    return tensor


def from_start(indices: Operand, extent: Extent, what: str) -> Tensor:
    """Indices into an axis of this extent, negative ones counted from its end; those that are known are checked."""
    if isinstance(indices, list | tuple | np.ndarray | int | np.integer):
        known = np.asarray(indices)
        known = known.astype(np.int64) if known.size == 0 else known
        if known.dtype.kind in "iu":
            if isinstance(extent, int):
                return as_tensor(known_from_start(known, extent, what), what)
            if (known >= 0).all():
                return as_tensor(known, what)
    tensor = as_indices(indices, what)
    if tensor.dtype.kind == "unsigned":
        return tensor
    wide = cast(tensor, i64) if isinstance(extent, Dim) or extent > np.iinfo(tensor.dtype.numpy).max else tensor
    return call("where", call("less", wide, 0), call("add", wide, extent), wide)


def known_from_start(indices: np.ndarray[Any, Any], extent: int, what: str) -> np.ndarray[Any, Any]:
    """Known indices into an axis of known extent, counted from its start; IndexRangeError where one is beyond."""
    wrong = indices[(indices < -extent) | (indices >= extent)]
    if wrong.size:
        fail(IndexRangeError(f"{what}: index {wrong.flat[0]} is out of range for an axis of extent {extent}"))
    return np.where(indices < 0, indices + extent, indices)


def take(x: Operand, indices: Operand, axis: int | None = None) -> Tensor:
    """The elements of an axis at these indices, which may have any shape.

        take(x, indices, axis=1)   x: f32[N,10], indices: i64[3]   ->   f32[N,3]

    The axis may be left out where x has rank 1.
    """
    tensor = as_tensor(x, "take")
    if axis is None and tensor.ndim != 1:
        fail(OpAttributeError(f"take: axis must be given for {tensor.type}, which has rank {tensor.ndim}"))
    at = as_axis(0 if axis is None else axis, tensor.ndim, "take")
    return call("take", tensor, from_start(indices, tensor.shape[at], "take"), axis=at)


def take_along_axis(x: Operand, indices: Operand, axis: int = -1) -> Tensor:
    """Along one axis, the elements at indices that are given for each position of the other axes.

        take_along_axis(x, argsort(x, axis=1), axis=1)   x: f32[N,10]   ->   f32[N,10], sorted

    Indices have x's rank; their other extents broadcast with x's. This is torch's `gather`.
    """
    tensor = as_tensor(x, "take_along_axis")
    at = as_axis(axis, tensor.ndim, "take_along_axis")
    where = from_start(indices, tensor.shape[at], "take_along_axis")
    tensor, where = _aligned(tensor, where, at, "take_along_axis")
    return call("take_along_axis", tensor, where, axis=at)


def _aligned(x: Tensor, indices: Tensor, axis: int, what: str) -> tuple[Tensor, Tensor]:
    """Both with the same extents but for one axis."""
    if indices.ndim != x.ndim:
        fail(ShapeError(f"{what}: x is {x.type}, of rank {x.ndim}, but indices are {indices.type}"))

    def without(shape: tuple[Extent, ...]) -> tuple[Extent, ...]:
        return (*shape[:axis], 1, *shape[axis + 1 :])

    try:
        common = broadcast_shapes(without(x.shape), without(indices.shape), what=what)
    except ShapeError as error:
        fail(error)

    def spread(tensor: Tensor) -> Tensor:
        return broadcast_to(tensor, (*common[:axis], tensor.shape[axis], *common[axis + 1 :]))

    return spread(x), spread(indices)


# -- writing ----------------------------------------------------------------------------------------------------------


def scatter(x: Operand, axis: int, index: Operand, src: Operand) -> Tensor:
    """x with elements along one axis replaced: out[index[i,j], j] = src[i,j] for axis 0 (torch's `scatter`).

    index and src have x's rank and equal shapes (src may be a number). Where an index occurs twice, the last wins.
    """
    return _scattered("scatter", "scatter_set", x, axis, index, src)


def scatter_add(x: Operand, axis: int, index: Operand, src: Operand) -> Tensor:
    """x with src added at indices along one axis: out[index[i,j], j] += src[i,j] for axis 0 (torch's `scatter_add`).

    scatter_add(x, 0, index, src)   x: f32[V,8], index: i64[N,8], src: f32[N,8]   ->   f32[V,8]
    """
    return _scattered("scatter_add", "scatter_add", x, axis, index, src)


def _scattered(what: str, op: str, x: Operand, axis: int, index: Operand, src: Operand) -> Tensor:
    tensor, where = as_tensor(x, what), as_indices(index, what)
    at = as_axis(axis, tensor.ndim, what)
    values = full_of(src, where.shape, tensor)
    if values.dtype is not tensor.dtype:
        fail(DTypeError(f"{what}: x is {tensor.type}, but src is {values.type}"))
    return call(op, tensor, where, values, axis=at)


def full_of(value: Operand, shape: tuple[Extent, ...], like: Tensor) -> Tensor:
    """A number everywhere in a shape, in the dtype of another tensor; a tensor as it is."""
    if isinstance(value, bool | int | float):
        return call("full", value=value, shape=shape, dtype=like.dtype)
    return as_tensor(value, "full")


def index_add(x: Operand, axis: int, index: Operand, source: Operand, *, alpha: float = 1) -> Tensor:
    """x with alpha times the slices of source added at indices of one axis (torch's `index_add`).

    index_add(x, 0, index, source)   x: f32[V,8], index: i64[N], source: f32[N,8]   ->   f32[V,8]
    """
    tensor, where, values = as_tensor(x, "index_add"), as_indices(index, "index_add"), as_tensor(source, "index_add")
    at = as_axis(axis, tensor.ndim, "index_add")
    if where.ndim != 1:
        fail(ShapeError(f"index_add: index has rank 1, but it is {where.type}"))
    if values.dtype is not tensor.dtype:
        fail(DTypeError(f"index_add: x is {tensor.type}, but source is {values.type}"))
    scaled = values if alpha == 1 else call("mul", values, alpha)
    return call("index_add", tensor, where, scaled, axis=at)


def masked_fill(x: Operand, mask: Operand, value: Operand) -> Tensor:
    """x with the value where the mask holds; mask and value broadcast (torch's `masked_fill`)."""
    tensor = as_tensor(x, "masked_fill")
    return call("where", mask, value, tensor)


def where(condition: Operand, x1: Operand, x2: Operand) -> Tensor:
    """x1 where the condition holds, else x2; all three broadcast, x1 and x2 promote.

    where(x > 0, x, 0)   x: f32[N,3]   ->   f32[N,3]
    """
    return call("where", condition, x1, x2)


def one_hot(x: Operand, num_classes: Any, *, dtype: object = None) -> Tensor:
    """1 at the position of each label along a new last axis, 0 elsewhere.

        one_hot(labels, 10)   labels: i64[N]   ->   i64[N,10]

    The dtype is that of torch's `one_hot`, i64, unless given. A label outside of 0 to num_classes - 1 gives zeros.
    """
    labels = as_indices(x, "one_hot")
    (classes,) = shape_of(num_classes, "one_hot")
    shape = (*labels.shape, classes)
    position = call("iota", shape=shape, axis=labels.ndim, dtype=labels.dtype)
    hot = call("equal", position, reshape(labels, (*labels.shape, 1)))
    chosen = i64 if dtype is None else as_dtype(dtype)
    return hot if chosen is bool_ else cast(hot, chosen)


__all__ = ["index_add", "masked_fill", "one_hot", "scatter", "scatter_add", "take", "take_along_axis", "where"]
