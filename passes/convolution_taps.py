"""Depthwise convolutions with several kernels a channel: the windows are taken tap by tap.

    y[n, p, q, c, o] = Σ over k, l of x[n, p + k, q + l, c]·w[c, o, k, l]      a sum of 9 products of shifted images

Each tap is a view of the image; one kernel reads them all, and its innermost loop runs over channels and kernels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from graphc.ops.choice import identity
from graphc.ops.convolution import LEAD
from graphc.ops.shape import broadcast_to, permute_dims, reshape
from graphc.ops.slicing import slice
from graphc.passes.convolution_windows import Numbers
from graphc.passes.fuse.product import product_of_extents
from graphc.tensor import Tensor

MOST_TAPS = 25  # statements of one kernel


def has_few_taps(x: Tensor, w: Tensor) -> bool:
    """Whether every kernel sees one channel, and few places of it; x: [N,G,C,*S], w: [G,O,C,*K]."""
    taps = product_of_extents(w.shape[LEAD:])
    return x.shape[2] == 1 and isinstance(taps, int) and 0 < taps <= MOST_TAPS


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
