"""Maximum pooling: the greatest element of each window, and where it is; its gradient goes there.

    y, indices = max_pool(x, size=(3, 3), stride=(2, 2), padding=(1, 1), dilation=(1, 1))
        x: f32[N,C,H,W]   ->   f32[N,C,(H-1)//2+1,(W-1)//2+1], and i64 of the same shape

Every tap of a small window is read by a strided `slice`, one axis after another where there are many; large windows are
read by `windows`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.composites.sliding import Extents, Numbers, framed, pooled_type, product, windows_of
from graphc.op import composite
from graphc.ops.creation import full, iota, zeros
from graphc.ops.elementwise import cast, isnan, logical_and, logical_not, logical_or, maximum, where
from graphc.ops.indexing import take_along_axis
from graphc.ops.reduction import max, min, unreduce
from graphc.ops.scattering import scatter_add
from graphc.ops.shape import reshape
from graphc.ops.slicing import slice
from graphc.samples import exactly, real, sample
from graphc.types import TensorType, i32, i64

TAKEN_ONE_BY_ONE = 16  # elements of a window, or of one of its axes, whose maximum is found by elementwise steps


def begins(places: Extents, step: Extents, padding: Numbers) -> list[Any]:
    """Where windows begin along each axis: o·step - padding."""
    return [iota(shape=(n,), axis=0, dtype=i64) * s - p for n, s, p in zip(places, step, padding, strict=True)]


def greatest(
    x: Any, size: Extents, stride: Extents, padding: Numbers, dilation: Numbers, ceil_mode: bool
) -> tuple[Any, Any]:
    """The greatest element of each window, and the position where it is first."""
    settings = (size, stride, padding, dilation, ceil_mode, -np.inf)
    if all(isinstance(k, int) and k <= TAKEN_ONE_BY_ONE for k in size):
        inside, places = framed(x, *settings)
        y, tap = _greatest_of_parts(inside, places, size, stride, dilation)
    else:
        y, tap = greatest_within(windows_of(x, *settings), len(size))
    lead = x.ndim - len(size)
    return y, positions(tap, begins(y.shape[lead:], stride, padding), size, dilation, x.shape[lead:])


def _greatest_of_parts(x: Any, places: Extents, size: Any, stride: Extents, dilation: Numbers) -> tuple[Any, Any]:
    """The greatest of what each tap of the window sees, one tap after another, and the number of the first.

    Small windows are quicker so: every step is elementwise over all windows. The first of the greatest of each row of a
    window, and of these rows the first, is the first of all, so that axes of more taps are taken one after another.
    """
    steps = [[k * d for k in range(taps)] for taps, d in zip(size, dilation, strict=True)]
    if product(size) <= TAKEN_ONE_BY_ONE:
        return _first_greatest(x, None, list(enumerate(itertools.product(*steps))), places, stride)
    lead, axes, tap = x.ndim - len(size), range(len(size)), None
    for axis in reversed(axes):
        weight = product(size[axis + 1 :])
        shifts = [(k * weight, [first if i == axis else 0 for i in axes]) for k, first in enumerate(steps[axis])]
        seen = [places[i] if i == axis else x.shape[lead + i] for i in axes]
        x, tap = _first_greatest(x, tap, shifts, seen, [stride[i] if i == axis else 1 for i in axes])
    return x, tap


def _first_greatest(x: Any, taps: Any, shifts: Any, places: Sequence[Any], stride: Sequence[Any]) -> tuple[Any, Any]:
    """The greatest of what is seen from each of the shifts, and the number of the first: its own and that in `taps`."""
    lead = x.ndim - len(places)

    def seen(array: Any, starts: Sequence[int]) -> Any:
        limits = (b + (n - 1) * s + 1 for b, n, s in zip(starts, places, stride, strict=True))
        return slice(
            array, starts=(*(0,) * lead, *starts), limits=(*x.shape[:lead], *limits), strides=(*(1,) * lead, *stride)
        )

    y: Any = None
    tap: Any = None
    for number, starts in shifts:
        part = seen(x, starts)
        here = number if taps is None else seen(taps, starts) + number
        if y is None:
            y, tap = part, full(value=number, shape=part.shape, dtype=i32) if isinstance(here, int) else here
            continue
        wins = logical_or(part > y, logical_and(isnan(part), logical_not(isnan(y))))
        y, tap = where(wins, part, y), where(wins, here, tap)
    return y, tap


def greatest_within(seen: Any, count: int) -> tuple[Any, Any]:
    """The greatest element of windows that stand in the last axes, and the number of the first one, row by row."""
    size, axes = seen.shape[seen.ndim - count :], tuple(range(seen.ndim - count, seen.ndim))
    y = max(seen, axis=axes)
    wins = logical_or(seen == unreduce(y, seen, axes, False), isnan(seen))
    taps = reshape(iota(shape=(product(size),), axis=0, dtype=i32), shape=size)
    return y, min(where(wins, taps, np.iinfo(np.int32).max), axis=axes)


def positions(tap: Any, begin: Sequence[Any], size: Extents, dilation: Numbers, space: Extents) -> Any:
    """Where in `space`, row by row, the elements of these numbers in their windows are.

    Only where a window holds nothing but -inf can an element of the margin before the axes be its first: then the
    first one inside is meant.
    """
    count = len(space)
    position: Any = 0
    for i, (first, d, extent) in enumerate(zip(begin, dilation, space, strict=True)):
        later = product(size[i + 1 :])
        along = tap if count == 1 else tap // later if i == 0 else tap // later % size[i]
        along = cast(along, dtype=i64)  # divided before: vectors have no quotients of this type
        column = reshape(first, shape=(*first.shape, *(1,) * (count - 1 - i)))
        position = position * extent + column + maximum(along, 0 - column // d) * d
    return position


def _flat(x: Any, count: int) -> Any:
    lead = x.ndim - count
    return reshape(x, shape=(*x.shape[:lead], product(x.shape[lead:])))


def maximum_vjp(g: Any, y: Any, x: Any, count: int) -> tuple[Any]:
    """Every window's cotangent goes to the place of its first maximum."""
    if g[0] is None:
        return (None,)
    elements = _flat(x, count)
    dx = scatter_add(zeros(elements), _flat(y[1], count), _flat(g[0], count), axis=elements.ndim - 1)
    return (reshape(dx, shape=x.shape),)


