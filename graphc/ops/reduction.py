"""Reductions: axes folded into one value. `axis` is a tuple of non-negative axes, `()` folds nothing; `argmax` and
`argmin` fold one axis.

    sum(x, axis=(0,)): f32[N,3] -> f32[3]        argmax(x, axis=1, keepdims=True): f32[N,3] -> i64[N,1]

Results have the operand's dtype. No elements sum to 0 and multiply to 1; their maximum is a ShapeError. NaN wins `max`,
`min`, `argmax` and `argmin`, and of equal extrema the first does. Their gradient is shared equally among ties.
"""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from graphc.errors import DTypeError, OpAttributeError, ShapeError
from graphc.op import Kind, Op, define_op, no_gradient, no_tangent
from graphc.operands import ACCEPTED
from graphc.ops.declare import computed_in_f32
from graphc.order import inverse
from graphc.samples import booleans, exactly, integers, real, sample
from graphc.types import Shape, TensorType, i64

Axes = tuple[int, ...]


def reduced_shape(what: str, x: TensorType, axis: Axes, keepdims: bool) -> Shape:
    """The shape after folding these axes; OpAttributeError where an axis is out of range or named twice."""
    if builtins.any(not 0 <= a < x.rank for a in axis) or len(set(axis)) != len(axis):
        raise OpAttributeError(f"{what}: axes {axis} do not name distinct axes of {x}")
    if keepdims:
        return tuple(1 if i in axis else e for i, e in enumerate(x.shape))
    return tuple(e for i, e in enumerate(x.shape) if i not in axis)


def check_axis(what: str, x: TensorType, axis: int) -> None:
    """OpAttributeError where this is no axis of x."""
    if not 0 <= axis < x.rank:
        raise OpAttributeError(f"{what}: axis {axis} is out of range for {x}")


def check_dtype(what: str, x: TensorType, accepts: str) -> None:
    """DTypeError where x is of a dtype that the op does not take."""
    kinds, words = ACCEPTED[accepts]
    if x.dtype.kind not in kinds:
        raise DTypeError(f"{what}: takes {words}, but x is {x}; convert with gc.astype")


def _infer(what: str, *, accepts: str = "numeric", empty: bool = True) -> Any:
    def infer(x: TensorType, *, axis: Axes, keepdims: bool = False) -> TensorType:
        check_dtype(what, x, accepts)
        shape = reduced_shape(what, x, axis, keepdims)
        if not empty:
            _check_elements(what, x.shape, axis)
        return x.with_shape(shape)

    return infer


def _check_elements(what: str, shape: Shape, axis: Axes) -> None:
    if builtins.any(shape[a] == 0 for a in axis):
        extents = ",".join(map(str, shape))
        raise ShapeError(f"{what}: of no elements is undefined; axes {axis} of a [{extents}] have none")


def unreduce(g: Any, x: Any, axis: Axes, keepdims: bool) -> Any:
    """Spread a reduction's cotangent (or result) over the shape of its operand."""
    from graphc.ops.shape import broadcast_to, reshape

    if not keepdims:
        g = reshape(g, shape=tuple(1 if i in axis else e for i, e in enumerate(x.shape)))
    return broadcast_to(g, shape=x.shape)


_OVER_AXES = [
    sample(real(4, 5), axis=(0,)),
    sample(real(2, 3, 4), axis=(0, 2), keepdims=True),
    sample(real(3), axis=()),
    sample(real(), axis=()),
    sample(exactly([1.0, np.nan, np.inf]), axis=(0,), differentiable=False),
    sample(integers(4, 5), axis=(1,)),
]
_OVER_NOTHING = [sample(real(0, 3), axis=(0,)), sample(real(0, 3), axis=(1,))]


def _sum_jvp(t: Any, y: Any, x: Any, *, axis: Axes, keepdims: bool) -> Any:
    return sum(t[0], axis=axis, keepdims=keepdims)


sum: Op = define_op(
    "sum",
    kind=Kind.REDUCTION,
    infer=_infer("sum"),
    reference=computed_in_f32(lambda x, *, axis, keepdims: np.sum(x, axis=axis, keepdims=keepdims, dtype=x.dtype)),
    vjp=lambda g, y, x, *, axis, keepdims: (unreduce(g, x, axis, keepdims),),
    jvp=_sum_jvp,
    accepts="numeric",
    samples=[*_OVER_AXES, *_OVER_NOTHING],
    doc="The sum over axes, in the operand's dtype; 0 over no elements.",
)


def _product_of_others(x: Any, axis: Axes) -> Any:
    """For each element the product of the others along the axes, with no division, so that zeros are no trouble."""
    from graphc.ops.scan import cumulative_prod, exclusive
    from graphc.ops.shape import permute_dims, reshape

    order = (*(i for i in range(x.ndim) if i not in axis), *axis)
    moved = permute_dims(x, axes=order)
    kept = moved.shape[: x.ndim - len(axis)]
    size: Any = 1
    for extent in moved.shape[len(kept) :]:
        size = size * extent
    row = reshape(moved, shape=(*kept, size))
    last = len(kept)
    before = exclusive(cumulative_prod(row, axis=last), axis=last, reverse=False, fill=1)
    after = exclusive(cumulative_prod(row, axis=last, reverse=True), axis=last, reverse=True, fill=1)
    return permute_dims(reshape(before * after, shape=moved.shape), axes=inverse(order))


