"""`pad`: elements added around a tensor, by NumPy's modes."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.array.gathering import take
from graphc.array.joining import concat, narrow
from graphc.array.manipulation import broadcast_to, flip
from graphc.array.operands import Operand, as_tensor, call, fail
from graphc.dim import Dim, Extent
from graphc.errors import OpAttributeError, ShapeError
from graphc.operands import literal_of
from graphc.tensor import Tensor

MODES = ("constant", "edge", "reflect", "symmetric", "wrap")
Width = tuple[Extent, Extent]


def pad(x: Operand, pad_width: Any, mode: str = "constant", *, constant_values: float = 0) -> Tensor:
    """Elements added before and after along each axis (numpy.pad).

        pad(x, ((0, 0), (1, 2)))             x: f32[N,3]   ->   f32[N,6], zeros around
        pad(x, ((0, 0), (1, 1)), "reflect")  x: f32[N,3]   ->   f32[N,5]: b a b c b

    `pad_width` is one width for all sides, one (before, after) for all axes, or one for each axis. Modes are
    "constant", "edge" (the border repeated), "reflect" (mirrored without the border), "symmetric" (mirrored with it)
    and "wrap". All but "constant" and "edge" need axes of known extent where they pad by more than the axis holds.
    """
    tensor = as_tensor(x, "pad")
    widths = _widths(tensor, pad_width)
    if mode not in MODES:
        fail(OpAttributeError(f"pad: mode is one of {', '.join(map(repr, MODES))}, not {mode!r}"))
    if all(width == (0, 0) for width in widths):
        return tensor
    if mode == "constant":
        low, high = (tuple(width[side] for width in widths) for side in (0, 1))
        value = _padding(constant_values, tensor)
        return call("pad", tensor, low=low, high=high, value=value)
    for axis, width in enumerate(widths):
        if width != (0, 0):
            tensor = _padded(tensor, axis, width, mode)
    return tensor


def _widths(x: Tensor, pad_width: Any) -> list[Width]:
    """(before, after) of each axis: pad_width broadcast to one such pair an axis."""
    given = np.asarray(pad_width, dtype=object)
    try:
        pairs = np.broadcast_to(given, (x.ndim, 2)).tolist()
    except ValueError:
        fail(OpAttributeError(f"pad: pad_width {pad_width!r} is no (before, after) for each axis of {x.type}"))
    widths = [(_width(before), _width(after)) for before, after in pairs]
    if any(not isinstance(w, Dim) and w < 0 for width in widths for w in width):
        fail(OpAttributeError(f"pad: widths are at least 0, but pad_width is {pad_width!r}; cut with a slice"))
    return widths


def _width(given: Any) -> Extent:
    if isinstance(given, Dim):
        return given
    if isinstance(given, bool) or not isinstance(given, int | np.integer):
        fail(OpAttributeError(f"pad: a width is an integer or an extent, not {given!r}"))
    return int(given)


def _padding(value: float, x: Tensor) -> float:
    """The value in the tensor's dtype; DTypeError where it is none of it."""
    return literal_of(value, x.dtype, "pad").value  # type: ignore[return-value]


def _padded(x: Tensor, axis: int, width: Width, mode: str) -> Tensor:
    extent = x.shape[axis]
    if extent == 0:
        fail(ShapeError(f"pad: mode {mode!r} copies elements, and axis {axis} of {x.type} has none"))
    before, after = width
    if mode == "edge":
        first, last = narrow(x, 0, 1, axis), narrow(x, extent - 1, extent, axis)
        pieces = [_stretched(first, axis, before), x, _stretched(last, axis, after)]
        return concat([piece for piece in pieces if piece.shape[axis] != 0], axis=axis)
    if isinstance(extent, int) and isinstance(before, int) and isinstance(after, int):
        where = np.pad(np.arange(extent), (before, after), mode)  # type: ignore[call-overload]
        room = extent - 1 if mode == "reflect" else extent
        if max(before, after) > room:
            return take(x, where, axis=axis)
    if mode == "wrap":
        pieces = [narrow(x, extent - before, extent, axis), x, narrow(x, 0, after, axis)]
    else:
        skipped = 1 if mode == "reflect" else 0
        head = narrow(x, skipped, before + skipped, axis)
        tail = narrow(x, extent - after - skipped, extent - skipped, axis)
        pieces = [flip(head, axis), x, flip(tail, axis)]
    return concat([piece for piece in pieces if piece.shape[axis] != 0], axis=axis)


def _stretched(x: Tensor, axis: int, count: Extent) -> Tensor:
    return broadcast_to(x, (*x.shape[:axis], count, *x.shape[axis + 1 :]))


__all__ = ["pad"]
