"""Sorting along one axis. NaN counts as the greatest number, as in NumPy and torch: last, or first when descending.

    sort(x, axis=1): f32[N,5] -> f32[N,5]        topk(x, k=2, axis=1): f32[N,5] -> f32[N,2], i64[N,2]

Every order is stable: equal elements keep theirs, descending too, so that results are the same on every backend.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import OpAttributeError, ShapeError
from graphc.op import Kind, Op, define_op, no_gradient, no_tangent
from graphc.ops.creation import zeros
from graphc.ops.declare import computed_in_f32
from graphc.ops.indexing import take_along_axis
from graphc.ops.reduction import check_axis, check_dtype
from graphc.ops.scattering import scatter_add
from graphc.samples import exactly, integers, real, sample
from graphc.types import TensorType, i64


@computed_in_f32
def _order(x: Any, *, axis: int, descending: bool) -> Any:
    """The stable order; the descending one is the ascending one of the flipped line, counted from its end."""
    if not descending:
        return np.argsort(x, axis=axis, kind="stable").astype(np.int64)
    flipped = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
    return np.flip(x.shape[axis] - 1 - flipped, axis).astype(np.int64)


def _infer_sort(x: TensorType, *, axis: int, descending: bool = False) -> TensorType:
    check_dtype("sort", x, "numeric")
    check_axis("sort", x, axis)
    return x


def _infer_argsort(x: TensorType, *, axis: int, descending: bool = False) -> TensorType:
    check_dtype("argsort", x, "numeric")
    check_axis("argsort", x, axis)
    return x.with_dtype(i64)


_SPECIAL = exactly([2.0, np.nan, -np.inf, 0.0, np.inf, -0.0, np.nan, 2.0])
_SAMPLES = [
    sample(real(4, 5), axis=0),
    sample(real(2, 3, 4), axis=1, descending=True),
    sample(real(0), axis=0),
    sample(integers(3, 6), axis=1),
    sample(integers(3, 6), axis=1, descending=True),
    sample(_SPECIAL, axis=0, differentiable=False),
    sample(_SPECIAL, axis=0, descending=True, differentiable=False),
]

argsort = define_op(
    "argsort",
    kind=Kind.OPAQUE,
    infer=_infer_argsort,
    reference=_order,
    vjp=no_gradient,
    jvp=no_tangent,
    accepts="numeric",
    samples=_SAMPLES,
    doc="Where the elements of each line stand in its order.",
)


def _sort_vjp(g: Any, y: Any, x: Any, *, axis: int, descending: bool) -> tuple[Any]:
    return (scatter_add(zeros(x), argsort(x, axis=axis, descending=descending), g, axis=axis),)


sort = define_op(
    "sort",
    kind=Kind.OPAQUE,
    infer=_infer_sort,
    reference=lambda x, *, axis, descending: np.take_along_axis(
        x, _order(x, axis=axis, descending=descending), axis=axis
    ),
    vjp=_sort_vjp,
    jvp=lambda t, y, x, *, axis, descending: take_along_axis(
        t[0], argsort(x, axis=axis, descending=descending), axis=axis
    ),
    accepts="numeric",
    samples=_SAMPLES,
    doc="The elements of each line in order.",
)


def _infer_topk(x: TensorType, *, k: int, axis: int, largest: bool = True) -> tuple[TensorType, TensorType]:
    check_dtype("topk", x, "numeric")
    check_axis("topk", x, axis)
    if not isinstance(k, int) or k < 0:
        raise OpAttributeError(f"topk: k is {k}, not a non-negative integer")
    _check_k(k, x.shape[axis], axis)
    values = x.with_shape(k if i == axis else extent for i, extent in enumerate(x.shape))
    return values, values.with_dtype(i64)


def _check_k(k: int, extent: Any, axis: int) -> None:
    if isinstance(extent, int) and k > extent:
        raise ShapeError(f"topk: k is {k}, but axis {axis} has extent {extent}")


def _topk_reference(x: Any, *, k: int, axis: int, largest: bool) -> tuple[Any, Any]:
    _check_k(k, x.shape[axis], axis)
    indices = np.take(_order(x, axis=axis, descending=largest), range(k), axis=axis)
    return np.take_along_axis(x, indices, axis=axis), indices


topk: Op = define_op(
    "topk",
    kind=Kind.OPAQUE,
    infer=_infer_topk,
    reference=_topk_reference,
    vjp=lambda g, y, x, *, k, axis, largest: (None if g[0] is None else scatter_add(zeros(x), y[1], g[0], axis=axis),),
    jvp=lambda t, y, x, *, k, axis, largest: (take_along_axis(t[0], y[1], axis=axis), None),
    accepts="numeric",
    samples=[
        sample(real(4, 5), k=2, axis=1),
        sample(real(4, 3), k=4, axis=0, largest=False),
        sample(real(4), k=0, axis=0),
        sample(integers(3, 6), k=3, axis=1),
        sample(_SPECIAL, k=4, axis=0, differentiable=False),
    ],
    doc="The k greatest or least elements of each line in order, and where they stand; of equal ones the first.",
)
