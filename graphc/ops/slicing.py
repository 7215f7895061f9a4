"""Parts and margins: slice, pad, concat, flip. Each element goes to at most one place, so derivatives undo one another.

    slice(x, starts=(1,), limits=(7,), strides=(2,)): f32[8] -> f32[3]       x[1:7:2]
    pad(x, low=(1,), high=(2,), value=0.0): f32[N] -> f32[N+3]
    concat(x, y, axis=0): f32[N], f32[3] -> f32[N+3]

Attributes are normalised: one number an axis, none counted from the end, extents where they depend on one. What
depends on a named dim is checked when the graph runs.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.dim import Dim, Extent
from graphc.errors import ArgumentError, DTypeError, OpAttributeError, ShapeError
from graphc.op import Kind, Op, define_op
from graphc.ops.creation import represents, zeros
from graphc.samples import integers, real, sample
from graphc.types import TensorType

Extents = tuple[Extent, ...]


def _per_axis(what: str, x: TensorType, **attributes: Sequence[Any] | None) -> None:
    for name, given in attributes.items():
        if given is not None and len(given) != x.rank:
            raise OpAttributeError(f"{what}: {name} {given} has {len(given)} numbers for the {x.rank} axes of {x}")


# -- slice ------------------------------------------------------------------------------------------------------------


def _sliced_extent(start: Extent, limit: Extent, stride: int) -> Extent:
    """How many of start, start + stride … come before the limit."""
    count: Extent = -((start - limit) // stride)
    return count


def _check_slice(extent: int, start: int, limit: int, stride: int, axis: int) -> None:
    count = _sliced_extent(start, limit, stride)
    last = start + (count - 1) * stride
    if count < 0 or (count and not (0 <= start < extent and 0 <= last < extent)):
        raise ShapeError(f"slice: axis {axis} has extent {extent}, but {start}:{limit}:{stride} does not lie within")


def _infer_slice(
    x: TensorType, *, starts: Extents, limits: Extents, strides: tuple[int, ...] | None = None
) -> TensorType:
    _per_axis("slice", x, starts=starts, limits=limits, strides=strides)
    shape = []
    steps = strides or (1,) * x.rank
    for axis, (extent, start, limit, stride) in enumerate(zip(x.shape, starts, limits, steps, strict=True)):
        if not isinstance(stride, int) or stride == 0:
            raise OpAttributeError(f"slice: strides {strides} must be integers other than 0")
        if not any(isinstance(e, Dim) for e in (extent, start, limit)):
            _check_slice(extent, start, limit, stride, axis)  # type: ignore[arg-type]
        shape.append(_sliced_extent(start, limit, stride))
    return x.with_shape(shape)


def _slice_reference(x: Any, *, starts: Any, limits: Any, strides: Any) -> Any:
    parts = []
    steps = strides or (1,) * x.ndim
    for axis, (extent, start, limit, stride) in enumerate(zip(x.shape, starts, limits, steps, strict=True)):
        _check_slice(extent, start, limit, stride, axis)
        empty = _sliced_extent(start, limit, stride) == 0
        parts.append(builtins.slice(0, 0) if empty else builtins.slice(start, None if limit < 0 else limit, stride))
    return x[tuple(parts)]


def _slice_vjp(g: Any, y: Any, x: Any, *, starts: Extents, limits: Extents, strides: Any) -> tuple[Any]:
    """Zeros around the cotangent and, for strides, between its elements; a negative stride is a flip of a positive."""
    steps = strides or (1,) * x.ndim
    backwards = tuple(axis for axis, stride in enumerate(steps) if stride < 0)
    if backwards:
        g = flip(g, axis=backwards)
    firsts = [
        start + (count - 1) * stride if stride < 0 else start
        for start, stride, count in zip(starts, steps, y.shape, strict=True)
    ]
    spread = [abs(stride) for stride in steps]
    high = tuple(e - f - s * n for e, f, s, n in zip(x.shape, firsts, spread, y.shape, strict=True))
    return (pad(g, low=tuple(firsts), high=high, interior=tuple(s - 1 for s in spread)),)


slice: Op = define_op(
    "slice",
    kind=Kind.INJECTIVE,
    infer=_infer_slice,
    reference=_slice_reference,
    vjp=_slice_vjp,
    jvp=lambda t, y, x, **attributes: slice(t[0], **attributes),
    samples=[
        sample(real(4, 5), starts=(1, 0), limits=(3, 5)),
        sample(real(8), starts=(1,), limits=(7,), strides=(2,)),
        sample(real(8), starts=(1,), limits=(8,), strides=(3,)),
        sample(real(5, 6), starts=(4, 5), limits=(-1, -1), strides=(-1, -2)),
        sample(real(6), starts=(4,), limits=(1,), strides=(-2,)),
        sample(real(3), starts=(2,), limits=(2,)),
        sample(real(), starts=(), limits=()),
        sample(integers(6), starts=(0,), limits=(6,), strides=(4,)),
    ],
    doc="The elements at start, start + stride … before the limit, axis by axis. A negative stride goes down, to a "
    "limit of -1 for all the way. All elements must exist; the limit itself may lie beyond the last.",
)

# -- pad --------------------------------------------------------------------------------------------------------------


def _check_padding(low: Any, high: Any, interior: Any, extent: Any, axis: int) -> None:
    total = low + extent * (interior + 1) + high
    least = -interior if extent != 0 else -low
    if any(isinstance(n, int) and n < 0 for n in (low, interior, total)) or (isinstance(high, int) and high < least):
        raise ShapeError(
            f"pad: axis {axis} of extent {extent} cannot take low {low}, high {high}, interior {interior}: elements "
            "would be lost"
        )


def _infer_pad(
    x: TensorType, *, low: Extents, high: Extents, interior: tuple[int, ...] | None = None, value: float = 0.0
) -> TensorType:
    _per_axis("pad", x, low=low, high=high, interior=interior)
    if not represents(x.dtype, value):
        raise DTypeError(f"pad: {x} cannot be padded with {value}, which is no {x.dtype}")
    shape = []
    between = interior or (0,) * x.rank
    for axis, (extent, before, after, inside) in enumerate(zip(x.shape, low, high, between, strict=True)):
        if not isinstance(extent, Dim) or inside == 0:
            _check_padding(before, after, inside, extent, axis)
        shape.append(before + extent * (inside + 1) + after)
    return x.with_shape(shape)


def _pad_reference(x: Any, *, low: Any, high: Any, interior: Any, value: Any) -> Any:
    between = interior or (0,) * x.ndim
    shape, places = [], []
    for axis, (extent, before, after, inside) in enumerate(zip(x.shape, low, high, between, strict=True)):
        _check_padding(before, after, inside, extent, axis)
        shape.append(before + extent * (inside + 1) + after)
        places.append(builtins.slice(before, before + extent * (inside + 1), inside + 1))
    result = np.full(shape, value, x.dtype)
    result[tuple(places)] = x
    return result


def _pad_vjp(g: Any, y: Any, x: Any, *, low: Extents, high: Extents, interior: Any, value: float) -> tuple[Any]:
    strides = tuple(n + 1 for n in interior or (0,) * x.ndim)
    limits = tuple(start + extent * stride for start, extent, stride in zip(low, x.shape, strides, strict=True))
    return (slice(g, starts=low, limits=limits, strides=strides if interior else None),)


pad: Op = define_op(
    "pad",
    kind=Kind.INJECTIVE,
    infer=_infer_pad,
    reference=_pad_reference,
    vjp=_pad_vjp,
    jvp=lambda t, y, x, *, low, high, interior, value: pad(t[0], low=low, high=high, interior=interior),
    samples=[
        sample(real(2, 3), low=(1, 0), high=(0, 2)),
        sample(real(3), low=(2,), high=(1,), value=-1.5),
        sample(real(3), low=(1,), high=(0,), interior=(2,)),
        sample(real(2, 3), low=(0, 1), high=(-1, -2), interior=(1, 2), value=7.0),
        sample(real(0, 2), low=(1, 0), high=(2, 0)),
        sample(integers(3), low=(1,), high=(1,), value=9),
        sample(real(), low=(), high=()),
    ],
    doc="`low` and `high` new elements of a value before and after, and `interior` ones behind every element. A "
    "negative `high` takes some of those behind the last element away, never an element.",
)

# -- concat and flip --------------------------------------------------------------------------------------------------


def _infer_concat(*xs: TensorType, axis: int) -> TensorType:
    if not xs:
        raise ArgumentError("concat: needs one tensor at least")
    first = xs[0]
    if not 0 <= axis < first.rank:
        raise OpAttributeError(f"concat: axis {axis} is out of range for {first}")
    total: Extent = 0
    for i, x in enumerate(xs):
        if x.dtype is not first.dtype:
            raise DTypeError(f"concat: xs[0] is {first}, but xs[{i}] is {x}; convert with gc.astype")
        if x.rank != first.rank or any(
            a != b for j, (a, b) in enumerate(zip(x.shape, first.shape, strict=True)) if j != axis
        ):
            raise ShapeError(f"concat: xs[0] is {first}, but xs[{i}] is {x}; they may differ along axis {axis} alone")
        total = total + x.shape[axis]
    return first.with_shape(total if i == axis else extent for i, extent in enumerate(first.shape))


def _concat_vjp(g: Any, y: Any, *xs: Any, axis: int) -> tuple[Any, ...]:
    parts, start = [], 0
    for x in xs:
        starts = tuple(start if i == axis else 0 for i in range(x.ndim))
        limits = tuple(start + extent if i == axis else extent for i, extent in enumerate(x.shape))
        parts.append(slice(g, starts=starts, limits=limits))
        start = start + x.shape[axis]
    return tuple(parts)


concat: Op = define_op(
    "concat",
    kind=Kind.INJECTIVE,
    infer=_infer_concat,
    reference=lambda *xs, axis: np.concatenate(xs, axis=axis),
    vjp=_concat_vjp,
    jvp=lambda t, y, *xs, axis: concat(
        *(zeros(x) if tangent is None else tangent for tangent, x in zip(t, xs, strict=True)), axis=axis
    ),
    samples=[
        sample(real(2, 3), real(4, 3), axis=0),
        sample(real(2, 3), real(2, 1), real(2, 0), axis=1),
        sample(real(3), axis=0),
        sample(integers(2), integers(3), axis=0),
    ],
    doc="Tensors one after another along an axis.",
)


def _infer_flip(x: TensorType, *, axis: tuple[int, ...]) -> TensorType:
    if any(not 0 <= a < x.rank for a in axis) or len(set(axis)) != len(axis):
        raise OpAttributeError(f"flip: axes {axis} do not name distinct axes of {x}")
    return x


flip: Op = define_op(
    "flip",
    kind=Kind.INJECTIVE,
    infer=_infer_flip,
    reference=lambda x, *, axis: np.flip(x, axis),
    vjp=lambda g, y, x, *, axis: (flip(g, axis=axis),),
    jvp=lambda t, y, x, *, axis: flip(t[0], axis=axis),
    samples=[sample(real(2, 3), axis=(1,)), sample(real(2, 3, 4), axis=(0, 2)), sample(real(0), axis=(0,))],
    doc="The elements in reverse order along axes.",
)