prod: Op = define_op(
    "prod",
    kind=Kind.REDUCTION,
    infer=_infer("prod"),
    reference=computed_in_f32(lambda x, *, axis, keepdims: np.prod(x, axis=axis, keepdims=keepdims, dtype=x.dtype)),
    vjp=lambda g, y, x, *, axis, keepdims: (unreduce(g, x, axis, keepdims) * _product_of_others(x, axis),),
    jvp=lambda t, y, x, *, axis, keepdims: sum(t[0] * _product_of_others(x, axis), axis=axis, keepdims=keepdims),
    accepts="numeric",
    samples=[
        *_OVER_AXES,
        *_OVER_NOTHING,
        sample(real(3, 2, 2), axis=(2, 0)),
        sample(exactly([[2.0, 0.0, -3.0], [0.0, 0.0, 5.0], [1.5, 2.0, 4.0]]), axis=(1,)),
    ],
    doc="The product over axes, in the operand's dtype; 1 over no elements.",
)


def _shares(y: Any, x: Any, axis: Axes, keepdims: bool) -> tuple[Any, Any]:
    """1 for the elements equal to the extremum, else 0; and how many there are."""
    from graphc.ops.choice import cast

    wins = cast(x == unreduce(y, x, axis, keepdims), dtype=x.dtype)
    return wins, sum(wins, axis=axis, keepdims=keepdims)


def _extremum_vjp(g: Any, y: Any, x: Any, *, axis: Axes, keepdims: bool) -> tuple[Any]:
    wins, count = _shares(y, x, axis, keepdims)
    return (wins * unreduce(g / count, x, axis, keepdims),)


def _extremum_jvp(t: Any, y: Any, x: Any, *, axis: Axes, keepdims: bool) -> Any:
    wins, count = _shares(y, x, axis, keepdims)
    return sum(wins * t[0], axis=axis, keepdims=keepdims) / count


def _extremum(name: str, fold: Any, doc: str) -> Op:
    def reference(x: Any, *, axis: Axes, keepdims: bool) -> Any:
        _check_elements(name, x.shape, axis)
        return fold(x, axis=axis, keepdims=keepdims)

    ties = exactly([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    return define_op(
        name,
        kind=Kind.REDUCTION,
        infer=_infer(name, empty=False),
        reference=computed_in_f32(reference),
        vjp=_extremum_vjp,
        jvp=_extremum_jvp,
        accepts="numeric",
        samples=[*_OVER_AXES, sample(real(0, 3), axis=(1,)), sample(ties, axis=(1,), differentiable=False)],
        doc=doc,
    )


max = _extremum("max", np.max, "The greatest element over axes; NaN where there is one.")
min = _extremum("min", np.min, "The least element over axes; NaN where there is one.")


def _position(name: str, find: Any, doc: str) -> Op:
    def infer(x: TensorType, *, axis: int, keepdims: bool = False) -> TensorType:
        check_dtype(name, x, "numeric")
        check_axis(name, x, axis)
        _check_elements(name, x.shape, (axis,))
        return TensorType(i64, reduced_shape(name, x, (axis,), keepdims))

    def reference(x: Any, *, axis: int, keepdims: bool) -> Any:
        _check_elements(name, x.shape, (axis,))
        return np.asarray(find(x, axis=axis, keepdims=keepdims), np.int64)

    return define_op(
        name,
        kind=Kind.REDUCTION,
        infer=infer,
        reference=computed_in_f32(reference),
        vjp=no_gradient,
        jvp=no_tangent,
        accepts="numeric",
        samples=[
            sample(real(4, 5), axis=0),
            sample(real(2, 3, 4), axis=1, keepdims=True),
            sample(exactly([[1.0, 3.0, 3.0], [2.0, np.nan, np.nan]]), axis=1, differentiable=False),
            sample(integers(4, 5), axis=1),
            sample(real(0, 3), axis=1),
        ],
        doc=doc,
    )


argmax = _position("argmax", np.argmax, "Where the greatest element of each line is first; a NaN counts as it.")
argmin = _position("argmin", np.argmin, "Where the least element of each line is first; a NaN counts as it.")


def _test(name: str, fold: Any, doc: str) -> Op:
    return define_op(
        name,
        kind=Kind.REDUCTION,
        infer=_infer(name, accepts="bool"),
        reference=lambda x, *, axis, keepdims: fold(x, axis=axis, keepdims=keepdims),
        vjp=no_gradient,
        jvp=no_tangent,
        accepts="bool",
        samples=[
            sample(booleans(4, 5), axis=(0,)),
            sample(booleans(2, 3, 4), axis=(0, 2), keepdims=True),
            sample(booleans(3), axis=()),
            sample(booleans(0, 3), axis=(0,)),
        ],
        doc=doc,
    )


any = _test("any", np.any, "Whether one element holds at least; False of none.")
all = _test("all", np.all, "Whether all elements hold; True of none.")
