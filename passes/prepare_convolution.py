"""A convolution as a product of matrices, with the channels last.

    convolution: f32[N,1,C,H,W], f32[1,O,C,3,3] -> f32[N,1,O,P,Q]
    ->  f32[N·P·Q, 3·3·C] · f32[3·3·C, O]           a row is a window: runs of C neighbours

With the channels last a window is few long pieces of memory, and the product's rows are the pixels of the result. What
moves channels is a `permute_dims` on either side; `passes/layout.py` takes away those that meet.

A gradient of kernels is a convolution whose kernel is an image, whose result is small, and whose channels are the
images of a batch. Its windows are those of the convolution that it belongs to, summed over rows: f32[3·3·C, N·P·Q] ·
f32[N·P·Q, O].

Groups of channels are in `convolution_groups.py`, strides that leave zeros in `convolution_phases.py`.
"""

from __future__ import annotations

from typing import Any

from graphc.dim import Extent
from graphc.ops.choice import cast
from graphc.ops.contraction import dot_general
from graphc.ops.convolution import LEAD, padded_extent
from graphc.ops.shape import permute_dims, reshape
from graphc.ops.window import window_count
from graphc.passes.convolution_groups import channels_together, kernels_over_groups, over_groups
from graphc.passes.convolution_phases import by_phases, has_phases
from graphc.passes.convolution_taps import has_few_taps, over_taps
from graphc.passes.convolution_windows import over_windows, windows_of, with_margins
from graphc.passes.fuse.product import product_of_extents
from graphc.tensor import Tensor
from graphc.types import f32

MOST_TAPS = 121  # of a kernel, 11·11

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
    is_gradient = _sums_over_images(batch, channels, places, tuple(size))
    if is_gradient:  # what no window reaches would give it more places
        read = [
            (p - 1) * step + (k - 1) * far + 1 for p, k, step, far in zip(places, size, stride, dilation, strict=True)
        ]
        high = tuple(n - (whole - used) for n, whole, used in zip(high, padded, read, strict=True))
    if groups != 1:
        return _of_groups(x, w, places, is_gradient, low, high, stride, dilation, input_dilation)
    images, kernel = reshape(x, shape=(batch, channels, *extents)), reshape(w, shape=(kernels, channels, *size))
    if has_phases(extents, size, low, high, stride, input_dilation):
        image = permute_dims(images, axes=(0, *space, 1))
        image = by_phases(over_windows, image, kernel, kernels, low, high, dilation, input_dilation)
        product = _first(image, len(size))
    elif is_gradient:
        image = with_margins(permute_dims(images, axes=(1, *space, 0)), low, high, input_dilation, 1)
        product = _over_places(image, kernel, places, stride, dilation)
    else:
        image = with_margins(permute_dims(images, axes=(0, *space, 1)), low, high, input_dilation, 1)
        product = _first(over_windows(image, kernel, stride, dilation), len(size))
    return reshape(product, shape=(batch, 1, kernels, *places))


def _of_groups(
    x: Tensor, w: Tensor, places: Extents, is_gradient: bool, low: Extents, high: Extents, stride: Numbers,
    dilation: Numbers, input_dilation: Numbers,
) -> Any:  # fmt: skip
    """What a convolution of several groups computes."""
    batch, groups, _, *extents = x.shape
    _, kernels, _, *size = w.shape
    last = (0, *range(LEAD, LEAD + len(size)), 1, 2)
    if kernels != 1 and not is_gradient and has_few_taps(x, w):
        image = with_margins(permute_dims(x, axes=last), low, high, input_dilation, 1)
        return over_taps(image, w, places, stride, dilation)
    dtype = x.dtype
    if dtype.bits == 16:  # multiplied and added in f32, and rounded once
        x, w = cast(x, dtype=f32), cast(w, dtype=f32)
    if is_gradient:
        product = kernels_over_groups(x, w, places, low, high, stride, dilation, input_dilation)
    else:
        image = channels_together(x, last)
        if has_phases(extents, size, low, high, stride, input_dilation):
            image = by_phases(over_groups, image, w, groups * kernels, low, high, dilation, input_dilation)
        else:
            image = over_groups(with_margins(image, low, high, input_dilation, 1), w, stride, dilation)
        product = reshape(_first(image, len(size)), shape=(batch, groups, kernels, *places))
    return product if product.dtype is dtype else cast(product, dtype=dtype)


def _sums_over_images(batch: Extent, channels: Extent, places: Extents, size: Extents) -> bool:
    """Whether a convolution is a gradient for kernels, whose channels are the images of a batch.

    Its places are those of a kernel, so they are few, and fewer than it sums over, but for small images. There the
    number of images tells, which has a name most often.
    """
    if _is_smaller(places, size):
        return isinstance(batch, int) or not isinstance(channels, int)
    taps = product_of_extents(places)
    return isinstance(batch, int) and not isinstance(channels, int) and isinstance(taps, int) and taps <= MOST_TAPS


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
