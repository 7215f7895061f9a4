"""A convolution as a product of matrices: its windows, one to a row, times its kernels.

convolution: f32[N,G,C,H,W], f32[G,O,C,3,3]
->  pad, windows: f32[N,G,C,P,Q,3,3]; dot_general over C and the window, group by group; permute_dims
"""

from __future__ import annotations

from typing import Any

from graphc.dim import Extent, max_extent
from graphc.ops.contraction import dot_general
from graphc.ops.convolution import LEAD, padded_extent
from graphc.ops.shape import permute_dims
from graphc.ops.slicing import pad, slice
from graphc.ops.window import windows
from graphc.tensor import Tensor

Extents = tuple[Extent, ...]


def as_product(x: Tensor, w: Tensor, *, low: Any, high: Any, stride: Any, dilation: Any, input_dilation: Any) -> Any:
    """What the op `convolution` computes."""
    count = len(stride)
    space = tuple(range(LEAD, LEAD + count))
    seen = windows(with_margins(x, low, high, input_dilation), size=w.shape[LEAD:], stride=stride, dilation=dilation)
    within = tuple(LEAD + count + i for i in range(count))
    product = dot_general(seen, w, contract=((2, *within), (2, *space)), batch=((1,), (0,)))
    last = 2 + count  # the axes are group, batch, places, kernels
    return permute_dims(product, axes=(1, 0, last, *range(2, last)))


def with_margins(x: Tensor, low: Extents, high: Extents, input_dilation: tuple[int, ...]) -> Tensor:
    """x with zeros between its elements, and with margins; without what negative margins cut off."""
    extents = x.shape[LEAD:]
    totals = [padded_extent(*each) for each in zip(extents, low, high, input_dilation, strict=True)]
    before = [max_extent(n, 0) for n in low]
    after = [max_extent(n, 0) for n in high]
    nothing = (0,) * LEAD
    if any(n != 0 for n in (*before, *after)) or any(step != 1 for step in input_dilation):
        inside = tuple(step - 1 for step in input_dilation)
        behind = (n - i for n, i in zip(after, inside, strict=True))  # no zeros follow the last element
        between = (*nothing, *inside) if any(inside) else None
        x = pad(x, low=(*nothing, *before), high=(*nothing, *behind), interior=between)
    starts = [b - n for b, n in zip(before, low, strict=True)]
    limits = [start + total for start, total in zip(starts, totals, strict=True)]
    if any(s != 0 for s in starts) or tuple(limits) != x.shape[LEAD:]:
        x = slice(x, starts=(*nothing, *starts), limits=(*x.shape[:LEAD], *limits))
    return x
