"""Lengths, angles and distances of vectors.

normalize(x, dim=1)               x / max(‖x‖, eps)              f32[N,D] -> f32[N,D]
cosine_similarity(a, b, dim=1)    a·b / (‖a‖·‖b‖)                f32[N,D], f32[N,D] -> f32[N]
pairwise_distance(a, b)           ‖a − b + eps‖                  f32[N,D], f32[N,D] -> f32[N]
"""

from __future__ import annotations

import math
from typing import Any

from graphc import array as xp
from graphc.nn.functional.shape import as_axis, floating
from graphc.tensor import Tensor


def at_least(x: Tensor, bound: float) -> Tensor:
    """max(x, bound) with the gradient of x itself: torch clamps some denominators outside of differentiation."""
    return xp.add(x, xp.stop_gradient(xp.maximum(x, bound) - x))


def norm(x: Tensor, p: float, axis: int, keepdims: bool = False) -> Tensor:
    """(Σ |x|^p)^(1/p), the largest |x| for p = inf; with gradient 0 at the zero vector."""
    if p == math.inf:
        return xp.max(xp.abs(x), axis=axis, keepdims=keepdims)
    if p == 1:
        return xp.sum(xp.abs(x), axis=axis, keepdims=keepdims)
    total = xp.sum(xp.square(x) if p == 2 else xp.pow(xp.abs(x), p), axis=axis, keepdims=keepdims)
    positive = total > 0
    base = xp.where(positive, total, 1)
    return xp.where(positive, xp.sqrt(base) if p == 2 else xp.pow(base, 1 / p), total)


def normalize(input: Any, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """x / max(‖x‖ₚ, eps) along an axis."""
    (x,) = floating("normalize", input=input)
    axis = as_axis(dim, x.ndim, "normalize", name="dim")
    return xp.divide(x, xp.maximum(norm(x, p, axis, keepdims=True), eps))


def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors along an axis; lengths below eps count as eps. Shapes broadcast."""
    a, b = xp.broadcast_arrays(*floating("cosine_similarity", x1=x1, x2=x2))
    axis = as_axis(dim, a.ndim, "cosine_similarity", name="dim")
    lengths = [at_least(norm(x, 2.0, axis, keepdims=True), eps) for x in (a, b)]
    return xp.sum((a / lengths[0]) * (b / lengths[1]), axis=axis)


def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """‖x₁ − x₂ + eps‖ₚ along the last axis."""
    a, b = floating("pairwise_distance", x1=x1, x2=x2)
    return norm(a - b + eps, p, -1, keepdims=keepdim)
