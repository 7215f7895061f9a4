"""A convolution as a product of matrices, with the channels last.

    convolution: f32[N,1,C,H,W], f32[1,O,C,3,3] -> f32[N,1,O,P,Q]
    ->  f32[N·P·Q, 3·3·C] · f32[3·3·C, O]           a row is a window: runs of C neighbours

With the channels last a window is few long pieces of memory, and the product's rows are the pixels of the result. What
moves channels is a `permute_dims` on either side; `passes/layout.py` takes away those that meet.

A gradient of kernels is a convolution whose kernel is as large as an image and whose result is small. Its windows are
those of the convolution that it belongs to, summed over rows: f32[3·3·C, N·P·Q] · f32[N·P·Q, O].
"""

from __future__ import annotations

from typing import Any

from graphc.dim import Extent, max_extent
from graphc.ops.contraction import dot_general
from graphc.ops.convolution import LEAD, padded_extent
from graphc.ops.shape import permute_dims, reshape
from graphc.ops.slicing import pad, slice
from graphc.ops.window import window_count, windows
from graphc.tensor import Tensor

Extents = tuple[Extent, ...]
Numbers = tuple[int, ...]


def as_product(
    x: Tensor, w: Tensor, *, stride: Numbers, low: Extents, high: Extents, dilation: Numbers, input_dilation: Numbers
) -> Any:
    """What the op `convolution` computes."""
    if x.shape[1] != 1:
        return _group_by_group(with_margins(x, low, high, input_dilation, LEAD), w, stride, dilation)
    batch, _, channels, *extents = x.shape
    _, kernels, _, *size = w.shape
    padded = [padded_extent(*each) for each in zip(extents, low, high, input_dilation, strict=True)]
    places = tuple(window_count(*each) for each in zip(padded, size, stride, dilation, strict=True))
    space = range(2, 2 + len(size))
    images, kernel = reshape(x, shape=(batch, channels, *extents)), reshape(w, shape=(kernels, channels, *size))
    if _is_smaller(places, tuple(size)):
        image = with_margins(permute_dims(images, axes=(1, *space, 0)), low, high, input_dilation, 1)
        product = _over_places(image, kernel, places, stride, dilation)
    else:
        image = with_margins(permute_dims(images, axes=(0, *space, 1)), low, high, input_dilation, 1)
        product = _over_windows(image, kernel, stride, dilation)
    return reshape(product, shape=(batch, 1, kernels, *places))


def _is_smaller(a: Extents, b: Extents) -> bool:
    """Whether there are fewer numbers along axes of known extents; no where that depends on a named dim."""
    if not all(isinstance(extent, int) for extent in a):
        return False
    return not all(isinstance(extent, int) for extent in b) or _product(a) < _product(b)


def _product(extents: Extents) -> Any:
    total: Extent = 1
    for extent in extents:
        total = total * extent
    return total


def _over_windows(image: Tensor, kernel: Tensor, stride: Numbers, dilation: Numbers) -> Any:
    """y[n, p, o] = Σ over k, c of window[n, p, k, c]·w[o, c, k]"""
    count = len(stride)
    rows = _windows(image, kernel.shape[2:], stride, dilation)
    within = tuple(range(1 + count, 1 + 2 * count))
    columns = permute_dims(kernel, axes=(*range(2, 2 + count), 1, 0))
    product = dot_general(rows, columns, contract=((*within, 1 + 2 * count), tuple(range(1 + count))))
    return permute_dims(product, axes=(0, 1 + count, *range(1, 1 + count)))


def _over_places(image: Tensor, kernel: Tensor, places: Extents, stride: Numbers, dilation: Numbers) -> Any:
    """y[n, o, p] = Σ over c, k of image[c, p·stride + k·dilation, n]·w[o, c, k], where the k are many and the p few.

    These are windows with p within and k as their places, strides and dilations exchanged; channels come first, since
    they are summed over.
    """
    count = len(stride)
    rows = _windows(image, places, dilation, stride)  # [C, k, p, N]
    summed = tuple(range(1 + count))
    weights = permute_dims(kernel, axes=(1, *range(2, 2 + count), 0))  # [C, k, O]
    product = dot_general(rows, weights, contract=(summed, summed))
    return permute_dims(product, axes=(count, 1 + count, *range(count)))


def _windows(image: Tensor, size: Extents, stride: Numbers, dilation: Numbers) -> Any:
    """The windows of f32[N,H,W,C] as f32[N,P,Q,…,C]: places, then what lies within a window, then the last axis."""
    count = len(stride)
    channel = 1 + count
    seen = windows(
        permute_dims(image, axes=(0, channel, *range(1, channel))), size=tuple(size), stride=stride, dilation=dilation
    )
    return permute_dims(seen, axes=(0, *range(2, 2 + 2 * count), 1))


def _group_by_group(image: Tensor, w: Tensor, stride: Numbers, dilation: Numbers) -> Any:
    """Groups of channels, each a product of its own."""
    count = len(stride)
    space = tuple(range(LEAD, LEAD + count))
    seen = windows(image, size=w.shape[LEAD:], stride=stride, dilation=dilation)
    within = tuple(LEAD + count + i for i in range(count))
    product = dot_general(seen, w, contract=((2, *within), (2, *space)), batch=((1,), (0,)))
    last = 2 + count  # the axes are group, batch, places, kernels
    return permute_dims(product, axes=(1, 0, last, *range(2, last)))


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
