"""Windows that slide over the last axes for pooling: how many there are, what they reach, and what they see.

    pooled_extent(8, size=3, stride=2, padding=1, dilation=1, ceil_mode=False)   ->   4
    windows_of(x, (2, 2), (2, 2), (0, 0), (1, 1), False, 0.0)   x: f32[N,C,H,W]   ->   f32[N,C,H//2,W//2,2,2]

With `ceil_mode` a last window may reach beyond the margin, as long as it begins before it. Windows that lie side by
side are read by a `reshape`, others by `windows`.
"""

from __future__ import annotations

from typing import Any

from graphc.composites.precision import check_floats
from graphc.dim import Dim, Extent, min_extent
from graphc.errors import OpAttributeError, ShapeError
from graphc.ops.shape import permute_dims, reshape
from graphc.ops.slicing import pad, slice
from graphc.ops.window import check_fit, check_steps, window_span, windows
from graphc.types import TensorType

Extents = tuple[Extent, ...]
Numbers = tuple[int, ...]


def product(extents: Extents) -> Extent:
    """The number of elements of a shape."""
    size: Extent = 1
    for extent in extents:
        size = size * extent
    return size


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


def pooled_type(
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


def framed(
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


def windows_of(
    x: Any, size: Extents, stride: Extents, padding: Numbers, dilation: Numbers, ceil_mode: bool, value: float
) -> Any:
    """The windows over x with margins of a value: x[..., place, ..., within, ...]."""
    count, lead = len(size), x.ndim - len(size)
    inside, places = framed(x, size, stride, padding, dilation, ceil_mode, value)
    plain = size == stride and not any(padding) and all(d == 1 for d in dilation)
    if plain and all(e == n * k for e, n, k in zip(x.shape[lead:], places, size, strict=True)):
        return tiles(x, places, size)
    seen = windows(inside, size=size, stride=stride, dilation=dilation)
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
