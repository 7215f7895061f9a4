"""Reading at computed indices; `scattering.py` has the ops that write, each the other's derivative.

    take(x, i, axis=0):             f32[10,4], i64[N] -> f32[N,4]       x[i[n], c]
    take_along_axis(x, i, axis=1):  f32[N,4], i64[N,2] -> f32[N,2]      x[n, i[n, c]]

`take` moves whole slices: the axes of the indices stand in the place of the axis. `take_along_axis` has an index for
each element; along the other axes the indices may cover the first places only, as in torch's gather. An index below 0
or beyond the axis raises IndexRangeError; array functions make the negative indices that they know non-negative.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import DTypeError, IndexRangeError, ShapeError
from graphc.op import Kind, Op, define_op
from graphc.ops.creation import zeros
from graphc.ops.reduction import check_axis
from graphc.samples import Sample, booleans, exactly, integers, real, sample
from graphc.types import Shape, TensorType, i64


def check_indices(what: str, indices: TensorType) -> None:
    """DTypeError where indices are no integers."""
    if not indices.dtype.is_integer:
        raise DTypeError(f"{what}: indices are {indices}, not integers")


def check_range(what: str, indices: Any, extent: int, axis: int) -> None:
    """IndexRangeError with the first index that the axis does not have, and where it stands."""
    wrong = (indices < 0) | (indices >= extent)
    if wrong.any():
        position = tuple(map(int, np.argwhere(wrong)[0]))
        at = f" at {list(position)}" if position else ""
        raise IndexRangeError(
            f"{what}: index {int(indices[position])}{at} is out of range for axis {axis} of extent {extent}"
        )


def taken_shape(what: str, x: TensorType, indices: TensorType, axis: int) -> Shape:
    """The shape of the slices of x at indices."""
    check_axis(what, x, axis)
    return (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def along_shape(what: str, x: TensorType, indices: TensorType, axis: int) -> Shape:
    """The shape of the elements of x at indices that have its rank."""
    check_axis(what, x, axis)
    if indices.rank != x.rank:
        raise ShapeError(f"{what}: x is {x}, but indices are {indices}: they need one rank")
    for i, (extent, covered) in enumerate(zip(x.shape, indices.shape, strict=True)):
        fits = covered == extent or (isinstance(covered, int) and isinstance(extent, int) and covered < extent)
        if i != axis and not fits:
            raise ShapeError(f"{what}: x has {extent} along axis {i}, but indices have {covered}")
    return indices.shape


def slices_at(indices: Any, axis: int) -> tuple[Any, ...]:
    """NumPy's index for whole slices: `x[:, indices]` for axis 1."""
    return (*(slice(None),) * axis, indices.astype(np.int64))


def elements_at(indices: Any, axis: int) -> tuple[Any, ...]:
    """NumPy's index for single elements: the indices along the axis, their own places along others."""
    places = np.ogrid[tuple(slice(extent) for extent in indices.shape)]
    return tuple(indices.astype(np.int64) if i == axis else place for i, place in enumerate(places))


def _gather(name: str, shape_of: Any, places: Any, *, vjp: Any, jvp: Any, samples: list[Sample], doc: str) -> Op:
    def infer(x: TensorType, indices: TensorType, *, axis: int) -> TensorType:
        check_indices(name, indices)
        return x.with_shape(shape_of(name, x, indices, axis))

    def reference(x: Any, indices: Any, *, axis: int) -> Any:
        check_range(name, indices, x.shape[axis], axis)
        return x[places(indices, axis)]

    return define_op(
        name, kind=Kind.GATHER, infer=infer, reference=reference, vjp=vjp, jvp=jvp, samples=samples, doc=doc
    )


def _take_vjp(g: Any, y: Any, x: Any, indices: Any, *, axis: int) -> tuple[Any, None]:
    from graphc.ops.scattering import index_add

    return index_add(zeros(x), indices, g, axis=axis), None


take: Op = _gather(
    "take",
    taken_shape,
    slices_at,
    vjp=_take_vjp,
    jvp=lambda t, y, x, indices, *, axis: take(t[0], indices, axis=axis),
    samples=[
        sample(real(5, 3), integers(4, low=0, high=5), axis=0),
        sample(real(2, 5), integers(2, 2, low=0, high=5), axis=1),
        sample(real(4), exactly(2, i64), axis=0),
        sample(real(4, 2), integers(0, low=0, high=1), axis=0),
        sample(integers(4), integers(3, low=0, high=4, dtype="u8"), axis=0),
        sample(booleans(4), integers(3, low=0, high=4), axis=0),
    ],
    doc="The slices of x at indices along an axis, in the shape of the indices.",
)


def _take_along_axis_vjp(g: Any, y: Any, x: Any, indices: Any, *, axis: int) -> tuple[Any, None]:
    from graphc.ops.scattering import scatter_add

    return scatter_add(zeros(x), indices, g, axis=axis), None


take_along_axis: Op = _gather(
    "take_along_axis",
    along_shape,
    elements_at,
    vjp=_take_along_axis_vjp,
    jvp=lambda t, y, x, indices, *, axis: take_along_axis(t[0], indices, axis=axis),
    samples=[
        sample(real(5, 3), integers(4, 3, low=0, high=5), axis=0),
        sample(real(2, 5), integers(2, 7, low=0, high=5, dtype="i32"), axis=1),
        sample(real(3, 5), integers(2, 2, low=0, high=5), axis=1),
        sample(real(3, 5), integers(3, 0, low=0, high=5), axis=1),
        sample(integers(4), integers(3, low=0, high=4), axis=0),
    ],
    doc="The elements of x at indices along an axis, at the index's own place along the others.",
)
