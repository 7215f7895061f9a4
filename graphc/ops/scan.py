"""Scans: one axis folded, every prefix kept. With `reverse`, every suffix: the fold starts at the axis's end.

    cumulative_sum(x, axis=1): f32[N,4] -> f32[N,4]

All derivatives are scans again, without division, so zeros and infinities of the operand are no trouble. They are
written with the first-order linear recurrence hₜ = aₜ·hₜ₋₁ + bₜ, whose own derivative is the recurrence run backwards.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from graphc.errors import DTypeError, ShapeError
from graphc.op import Kind, Op, define_op
from graphc.ops.choice import where
from graphc.ops.declare import computed_in_f32, plus
from graphc.ops.logic import isinf
from graphc.ops.reduction import check_axis, check_dtype
from graphc.ops.slicing import pad, slice
from graphc.ops.transcendental import exp
from graphc.samples import exactly, integers, real, sample
from graphc.types import TensorType


def exclusive(x: Any, *, axis: int, reverse: bool, fill: float) -> Any:
    """The elements one place on along an axis, `fill` at the place that falls free: [1, 2, 3] -> [fill, 1, 2]."""
    low = tuple(int(i == axis and not reverse) for i in range(x.ndim))
    high = tuple(int(i == axis and reverse) for i in range(x.ndim))
    longer = pad(x, low=low, high=high, value=fill)
    limits = tuple(start + extent for start, extent in zip(high, x.shape, strict=True))
    return slice(longer, starts=high, limits=limits)


def _infer(what: str, accepts: str = "numeric") -> Any:
    def infer(x: TensorType, *, axis: int, reverse: bool = False) -> TensorType:
        check_dtype(what, x, accepts)
        check_axis(what, x, axis)
        return x

    return infer


def _reference(accumulate: Any) -> Any:
    def reference(x: Any, *, axis: int, reverse: bool) -> Any:
        if not reverse:
            return accumulate(x, axis)
        return np.flip(accumulate(np.flip(x, axis), axis), axis)

    return computed_in_f32(reference)


_SAMPLES = [
    sample(real(4, 5), axis=0),
    sample(real(2, 3, 4), axis=1, reverse=True),
    sample(real(1), axis=0),
    sample(real(3, 0), axis=1),
]
_NUMBERS = [
    sample(exactly([1.0, np.inf, -np.inf, 2.0]), axis=0, differentiable=False),
    sample(integers(4, 5), axis=1),
]

cumulative_sum: Op = define_op(
    "cumulative_sum",
    kind=Kind.SCAN,
    infer=_infer("cumulative_sum"),
    reference=_reference(lambda x, axis: np.cumsum(x, axis=axis, dtype=x.dtype)),
    vjp=lambda g, y, x, *, axis, reverse: (cumulative_sum(g, axis=axis, reverse=not reverse),),
    jvp=lambda t, y, x, *, axis, reverse: cumulative_sum(t[0], axis=axis, reverse=reverse),
    accepts="numeric",
    samples=[*_SAMPLES, *_NUMBERS],
    doc="The sums of all prefixes along an axis, in the operand's dtype.",
)

# -- the linear recurrence --------------------------------------------------------------------------------------------


def _infer_recurrence(a: TensorType, b: TensorType, *, axis: int, reverse: bool = False) -> TensorType:
    check_dtype("linear_recurrence", a, "float")
    check_axis("linear_recurrence", a, axis)
    if a.dtype is not b.dtype:
        raise DTypeError(f"linear_recurrence: a is {a}, but b is {b}")
    if a.shape != b.shape:
        raise ShapeError(f"linear_recurrence: a is {a}, but b is {b}")
    return b


def _recurrence_reference(a: Any, b: Any, *, axis: int, reverse: bool) -> Any:
    h = np.array(b)
    a, steps = np.moveaxis(a, axis, 0), np.moveaxis(h, axis, 0)
    order = range(len(steps))[::-1] if reverse else range(len(steps))
    for before, t in pairwise(order):
        steps[t] += a[t] * steps[before]
    return h


def _recurrence_vjp(g: Any, h: Any, a: Any, b: Any, *, axis: int, reverse: bool) -> tuple[Any, Any]:
    """sₜ = gₜ + aₜ₊₁·sₜ₊₁ is the cotangent of bₜ, and sₜ·hₜ₋₁ that of aₜ."""
    next_a = exclusive(a, axis=axis, reverse=not reverse, fill=0)
    s = linear_recurrence(next_a, g, axis=axis, reverse=not reverse)
    return s * exclusive(h, axis=axis, reverse=reverse, fill=0), s


def _recurrence_jvp(t: Any, h: Any, a: Any, b: Any, *, axis: int, reverse: bool) -> Any:
    moved = None if t[0] is None else t[0] * exclusive(h, axis=axis, reverse=reverse, fill=0)
    return linear_recurrence(a, plus([moved, t[1]]), axis=axis, reverse=reverse)


linear_recurrence: Op = define_op(
    "linear_recurrence",
    kind=Kind.SCAN,
    infer=_infer_recurrence,
    reference=computed_in_f32(_recurrence_reference),
    vjp=_recurrence_vjp,
    jvp=_recurrence_jvp,
    samples=[
        sample(real(4, 5), real(4, 5), axis=0),
        sample(real(2, 3, 4), real(2, 3, 4), axis=1, reverse=True),
        sample(real(3, 0), real(3, 0), axis=1),
    ],
    doc="hₜ = aₜ·hₜ₋₁ + bₜ along an axis, from h before the first = 0; the first element of a has no effect.",
)

# -- products and exponentials ----------------------------------------------------------------------------------------


def _prod_vjp(g: Any, y: Any, x: Any, *, axis: int, reverse: bool) -> tuple[Any]:
    """dxₜ = yₜ₋₁·sₜ, where sₜ = gₜ + xₜ₊₁·sₜ₊₁ sums the later cotangents times the products between."""
    next_x = exclusive(x, axis=axis, reverse=not reverse, fill=0)
    s = linear_recurrence(next_x, g, axis=axis, reverse=not reverse)
    return (s * exclusive(y, axis=axis, reverse=reverse, fill=1),)


cumulative_prod: Op = define_op(
    "cumulative_prod",
    kind=Kind.SCAN,
    infer=_infer("cumulative_prod"),
    reference=_reference(lambda x, axis: np.cumprod(x, axis=axis, dtype=x.dtype)),
    vjp=_prod_vjp,
    jvp=lambda t, y, x, *, axis, reverse: linear_recurrence(
        x, t[0] * exclusive(y, axis=axis, reverse=reverse, fill=1), axis=axis, reverse=reverse
    ),
    accepts="numeric",
    samples=[*_SAMPLES, *_NUMBERS, sample(exactly([[2.0, 0.0, -3.0, 0.0], [1.5, 2.0, 0.0, 4.0]]), axis=1)],
    doc="The products of all prefixes along an axis, in the operand's dtype.",
)


def _ratio(a: Any, b: Any) -> Any:
    """e^(a - b), 1 where both are the same infinity."""
    return exp(where(isinf(a) & (a == b), 0, a - b))


def _decay(y: Any, axis: int, reverse: bool) -> Any:
    """e^(yₜ₋₁ - yₜ) ≤ 1: the share that the earlier elements have in yₜ; nothing at the first."""
    return _ratio(exclusive(y, axis=axis, reverse=reverse, fill=-np.inf), y)


def _logcumsumexp_vjp(g: Any, y: Any, x: Any, *, axis: int, reverse: bool) -> tuple[Any]:
    """dxₜ = Σ gᵢ·e^(xₜ - yᵢ) over i ≥ t, as e^(xₜ - yₜ)·wₜ with wₜ = gₜ + e^(yₜ - yₜ₊₁)·wₜ₊₁: no factor above 1."""
    next_decay = exclusive(_decay(y, axis, reverse), axis=axis, reverse=not reverse, fill=0)
    return (_ratio(x, y) * linear_recurrence(next_decay, g, axis=axis, reverse=not reverse),)


def _logcumsumexp_jvp(t: Any, y: Any, x: Any, *, axis: int, reverse: bool) -> Any:
    return linear_recurrence(_decay(y, axis, reverse), _ratio(x, y) * t[0], axis=axis, reverse=reverse)


logcumsumexp: Op = define_op(
    "logcumsumexp",
    kind=Kind.SCAN,
    infer=_infer("logcumsumexp", "float"),
    reference=_reference(lambda x, axis: np.logaddexp.accumulate(x, axis=axis) if x.size else x),
    vjp=_logcumsumexp_vjp,
    jvp=_logcumsumexp_jvp,
    accepts="float",
    samples=[
        *_SAMPLES,
        sample(exactly([-1e4, 1e4, 0.0, 1e4]), axis=0),
        sample(exactly([-np.inf, -np.inf, 1.0, np.inf]), axis=0, differentiable=False),
        sample(exactly([1.0, np.nan, 1.0]), axis=0, differentiable=False),
    ],
    doc="log Σ eˣ over all prefixes along an axis, without overflow.",
)
