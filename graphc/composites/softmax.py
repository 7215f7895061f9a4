"""Softmax, its logarithm, and log-sum-exp, over one axis or several; exact for numbers of any size.

    softmax(x, axis=(1,))       eˣ / Σ eˣ         x: f32[N,10]   ->   f32[N,10]
    log_softmax(x, axis=(1,))   x - log Σ eˣ      x: f32[N,10]   ->   f32[N,10]
    logsumexp(x, axis=(1,))     log Σ eˣ          x: f32[N,10]   ->   f32[N]

Each subtracts the maximum first, so that no exponential overflows. `axis` is a tuple of non-negative axes. A row of
-inf has the softmax NaN, as in torch and JAX, and the log-sum-exp -inf.
"""

from __future__ import annotations

from math import inf
from typing import Any

from graphc.composites.precision import check_floats, computed_in_f32, cotangents_in_f32, tangents_in_f32
from graphc.op import composite
from graphc.ops.creation import full
from graphc.ops.elementwise import exp, isfinite, log, stop_gradient, where
from graphc.ops.reduction import max, reduced_shape, sum, unreduce
from graphc.ops.shape import reshape
from graphc.samples import exactly, real, sample
from graphc.types import TensorType

Axes = tuple[int, ...]

EXTREME = [[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [88.0, 89.0, 1e4], [-inf, 0.0, 1.0]]


def _infer(what: str) -> Any:
    def infer(x: TensorType, *, axis: Axes) -> TensorType:
        check_floats(what, x=x)
        reduced_shape(what, x, axis, keepdims=True)
        return x

    return infer


def _is_empty(x: Any, axis: Axes) -> bool:
    """Whether there is nothing to take the maximum of."""
    return any(x.shape[a] == 0 for a in axis)


def log_normalizer(x: Any, axis: Axes) -> tuple[Any, Any, Any]:
    """m, x - m and log Σ e^(x - m) for the maximum m over the axes, which are kept: log p = (x - m) - log Σ e^(x - m).

    m counts as a constant, for it cancels: so no derivative goes through it.
    """
    top = stop_gradient(max(x, axis=axis, keepdims=True))
    z = x - top
    return top, z, log(sum(exp(z), axis=axis, keepdims=True))


_SAMPLES = [
    sample(real(4, 5), axis=(1,)),
    sample(real(2, 3, 4), axis=(0, 2)),
    sample(real(3), axis=(0,)),
    sample(real(0, 3), axis=(1,)),
    sample(real(3, 0), axis=(1,)),
    sample(exactly(EXTREME), axis=(1,), differentiable=False),
    sample(exactly([[-inf, -inf], [inf, 0.0], [1.0, float("nan")]]), axis=(1,), differentiable=False),
]


def _softmax_pull(g: Any, y: Any, x: Any, *, axis: Axes) -> tuple[Any, ...]:
    """y·(g - Σ g·y)"""
    return (y * (g - sum(g * y, axis=axis, keepdims=True)),)


@composite(
    infer=_infer("softmax"),
    vjp=cotangents_in_f32(_softmax_pull),
    jvp=tangents_in_f32(lambda t, y, x, *, axis: _softmax_pull(t[0], y, x, axis=axis)[0]),  # its Jacobian is symmetric
    samples=_SAMPLES,
)
@computed_in_f32
def softmax(x: Any, *, axis: Axes) -> Any:
    """eˣ / Σ eˣ over the axes.

        softmax(x, axis=(1,))   x: f32[N,10]   ->   f32[N,10]

    Raises DTypeError for integers, OpAttributeError for axes out of range.
    """
    if _is_empty(x, axis):
        return x
    e = exp(x - stop_gradient(max(x, axis=axis, keepdims=True)))
    return e / sum(e, axis=axis, keepdims=True)


@composite(
    infer=_infer("log_softmax"),
    vjp=cotangents_in_f32(lambda g, y, x, *, axis: (g - exp(y) * sum(g, axis=axis, keepdims=True),)),
    jvp=tangents_in_f32(lambda t, y, x, *, axis: t[0] - sum(exp(y) * t[0], axis=axis, keepdims=True)),
    samples=_SAMPLES,
)
@computed_in_f32
def log_softmax(x: Any, *, axis: Axes) -> Any:
    """x - log Σ eˣ over the axes: the logarithm of softmax, without rounding small probabilities to 0.

        log_softmax(x, axis=(1,))   x: f32[N,10]   ->   f32[N,10]

    Raises DTypeError for integers, OpAttributeError for axes out of range.
    """
    if _is_empty(x, axis):
        return x
    _, z, normalizer = log_normalizer(x, axis)
    return z - normalizer


def _infer_logsumexp(x: TensorType, *, axis: Axes, keepdims: bool = False) -> TensorType:
    check_floats("logsumexp", x=x)
    return x.with_shape(reduced_shape("logsumexp", x, axis, keepdims))


def _share(y: Any, x: Any, axis: Axes, keepdims: bool) -> Any:
    """The share of each element in its sum, eˣ⁻ʸ: the softmax; 0 in a row of -inf."""
    return exp(x - unreduce(where(y == -inf, 0, y), x, axis, keepdims))


@composite(
    infer=_infer_logsumexp,
    vjp=cotangents_in_f32(
        lambda g, y, x, *, axis, keepdims: (unreduce(g, x, axis, keepdims) * _share(y, x, axis, keepdims),)
    ),
    jvp=tangents_in_f32(
        lambda t, y, x, *, axis, keepdims: sum(t[0] * _share(y, x, axis, keepdims), axis=axis, keepdims=keepdims)
    ),
    samples=[*_SAMPLES, sample(real(2, 3, 4), axis=(0, 2), keepdims=True), sample(real(3), axis=())],
)
@computed_in_f32
def logsumexp(x: Any, *, axis: Axes, keepdims: bool = False) -> Any:
    """log Σ eˣ over the axes.

        logsumexp(x, axis=(1,))   x: f32[N,10]   ->   f32[N]

    -inf over no elements and over a row of -inf, with the gradient 0 there. Raises DTypeError for integers,
    OpAttributeError for axes out of range.
    """
    if _is_empty(x, axis):
        return full(value=-inf, shape=reduced_shape("logsumexp", x.type, axis, keepdims), dtype=x.dtype)
    top = max(x, axis=axis, keepdims=True)
    # An infinite maximum would give inf - inf; without it e^inf and log 0 give the right infinity.
    shift = stop_gradient(where(isfinite(top), top, 0))
    total = log(sum(exp(x - shift), axis=axis, keepdims=True)) + shift
    return total if keepdims else reshape(total, shape=reduced_shape("logsumexp", x.type, axis, keepdims=False))
