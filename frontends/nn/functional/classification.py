"""Losses of scores against classes: i64 labels, or a distribution over the classes for cross-entropy.

    cross_entropy(input, target)         input: f32[N,C], target: i64[N]      -> f32[]
    cross_entropy(input, target)         input: f32[N,C,L], target: f32[N,C,L] -> f32[]
    nll_loss(input, target)              input: log-probabilities f32[N,C]    -> f32[]
    multi_margin_loss(input, target)     the multi-class support vector machine

A label outside 0 to C − 1 raises IndexRangeError when the graph runs, before any state changes; rows whose label is
`ignore_index` count for nothing, whatever its value.
"""

from __future__ import annotations

from typing import Any

from graphc import array as xp
from graphc.errors import DTypeError, OpAttributeError, ShapeError
from graphc.nn.functional.shape import as_tensor, call, fail, floating, legacy, reduced, shape_text
from graphc.tensor import Tensor


def _labels(what: str, target: Any) -> Tensor:
    tensor = as_tensor(target, what)
    if not tensor.dtype.is_integer:
        fail(DTypeError(f"{what}: labels are integers, but the target is {tensor.type}"))
    return tensor


def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """−Σ_c w_c · t_c · log softmax(x)_c, where t is one-hot for labels, and the target itself when it is floating.

    The mean over labels divides by the sum of their weights (NaN where all are ignored), over distributions by the
    number of rows. `label_smoothing` s mixes t with the uniform distribution: (1 − s)·t + s/C.
    """
    reduction = legacy("cross_entropy", size_average, reduce, reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        fail(OpAttributeError(f"cross_entropy: label_smoothing is between 0 and 1, but it is {label_smoothing}"))
    scores, labels = as_tensor(input, "cross_entropy"), as_tensor(target, "cross_entropy")
    if not labels.dtype.is_integer and labels.shape != scores.shape:
        fail(
            DTypeError(
                f"cross_entropy: the target is integer labels, or a distribution of the input's shape "
                f"{shape_text(scores.shape)}, but it is {labels.type}"
            )
        )
    return call(
        "cross_entropy",
        scores,
        labels,
        weight,
        reduction=reduction,
        ignore_index=ignore_index,
        label_smoothing=float(label_smoothing),
    )


def nll_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """−w_y · x_y of log-probabilities x and labels y; reduced as `cross_entropy`, which is nll_loss(log_softmax(x))."""
    reduction = legacy("nll_loss", size_average, reduce, reduction)
    scores, labels = as_tensor(input, "nll_loss"), _labels("nll_loss", target)
    return call("nll_loss", scores, labels, weight, reduction=reduction, ignore_index=ignore_index)


def multi_margin_loss(
    input: Any,
    target: Any,
    p: int = 1,
    margin: float = 1.0,
    weight: Any = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Σ_{j≠y} w_y · max(0, margin − x_y + x_j)^p / C, with p 1 or 2: f32[N,C], i64[N] -> f32[].

    Source: Weston and Watkins, Support vector machines for multi-class pattern recognition, 1999.
    """
    reduction = legacy("multi_margin_loss", size_average, reduce, reduction)
    if p not in (1, 2):
        fail(OpAttributeError(f"multi_margin_loss: p is 1 or 2, not {p!r}"))
    (x,), labels = floating("multi_margin_loss", input=input), _labels("multi_margin_loss", target)
    if x.ndim not in (1, 2) or labels.shape != x.shape[:-1]:
        fail(
            ShapeError(
                f"multi_margin_loss: takes scores (N, C) and labels (N), or (C) and (), but got "
                f"{shape_text(x.shape)} and {shape_text(labels.shape)}"
            )
        )
    at = xp.expand_dims(labels, axis=-1)
    own = call("take_along_axis", x, at, axis=x.ndim - 1)
    margins = xp.relu(margin - own + x)
    counted = xp.where(xp.one_hot(labels, x.shape[-1], dtype=bool), 0, margins if p == 1 else xp.square(margins))
    loss = xp.sum(counted, axis=-1) / x.shape[-1]
    return reduced(loss if weight is None else loss * call("take", weight, labels, axis=0), reduction)
