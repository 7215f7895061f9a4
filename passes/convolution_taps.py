"""Depthwise convolutions: nothing is summed over channels, so the windows are taken tap by tap.

    y[n, p, q, c] = Σ over k, l of x[n, p + k, q + l, c]·w[c, k, l]      a sum of 9 products of shifted images

Each tap is a view of the image; one kernel reads them all, and its innermost loop runs over the channels. The gradient
for the kernels is one sum for each tap, again by one kernel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from graphc.ops.choice import identity
from graphc.ops.convolution import LEAD
from graphc.ops.reduction import sum as sum_op
from graphc.ops.shape import broadcast_to, permute_dims, reshape
from graphc.ops.slicing import concat, slice
from graphc.passes.convolution_windows import Numbers
from graphc.tensor import Tensor

MOST_TAPS = 25  # statements of one kernel


def is_depthwise(image: Tensor, w: Tensor) -> bool:
    """Whether every kernel sees one channel, and few places of it; image: [N,*S,G,C], w: [G,O,C,*K]."""
    return image.shape[-1] == 1 and _are_few(w.shape[LEAD:])


def is_depthwise_gradient(image: Tensor, w: Tensor, places: Sequence[Any]) -> bool:
    """Whether it is the gradient for such kernels: image [N,*S,G,1], w [G,1,N,*P], and few places."""
    return image.shape[-1] == 1 and w.shape[1] == 1 and _are_few(places)


def _are_few(extents: Sequence[Any]) -> bool:
    total = 1
    for extent in extents:
        total = total * extent
    return isinstance(total, int) and 0 < total <= MOST_TAPS


def over_taps(image: Tensor, w: Tensor, places: Sequence[Any], stride: Numbers, dilation: Numbers) -> Any:
    """y[n, g, o, p] = Σ over k of image[n, p·stride + k·dilation, g]·w[g, o, k]"""
    count = len(stride)
    batch, groups, kernels = image.shape[0], w.shape[0], w.shape[1]
    shape = (batch, *places, groups, kernels)
    # Tap by tap, and written down once: every row of the result reads all of it.
    weights = identity(permute_dims(w, axes=(2, *range(LEAD, LEAD + count), 0, 1)))
    total = None
    for tap in _each(w.shape[LEAD:]):
        starts = [k * far for k, far in zip(tap, dilation, strict=True)]
        seen = _spread(_places(image, starts, places, stride), shape)
        part = slice(weights, starts=(0, *tap, 0, 0), limits=(1, *(k + 1 for k in tap), groups, kernels))
        term = seen * broadcast_to(reshape(part, shape=(groups, kernels)), shape=shape)
        total = term if total is None else total + term
    assert total is not None
    return permute_dims(total, axes=(0, 1 + count, 2 + count, *range(1, 1 + count)))


def gradient_of_taps(image: Tensor, w: Tensor, places: Sequence[Any], stride: Numbers, dilation: Numbers) -> Any:
    """y[g, k] = Σ over n, p of image[n, k·stride + p·dilation, g]·w[g, n, p], for few k"""
    count = len(stride)
    batch, *extents, groups, _ = image.shape
    size = w.shape[LEAD:]
    images = reshape(image, shape=(batch, *extents, groups))
    weights = permute_dims(reshape(w, shape=(groups, batch, *size)), axes=(1, *range(2, 2 + count), 0))
    sums = []
    for tap in _each(places):
        starts = [k * step for k, step in zip(tap, stride, strict=True)]
        seen = _places(images, starts, size, dilation)
        sums.append(reshape(sum_op(seen * weights, axis=tuple(range(1 + count))), shape=(1, groups)))
    totals = concat(*sums, axis=0)
    return reshape(permute_dims(totals, axes=(1, 0)), shape=(1, groups, 1, *places))


def _each(extents: Sequence[Any]) -> Iterator[tuple[int, ...]]:
    return product(*(range(extent) for extent in extents))


def _places(image: Tensor, starts: Sequence[Any], places: Sequence[Any], steps: Numbers) -> Any:
    """The places start, start + step, … of every axis behind the first."""
    count = len(starts)
    limits = [start + (n - 1) * step + 1 for start, n, step in zip(starts, places, steps, strict=True)]
    behind = image.shape[1 + count :]
    return slice(
        image,
        starts=(0, *starts, *(0 for _ in behind)),
        limits=(image.shape[0], *limits, *behind),
        strides=(1, *steps, *(1 for _ in behind)),
    )


def _spread(x: Tensor, shape: Sequence[Any]) -> Any:
    return x if x.shape == tuple(shape) else broadcast_to(x, shape=tuple(shape))
