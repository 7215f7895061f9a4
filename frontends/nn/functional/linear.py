"""Affine maps, and axes joined and parted.

linear(x, weight, bias)        x·Wᵀ + b        x: f32[…,4], weight: f32[3,4], bias: f32[3] -> f32[…,3]
flatten(x, 1)                  f32[N,3,4] -> f32[N,12]
unflatten(x, 1, (3, 4))        f32[N,12] -> f32[N,3,4]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc import array as xp
from graphc.array.operands import extent_product
from graphc.errors import OpAttributeError, ShapeError
from graphc.nn.functional.shape import as_axis, as_tensor, call, fail
from graphc.tensor import Tensor


def linear(input: Any, weight: Any, bias: Any = None) -> Tensor:
    """x·Wᵀ + b over the last axis; the weight has a row for each output."""
    return call("affine", input, weight, bias)


def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Tensor:
    """x₁ᵀ·W_k·x₂ + b_k over the last axes: f32[N,2], f32[N,3], weight f32[4,2,3] -> f32[N,4]."""
    return call("bilinear", input1, input2, weight, bias)


def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Axes `start_dim` to `end_dim`, both included, made one."""
    x = as_tensor(input, "flatten")
    if x.ndim == 0:
        return xp.reshape(x, (1,))
    first, last = (as_axis(dim, x.ndim, "flatten", name="dim") for dim in (start_dim, end_dim))
    if first > last:
        fail(OpAttributeError(f"flatten: start_dim {start_dim} lies behind end_dim {end_dim} for rank {x.ndim}"))
    joined = extent_product(x.shape[first : last + 1])
    return xp.reshape(x, (*x.shape[:first], joined, *x.shape[last + 1 :]))


def unflatten(input: Any, dim: int, sizes: Sequence[Any]) -> Tensor:
    """One axis made several; one of the sizes may be -1: what makes them agree."""
    x = as_tensor(input, "unflatten")
    axis = as_axis(dim, x.ndim, "unflatten", name="dim")
    known = extent_product(size for size in sizes if size != -1)
    free = sum(1 for size in sizes if size == -1)
    if free > 1 or (not free and known != x.shape[axis]):
        fail(
            ShapeError(f"unflatten: sizes {tuple(sizes)} do not make up the {x.shape[axis]} of axis {axis} of {x.type}")
        )
    parts = [x.shape[axis] // known if size == -1 else size for size in sizes]
    if extent_product(parts) != x.shape[axis]:
        fail(ShapeError(f"unflatten: {x.shape[axis]} along axis {axis} of {x.type} is not divisible by {known}"))
    return xp.reshape(x, (*x.shape[:axis], *parts, *x.shape[axis + 1 :]))
