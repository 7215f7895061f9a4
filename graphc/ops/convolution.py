"""Convolution: one op, whose derivatives are convolutions again.

    convolution(x, w, stride=(1, 1), low=(1, 1), high=(1, 1)):
        f32[N,G,C,H,W], f32[G,O,C,3,3] -> f32[N,G,O,H,W]
    y[n, g, o, p] = Σ over c, k of w[g, o, c, k] · x[n, g, c, (p·stride + k·dilation - low) / input_dilation]

As in the field, the kernel is not turned around (a cross-correlation). `G` groups of channels do not see each other.
`low` and `high` are elements of margin, zeros; negative ones cut off. With `input_dilation` d there are d - 1 zeros
between two elements of x, which is what makes a transposed convolution.

Source: Dumoulin and Visin, A guide to convolution arithmetic for deep learning, arXiv:1603.07285.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.dim import Dim, Extent
from graphc.errors import DTypeError, OpAttributeError, ShapeError
from graphc.op import Kind, Op, define_op
from graphc.ops.declare import computed_in_f32
from graphc.ops.shape import permute_dims
from graphc.ops.slicing import flip
from graphc.ops.window import check_fit, check_steps, window_count
from graphc.samples import real, sample
from graphc.types import TensorType

Extents = tuple[Extent, ...]
Numbers = tuple[int, ...]

LEAD = 3  # axes before those that windows slide over: batch, group, channel


def padded_extent(extent: Extent, low: Extent, high: Extent, input_dilation: int) -> Extent:
    """What windows slide over: the elements, the zeros between them, and the margins."""
    return (extent - 1) * input_dilation + 1 + low + high


def _infer(
    x: TensorType,
    w: TensorType,
    *,
    stride: Numbers,
    low: Extents,
    high: Extents,
    dilation: Numbers,
    input_dilation: Numbers,
) -> TensorType:
    count = check_steps("convolution", stride=stride, dilation=dilation, input_dilation=input_dilation)
    if len(low) != count or len(high) != count:
        raise OpAttributeError(f"convolution: low {low} and high {high} must have {count} numbers, as stride {stride}")
    if x.dtype is not w.dtype:
        raise DTypeError(f"convolution: x is {x.dtype}, but w is {w.dtype}")
    if not x.dtype.is_float:
        raise DTypeError(f"convolution: takes floating-point numbers, but x is {x}")
    for name, operand in (("x", x), ("w", w)):
        if operand.rank != LEAD + count:
            raise ShapeError(
                f"convolution: {name} needs {LEAD} axes and those that the kernel slides over, {LEAD + count} in all, "
                f"but is {operand}"
            )
    if x.shape[1] != w.shape[0]:
        raise ShapeError(f"convolution: x has {x.shape[1]} groups, but w has {w.shape[0]}")
    if x.shape[2] != w.shape[2]:
        raise ShapeError(f"convolution: x has {x.shape[2]} channels in a group, but w takes {w.shape[2]}")
    extents = []
    for i in range(count):
        size, extent = w.shape[LEAD + i], x.shape[LEAD + i]
        padded = padded_extent(extent, low[i], high[i], input_dilation[i])
        if not isinstance(extent, Dim) and extent < 1:
            raise ShapeError(f"convolution: axis {LEAD + i} of x is empty: {x}")
        check_fit("convolution", padded, size, dilation[i], LEAD + i)
        extents.append(window_count(padded, size, stride[i], dilation[i]))
    return x.with_shape((x.shape[0], w.shape[0], w.shape[1], *extents))


def _padded(x: Any, low: Any, high: Any, input_dilation: Any) -> Any:
    """The elements with zeros between and around them."""
    count = len(low)
    extents = [padded_extent(x.shape[LEAD + i], low[i], high[i], input_dilation[i]) for i in range(count)]
    result: Any = np.zeros((*x.shape[:LEAD], *extents), x.dtype)
    source, target = [], []
    for i, step in enumerate(input_dilation):
        first = max(0, -(low[i] // step))  # the first element that is not cut off
        last = min(x.shape[LEAD + i], -((low[i] - extents[i]) // step))
        source.append(slice(first, max(first, last)))
        start = low[i] + first * step
        target.append(slice(start, start + max(last - first, 0) * step, step) if last > first else slice(0, 0))
    result[(..., *target)] = x[(..., *source)]
    return result


def _reference(x: Any, w: Any, *, stride: Any, low: Any, high: Any, dilation: Any, input_dilation: Any) -> Any:
    """The windows as the rows of a matrix, times the kernels, group by group."""
    count = len(stride)
    padded = _padded(x, low, high, input_dilation)
    size = w.shape[LEAD:]
    for i in range(count):
        check_fit("convolution", padded.shape[LEAD + i], size[i], dilation[i], LEAD + i)
    spans = tuple((k - 1) * d + 1 for k, d in zip(size, dilation, strict=True))
    seen: Any = np.lib.stride_tricks.sliding_window_view(padded, spans, axis=tuple(range(LEAD, LEAD + count)))
    seen = seen[(..., *(slice(None, None, s) for s in stride), *(slice(None, None, d) for d in dilation))]
    axes = tuple(range(count))
    places, taps = tuple(LEAD + a for a in axes), tuple(LEAD + count + a for a in axes)
    groups = [
        np.tensordot(seen[:, g], w[g], axes=((*(t - 1 for t in taps), 1), (*(2 + a for a in axes), 1)))
        for g in range(w.shape[0])
    ]
    shape = (x.shape[0], w.shape[0], *(seen.shape[p] for p in places), w.shape[1])
    result = np.stack(groups, axis=1) if groups else np.zeros(shape, x.dtype)
    return np.moveaxis(result, -1, 2)


def _cotangent_of_x(
    g: Any, x: Any, w: Any, stride: Numbers, low: Extents, high: Extents, dilation: Numbers, input_dilation: Numbers
) -> Any:
    """dx[q] = Σ w[k]·g[p] where p·stride + k·dilation - low = q·input_dilation: strides and dilations change places."""
    count = len(stride)
    space = tuple(range(LEAD, LEAD + count))
    turned = permute_dims(flip(w, axis=space), axes=(0, 2, 1, *space))
    before, after = [], []
    for i in range(count):
        reach = (w.shape[LEAD + i] - 1) * dilation[i]
        before.append(reach - low[i])
        after.append((x.shape[LEAD + i] - 1) * input_dilation[i] + low[i] - (g.shape[LEAD + i] - 1) * stride[i])
    return convolution(
        g, turned, stride=input_dilation, low=tuple(before), high=tuple(after), dilation=dilation,
        input_dilation=stride,
    )  # fmt: skip


def _cotangent_of_w(
    g: Any, x: Any, w: Any, stride: Numbers, low: Extents, high: Extents, dilation: Numbers, input_dilation: Numbers
) -> Any:
    """dw[o, c, k] = Σ over n, p of g[n, o, p]·x[n, c, …]: the batch takes the part of channels, and g that of w."""
    count = len(stride)
    space = tuple(range(LEAD, LEAD + count))
    channels_first = permute_dims(x, axes=(2, 1, 0, *space))
    kernels = permute_dims(g, axes=(1, 2, 0, *space))
    after = tuple(
        (w.shape[LEAD + i] - 1) * dilation[i] + (g.shape[LEAD + i] - 1) * stride[i]
        - low[i] - (x.shape[LEAD + i] - 1) * input_dilation[i]
        for i in range(count)
    )  # fmt: skip
    product = convolution(
        channels_first, kernels, stride=dilation, low=low, high=after, dilation=stride,
        input_dilation=input_dilation,
    )  # fmt: skip
    return permute_dims(product, axes=(1, 2, 0, *space))


def _vjp(g: Any, y: Any, x: Any, w: Any, **attributes: Any) -> tuple[Any, Any]:
    return _cotangent_of_x(g, x, w, **attributes), _cotangent_of_w(g, x, w, **attributes)


def _jvp(t: Any, y: Any, x: Any, w: Any, **attributes: Any) -> Any:
    by_x = None if t[0] is None else convolution(t[0], w, **attributes)
    by_w = None if t[1] is None else convolution(x, t[1], **attributes)
    return by_w if by_x is None else by_x if by_w is None else by_x + by_w


def _case(x: tuple[int, ...], w: tuple[int, ...], **given: Any) -> Any:
    count = len(w) - LEAD
    ones, zeros = (1,) * count, (0,) * count
    attributes = {"stride": ones, "low": zeros, "high": zeros, "dilation": ones, "input_dilation": ones} | given
    return sample(real(*x), real(*w), **attributes)


convolution: Op = define_op(
    "convolution",
    kind=Kind.CONTRACTION,
    infer=_infer,
    reference=computed_in_f32(_reference),
    vjp=_vjp,
    jvp=_jvp,
    samples=[
        _case((2, 1, 3, 7), (1, 4, 3, 3)),
        _case((2, 1, 3, 6, 7), (1, 4, 3, 3, 2), low=(1, 0), high=(1, 1)),
        _case((2, 2, 3, 8), (2, 4, 3, 3), stride=(2,), low=(1,), high=(1,)),
        _case((1, 3, 1, 9, 8), (3, 2, 1, 3, 3), stride=(2, 3), low=(2, 1), high=(1, 2), dilation=(2, 1)),
        _case((2, 1, 2, 4), (1, 3, 2, 3), input_dilation=(2,), low=(2,), high=(3,)),
        _case((2, 1, 2, 5), (1, 3, 2, 2), input_dilation=(3,), low=(-1,), high=(-2,), stride=(2,), dilation=(2,)),
        _case((1, 1, 2, 4, 3, 5), (1, 2, 2, 2, 3, 2), stride=(2, 1, 1)),
        _case((0, 1, 2, 4), (1, 3, 2, 3)),
        _case((2, 1, 0, 4), (1, 3, 0, 3)),
    ],
    doc="The sum of products of kernels with windows, over channels and places, group by group; see the module.",
)
