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

from graphc.dim import Extent
from graphc.ops.contraction import dot_general
from graphc.ops.convolution import LEAD, padded_extent
from graphc.ops.shape import inverse, permute_dims, reshape
from graphc.ops.window import window_count, windows
from graphc.passes.convolution_phases import by_phases, has_phases
from graphc.passes.convolution_taps import gradient_of_taps, is_depthwise, is_depthwise_gradient, over_taps
from graphc.passes.convolution_windows import over_windows, windows_of, with_margins
from graphc.passes.fuse.product import product_of_extents
from graphc.tensor import Tensor

Extents = tuple[Extent, ...]
Numbers = tuple[int, ...]


def as_product(
    x: Tensor, w: Tensor, *, stride: Numbers, low: Extents, high: Extents, dilation: Numbers, input_dilation: Numbers
) -> Any:
    """What the op `convolution` computes."""
    batch, groups, channels, *extents = x.shape
    _, kernels, _, *size = w.shape
    padded = [padded_extent(*each) for each in zip(extents, low, high, input_dilation, strict=True)]
    places = tuple(window_count(*each) for each in zip(padded, size, stride, dilation, strict=True))
    space = range(2, 2 + len(size))
    is_gradient = _is_smaller(places, tuple(size))
    if groups != 1:
        # Channels last here, too; in a gradient for kernels what stands at the channels' place are images.
        space = range(LEAD, LEAD + len(size))
        order = (2, *space, 1, 0) if is_gradient else (0, *space, 1, 2)
        image = with_margins(permute_dims(x, axes=order), low, high, input_dilation, 1)
        if is_depthwise(image, w) and not is_gradient:
            return over_taps(image, w, places, stride, dilation)
        if is_gradient and is_depthwise_gradient(image, w, places):
            return gradient_of_taps(image, w, places, stride, dilation)
        x = permute_dims(image, axes=inverse(order))
        return _group_by_group(x, w, stride, dilation, first=is_gradient)
    images, kernel = reshape(x, shape=(batch, channels, *extents)), reshape(w, shape=(kernels, channels, *size))
    if any(step != 1 for step in input_dilation) and has_phases(images, size, low, high, stride, input_dilation):
        image = permute_dims(images, axes=(0, *space, 1))
        product = _first(by_phases(image, kernel, low, high, dilation, input_dilation), len(size))
    elif is_gradient:
        image = with_margins(permute_dims(images, axes=(1, *space, 0)), low, high, input_dilation, 1)
        product = _over_places(image, kernel, places, stride, dilation)
    else:
        image = with_margins(permute_dims(images, axes=(0, *space, 1)), low, high, input_dilation, 1)
        product = _first(over_windows(image, kernel, stride, dilation), len(size))
    return reshape(product, shape=(batch, 1, kernels, *places))


def _is_smaller(a: Extents, b: Extents) -> bool:
    """Whether there are fewer numbers along axes of known extents; no where that depends on a named dim."""
    if not all(isinstance(extent, int) for extent in a):
        return False
    return not all(isinstance(extent, int) for extent in b) or product_of_extents(a) < product_of_extents(b)


def _first(product: Tensor, count: int) -> Any:
    """An image with its channels before its space again."""
    return permute_dims(product, axes=(0, 1 + count, *range(1, 1 + count)))


def _over_places(image: Tensor, kernel: Tensor, places: Extents, stride: Numbers, dilation: Numbers) -> Any:
    """y[n, o, p] = Σ over c, k of image[c, p·stride + k·dilation, n]·w[o, c, k], where the k are many and the p few.

    These are windows with p within and k as their places, strides and dilations exchanged; channels come first, since
    they are summed over.
    """
    count = len(stride)
    rows = windows_of(image, places, dilation, stride)  # [C, k, p, N]
    summed = tuple(range(1 + count))
    weights = permute_dims(kernel, axes=(1, *range(2, 2 + count), 0))  # [C, k, O]
    product = dot_general(rows, weights, contract=(summed, summed))
    return permute_dims(product, axes=(count, 1 + count, *range(count)))


def _group_by_group(x: Tensor, w: Tensor, stride: Numbers, dilation: Numbers, first: bool) -> Any:
    """Groups of channels, each a product of its own; the channels are summed `first` where they are images."""
    count = len(stride)
    seen = windows(x, size=w.shape[LEAD:], stride=stride, dilation=dilation)
    within = tuple(range(LEAD + count, LEAD + 2 * count))
    space = tuple(range(LEAD, LEAD + count))
    summed = (2, *within) if first else (*within, 2)
    # Kernels as [group, what is summed, O]: their columns lie side by side.
    order = (0, 2, *space, 1) if first else (0, *space, 2, 1)
    columns = permute_dims(w, axes=order)
    product = dot_general(seen, columns, contract=(summed, tuple(range(1, 2 + count))), batch=((1,), (0,)))
    last = 2 + count  # the axes are group, batch, places, kernels
    return permute_dims(product, axes=(1, 0, last, *range(2, last)))
