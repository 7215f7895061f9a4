"""Batch, layer and root-mean-square normalization.

batch_norm(x, running_mean, running_var, weight, bias, training=True)     x: f32[N,C] or f32[N,C,…]
layer_norm(x, (64,), weight, bias)                                        x: f32[…,64]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc import array as xp
from graphc.array.operands import extent_product
from graphc.dim import Extent
from graphc.errors import ArgumentError, ShapeError, TraceError
from graphc.nn.functional.shape import call, fail, floating, shape_text
from graphc.op import find_op
from graphc.state import Cell
from graphc.tensor import Tensor


def batch_norm(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: Any = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x − μ) / √(σ² + eps) · weight + bias for each channel (axis 1).

    Without `training` μ and σ² are the running ones. With it they are the batch's, and the running ones, which are
    buffers or None, move towards them by the share `momentum` (σ² with n − 1 in the denominator). Raises ShapeError
    in training with one value a channel.
    """
    (x,) = floating("batch_norm", input=input)
    if not training:
        if running_mean is None or running_var is None:
            fail(ArgumentError("batch_norm: without training it needs running_mean and running_var, but one is None"))
        scale = _scale(weight, bias, running_mean)
        return call("batch_norm_inference", x, running_mean, running_var, scale, bias, eps=eps)
    count = extent_product(extent for axis, extent in enumerate(x.shape) if axis != 1)
    normalized, mean, var = find_op("batch_norm")(x, _scale(weight, bias, bias), bias, eps=eps)
    if not isinstance(count, int) or count < 2:
        reason = "batch_norm: training needs more than 1 value per channel"
        var = call("require_extent", var, extent=count, at_least=2, reason=reason)
    for statistic, name in ((mean, "mean"), (var, "var")):
        statistic.builder.rename(statistic.value, name)
    _move("running_mean", running_mean, mean, momentum)
    _move("running_var", running_var, var * _bessel(count), momentum)
    result: Tensor = normalized
    return result


def _scale(weight: Any, bias: Any, like: Any) -> Any:
    """The weight; ones where there is a bias alone."""
    return xp.ones_like(like) if weight is None and bias is not None else weight


def _bessel(count: Extent) -> Any:
    """n / (n − 1), which makes a biased variance unbiased."""
    return count / (count - 1)


def _move(name: str, running: Any, batch: Tensor, momentum: Any) -> None:
    """running ← (1 − momentum)·running + momentum·batch."""
    if running is None:
        return
    if not isinstance(running, Cell):
        fail(TraceError(f"batch_norm: {name} is updated in training, so it is an nn.Buffer, not a traced tensor"))
    running.assign((1 - momentum) * running + momentum * xp.stop_gradient(batch.astype(running.dtype)))


def layer_norm(
    input: Any, normalized_shape: Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """(x − μ) / √(σ² + eps) · weight + bias over the last axes, whose extents are `normalized_shape`."""
    x = _with_rows("layer_norm", input, normalized_shape)
    scale = xp.ones_like(bias) if weight is None and bias is not None else weight
    return call("layer_norm", x, scale, bias, normalized_axes=len(normalized_shape), eps=eps)


def rms_norm(input: Any, normalized_shape: Sequence[int], weight: Any = None, eps: float | None = None) -> Tensor:
    """x / √(mean(x²) + eps) · weight over the last axes; eps None is the dtype's machine epsilon."""
    x = _with_rows("rms_norm", input, normalized_shape)
    return call("rms_norm", x, weight, normalized_axes=len(normalized_shape), eps=eps)


def _with_rows(what: str, input: Any, normalized_shape: Sequence[int]) -> Tensor:
    (x,) = floating(what, input=input)
    rows = tuple(normalized_shape)
    if not rows or x.shape[-len(rows) :] != rows:
        fail(
            ShapeError(f"{what}: normalized_shape is {shape_text(rows)}, but the input has shape {shape_text(x.shape)}")
        )
    return x
