"""Tensors joined, split, repeated and rolled.

concat([x, y], axis=1)   x: f32[N,3], y: f32[N,4]   ->   f32[N,7]
stack([x, y])            x, y: f32[N,3]             ->   f32[2,N,3]
split(x, 2, axis=1)      x: f32[N,6]                ->   (f32[N,2], f32[N,2], f32[N,2])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.array.manipulation import broadcast_to, flatten, require_tensors, reshape
from graphc.array.operands import Axis, Operand, as_axis, as_tensor, call, cast, fail
from graphc.dim import Dim, Extent, max_extent
from graphc.errors import ArgumentError, DTypeError, OpAttributeError, ShapeError
from graphc.tensor import Tensor
from graphc.types import promote


def _promoted(tensors: list[Tensor], what: str) -> list[Tensor]:
    try:
        dtype = promote(*(t.dtype for t in tensors))
    except DTypeError as error:
        fail(DTypeError(f"{what}: {error.rule}"))
    return [cast(t, dtype) for t in tensors]


def concat(arrays: Sequence[Operand], axis: int | None = 0) -> Tensor:
    """Tensors joined along an axis that they have, or flattened and joined when it is None; dtypes promote.

        concat([x, y], axis=1)   x: f32[N,3], y: f32[N,4]   ->   f32[N,7]

    Raises ShapeError where ranks or the other extents differ.
    """
    tensors = _promoted(require_tensors(arrays, "concat"), "concat")
    if axis is None:
        return concat([flatten(t) for t in tensors])
    for t in tensors:
        if t.ndim == 0:
            fail(ShapeError(f"concat: {t.type} has no axis to join along; use gc.stack"))
    at = as_axis(axis, tensors[0].ndim, "concat")
    return tensors[0] if len(tensors) == 1 else call("concat", *tensors, axis=at)


def stack(arrays: Sequence[Operand], axis: int = 0) -> Tensor:
    """Tensors of one shape joined along a new axis: two of f32[N,3] give f32[2,N,3]; dtypes promote."""
    tensors = require_tensors(arrays, "stack")
    for t in tensors[1:]:
        if t.shape != tensors[0].shape:
            fail(ShapeError(f"stack: takes tensors of one shape, but one is {tensors[0].type} and one {t.type}"))
    at = as_axis(axis, tensors[0].ndim + 1, "stack")
    shape = tensors[0].shape
    return concat([reshape(t, (*shape[:at], 1, *shape[at:])) for t in tensors], axis=at)


def unstack(x: Operand, axis: int = 0) -> tuple[Tensor, ...]:
    """The slices along an axis of known extent: f32[2,N] gives two of f32[N]."""
    tensor = as_tensor(x, "unstack")
    at = as_axis(axis, tensor.ndim, "unstack")
    extent = _known(tensor, at, "unstack")
    rest = tensor.shape[:at] + tensor.shape[at + 1 :]
    return tuple(reshape(narrow(tensor, i, i + 1, at), rest) for i in range(extent))


def split(x: Operand, split_size_or_sections: int | Sequence[Extent], axis: int = 0) -> tuple[Tensor, ...]:
    """Pieces of one size, the last one smaller, or of given sizes (torch's `split`).

        split(x, 4, axis=1)        x: f32[N,10]   ->   (f32[N,4], f32[N,4], f32[N,2])
        split(x, [3, 7], axis=1)   x: f32[N,10]   ->   (f32[N,3], f32[N,7])

    Sizes may be named dims; a piece size needs an axis of known extent. Raises ShapeError where sizes do not add up.
    """
    tensor = as_tensor(x, "split")
    at = as_axis(axis, tensor.ndim, "split")
    sizes: list[Extent]
    if isinstance(split_size_or_sections, Sequence):
        sizes = list(split_size_or_sections)
    else:
        piece, extent = split_size_or_sections, _known(tensor, at, "split")
        if piece <= 0:
            fail(OpAttributeError(f"split: a piece has at least one element, not {piece}"))
        sizes = [min(piece, extent - start) for start in range(0, extent, piece)] or [0]
    total: Extent = 0
    for size in sizes:
        total = total + size
    if total != tensor.shape[at]:
        fail(ShapeError(f"split: axis {at} of {tensor.type} does not split into {sizes}, which make {total}"))
    pieces: list[Tensor] = []
    start: Extent = 0
    for size in sizes:
        pieces.append(narrow(tensor, start, start + size, at))
        start = start + size
    return tuple(pieces)


def chunk(x: Operand, chunks: int, axis: int = 0) -> tuple[Tensor, ...]:
    """At most this many pieces of one size, ⌈extent / chunks⌉, the last one smaller (torch's `chunk`)."""
    tensor = as_tensor(x, "chunk")
    at = as_axis(axis, tensor.ndim, "chunk")
    if chunks <= 0:
        fail(OpAttributeError(f"chunk: makes at least one chunk, not {chunks}"))
    extent = tensor.shape[at]
    if isinstance(extent, Dim):
        if extent % chunks != 0:
            _known(tensor, at, "chunk")
        return split(tensor, [extent // chunks] * chunks, at)
    return split(tensor, max(1, -(-extent // chunks)), at)


def narrow(x: Tensor, start: Extent, stop: Extent, axis: int) -> Tensor:
    """The elements from start up to stop along one axis."""
    if start == 0 and stop == x.shape[axis]:
        return x
    starts = tuple(start if i == axis else 0 for i in range(x.ndim))
    limits = tuple(stop if i == axis else e for i, e in enumerate(x.shape))
    return call("slice", x, starts=starts, limits=limits)


def _known(x: Tensor, axis: int, what: str) -> int:
    extent = x.shape[axis]
    if isinstance(extent, Dim):
        fail(ShapeError(f"{what}: axis {axis} of {x.type} has the extent {extent}; the number of pieces must be known"))
    return extent


# -- repeating and rolling --------------------------------------------------------------------------------------------


def tile(x: Operand, repetitions: Any) -> Tensor:
    """The whole repeated along each axis: `tile(x, (2, 1))` of f32[N,3] is f32[2*N,3].

    Missing counts are 1 at the front, as missing axes of x are.
    """
    tensor = as_tensor(x, "tile")
    counts = tuple(repetitions) if isinstance(repetitions, Sequence) else (repetitions,)
    rank = max(len(counts), tensor.ndim)
    counts = (1,) * (rank - len(counts)) + counts
    shape = (1,) * (rank - tensor.ndim) + tensor.shape
    spread = tuple(e for pair in zip(counts, shape, strict=True) for e in pair)
    lined = reshape(tensor, tuple(e for extent in shape for e in (1, extent)))
    return reshape(broadcast_to(lined, spread), tuple(c * e for c, e in zip(counts, shape, strict=True)))


def repeat(x: Operand, repeats: Any, *, axis: int | None = None) -> Tensor:
    """Each element repeated in place; x is flattened when axis is None.

        repeat(x, 2, axis=0)        x: f32[N,3]   ->   f32[2*N,3]
        repeat(x, [1, 0, 2], axis=1)  x: f32[N,3] ->   f32[N,3]

    One count, or a list of counts for an axis of known extent. Traced counts raise ArgumentError: the result's shape
    would depend on data.
    """
    tensor = as_tensor(x, "repeat")
    if axis is None:
        return repeat(flatten(tensor), repeats, axis=0)
    if isinstance(repeats, Tensor):
        fail(ArgumentError("repeat: repeats is traced, so the shape would depend on data; give integers"))
    at = as_axis(axis, tensor.ndim, "repeat")
    if isinstance(repeats, Dim) or np.ndim(repeats) == 0:
        count: Extent = repeats if isinstance(repeats, Dim) else int(repeats)
        shape = tensor.shape
        spread = broadcast_to(
            reshape(tensor, (*shape[: at + 1], 1, *shape[at + 1 :])), (*shape[: at + 1], count, *shape[at + 1 :])
        )
        return reshape(spread, (*shape[:at], shape[at] * count, *shape[at + 1 :]))
    counts = np.asarray(repeats)
    extent = _known(tensor, at, "repeat")
    if counts.shape == (1,):
        return repeat(tensor, int(counts[0]), axis=at)
    if counts.shape != (extent,) or counts.dtype.kind not in "iu" or (counts < 0).any():
        fail(ArgumentError(f"repeat: axis {at} of {tensor.type} takes {extent} counts of at least 0, not {repeats!r}"))
    return call("take", tensor, np.repeat(np.arange(extent), counts), axis=at)


def roll(x: Operand, shift: int | Sequence[int], *, axis: Axis = None) -> Tensor:
    """Elements moved by `shift` places along an axis, those that leave at one end entering at the other.

        roll(x, 1, axis=0)   x: f32[N,3]   ->   f32[N,3]

    x is flattened and its shape restored when axis is None.
    """
    tensor = as_tensor(x, "roll")
    if axis is None:
        return reshape(roll(flatten(tensor), shift, axis=0), tensor.shape)
    shifts = tuple(shift) if isinstance(shift, Sequence) else (shift,)
    axes = tuple(as_axis(a, tensor.ndim, "roll") for a in (axis if isinstance(axis, Sequence) else (axis,)))
    if len(shifts) == 1:
        shifts = shifts * len(axes)
    if len(shifts) != len(axes):
        fail(OpAttributeError(f"roll: {len(shifts)} shifts {shifts}, but {len(axes)} axes {axes}"))
    for count, at in zip(shifts, axes, strict=True):
        extent = tensor.shape[at]
        entering = count % max_extent(extent, 1)
        if entering != 0:
            start = extent - entering
            tensor = concat([narrow(tensor, start, extent, at), narrow(tensor, 0, start, at)], axis=at)
    return tensor


__all__ = ["chunk", "concat", "repeat", "roll", "split", "stack", "tile", "unstack"]
