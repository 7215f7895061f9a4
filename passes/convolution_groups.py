"""Convolutions of groups of channels: products group by group, which read images and write results with channels last.

    y[n, p, g, o] = Σ over k, c of window[n, p, k, g, c]·w[g, k, c, o]        f32[N,P,Q,G·O], written in place
    y[n, p, g]    = Σ over k of window[n, p, k, g]·w[k, g]                    depthwise: one channel to a group

Groups stand among the columns (`grouped_dot`), as the channels of a group stand among those of the image: nothing is
moved. The gradient for the kernels is the same with other sums, over images and places.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.ops.contraction import grouped_dot
from graphc.ops.convolution import LEAD
from graphc.ops.shape import permute_dims, reshape
from graphc.passes.convolution_windows import Extents, Numbers, windows_of, with_margins
from graphc.passes.layout import channels_first
from graphc.tensor import Tensor


def over_groups(
    x: Tensor, w: Tensor, places: Sequence[Any], low: Extents, high: Extents, stride: Numbers, dilation: Numbers,
    input_dilation: Numbers,
) -> Any:  # fmt: skip
    """y[n, g, o, p] = Σ over c, k of x[n, g, c, p·stride + k·dilation - low]·w[g, o, c, k]"""
    count = len(stride)
    space = tuple(range(LEAD, LEAD + count))
    batch, groups, channels = x.shape[:LEAD]
    kernels, size = w.shape[1], w.shape[LEAD:]
    seen = windows_of(_with_margins(x, (0, *space, 1, 2), low, high, input_dilation), tuple(size), stride, dilation)
    within, group = tuple(range(1 + count, 1 + 2 * count)), 1 + 2 * count
    # Where a group is one number wide, groups lie side by side; else the kernels of a group do.
    order = (*space, 0, 2, 1) if (channels, kernels) == (1, 1) else (0, *space, 2, 1)
    weights = permute_dims(w, axes=order)
    summed = tuple(order.index(axis) for axis in (*space, 2))
    product = grouped_dot(seen, weights, contract=((*within, group + 1), summed), batch=((group,), (order.index(0),)))
    image = reshape(product, shape=(batch, *places, groups * kernels))
    return reshape(permute_dims(image, axes=channels_first(2 + count)), shape=(batch, groups, kernels, *places))


def kernels_over_groups(
    x: Tensor, w: Tensor, places: Sequence[Any], low: Extents, high: Extents, stride: Numbers, dilation: Numbers,
    input_dilation: Numbers,
) -> Any:  # fmt: skip
    """The same where the k are many and the p few: images stand at the channels' place, and are summed over.

    These are windows with p within and k as their places, strides and dilations exchanged.
    """
    count = len(stride)
    space = tuple(range(LEAD, LEAD + count))
    seen = windows_of(_with_margins(x, (2, *space, 1, 0), low, high, input_dilation), tuple(places), dilation, stride)
    weights = permute_dims(w, axes=(2, *space, 0, 1))
    summed, group = tuple(range(1 + count)), 1 + 2 * count
    product = grouped_dot(seen, weights, contract=(summed, summed), batch=((group,), (1 + count,)))
    return permute_dims(product, axes=(count, 1 + count, 2 + count, *range(count)))


def _with_margins(x: Tensor, order: Numbers, low: Extents, high: Extents, input_dilation: Numbers) -> Tensor:
    """What `order` makes an image f32[N,H,W,G,C], with margins around f32[N,H,W,G·C], as those of one group have."""
    image = permute_dims(x, axes=order)
    *outer, groups, channels = image.shape
    padded = with_margins(reshape(image, shape=(*outer, groups * channels)), low, high, input_dilation, 1)
    result: Tensor = reshape(padded, shape=(*padded.shape[:-1], groups, channels))
    return result
