"""Losses of yes and no: probabilities, logits or scores against targets.

binary_cross_entropy(p, t)                 −t·log p − (1 − t)·log(1 − p)      p, t in [0, 1]
binary_cross_entropy_with_logits(x, t)     the same of p = σ(x), stable for any x
hinge_loss(s, t)                           max(0, 1 − t·s)                    t is 1 or −1
"""

from __future__ import annotations

from typing import Any

from graphc import array as xp
from graphc.nn.functional.activation import logsigmoid
from graphc.nn.functional.shape import call, floating, legacy, reduced, same_shape
from graphc.tensor import Tensor


def binary_cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """−t·log p − (1 − t)·log(1 − p), with logarithms of at least −100, so that p = 0 and p = 1 stay finite.

    f32[N,3], f32[N,3] -> f32[]; `weight` broadcasts with them. ShapeError where input and target differ in shape.
    """
    reduction = legacy("binary_cross_entropy", size_average, reduce, reduction)
    p, t = floating("binary_cross_entropy", input=input, target=target)
    same_shape("binary_cross_entropy", input=p, target=t)
    loss = call("binary_cross_entropy", p, t)
    return reduced(loss if weight is None else loss * weight, reduction)


def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> Tensor:
    """−w·t·log σ(x) − (1 − t)·log(1 − σ(x)), where w is `pos_weight` (1).

    f32[N,3], f32[N,3] -> f32[]; `weight` and `pos_weight` broadcast with them. ShapeError where input and target
    differ in shape.
    """
    reduction = legacy("binary_cross_entropy_with_logits", size_average, reduce, reduction)
    x, t = floating("binary_cross_entropy_with_logits", input=input, target=target)
    same_shape("binary_cross_entropy_with_logits", input=x, target=t)
    positive = 1 if pos_weight is None else 1 + t * (pos_weight - xp.ones_like(t))
    loss = (1 - t) * x - logsigmoid(x) * positive
    return reduced(loss if weight is None else loss * weight, reduction)


def hinge_loss(input: Any, target: Any, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """max(0, margin − t·s) for scores s and targets t of 1 or −1: the binary support vector machine.

    f32[N], f32[N] -> f32[]. torch has it as `margin_ranking_loss` against 0.
    """
    reduction = legacy("hinge_loss", None, None, reduction)
    s, t = floating("hinge_loss", input=input, target=target)
    same_shape("hinge_loss", input=s, target=t)
    return reduced(xp.relu(margin - t * s), reduction)


def soft_margin_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """log(1 + e^(−t·s)) for targets of 1 or −1, stable for any score."""
    reduction = legacy("soft_margin_loss", size_average, reduce, reduction)
    s, t = floating("soft_margin_loss", input=input, target=target)
    same_shape("soft_margin_loss", input=s, target=t)
    return reduced(-logsigmoid(t * s), reduction)


def hinge_embedding_loss(
    input: Any,
    target: Any,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The distance x itself where t = 1, max(0, margin − x) where t = −1; its gradient at x = margin is torch's, −1."""
    reduction = legacy("hinge_embedding_loss", size_average, reduce, reduction)
    x, t = floating("hinge_embedding_loss", input=input, target=target)
    far = xp.where(xp.logical_or(t == 1, x > margin), 0, margin - x)
    return reduced(far + xp.where(t == -1, 0, x), reduction)


def multilabel_soft_margin_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Binary cross-entropy with logits of each class, averaged over the classes (last axis): f32[N,C] -> f32[N]."""
    reduction = legacy("multilabel_soft_margin_loss", size_average, reduce, reduction)
    x, t = floating("multilabel_soft_margin_loss", input=input, target=target)
    same_shape("multilabel_soft_margin_loss", input=x, target=t)
    loss = -(t * logsigmoid(x) + (1 - t) * logsigmoid(-x))
    return reduced(xp.mean(loss if weight is None else loss * weight, axis=-1), reduction)
