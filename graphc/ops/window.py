"""Windows that slide over axes: `windows` shows them, `overlap_add` sums them back. Each is the other's transpose.

    windows(x, size=(3,), stride=(2,), dilation=(1,)):        f32[N,9] -> f32[N,4,3]      y[n, o, k] = x[n, 2·o + k]
    overlap_add(y, extents=(9,), stride=(2,), dilation=(1,)): f32[N,4,3] -> f32[N,9]      x[n, 2·o + k] += y[n, o, k]

The last axes are slid over, as many as there are numbers in `size`. Windows that do not fit whole are left out. Pooling
is a reduction of the windows' axes, and its gradient an `overlap_add`; the patches that `unfold` gives are windows.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from graphc.dim import Dim, Extent
from graphc.errors import DTypeError, OpAttributeError, ShapeError
from graphc.op import Kind, Op, define_op
from graphc.ops.declare import computed_in_f32
from graphc.samples import integers, real, sample
from graphc.types import TensorType

Extents = tuple[Extent, ...]
Numbers = tuple[int, ...]


def window_span(size: Extent, dilation: int) -> Extent:
    """How many elements a window reaches over: (size - 1)·dilation + 1."""
    return (size - 1) * dilation + 1


def window_count(extent: Extent, size: Extent, stride: int, dilation: int) -> Extent:
    """How many windows fit: ⌊(extent - span)/stride⌋ + 1."""
    count: Extent = (extent - window_span(size, dilation)) // stride + 1
    return count


def check_steps(what: str, **steps: Extents) -> int:
    """The number of axes, the same for all; OpAttributeError where steps differ in number, or are not positive."""
    counts = {name: len(given) for name, given in steps.items()}
    if len(set(counts.values())) != 1:
        raise OpAttributeError(f"{what}: one number an axis is needed, but there are {counts}")
    for name, given in steps.items():
        if any(not isinstance(step, Dim) and step < 1 for step in given):
            raise OpAttributeError(f"{what}: {name} {given} must be positive")
    return len(next(iter(steps.values())))


def check_fit(what: str, extent: Extent, size: Extent, dilation: int, axis: int, margins: Extent = 0) -> None:
    """Raise ShapeError where not one window fits, on an axis with margins on both sides together."""
    span, padded = window_span(size, dilation), extent + margins
    if not isinstance(padded, Dim) and not isinstance(span, Dim) and padded < span:
        seen = "" if margins == 0 else f", {padded} with its margins"
        raise ShapeError(f"{what}: axis {axis} has extent {extent}{seen}, but the window reaches over {span}")


# -- windows ----------------------------------------------------------------------------------------------------------


def _infer_windows(x: TensorType, *, size: Extents, stride: Numbers, dilation: Numbers) -> TensorType:
    count = check_steps("windows", size=size, stride=stride, dilation=dilation)
    if count > x.rank:
        raise OpAttributeError(f"windows: size {size} slides over {count} axes, but x is {x}")
    lead = x.rank - count
    for i in range(count):
        check_fit("windows", x.shape[lead + i], size[i], dilation[i], lead + i)
    counts = [window_count(x.shape[lead + i], size[i], stride[i], dilation[i]) for i in range(count)]
    return x.with_shape((*x.shape[:lead], *counts, *size))


def _windows_reference(x: Any, *, size: Any, stride: Any, dilation: Any) -> Any:
    count, lead = len(size), x.ndim - len(size)
    for i in range(count):
        check_fit("windows", x.shape[lead + i], size[i], dilation[i], lead + i)
    counts: Any = [window_count(x.shape[lead + i], size[i], stride[i], dilation[i]) for i in range(count)]
    steps = x.strides[lead:]
    strides = (
        *x.strides[:lead],
        *(step * n for step, n in zip(steps, stride, strict=True)),
        *(step * n for step, n in zip(steps, dilation, strict=True)),
    )
    return np.lib.stride_tricks.as_strided(x, (*x.shape[:lead], *counts, *size), strides).copy()


def _windows_vjp(g: Any, y: Any, x: Any, *, size: Extents, stride: Numbers, dilation: Numbers) -> tuple[Any]:
    """Every element gets the sum over the windows that it is in."""
    return (overlap_add(g, extents=x.shape[x.ndim - len(size) :], stride=stride, dilation=dilation),)


windows: Op = define_op(
    "windows",
    kind=Kind.BROADCAST,
    infer=_infer_windows,
    reference=_windows_reference,
    vjp=_windows_vjp,
    jvp=lambda t, y, x, **attributes: windows(t[0], **attributes),
    samples=[
        sample(real(2, 7), size=(3,), stride=(1,), dilation=(1,)),
        sample(real(2, 9), size=(3,), stride=(2,), dilation=(1,)),
        sample(real(2, 3, 8, 9), size=(3, 2), stride=(2, 3), dilation=(2, 1)),
        sample(real(5), size=(5,), stride=(7,), dilation=(1,)),
        sample(real(0, 4), size=(2,), stride=(1,), dilation=(1,)),
        sample(integers(6), size=(2,), stride=(3,), dilation=(4,)),
    ],
    doc="The windows of `size` elements, `dilation` apart, that begin at every `stride`-th place of the last axes.",
)

# -- overlap_add ------------------------------------------------------------------------------------------------------


def _infer_overlap_add(x: TensorType, *, extents: Extents, stride: Numbers, dilation: Numbers) -> TensorType:
    count = check_steps("overlap_add", stride=stride, dilation=dilation)
    if len(extents) != count or 2 * count > x.rank:
        raise OpAttributeError(
            f"overlap_add: extents {extents} and stride {stride} are of {len(extents)} and {count} axes, and x is {x}"
        )
    if x.dtype.kind == "bool":
        raise DTypeError(f"overlap_add: takes numbers, but x is {x}")
    lead = x.rank - 2 * count
    for i, extent in enumerate(extents):
        given, size = x.shape[lead + i], x.shape[lead + count + i]
        needed = window_count(extent, size, stride[i], dilation[i])
        if given != needed:
            raise ShapeError(
                f"overlap_add: an axis of extent {extent} has {needed} windows of {size}, but x has {given}: {x}"
            )
    return x.with_shape((*x.shape[:lead], *extents))


def _overlap_add_reference(x: Any, *, extents: Any, stride: Any, dilation: Any) -> Any:
    count = len(stride)
    lead = x.ndim - 2 * count
    counts, size = x.shape[lead : lead + count], x.shape[lead + count :]
    result: Any = np.zeros((*x.shape[:lead], *extents), x.dtype)
    for place in itertools.product(*map(range, size)):
        first = [k * d for k, d in zip(place, dilation, strict=True)]
        where = (slice(f, f + (n - 1) * s + 1, s) for f, n, s in zip(first, counts, stride, strict=True))
        result[(..., *where)] += x[(..., *place)]
    return result


overlap_add: Op = define_op(
    "overlap_add",
    kind=Kind.WINDOW,
    infer=_infer_overlap_add,
    reference=computed_in_f32(_overlap_add_reference),
    vjp=lambda g, y, x, *, extents, stride, dilation: (
        windows(g, size=x.shape[x.ndim - len(stride) :], stride=stride, dilation=dilation),
    ),
    jvp=lambda t, y, x, **attributes: overlap_add(t[0], **attributes),
    samples=[
        sample(real(2, 5, 3), extents=(7,), stride=(1,), dilation=(1,)),
        sample(real(2, 4, 3), extents=(10,), stride=(2,), dilation=(1,)),
        sample(real(3, 2, 3, 3, 2), extents=(8, 9), stride=(2, 3), dilation=(2, 1)),
        sample(real(0, 3, 2), extents=(4,), stride=(1,), dilation=(1,)),
        sample(integers(1, 2), extents=(6,), stride=(3,), dilation=(4,)),
    ],
    doc="The sum of windows at their places: the transpose of `windows`. No window reaches the elements that are 0.",
)
