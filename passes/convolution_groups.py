"""Convolutions of groups of channels: products group by group, which read images and write results with channels last.

    y[n, p, g, o] = Σ over k, c of window[n, p, k, g, c]·w[g, k, c, o]        f32[N,P,Q,G·O], written in place
    y[n, p, g]    = Σ over k of window[n, p, k, g]·w[k, g]                    depthwise: one channel to a group

Groups stand among the columns (`grouped_dot`), as the channels of a group stand among those of the image: nothing is
moved. The gradient for the kernels is the same with other sums, over images and places.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.dim import Extent
from graphc.ops.contraction import grouped_dot
from graphc.ops.convolution import LEAD
from graphc.ops.shape import permute_dims, reshape
from graphc.passes.convolution_windows import Extents, Numbers, windows_of, with_margins
from graphc.tensor import Tensor


def over_groups(image: Tensor, w: Tensor, stride: Numbers, dilation: Numbers) -> Any:
    """f32[N,P,Q,G·O] for an image f32[N,H,W,G·C], with its margins, and kernels f32[G,O,C,3,3]."""
    count = len(stride)
    space = tuple(range(LEAD, LEAD + count))
    groups, kernels, channels, *size = w.shape
    seen = windows_of(_in_groups(image, groups, channels), tuple(size), stride, dilation)
    within, group = tuple(range(1 + count, 1 + 2 * count)), 1 + 2 * count
    # Where a group is one number wide, groups lie side by side; else the kernels of a group do.
    order = (*space, 0, 2, 1) if (channels, kernels) == (1, 1) else (0, *space, 2, 1)
    weights = permute_dims(w, axes=order)
    summed = tuple(order.index(axis) for axis in (*space, 2))
    product = grouped_dot(seen, weights, contract=((*within, group + 1), summed), batch=((group,), (order.index(0),)))
    return reshape(product, shape=(*product.shape[: 1 + count], groups * kernels))


def kernels_over_groups(
    x: Tensor, w: Tensor, places: Sequence[Any], low: Extents, high: Extents, stride: Numbers, dilation: Numbers,
    input_dilation: Numbers,
) -> Any:  # fmt: skip
    """The same where the k are many and the p few: images stand at the channels' place, and are summed over.

    These are windows with p within and k as their places, strides and dilations exchanged.
    """
    count = len(stride)
    space = tuple(range(LEAD, LEAD + count))
    image = with_margins(channels_together(x, (2, *space, 1, 0)), low, high, input_dilation, 1)
    seen = windows_of(_in_groups(image, x.shape[1], x.shape[0]), tuple(places), dilation, stride)
    weights = permute_dims(w, axes=(2, *space, 0, 1))
    summed, group = tuple(range(1 + count)), 1 + 2 * count
    product = grouped_dot(seen, weights, contract=(summed, summed), batch=((group,), (1 + count,)))
    return permute_dims(product, axes=(count, 1 + count, 2 + count, *range(count)))


def channels_together(x: Tensor, order: Numbers) -> Tensor:
    """What `order` makes an image f32[N,H,W,G,C], as f32[N,H,W,G·C]: margins are those of one with a single group."""
    image = permute_dims(x, axes=order)
    *outer, groups, channels = image.shape
    together: Tensor = reshape(image, shape=(*outer, groups * channels))
    return together


def _in_groups(image: Tensor, groups: Extent, channels: Extent) -> Tensor:
    apart: Tensor = reshape(image, shape=(*image.shape[:-1], groups, channels))
    return apart
