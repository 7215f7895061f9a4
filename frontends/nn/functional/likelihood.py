"""Losses that are divergences or negative log-likelihoods of distributions.

kl_div(log q, p)                 Σ p·(log p − log q)        forward: KL(p ‖ q); swap the roles for the reverse
poisson_nll_loss(log λ, k)       λ − k·log λ
gaussian_nll_loss(μ, y, σ²)      ½·(log σ² + (μ − y)²/σ²)
"""

from __future__ import annotations

import math
from typing import Any

from graphc import array as xp
from graphc.errors import OpAttributeError, ShapeError
from graphc.nn.functional.distance import at_least
from graphc.nn.functional.shape import as_tensor, fail, floating, legacy, reduced, shape_text
from graphc.tensor import Tensor


def kl_div(
    input: Any,
    target: Any,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """p·(log p − log q), where the input is log q and the target p, or log p with `log_target`; 0 where p = 0.

    "batchmean" divides the sum by the first extent, which is the divergence of a batch; "mean" divides by the number
    of elements, as in torch.
    """
    reduction = legacy("kl_div", size_average, reduce, reduction)
    log_q, p = floating("kl_div", input=input, target=target)
    if log_target:
        loss = xp.exp(p) * (p - log_q)
    else:
        positive = p > 0
        loss = xp.where(positive, p * xp.log(xp.where(positive, p, 1)), p * 0) - p * log_q
    if reduction == "batchmean":
        return xp.sum(loss) / log_q.shape[0] if log_q.ndim else xp.sum(loss)
    return reduced(loss, reduction)


def poisson_nll_loss(
    input: Any,
    target: Any,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """λ − k·log λ of counts k, where the input is log λ, or λ itself without `log_input` (then log(λ + eps)).

    `full` adds Stirling's approximation of log k! for k > 1: k·log k − k + ½·log(2πk).
    """
    reduction = legacy("poisson_nll_loss", size_average, reduce, reduction)
    x, k = floating("poisson_nll_loss", input=input, target=target)
    loss = xp.exp(x) - k * x if log_input else x - k * xp.log(x + eps)
    if full:
        large = k > 1
        count = xp.where(large, k, 1)
        stirling = count * xp.log(count) - count + 0.5 * xp.log(2 * math.pi * count)
        loss = loss + xp.where(large, stirling, 0)
    return reduced(loss, reduction)


def gaussian_nll_loss(
    input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """½·(log σ² + (μ − y)²/σ²), with σ² of at least eps; `full` adds ½·log 2π.

    `var` is a number, or has the input's shape, or that shape with the last axis missing or one axis of extent 1.
    """
    reduction = legacy("gaussian_nll_loss", None, None, reduction)
    mean, y = floating("gaussian_nll_loss", input=input, target=target)
    if isinstance(var, int | float):
        if var < 0:
            fail(OpAttributeError(f"gaussian_nll_loss: var is at least 0, but it is {var}"))
        variance = xp.full_like(mean, var)
    else:
        variance = as_tensor(var, "gaussian_nll_loss")
    if variance.shape == mean.shape[:-1] and variance.shape != mean.shape:
        variance = xp.expand_dims(variance, axis=-1)
    differing = [b for a, b in zip(mean.shape, variance.shape, strict=False) if a != b]
    if variance.ndim != mean.ndim or differing not in ([], [1]):
        fail(
            ShapeError(
                f"gaussian_nll_loss: the input has shape {shape_text(mean.shape)}, which var of shape "
                f"{shape_text(variance.shape)} does not fit"
            )
        )
    variance = at_least(variance, eps)
    loss = 0.5 * (xp.log(variance) + xp.square(mean - y) / variance)
    return reduced(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)
