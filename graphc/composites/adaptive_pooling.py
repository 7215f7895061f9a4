"""Adaptive pooling: as many windows as asked for, spread evenly over an axis of any extent.

    adaptive_avg_pool(x, output_size=(1, 1))              x: f32[N,C,H,W]   ->   f32[N,C,1,1]
    y, indices = adaptive_max_pool(x, output_size=(3,))   x: f32[N,C,7]     ->   f32[N,C,3], i64[N,C,3]

Window o of O over an extent I holds the elements from ⌊o·I/O⌋ up to ⌈(o + 1)·I/O⌉. Where O divides I they lie side by
side, for named extents too; otherwise extents must be numbers, and the windows, of unequal sizes, are gathered.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from graphc.composites.max_pooling import greatest, greatest_within, maximum_jvp, maximum_vjp, positions
from graphc.composites.precision import check_floats, computed_in_f32
from graphc.composites.sliding import product, tiles
from graphc.dim import Dim, Extent
from graphc.errors import OpAttributeError, ShapeError
from graphc.op import composite
from graphc.ops.creation import constant
from graphc.ops.elementwise import cast, where
from graphc.ops.indexing import take
from graphc.ops.reduction import sum
from graphc.ops.shape import reshape
from graphc.samples import real, sample
from graphc.types import TensorType, i64

Extents = tuple[Extent, ...]


def _infer(what: str, x: TensorType, output_size: Extents) -> TensorType:
    check_floats(what, x=x)
    count = len(output_size)
    if not 0 < count < x.rank:
        raise ShapeError(f"{what}: output_size {output_size} is of {count} axes after the channels, but x is {x}")
    lead = x.rank - count
    for axis, (extent, wanted) in enumerate(zip(x.shape[lead:], output_size, strict=True), lead):
        if not isinstance(wanted, Dim) and wanted < 1:
            raise OpAttributeError(f"{what}: output_size {output_size} must be positive")
        if not isinstance(extent, Dim) and extent < 1:
            raise ShapeError(f"{what}: axis {axis} of x is empty: {x}")
        if (isinstance(extent, Dim) or isinstance(wanted, Dim)) and extent % wanted != 0:
            raise ShapeError(
                f"{what}: axis {axis} has the extent {extent}, which {wanted} windows need not divide; give x a known "
                f"extent, or a multiple of {wanted}"
            )
    return x.with_shape((*x.shape[:lead], *output_size))


def _divide(space: Extents, output_size: Extents) -> bool:
    return all(extent % wanted == 0 for extent, wanted in zip(space, output_size, strict=True))


def _spans(extent: Any, wanted: Any) -> tuple[Any, Any]:
    """Where windows begin and end: ⌊o·I/O⌋ and ⌈(o + 1)·I/O⌉."""
    place = np.arange(wanted)
    return place * extent // wanted, -(-(place + 1) * extent // wanted)


def _table(space: Any, output_size: Any) -> Any:
    """The flat positions of what each window holds, -1 where others are larger: i64[*O,*K]."""
    count = len(space)
    table: Any = np.zeros((), np.int64)
    for i, (extent, wanted) in enumerate(zip(space, output_size, strict=True)):
        begin, end = _spans(extent, wanted)
        at = begin[:, None] + np.arange((end - begin).max())
        at = np.where(at < end[:, None], at, -1)
        shape = [1] * (2 * count)
        shape[i], shape[count + i] = at.shape
        at = at.reshape(shape)
        table = np.where((table < 0) | (at < 0), -1, table * extent + at)
    return table


def _gathered(x: Any, count: int, table: Any, value: float) -> Any:
    """The windows, filled up with a value."""
    lead = x.ndim - count
    flat = reshape(x, shape=(*x.shape[:lead], product(x.shape[lead:])))
    seen = take(flat, constant(value=np.maximum(table, 0)), axis=lead)
    return where(constant(value=table >= 0), seen, value)


# -- the greatest -----------------------------------------------------------------------------------------------------


def _infer_max(x: TensorType, *, output_size: Extents) -> tuple[TensorType, TensorType]:
    y = _infer("adaptive_max_pool", x, output_size)
    return y, y.with_dtype(i64)


@composite(
    infer=_infer_max,
    vjp=lambda g, y, x, *, output_size: maximum_vjp(g, y, x, len(output_size)),
    jvp=lambda t, y, x, *, output_size: maximum_jvp(t, y, x, len(output_size)),
    results=("indices",),
    samples=[
        sample(real(2, 3, 8), output_size=(4,)),
        sample(real(2, 2, 7, 5), output_size=(3, 2)),
        sample(real(2, 3, 2), output_size=(2, 3)),
        sample(real(0, 2, 4), output_size=(3,)),
    ],
)
def adaptive_max_pool(x: Any, *, output_size: Extents) -> tuple[Any, Any]:
    """The greatest element of each of `output_size` windows, and where it is first, row by row.

        y, indices = adaptive_max_pool(x, output_size=(2, 2))   x: f32[N,C,7,7]   ->   f32[N,C,2,2], i64[N,C,2,2]

    A NaN is the greatest. The gradient of a window goes to its first maximum. Raises ShapeError for named extents
    that need not divide, DTypeError for integers. torch.nn.functional.adaptive_max_pool2d.
    """
    count = len(output_size)
    space = x.shape[x.ndim - count :]
    ones = (1,) * count
    if _divide(space, output_size):
        size = tuple(extent // wanted for extent, wanted in zip(space, output_size, strict=True))
        return greatest(x, size, size, (0,) * count, ones, False)
    seen = _gathered(x, count, _table(space, output_size), -np.inf)
    spans = (_spans(extent, wanted) for extent, wanted in zip(space, output_size, strict=True))
    begin = [constant(value=first) for first, _ in spans]
    y, tap = greatest_within(seen, count)
    return y, positions(tap, begin, seen.shape[seen.ndim - count :], ones, space)


# -- the mean ---------------------------------------------------------------------------------------------------------


@composite(
    infer=lambda x, *, output_size: _infer("adaptive_avg_pool", x, output_size),
    samples=[
        sample(real(2, 3, 8), output_size=(4,)),
        sample(real(2, 2, 7, 5), output_size=(3, 2)),
        sample(real(2, 2, 3, 4), output_size=(1, 1)),
        sample(real(2, 3, 2), output_size=(2, 3)),
        sample(real(0, 2, 4), output_size=(3,)),
    ],
)
@computed_in_f32
def adaptive_avg_pool(x: Any, *, output_size: Extents) -> Any:
    """The mean of each of `output_size` windows.

        adaptive_avg_pool(x, output_size=(1, 1))   x: f32[N,C,H,W]   ->   f32[N,C,1,1]

    Raises ShapeError for named extents that need not divide, DTypeError for integers.
    torch.nn.functional.adaptive_avg_pool2d.
    """
    count = len(output_size)
    space = x.shape[x.ndim - count :]
    if _divide(space, output_size):
        size = tuple(extent // wanted for extent, wanted in zip(space, output_size, strict=True))
        seen, elements = tiles(x, output_size, size), product(size)
    else:
        seen = _gathered(x, count, _table(space, output_size), 0.0)
        spans = (_spans(extent, wanted) for extent, wanted in zip(space, output_size, strict=True))
        elements = cast(constant(value=reduce(np.multiply.outer, [end - begin for begin, end in spans])), dtype=x.dtype)
    return sum(seen, axis=tuple(range(seen.ndim - count, seen.ndim))) / elements
