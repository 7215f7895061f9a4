"""Index arrays on several axes at once: x[i, j] is a take from x with those axes merged.

take_elements(x, [Index(0, i), Index(1, j)], to_front=False)   x: f32[N,C,8], i, j: i64[T]   ->   f32[T,8]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.array.gathering import from_start, take
from graphc.array.manipulation import moveaxis, permute_dims, reshape
from graphc.array.operands import call, cast, extent_product, fail
from graphc.dim import Extent
from graphc.errors import ShapeError
from graphc.operands import broadcast_shapes
from graphc.tensor import Tensor
from graphc.types import i64


@dataclass(frozen=True)
class Index:
    """An array of integers that picks elements of one axis."""

    axis: int
    values: Tensor | np.ndarray[Any, Any]


def take_elements(x: Tensor, indices: Sequence[Index], *, to_front: bool) -> Tensor:
    """The elements at the indices, which broadcast together; their axes replace the first indexed one, or lead."""
    first = 0 if to_front else indices[0].axis
    if len(indices) == 1:
        (index,) = indices
        taken = take(x, index.values, index.axis)
        rank = taken.ndim - x.ndim + 1
        if first == index.axis or rank == 0:
            return taken
        return moveaxis(taken, tuple(range(index.axis, index.axis + rank)), tuple(range(rank)))
    axes = [index.axis for index in indices]
    rest = [a for a in range(x.ndim) if a not in axes]
    before = sum(a < first for a in rest)
    ordered = permute_dims(x, (*rest[:before], *axes, *rest[before:]))
    extents = [x.shape[a] for a in axes]
    shape = ordered.shape
    merged = reshape(ordered, (*shape[:before], extent_product(extents), *shape[before + len(axes) :]))
    return call("take", merged, _merged([index.values for index in indices], extents), axis=before)


def _merged(indices: Sequence[Tensor | np.ndarray[Any, Any]], extents: Sequence[Extent]) -> Any:
    """Indices into the merged axis: (i·e + j)·f + k. ShapeError where they do not broadcast together."""
    try:
        broadcast_shapes(*(tuple(index.shape) for index in indices), what="getitem: index arrays")
    except ShapeError as error:
        fail(error)
    if all(isinstance(i, np.ndarray) for i in indices) and all(isinstance(e, int) for e in extents):
        return np.ravel_multi_index(np.broadcast_arrays(*indices), tuple(extents)).astype(np.int64)
    total: Tensor | None = None
    valid: Tensor | None = None
    for index, extent in zip(indices, extents, strict=True):
        known = isinstance(index, np.ndarray) and isinstance(extent, int)  # and checked, when the key was read
        position = cast(from_start(index, extent, "getitem"), i64)
        if not known:
            within = call("logical_and", call("greater_equal", position, 0), call("less", position, extent))
            valid = within if valid is None else call("logical_and", valid, within)
        total = position if total is None else call("add", call("mul", total, extent), position)
    assert valid is not None, "indices that are all known are merged above"
    # An index beyond its own axis must not pass for one of a neighbouring row: it goes beyond the merged axis.
    return call("where", valid, total, extent_product(extents))
