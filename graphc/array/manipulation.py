"""The same elements under another shape: axes added, dropped, reordered, repeated.

    reshape(x, (N, -1))        x: f32[N,3,4]   ->   f32[N,12]
    permute_dims(x, (0, 2, 1)) x: f32[N,3,4]   ->   f32[N,4,3]
    expand_dims(x, axis=0)     x: f32[N,3]     ->   f32[1,N,3]

Extents may be named dims and polynomials of them: `reshape(x, (x.shape[0] * 3, 4))`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.array.operands import (
    Axis,
    Operand,
    as_axes,
    as_axis,
    as_tensor,
    call,
    extent_product,
    fail,
    shape_of,
)  # fmt: skip
from graphc.dim import Dim, Extent
from graphc.errors import ArgumentError, OpAttributeError, ShapeError
from graphc.operands import broadcast_shapes as common_shape
from graphc.operands import shape_text
from graphc.tensor import Tensor
from graphc.types import Shape, as_shape


def reshape(x: Operand, shape: Any, *, copy: bool | None = None) -> Tensor:
    """The same elements in row-major order under another shape.

        reshape(x, (-1, 4))   x: f32[N,2,6]   ->   f32[3*N,4]

    One extent may be -1: what makes the sizes agree. Raises ShapeError where none does. `copy` has no effect.
    """
    tensor = as_tensor(x, "reshape")
    target = _solved(tensor, _wanted(shape))
    return tensor if target == tensor.shape else call("reshape", tensor, shape=target)


def _wanted(shape: Any) -> list[Extent | None]:
    """The extents asked for, None for -1."""
    extents = list(shape) if isinstance(shape, Sequence) and not isinstance(shape, str) else [shape]
    if sum(_is_free(e) for e in extents) > 1:
        fail(ShapeError(f"reshape: one extent may be -1, but shape {tuple(extents)} has several"))
    return [None if _is_free(e) else shape_of(e, "reshape")[0] for e in extents]


def _is_free(extent: Any) -> bool:
    return not isinstance(extent, Dim | str) and bool(extent == -1)


def _solved(x: Tensor, wanted: list[Extent | None]) -> Shape:
    if None not in wanted:
        return tuple(e for e in wanted if e is not None)
    known = extent_product(e for e in wanted if e is not None)
    text = shape_text(tuple(-1 if e is None else e for e in wanted))
    if known == 0:
        fail(ShapeError(f"reshape: {x.type} to shape {text}: beside an extent of 0, any number would do for -1"))
    free = x.size // known
    if free * known != x.size:
        fail(ShapeError(f"reshape: {x.type} to shape {text}: {x.size} elements are not divisible by {known}"))
    return tuple(free if e is None else e for e in wanted)


def flatten(x: Operand, start_axis: int = 0, end_axis: int = -1) -> Tensor:
    """The axes from the first to the last, merged into one: `flatten(x, 1)` of f32[N,3,4] is f32[N,12]."""
    tensor = as_tensor(x, "flatten")
    if tensor.ndim == 0:
        return reshape(tensor, (1,))
    start = as_axis(start_axis, tensor.ndim, "flatten", name="start_axis")
    end = as_axis(end_axis, tensor.ndim, "flatten", name="end_axis")
    if start > end:
        fail(OpAttributeError(f"flatten: start_axis {start_axis} lies after end_axis {end_axis}"))
    merged = extent_product(tensor.shape[start : end + 1])
    return reshape(tensor, (*tensor.shape[:start], merged, *tensor.shape[end + 1 :]))


def permute_dims(x: Operand, axes: Sequence[int]) -> Tensor:
    """The axes in another order: axis i of the result is axis axes[i] of x.

    permute_dims(x, (2, 0, 1))   x: f32[N,3,4]   ->   f32[4,N,3]
    """
    tensor = as_tensor(x, "permute_dims")
    order = as_axes(tuple(axes), tensor.ndim, "permute_dims", name="axes")
    if len(order) != tensor.ndim:
        fail(OpAttributeError(f"permute_dims: axes {tuple(axes)} do not name all {tensor.ndim} axes of {tensor.type}"))
    return tensor if order == tuple(range(tensor.ndim)) else call("permute_dims", tensor, axes=order)


def matrix_transpose(x: Operand) -> Tensor:
    """The last two axes exchanged: f32[N,3,4] becomes f32[N,4,3]."""
    tensor = as_tensor(x, "matrix_transpose")
    if tensor.ndim < 2:
        fail(ShapeError(f"matrix_transpose: takes rank 2 or more, but x is {tensor.type}"))
    return swapaxes(tensor, -1, -2)


def swapaxes(x: Operand, axis1: int, axis2: int) -> Tensor:
    """Two axes exchanged."""
    tensor = as_tensor(x, "swapaxes")
    a = as_axis(axis1, tensor.ndim, "swapaxes", name="axis1")
    b = as_axis(axis2, tensor.ndim, "swapaxes", name="axis2")
    order = list(range(tensor.ndim))
    order[a], order[b] = order[b], order[a]
    return permute_dims(tensor, order)


def moveaxis(x: Operand, source: Axis, destination: Axis) -> Tensor:
    """Axes moved to new places, the others in their order.

    moveaxis(x, 1, -1)   x: f32[N,3,H,W]   ->   f32[N,H,W,3]
    """
    tensor = as_tensor(x, "moveaxis")
    moved = as_axes(source, tensor.ndim, "moveaxis", name="source")
    places = as_axes(destination, tensor.ndim, "moveaxis", name="destination")
    if len(moved) != len(places):
        fail(OpAttributeError(f"moveaxis: {len(moved)} axes in source {source}, but {len(places)} in {destination}"))
    order = [a for a in range(tensor.ndim) if a not in moved]
    for place, axis in sorted(zip(places, moved, strict=True)):
        order.insert(place, axis)
    return permute_dims(tensor, order)


def expand_dims(x: Operand, axis: int | Sequence[int] = 0) -> Tensor:
    """New axes of extent 1 at these places of the result: `expand_dims(x, 1)` of f32[N,3] is f32[N,1,3]."""
    tensor = as_tensor(x, "expand_dims")
    count = len(axis) if isinstance(axis, Sequence) else 1
    places = as_axes(axis, tensor.ndim + count, "expand_dims")
    old = iter(tensor.shape)
    return reshape(tensor, tuple(1 if i in places else next(old) for i in range(tensor.ndim + count)))


def squeeze(x: Operand, axis: Axis = None) -> Tensor:
    """Axes of extent 1 dropped: `squeeze(x, 1)` of f32[N,1,3] is f32[N,3].

    None drops every axis whose extent is the integer 1. Raises ShapeError where a named axis has another extent.
    """
    tensor = as_tensor(x, "squeeze")
    if axis is None:
        dropped = tuple(i for i, extent in enumerate(tensor.shape) if extent == 1)
    else:
        dropped = as_axes(axis, tensor.ndim, "squeeze")
    for a in dropped:
        if tensor.shape[a] != 1:
            fail(ShapeError(f"squeeze: axis {a} of {tensor.type} has extent {tensor.shape[a]}, not 1"))
    return reshape(tensor, tuple(e for i, e in enumerate(tensor.shape) if i not in dropped))


def broadcast_to(x: Operand, shape: Any) -> Tensor:
    """The elements repeated along axes of extent 1 and new leading axes.

    broadcast_to(x, (N, 3))   x: f32[3]   ->   f32[N,3]
    """
    tensor = as_tensor(x, "broadcast_to")
    target = shape_of(shape, "broadcast_to")
    return tensor if target == tensor.shape else call("broadcast_to", tensor, shape=target)


def broadcast_shapes(*shapes: Any) -> Shape:
    """The shape that these broadcast to: `broadcast_shapes((N, 1), (3,))` is `(N, 3)`. ShapeError where they do not."""
    return common_shape(*(as_shape(shape) for shape in shapes), what="broadcast_shapes")


def broadcast_arrays(*arrays: Operand) -> tuple[Tensor, ...]:
    """All operands in their common shape; dtypes stay."""
    tensors = [as_tensor(x, "broadcast_arrays") for x in arrays]
    try:
        shape = common_shape(*(t.shape for t in tensors), what="broadcast_arrays")
    except ShapeError as error:
        fail(error)
    return tuple(broadcast_to(t, shape) for t in tensors)


def flip(x: Operand, axis: Axis = None) -> Tensor:
    """The elements in reverse order along axes, along all when None."""
    tensor = as_tensor(x, "flip")
    axes = tuple(sorted(as_axes(axis, tensor.ndim, "flip")))
    return call("flip", tensor, axis=axes) if axes else tensor


def require_tensors(arrays: Any, what: str) -> list[Tensor]:
    """A non-empty sequence of operands as tensors; ArgumentError otherwise."""
    if isinstance(arrays, Tensor) or not isinstance(arrays, Sequence) or not arrays:
        fail(ArgumentError(f"{what}: takes a non-empty list or tuple of tensors, not {arrays!r}"))
    return [as_tensor(x, what) for x in arrays]


__all__ = [
    "broadcast_arrays", "broadcast_shapes", "broadcast_to", "expand_dims", "flatten", "flip",
    "matrix_transpose", "moveaxis", "permute_dims", "reshape", "squeeze", "swapaxes",
]  # fmt: skip
