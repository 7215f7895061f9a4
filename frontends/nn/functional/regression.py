"""Losses of numbers against numbers.

    mse_loss(input, target)      Σ (x − y)² / n      f32[N,3], f32[N,3] -> f32[]
    l1_loss                      Σ |x − y| / n
    smooth_l1_loss(beta)         (x − y)²/2β within β of the target, |x − y| − β/2 beyond
    huber_loss(delta)            (x − y)²/2 within δ, δ(|x − y| − δ/2) beyond

Shapes broadcast, with a warning, for that is seldom meant: f32[N] against f32[N,1] gives f32[N,N].
"""

from __future__ import annotations

import warnings
from typing import Any

from graphc import array as xp
from graphc.errors import OpAttributeError, ShapeError
from graphc.nn.functional.shape import fail, floating, legacy, reduced, same_shape, shape_text
from graphc.operands import broadcast_shapes
from graphc.tensor import Tensor


def _difference(what: str, input: Any, target: Any) -> Tensor:
    x, y = floating(what, input=input, target=target)
    if x.shape != y.shape:
        try:
            common = shape_text(broadcast_shapes(x.shape, y.shape, what=what))
        except ShapeError as error:
            fail(error)
        warnings.warn(
            f"{what}: the target has shape {shape_text(y.shape)} and the input {shape_text(x.shape)}; "
            f"they broadcast to {common}, which is seldom meant",
            stacklevel=3,
        )
    return xp.subtract(x, y)


def _weighted(what: str, loss: Tensor, input: Any, weight: Any) -> Tensor:
    x, w = floating(what, input=input, weight=weight)
    same_shape(what, input=x, weight=w)
    return xp.multiply(loss, w)


def _mean_by_weight(what: str, loss: Tensor, input: Any, weight: Any, reduction: str) -> Tensor:
    """Reduce; with weights, the mean is Σ w·loss / Σ w."""
    if weight is None:
        return reduced(loss, reduction)
    weighted = _weighted(what, loss, input, weight)
    return xp.sum(weighted) / xp.sum(weight) if reduction == "mean" else reduced(weighted, reduction)


def mse_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Any = None,
) -> Tensor:
    """(x − y)²."""
    reduction = legacy("mse_loss", size_average, reduce, reduction)
    loss = xp.square(_difference("mse_loss", input, target))
    return _mean_by_weight("mse_loss", loss, input, weight, reduction)


def l1_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Any = None,
) -> Tensor:
    """|x − y|, with gradient 0 where they are equal."""
    reduction = legacy("l1_loss", size_average, reduce, reduction)
    loss = xp.abs(_difference("l1_loss", input, target))
    return _mean_by_weight("l1_loss", loss, input, weight, reduction)


def smooth_l1_loss(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """d²/2β where d = |x − y| < β, else d − β/2; β = 0 is l1_loss."""
    reduction = legacy("smooth_l1_loss", size_average, reduce, reduction)
    if beta < 0:
        fail(OpAttributeError(f"smooth_l1_loss: beta is at least 0, but it is {beta}"))
    d = xp.abs(_difference("smooth_l1_loss", input, target))
    return reduced(d if beta == 0 else xp.where(d < beta, 0.5 / beta * xp.square(d), d - 0.5 * beta), reduction)


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None) -> Tensor:
    """d²/2 where d = |x − y| ≤ δ, else δ(d − δ/2).

    Source: Huber, Robust Estimation of a Location Parameter, 1964.
    """
    reduction = legacy("huber_loss", None, None, reduction)
    if delta <= 0:
        fail(OpAttributeError(f"huber_loss: delta is above 0, but it is {delta}"))
    d = xp.abs(_difference("huber_loss", input, target))
    loss = xp.where(d <= delta, 0.5 * xp.square(d), delta * (d - 0.5 * delta))
    return reduced(loss if weight is None else _weighted("huber_loss", loss, input, weight), reduction)