def maximum_jvp(t: Any, y: Any, x: Any, count: int) -> tuple[Any, None]:
    """Every window's tangent is that of its first maximum."""
    tangent = take_along_axis(_flat(t[0], count), _flat(y[1], count), axis=x.ndim - count)
    return reshape(tangent, shape=y[0].shape), None


def _infer_max_pool(
    x: TensorType, *, size: Extents, stride: Extents, padding: Numbers, dilation: Numbers, ceil_mode: bool = False
) -> tuple[TensorType, TensorType]:
    y = pooled_type("max_pool", x, size, stride, padding, dilation, ceil_mode)
    return y, y.with_dtype(i64)


@composite(
    infer=_infer_max_pool,
    vjp=lambda g, y, x, *, size, **attributes: maximum_vjp(g, y, x, len(size)),
    jvp=lambda t, y, x, *, size, **attributes: maximum_jvp(t, y, x, len(size)),
    results=("indices",),
    samples=[
        sample(real(2, 3, 8), size=(2,), stride=(2,), padding=(0,), dilation=(1,)),
        sample(real(2, 2, 7, 6), size=(3, 2), stride=(2, 1), padding=(1, 1), dilation=(1, 2)),
        sample(real(2, 2, 6, 4), size=(2, 2), stride=(2, 2), padding=(0, 0), dilation=(1, 1)),
        sample(real(2, 2, 6), size=(3,), stride=(2,), padding=(1,), dilation=(1,), ceil_mode=True),
        sample(real(2, 6), size=(1,), stride=(4,), padding=(0,), dilation=(1,), ceil_mode=True),
        sample(real(2, 3, 4, 3), size=(2, 2, 2), stride=(1, 2, 1), padding=(0, 0, 0), dilation=(1, 1, 1)),
        sample(real(0, 2, 4), size=(2,), stride=(1,), padding=(0,), dilation=(1,)),
        sample(
            exactly([[1.0, 1.0, np.nan, 2.0, -np.inf, -np.inf, -np.inf]]), size=(3,), stride=(2,), padding=(1,),
            dilation=(1,), differentiable=False,
        ),
    ],
)  # fmt: skip
def max_pool(
    x: Any, *, size: Extents, stride: Extents, padding: Numbers, dilation: Numbers, ceil_mode: bool = False
) -> tuple[Any, Any]:
    """The greatest element of each window, and where among the axes that are slid over it is first, row by row.

        y, indices = max_pool(x, size=(2, 2), stride=(2, 2), padding=(0, 0), dilation=(1, 1))
            x: f32[N,C,H,W]   ->   f32[N,C,H//2,W//2], i64[N,C,H//2,W//2]

    A NaN is the greatest. The gradient of a window goes to its first maximum. `padding`, at most half of a window,
    never wins. Raises ShapeError where no window fits, OpAttributeError for too much padding, DTypeError for
    integers. torch.nn.functional.max_pool2d.
    """
    return greatest(x, size, stride, padding, dilation, ceil_mode)
