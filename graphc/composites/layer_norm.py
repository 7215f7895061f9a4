"""Layer normalization: every row shifted and scaled by its own statistics, then by a weight and a bias.

    layer_norm(x, weight, bias)                      x: f32[N,T,64], weight: f32[64]      ->   f32[N,T,64]
    layer_norm(x, weight, normalized_axes=2)         x: f32[N,8,64], weight: f32[8,64]    ->   f32[N,8,64]
    rms_norm(x, weight)                              x: f32[N,T,64], weight: f32[64]      ->   f32[N,T,64]

A row spans the last `normalized_axes` axes. The gradients take the statistics from x anew: after `decompose` they are
the forward graph's own nodes, and `cse` makes them one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.composites.precision import check_floats, computed_in_f32, computing_dtype, cotangents_in_f32
from graphc.dim import Extent
from graphc.errors import OpAttributeError, ShapeError
from graphc.op import composite
from graphc.operands import shape_text
from graphc.ops.elementwise import rsqrt, square
from graphc.ops.reduction import sum
from graphc.samples import positive, real, sample
from graphc.types import TensorType

Axes = tuple[int, ...]


def _check_rows(what: str, x: TensorType, normalized_axes: int, **vectors: TensorType | None) -> None:
    check_floats(what, x=x, **vectors)
    if not 1 <= normalized_axes <= x.rank:
        raise OpAttributeError(f"{what}: normalized_axes is {normalized_axes}, but x is {x}: it takes 1 to {x.rank}")
    row = x.shape[-normalized_axes:]
    for name, vector in vectors.items():
        if vector is not None and vector.shape != row:
            raise ShapeError(
                f"{what}: x has rows of shape {shape_text(row)}, but {name} has {shape_text(vector.shape)}"
            )


def _row_axes(x: Any, normalized_axes: int) -> Axes:
    return tuple(range(x.ndim - normalized_axes, x.ndim))


def _row_mean(x: Any, axes: Axes) -> Any:
    """The mean of every row, its axes kept as 1."""
    elements: Extent = 1
    for axis in axes:
        elements = elements * x.shape[axis]
    return sum(x, axis=axes, keepdims=True) / elements


def _weighted(normalized: Any, weight: Any, bias: Any = None) -> Any:
    y = normalized if weight is None else normalized * weight
    return y if bias is None else y + bias


def _of_weights(g: Any, normalized: Any, axes: Axes, count: int) -> tuple[Any, ...]:
    """The cotangents of weight and bias, as many as there are."""
    rows = tuple(range(g.ndim - len(axes)))
    return tuple(sum(d, axis=rows) for d in (g * normalized, g)[:count])


# -- mean and variance ------------------------------------------------------------------------------------------------


def _infer_layer_norm(
    x: TensorType, weight: TensorType | None = None, bias: TensorType | None = None,
    *, normalized_axes: int = 1, eps: float = 1e-5,
) -> TensorType:  # fmt: skip
    _check_rows("layer_norm", x, normalized_axes, weight=weight, bias=bias)
    return x


def _normalized(x: Any, axes: Axes, eps: float) -> tuple[Any, Any]:
    """x̂ and 1/σ."""
    centred = x - _row_mean(x, axes)
    inverse = rsqrt(_row_mean(square(centred), axes) + eps)
    return centred * inverse, inverse


def _layer_norm_vjp(g: Any, y: Any, x: Any, *weights: Any, normalized_axes: int, eps: float) -> tuple[Any, ...]:
    """With h = g·w:  dx = [h - mean(h) - x̂·mean(h·x̂)]/σ"""
    axes = _row_axes(x, normalized_axes)
    normalized, inverse = _normalized(x, axes, eps)
    h = g * weights[0] if weights else g
    dx = (h - _row_mean(h, axes) - normalized * _row_mean(h * normalized, axes)) * inverse
    return dx, *_of_weights(g, normalized, axes, len(weights))


@composite(
    infer=_infer_layer_norm,
    vjp=cotangents_in_f32(_layer_norm_vjp),
    samples=[
        sample(real(4, 5), positive(5), real(5)),
        sample(real(4, 5)),
        sample(real(4, 5), positive(5), eps=1e-2),
        sample(real(5), positive(5), real(5)),
        sample(real(2, 3, 4), positive(3, 4), real(3, 4), normalized_axes=2),
        sample(real(0, 5), positive(5), real(5)),
    ],
)
@computed_in_f32
def layer_norm(x: Any, weight: Any = None, bias: Any = None, *, normalized_axes: int = 1, eps: float = 1e-5) -> Any:
    """(x - mean)/√(var + eps)·weight + bias, with mean and (biased) variance of every row.

        layer_norm(x, weight, bias)   x: f32[N,T,64], weight: f32[64], bias: f32[64]   ->   f32[N,T,64]

    A row spans the last `normalized_axes` axes; weight and bias, both optional, have its shape. Raises ShapeError
    where they do not, DTypeError for integers. Ba, Kiros and Hinton, 2016.
    """
    normalized, _ = _normalized(x, _row_axes(x, normalized_axes), eps)
    return _weighted(normalized, weight, bias)


# -- root mean square -------------------------------------------------------------------------------------------------


def _infer_rms_norm(
    x: TensorType, weight: TensorType | None = None, *, normalized_axes: int = 1, eps: float | None = None
) -> TensorType:
    _check_rows("rms_norm", x, normalized_axes, weight=weight)
    return x


def _inverse_rms(x: Any, axes: Axes, eps: float | None) -> Any:
    if eps is None:
        eps = float(np.finfo(computing_dtype(x.dtype).numpy).eps)
    return rsqrt(_row_mean(square(x), axes) + eps)


def _rms_norm_vjp(g: Any, y: Any, x: Any, *weights: Any, normalized_axes: int, eps: float | None) -> tuple[Any, ...]:
    """With h = g·w and x̂ = x/rms:  dx = [h - x̂·mean(h·x̂)]/rms"""
    axes = _row_axes(x, normalized_axes)
    inverse = _inverse_rms(x, axes, eps)
    normalized = x * inverse
    h = g * weights[0] if weights else g
    dx = (h - normalized * _row_mean(h * normalized, axes)) * inverse
    return dx, *_of_weights(g, normalized, axes, len(weights))


@composite(
    infer=_infer_rms_norm,
    vjp=cotangents_in_f32(_rms_norm_vjp),
    samples=[
        sample(real(4, 5), positive(5)),
        sample(real(4, 5), eps=1e-2),
        sample(real(2, 3, 4), positive(3, 4), normalized_axes=2),
        sample(real(0, 5), positive(5)),
    ],
)
@computed_in_f32
def rms_norm(x: Any, weight: Any = None, *, normalized_axes: int = 1, eps: float | None = None) -> Any:
    """x/√(mean(x²) + eps)·weight, with the mean over every row.

        rms_norm(x, weight)   x: f32[N,T,64], weight: f32[64]   ->   f32[N,T,64]

    A row spans the last `normalized_axes` axes; the weight, which is optional, has its shape. `eps` is the machine
    epsilon of the dtype that is computed in, when None. Raises ShapeError where the weight does not fit, DTypeError
    for integers. Zhang and Sennrich, 2019.
    """
    return _weighted(x * _inverse_rms(x, _row_axes(x, normalized_axes), eps), weight)
