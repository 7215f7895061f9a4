"""Pooling: windows that slide over the last axes, each reduced to one number.

    y, indices = max_pool(x, size=(3, 3), stride=(2, 2), padding=(1, 1), dilation=(1, 1))
    y = avg_pool(x, size=(2, 2), stride=(2, 2), padding=(0, 0))          x: f32[N,C,H,W]   ->   f32[N,C,H//2,W//2]

As many axes are slid over as `size` has numbers; the others lead. With `ceil_mode` a last window may reach beyond the
margin, as long as it begins before it. Windows that lie side by side are read by a `reshape`, others by `windows`, and
for the maximum of small ones every tap of the window by a strided `slice`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.composites.precision import check_floats, computed_in_f32
from graphc.dim import Dim, Extent, min_extent
from graphc.errors import OpAttributeError, ShapeError
from graphc.op import composite
from graphc.ops.creation import full, iota, zeros
from graphc.ops.elementwise import cast, isnan, logical_and, logical_not, logical_or, maximum, minimum, where
from graphc.ops.indexing import take_along_axis
from graphc.ops.reduction import max, min, sum, unreduce
from graphc.ops.scattering import scatter_add
from graphc.ops.shape import permute_dims, reshape
from graphc.ops.slicing import pad, slice
from graphc.ops.window import check_fit, check_steps, window_span, windows
from graphc.samples import exactly, real, sample
from graphc.types import TensorType, i32, i64

Extents = tuple[Extent, ...]
Numbers = tuple[int, ...]

TAKEN_ONE_BY_ONE = 16  # elements of a window at most, for its maximum to be found by elementwise steps


def product(extents: Extents) -> Extent:
    """The number of elements of a shape."""
    size: Extent = 1
    for extent in extents:
        size = size * extent
    return size


# -- where windows lie ------------------------------------------------------------------------------------------------


def pooled_extent(extent: Extent, size: Extent, stride: Extent, padding: int, dilation: int, ceil_mode: bool) -> Extent:
    """⌊(extent + 2·padding - span)/stride⌋ + 1, or with ⌈⌉, less windows that begin behind the last element."""
    span = window_span(size, dilation)
    room = extent + 2 * padding - span
    if not ceil_mode:
        floored: Extent = room // stride + 1
        return floored
    count: Extent = -(-room // stride) + 1
    begins_inside = isinstance(span, int) and isinstance(stride, int) and stride + padding <= span
    return count if begins_inside else min_extent(count, -(-(extent + padding) // stride))


def _high(extent: Extent, count: Extent, span: Extent, stride: Extent, padding: int, ceil_mode: bool) -> Extent:
    """The elements that the windows need after the last one; for named extents, that they may need."""
    needed = (count - 1) * stride + span - extent - padding
    if isinstance(needed, int):
        return needed if needed > 0 else 0
    return padding + (stride - 1 if ceil_mode else 0)


def _infer_pool(
    what: str, x: TensorType, size: Extents, stride: Extents, padding: Numbers, dilation: Numbers, ceil_mode: bool
) -> TensorType:
    check_floats(what, x=x)
    count = check_steps(what, size=size, stride=stride, dilation=dilation)
    if len(padding) != count:
        raise OpAttributeError(f"{what}: padding {padding} must have {count} numbers, as size {size}")
    if count >= x.rank:
        raise ShapeError(f"{what}: x has channels and {count} axes to slide over, but is {x}")
    lead = x.rank - count
    places = []
    for i in range(count):
        extent, span = x.shape[lead + i], window_span(size[i], dilation[i])
        if not 0 <= 2 * padding[i] <= span:
            raise OpAttributeError(
                f"{what}: padding is at least 0 and at most half of a window, but along axis {lead + i} it is "
                f"{padding[i]}, and the window reaches over {span}"
            )
        margins = 2 * padding[i] + (stride[i] - 1 if ceil_mode else 0)
        if not isinstance(extent, Dim) and extent < 1:
            raise ShapeError(f"{what}: axis {lead + i} of x is empty: {x}")
        check_fit(what, extent, size[i], dilation[i], lead + i, margins)
        places.append(pooled_extent(extent, size[i], stride[i], padding[i], dilation[i], ceil_mode))
    return x.with_shape((*x.shape[:lead], *places))


def _framed(
    x: Any, size: Extents, stride: Extents, padding: Numbers, dilation: Numbers, ceil_mode: bool, value: float
) -> tuple[Any, Extents]:
    """x with margins of a value that hold all windows, and how many windows there are along each axis."""
    lead = x.ndim - len(size)
    places, high = [], []
    for extent, k, s, p, d in zip(x.shape[lead:], size, stride, padding, dilation, strict=True):
        places.append(pooled_extent(extent, k, s, p, d, ceil_mode))
        high.append(_high(extent, places[-1], window_span(k, d), s, p, ceil_mode))
    if any(n != 0 for n in (*padding, *high)):
        x = pad(x, low=(*(0,) * lead, *padding), high=(*(0,) * lead, *high), value=value)
    return x, tuple(places)


def _windows(
    x: Any, size: Extents, stride: Extents, padding: Numbers, dilation: Numbers, ceil_mode: bool, value: float
) -> Any:
    """The windows over x with margins of a value: x[..., place, ..., within, ...]."""
    count, lead = len(size), x.ndim - len(size)
    framed, places = _framed(x, size, stride, padding, dilation, ceil_mode, value)
    plain = size == stride and not any(padding) and all(d == 1 for d in dilation)
    if plain and all(e == n * k for e, n, k in zip(x.shape[lead:], places, size, strict=True)):
        return tiles(x, places, size)
    seen = windows(framed, size=size, stride=stride, dilation=dilation)
    if seen.shape[lead : lead + count] != places:
        seen = slice(seen, starts=(0,) * seen.ndim, limits=(*seen.shape[:lead], *places, *size))
    return seen


def tiles(x: Any, places: Extents, size: Extents) -> Any:
    """Windows that lie side by side and cover all: each axis parted into places and what is within."""
    lead, count = x.ndim - len(size), len(size)
    parted = reshape(
        x, shape=(*x.shape[:lead], *(extent for pair in zip(places, size, strict=True) for extent in pair))
    )
    outer, inner = (tuple(lead + 2 * i + k for i in range(count)) for k in (0, 1))
    return permute_dims(parted, axes=(*range(lead), *outer, *inner)) if count > 1 else parted


# -- the greatest -----------------------------------------------------------------------------------------------------


def begins(places: Extents, step: Extents, padding: Numbers) -> list[Any]:
    """Where windows begin along each axis: o·step - padding."""
    return [iota(shape=(n,), axis=0, dtype=i64) * s - p for n, s, p in zip(places, step, padding, strict=True)]


def greatest(
    x: Any, size: Extents, stride: Extents, padding: Numbers, dilation: Numbers, ceil_mode: bool
) -> tuple[Any, Any]:
    """The greatest element of each window, and the position where it is first."""
    settings = (size, stride, padding, dilation, ceil_mode, -np.inf)
    elements = product(size)
    if isinstance(elements, int) and elements <= TAKEN_ONE_BY_ONE:
        framed, places = _framed(x, *settings)
        y, tap = _greatest_of_parts(framed, places, size, stride, dilation)
    else:
        y, tap = greatest_within(_windows(x, *settings), len(size))
    lead = x.ndim - len(size)
    return y, positions(tap, begins(y.shape[lead:], stride, padding), size, dilation, x.shape[lead:])


def _greatest_of_parts(x: Any, places: Extents, size: Any, stride: Extents, dilation: Numbers) -> tuple[Any, Any]:
    """The greatest of what each tap of the window sees, one tap after another, and the number of the first.

    Small windows are quicker so: every step is elementwise over all windows.
    """
    lead = x.ndim - len(size)
    y: Any = None
    tap: Any = None
    for number, taps in enumerate(itertools.product(*map(range, size))):
        starts = tuple(t * d for t, d in zip(taps, dilation, strict=True))
        limits = (b + (n - 1) * s + 1 for b, n, s in zip(starts, places, stride, strict=True))
        part = slice(
            x, starts=(*(0,) * lead, *starts), limits=(*x.shape[:lead], *limits), strides=(*(1,) * lead, *stride)
        )
        if y is None:
            y, tap = part, full(value=0, shape=part.shape, dtype=i32)
            continue
        wins = logical_or(part > y, logical_and(isnan(part), logical_not(isnan(y))))
        y, tap = where(wins, part, y), where(wins, number, tap)
    return y, cast(tap, dtype=i64)


def greatest_within(seen: Any, count: int) -> tuple[Any, Any]:
    """The greatest element of windows that stand in the last axes, and the number of the first one, row by row."""
    size, axes = seen.shape[seen.ndim - count :], tuple(range(seen.ndim - count, seen.ndim))
    y = max(seen, axis=axes)
    wins = logical_or(seen == unreduce(y, seen, axes, False), isnan(seen))
    taps = reshape(iota(shape=(product(size),), axis=0, dtype=i32), shape=size)
    return y, cast(min(where(wins, taps, np.iinfo(np.int32).max), axis=axes), dtype=i64)


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
    y = _infer_pool("max_pool", x, size, stride, padding, dilation, ceil_mode)
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


# -- the mean ---------------------------------------------------------------------------------------------------------


def _infer_avg_pool(
    x: TensorType, *, size: Extents, stride: Extents, padding: Numbers, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> TensorType:  # fmt: skip
    if divisor_override == 0:
        raise OpAttributeError("avg_pool: divisor_override is a number other than 0, not 0")
    return _infer_pool("avg_pool", x, size, stride, padding, (1,) * len(size), ceil_mode)


def _elements(
    x: Any, size: Extents, stride: Extents, padding: Numbers, ceil_mode: bool, count_include_pad: bool
) -> Any:
    """How many elements each window has: a number where it is the same for all, else an array over the places."""
    count, lead = len(size), x.ndim - len(size)
    result: Any = 1
    for i, (extent, k, s, p) in enumerate(zip(x.shape[lead:], size, stride, padding, strict=True)):
        places = pooled_extent(extent, k, s, p, 1, ceil_mode)
        reaches_out = ceil_mode and (places - 1) * s + k != extent + 2 * p
        if not reaches_out and (p == 0 or count_include_pad):
            result = result * k
            continue
        margin = p if count_include_pad else 0
        begin = iota(shape=(places,), axis=0, dtype=i64) * s - p
        end = minimum(begin + k, extent + margin)
        within = end - maximum(begin, -margin)
        result = result * reshape(within, shape=(places, *(1,) * (count - 1 - i)))
    return result


@composite(
    infer=_infer_avg_pool,
    samples=[
        sample(real(2, 3, 8), size=(2,), stride=(2,), padding=(0,)),
        sample(real(2, 2, 7, 6), size=(3, 2), stride=(2, 1), padding=(1, 1)),
        sample(real(2, 2, 7, 6), size=(3, 2), stride=(2, 1), padding=(1, 1), count_include_pad=False),
        sample(real(2, 2, 6), size=(3,), stride=(2,), padding=(1,), ceil_mode=True),
        sample(real(2, 6, 5), size=(2, 2), stride=(4, 2), padding=(0, 1), ceil_mode=True, count_include_pad=False),
        sample(real(2, 6), size=(3,), stride=(1,), padding=(1,), divisor_override=2),
        sample(real(2, 3, 4, 2), size=(2, 2, 2), stride=(1, 2, 1), padding=(0, 0, 0)),
        sample(real(0, 2, 4), size=(2,), stride=(1,), padding=(0,)),
    ],
)
@computed_in_f32
def avg_pool(
    x: Any, *, size: Extents, stride: Extents, padding: Numbers, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Any:  # fmt: skip
    """The mean of each window.

        avg_pool(x, size=(2, 2), stride=(2, 2), padding=(0, 0))   x: f32[N,C,H,W]   ->   f32[N,C,H//2,W//2]

    Zeros of the `padding`, at most half of a window, count as elements with `count_include_pad`; what lies beyond it
    in `ceil_mode` never does. `divisor_override` divides all sums instead. Raises ShapeError where no window fits,
    OpAttributeError for too much padding, DTypeError for integers. torch.nn.functional.avg_pool2d.
    """
    count = len(size)
    seen = _windows(x, size, stride, padding, (1,) * count, ceil_mode, value=0.0)
    total = sum(seen, axis=tuple(range(seen.ndim - count, seen.ndim)))
    divisor = divisor_override or _elements(x, size, stride, padding, ceil_mode, count_include_pad)
    return total / (divisor if isinstance(divisor, int | Dim) else cast(divisor, dtype=x.dtype))
