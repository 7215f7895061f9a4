"""The windows of an image with its channels last, its margins, and its product with kernels.

    over_windows(image: f32[N,30,30,8], kernel: f32[16,8,3,3]) -> f32[N,28,28,16]

Windows are a view: the kernel that multiplies them reads the image itself (`graphc/passes/fuse/product.py`).
"""

from __future__ import annotations

from typing import Any

from graphc.dim import Extent, max_extent
from graphc.ops.contraction import dot_general
from graphc.ops.convolution import padded_extent
from graphc.ops.shape import permute_dims
from graphc.ops.slicing import pad, slice
from graphc.ops.window import windows
from graphc.tensor import Tensor

Extents = tuple[Extent, ...]
Numbers = tuple[int, ...]


def over_windows(image: Tensor, kernel: Tensor, stride: Numbers, dilation: Numbers) -> Any:
    """y[n, p, o] = Σ over k, c of window[n, p, k, c]·w[o, c, k]"""
    count = len(stride)
    rows = windows_of(image, kernel.shape[2:], stride, dilation)
    within = tuple(range(1 + count, 1 + 2 * count))
    columns = permute_dims(kernel, axes=(*range(2, 2 + count), 1, 0))
    return dot_general(rows, columns, contract=((*within, 1 + 2 * count), tuple(range(1 + count))))


def windows_of(image: Tensor, size: Extents, stride: Numbers, dilation: Numbers) -> Any:
    """The windows of f32[N,H,W,C] as f32[N,P,Q,…,C]: places, then what lies within a window, then the last axes."""
    count = len(stride)
    space, behind = tuple(range(1, 1 + count)), tuple(range(1 + count, image.ndim))
    seen = windows(permute_dims(image, axes=(0, *behind, *space)), size=tuple(size), stride=stride, dilation=dilation)
    first = 1 + len(behind)
    return permute_dims(seen, axes=(0, *range(first, first + 2 * count), *range(1, first)))


def with_margins(x: Tensor, low: Extents, high: Extents, input_dilation: Numbers, first: int) -> Tensor:
    """x with zeros between its elements and around them, without what negative margins cut off.

    The axes that windows slide over begin at `first`.
    """
    count = len(low)
    behind = x.ndim - first - count
    extents = x.shape[first : first + count]
    totals = [padded_extent(*each) for each in zip(extents, low, high, input_dilation, strict=True)]
    before = [max_extent(n, 0) for n in low]
    after = [max_extent(n, 0) for n in high]

    def everywhere(numbers: Any) -> tuple[Any, ...]:
        return (*(0,) * first, *numbers, *(0,) * behind)

    if any(n != 0 for n in (*before, *after)) or any(step != 1 for step in input_dilation):
        inside = tuple(step - 1 for step in input_dilation)
        last = (n - i for n, i in zip(after, inside, strict=True))  # no zeros follow the last element
        between = everywhere(inside) if any(inside) else None
        x = pad(x, low=everywhere(before), high=everywhere(last), interior=between)
    starts = [b - n for b, n in zip(before, low, strict=True)]
    limits = [start + total for start, total in zip(starts, totals, strict=True)]
    if any(s != 0 for s in starts) or tuple(limits) != x.shape[first : first + count]:
        x = slice(x, starts=everywhere(starts), limits=(*x.shape[:first], *limits, *x.shape[first + count :]))
    return x
