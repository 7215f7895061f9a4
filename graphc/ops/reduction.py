"""Reductions: axes folded into one value. `axis` is a tuple of non-negative axes, in order; `()` folds nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import OpAttributeError, ShapeError
from graphc.op import Kind, define_op
from graphc.ops.declare import computed_in_f32
from graphc.samples import exactly, integers, real, sample
from graphc.types import Shape, TensorType

Axes = tuple[int, ...]


def reduced_shape(what: str, x: TensorType, axis: Axes, keepdims: bool) -> Shape:
    """The shape after folding these axes; OpAttributeError where an axis is out of range or named twice."""
    if any(not 0 <= a < x.rank for a in axis) or len(set(axis)) != len(axis):
        raise OpAttributeError(f"{what}: axes {axis} do not name distinct axes of {x}")
    if keepdims:
        return tuple(1 if i in axis else e for i, e in enumerate(x.shape))
    return tuple(e for i, e in enumerate(x.shape) if i not in axis)


def _infer(what: str, *, empty: bool = True) -> Any:
    def infer(x: TensorType, *, axis: Axes, keepdims: bool = False) -> TensorType:
        shape = reduced_shape(what, x, axis, keepdims)
        if not empty and any(x.shape[a] == 0 for a in axis):
            raise ShapeError(f"{what}: of no elements is undefined; {x} has an axis of extent 0")
        return x.with_shape(shape)

    return infer


def unreduce(g: Any, x: Any, axis: Axes, keepdims: bool) -> Any:
    """Spread a reduction's cotangent (or result) over the shape of its operand."""
    from graphc.ops.shape import broadcast_to, reshape

    if not keepdims:
        g = reshape(g, shape=tuple(1 if i in axis else e for i, e in enumerate(x.shape)))
    return broadcast_to(g, shape=x.shape)


sum = define_op(
    "sum",
    kind=Kind.REDUCTION,
    infer=_infer("sum"),
    reference=computed_in_f32(lambda x, *, axis, keepdims: np.sum(x, axis=axis, keepdims=keepdims, dtype=x.dtype)),
    vjp=lambda g, y, x, *, axis, keepdims: (unreduce(g, x, axis, keepdims),),
    jvp=lambda t, y, x, *, axis, keepdims: sum(t[0], axis=axis, keepdims=keepdims),
    accepts="numeric",
    samples=[
        sample(real(4, 5), axis=(0,)),
        sample(real(2, 3, 4), axis=(0, 2), keepdims=True),
        sample(real(0, 3), axis=(0,)),
        sample(real(3), axis=()),
        sample(exactly([1.0, np.nan, np.inf]), axis=(0,), differentiable=False),
        sample(integers(4, 5), axis=(1,)),
    ],
    doc="The sum over axes, in the operand's dtype; 0 over no elements.",
)


def _extremum_share(g: Any, y: Any, x: Any, axis: Axes, keepdims: bool) -> Any:
    """The cotangent to the elements equal to the extremum, shared equally among ties."""
    from graphc.ops.elementwise import cast

    wins = cast(x == unreduce(y, x, axis, keepdims), dtype=x.dtype)
    count = sum(wins, axis=axis, keepdims=keepdims)
    return wins * unreduce(g / count, x, axis, keepdims)


def _extremum_tangent(t: Any, y: Any, x: Any, axis: Axes, keepdims: bool) -> Any:
    from graphc.ops.elementwise import cast

    wins = cast(x == unreduce(y, x, axis, keepdims), dtype=x.dtype)
    share = sum(wins * t[0], axis=axis, keepdims=keepdims)
    return share / sum(wins, axis=axis, keepdims=keepdims)


max = define_op(
    "max",
    kind=Kind.REDUCTION,
    infer=_infer("max", empty=False),
    reference=lambda x, *, axis, keepdims: np.max(x, axis=axis, keepdims=keepdims),
    vjp=lambda g, y, x, *, axis, keepdims: (_extremum_share(g, y, x, axis, keepdims),),
    jvp=lambda t, y, x, *, axis, keepdims: _extremum_tangent(t, y, x, axis, keepdims),
    accepts="numeric",
    samples=[
        sample(real(4, 5), axis=(0,)),
        sample(real(2, 3, 4), axis=(0, 2), keepdims=True),
        sample(exactly([1.0, np.nan, np.inf]), axis=(0,), differentiable=False),
        sample(integers(4, 5), axis=(1,)),
    ],
    doc="The largest element over axes; NaN where there is one.",
)
