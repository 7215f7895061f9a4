"""Batch normalization: every channel shifted and scaled to mean 0 and variance 1, then by its weight and bias.

    y, mean, var = batch_norm(x, weight, bias)              x: f32[N,64,H,W], weight: f32[64]   ->   y: f32[N,64,H,W]
    y = batch_norm_inference(x, mean, var, weight, bias)    with statistics that were gathered in training

Channels lie along axis 1; the statistics are taken over all other axes.
"""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any

from graphc.composites.precision import (
    check_floats,
    computed_in_f32,
    computing_dtype,
    cotangents_in_f32,
    narrow,
    widen,
)  # fmt: skip
from graphc.dim import Extent
from graphc.errors import ShapeError
from graphc.op import composite
from graphc.operands import shape_text
from graphc.ops.elementwise import rsqrt, square
from graphc.ops.reduction import sum
from graphc.ops.shape import broadcast_to, reshape
from graphc.samples import positive, real, sample
from graphc.types import TensorType

Axes = tuple[int, ...]


def _check_channels(what: str, x: TensorType, **vectors: TensorType | None) -> None:
    check_floats(what, x=x, **vectors)
    if x.rank < 2:
        raise ShapeError(f"{what}: x has shape (N, channels, ...), but this one is {x}")
    for name, vector in vectors.items():
        if vector is not None and vector.shape != (x.shape[1],):
            raise ShapeError(f"{what}: x has {x.shape[1]} channels, but {name} has shape {shape_text(vector.shape)}")


def _other_axes(x: Any) -> tuple[Axes, Extent]:
    """The axes that are not the channels', and the number of elements along them."""
    axes = tuple(axis for axis in range(x.ndim) if axis != 1)
    elements: Extent = 1
    for axis in axes:
        elements = elements * x.shape[axis]
    return axes, elements


def _spread(vector: Any, x: Any) -> Any:
    """A number per channel, spread over x."""
    column = vector if x.ndim == 2 else reshape(vector, shape=(x.shape[1], *(1,) * (x.ndim - 2)))
    return broadcast_to(column, shape=x.shape)


def _infer_batch_norm(
    x: TensorType, weight: TensorType | None = None, bias: TensorType | None = None, *, eps: float = 1e-5
) -> tuple[TensorType, ...]:
    _check_channels("batch_norm", x, weight=weight, bias=bias)
    statistics = TensorType(computing_dtype(x.dtype), (x.shape[1],))
    return x, statistics, statistics


def _batch_norm_vjp(g: Any, y: Any, x: Any, weight: Any = None, bias: Any = None, *, eps: float) -> tuple[Any, ...]:
    """dx = w/(N·σ)·[N·g - Σg - x̂·Σ(g·x̂)], dw = Σ(g·x̂), db = Σg; the statistics add ḡ/N and 2·(x - μ)·ḡ/N."""
    (gy, g_mean, g_var), (_, mean, var) = g, y
    axes, n = _other_axes(x)
    centred = x - _spread(mean, x)
    terms, dw, db = [], None, None
    if gy is not None:
        inverse = rsqrt(var + eps)
        normalized = centred * _spread(inverse, x)
        db, dw = sum(gy, axis=axes), sum(gy * normalized, axis=axes)
        scale = inverse if weight is None else inverse * weight
        terms.append((gy - _spread(db / n, x) - normalized * _spread(dw / n, x)) * _spread(scale, x))
    if g_mean is not None:
        terms.append(_spread(g_mean / n, x))
    if g_var is not None:
        terms.append(centred * _spread(2 * g_var / n, x))
    dx = reduce(add, terms)
    return tuple(d for d, operand in ((dx, x), (dw, weight), (db, bias)) if operand is not None)


@composite(
    infer=_infer_batch_norm,
    vjp=cotangents_in_f32(_batch_norm_vjp),
    results=("mean", "var"),
    samples=[
        sample(real(6, 3), positive(3), real(3)),
        sample(real(6, 3)),
        sample(real(6, 3), positive(3), eps=1e-2),
        sample(real(2, 3, 2, 2), positive(3), real(3)),
    ],
)
def batch_norm(x: Any, weight: Any = None, bias: Any = None, *, eps: float = 1e-5) -> tuple[Any, Any, Any]:
    """x̂·weight + bias with x̂ = (x - mean)/√(var + eps), and the batch's mean and (biased) variance per channel.

        y, mean, var = batch_norm(x, weight, bias)   x: f32[N,64,H,W]   ->   f32[N,64,H,W], f32[64], f32[64]

    The variance is the mean of squared distances from the mean, so that a large mean costs no digits. The statistics
    of 16-bit x are f32. Over no elements they are NaN. Weight and bias are optional. Raises ShapeError where they do
    not fit the channels, DTypeError for integers. Ioffe and Szegedy, 2015.
    """
    dtype, (x, weight, bias) = x.dtype, widen((x, weight, bias))
    axes, n = _other_axes(x)
    mean = sum(x, axis=axes) / n
    centred = x - _spread(mean, x)
    var = sum(square(centred), axis=axes) / n
    y = _weighted(centred * _spread(rsqrt(var + eps), x), weight, bias)
    return narrow(y, dtype), mean, var


def _weighted(normalized: Any, weight: Any, bias: Any) -> Any:
    y = normalized if weight is None else normalized * _spread(weight, normalized)
    return y if bias is None else y + _spread(bias, y)


def _infer_inference(
    x: TensorType, mean: TensorType, var: TensorType,
    weight: TensorType | None = None, bias: TensorType | None = None, *, eps: float = 1e-5,
) -> TensorType:  # fmt: skip
    _check_channels("batch_norm_inference", x, mean=mean, var=var, weight=weight, bias=bias)
    return x


@composite(
    infer=_infer_inference,
    samples=[
        sample(real(6, 3), real(3), positive(3), positive(3), real(3)),
        sample(real(6, 3), real(3), positive(3)),
        sample(real(6, 3), real(3), positive(3), positive(3), eps=1e-2),
        sample(real(2, 3, 2, 2), real(3), positive(3), positive(3), real(3)),
        sample(real(0, 3), real(3), positive(3), positive(3), real(3)),
    ],
)
@computed_in_f32
def batch_norm_inference(
    x: Any, mean: Any, var: Any, weight: Any = None, bias: Any = None, *, eps: float = 1e-5
) -> Any:
    """(x - mean)·weight/√(var + eps) + bias, per channel.

        batch_norm_inference(x, mean, var, weight, bias)   x: f32[N,64,H,W], mean: f32[64]   ->   f32[N,64,H,W]

    Weight and bias are optional. Raises ShapeError where an operand does not fit the channels, DTypeError for
    integers.
    """
    inverse = rsqrt(var + eps)
    scale = inverse if weight is None else inverse * weight
    return _weighted((x - _spread(mean, x)) * _spread(scale, x), None, bias)
