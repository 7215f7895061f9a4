"""Losses of pairs and triples: which is larger, which is nearer.

margin_ranking_loss(a, b, t)       max(0, margin − t·(a − b))                  t is 1 where a should be larger, or −1
cosine_embedding_loss(a, b, t)     1 − cos(a, b) for t = 1, max(0, cos − margin) for t = −1
triplet_margin_loss(a, p, n)       max(0, margin + |a − p| − |a − n|)
"""

from __future__ import annotations

from typing import Any

from graphc import array as xp
from graphc.errors import OpAttributeError, ShapeError
from graphc.nn.functional.distance import pairwise_distance
from graphc.nn.functional.shape import fail, floating, legacy, reduced, same_shape, shape_text
from graphc.tensor import Tensor


def margin_ranking_loss(
    input1: Any,
    input2: Any,
    target: Any,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, margin − t·(x₁ − x₂))."""
    reduction = legacy("margin_ranking_loss", size_average, reduce, reduction)
    a, b, t = floating("margin_ranking_loss", input1=input1, input2=input2, target=target)
    if not a.ndim == b.ndim == t.ndim:
        shapes = ", ".join(shape_text(x.shape) for x in (a, b, t))
        fail(ShapeError(f"margin_ranking_loss: inputs and target have as many axes, but their shapes are {shapes}"))
    return reduced(xp.relu(margin - t * (a - b)), reduction)


def cosine_embedding_loss(
    input1: Any,
    input2: Any,
    target: Any,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 − cos(x₁, x₂) where t = 1, max(0, cos(x₁, x₂) − margin) where t = −1: f32[N,D], f32[N,D], f32[N] -> f32[]."""
    reduction = legacy("cosine_embedding_loss", size_average, reduce, reduction)
    a, b = floating("cosine_embedding_loss", input1=input1, input2=input2)
    same_shape("cosine_embedding_loss", input1=a, input2=b)
    smallest = 1e-12
    lengths = xp.sqrt((xp.sum(a * a, axis=-1) + smallest) * (xp.sum(b * b, axis=-1) + smallest))
    cosine = xp.sum(a * b, axis=-1) / lengths
    near = xp.where(xp.equal(target, 1), 1 - cosine, 0)
    return reduced(near + xp.where(xp.equal(target, -1), xp.relu(cosine - margin), 0), reduction)


def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, margin + d(a, p) − d(a, n)), d being the p-norm distance; `swap` takes d(p, n) where that is smaller.

    f32[N,D] three times -> f32[]. Source: Balntas et al., Learning shallow convolutional feature descriptors with
    triplet losses, 2016.
    """
    reduction = legacy("triplet_margin_loss", size_average, reduce, reduction)
    if margin <= 0:
        fail(OpAttributeError(f"triplet_margin_loss: margin is above 0, but it is {margin}"))
    near = pairwise_distance(anchor, positive, p, eps)
    far = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = xp.minimum(far, pairwise_distance(positive, negative, p, eps))
    return reduced(xp.relu(margin + near - far), reduction)
