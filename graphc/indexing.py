"""`x[...]` on traced tensors means what it means in NumPy.

    x[0], x[-1]             x: f32[N,3]                       ->   f32[3]
    x[:, 1:], x[::2]        x: f32[N,3]                       ->   f32[N,2], f32[(N-1)//2+1,3]
    x[..., None]            x: f32[N,3]                       ->   f32[N,3,1]
    x[[2, 0]], x[i]         x: f32[V,8], i: i64[N,T]          ->   f32[2,8], f32[N,T,8]
    x[i, j]                 x: f32[N,C], i, j: i64[N]         ->   f32[N]
    x[mask]                 x: f32[3,4], mask: NumPy booleans ->   one element for each that is true

Bounds on axes of known extent are clipped as in NumPy; on named dims they are taken to lie within the axis, and a run
where they do not raises ShapeError. An integer beyond a known extent raises IndexRangeError at once, in a traced index
when the graph runs. A traced mask raises TraceError: the result's shape would depend on data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from graphc.array.advanced_indexing import Index, take_elements
from graphc.array.manipulation import reshape
from graphc.array.operands import Operand, as_tensor, call, fail, leaves_of
from graphc.dim import Dim, Extent
from graphc.errors import ArgumentError, IndexRangeError, OpAttributeError, ShapeError, TraceError
from graphc.state import Cell
from graphc.tensor import Tensor
from graphc.types import TensorType, bool_

Array: TypeAlias = np.ndarray[Any, Any]


@dataclass
class _Plan:
    """A key in the making: a slice of every axis, the shape that follows, and where index arrays apply."""

    type: TensorType
    key: object
    starts: list[Extent] = field(default_factory=list)
    limits: list[Extent] = field(default_factory=list)
    strides: list[int] = field(default_factory=list)
    shape: list[Extent] = field(default_factory=list)  # after dropping integers' axes and adding new ones
    indices: list[Index] = field(default_factory=list)
    places: list[int] = field(default_factory=list)  # of integers and arrays in the key

    @property
    def extent(self) -> Extent:
        """The extent of the next axis."""
        return self.type.shape[len(self.starts)]

    def cut(self, start: Extent, limit: Extent, stride: int = 1) -> Extent:
        """Slice the next axis; gives the extent that is left."""
        self.starts.append(start)
        self.limits.append(limit)
        self.strides.append(stride)
        extent: Extent = -((start - limit) // stride)
        return extent

    def keep(self, extent: Extent) -> None:
        self.shape.append(extent)


def getitem(x: Operand, key: Any) -> Tensor:
    """The elements of a tensor that a key names; NumPy's rules for integers, slices, None, `...` and arrays."""
    tensor = as_tensor(x, "getitem")
    entries = _entries(tensor.type, key)
    plan = _Plan(tensor.type, key)
    for place, entry in enumerate(entries):
        _add(plan, place, entry, len(plan.starts))
    sliced = _slice(tensor, plan)
    reshaped = reshape(sliced, tuple(plan.shape))
    if not plan.indices:
        return reshaped
    adjacent = plan.places == list(range(plan.places[0], plan.places[-1] + 1))
    return take_elements(reshaped, plan.indices, to_front=not adjacent)


# -- reading the key --------------------------------------------------------------------------------------------------


def _entries(type: TensorType, key: Any) -> list[Any]:
    """The entries of a key, masks replaced by indices, `...` by whole axes."""
    given = list(key) if isinstance(key, tuple) else [key]
    entries: list[Any] = []
    for entry in map(_plain, given):
        if isinstance(entry, np.ndarray) and entry.dtype == bool:
            _check_mask(type, key, entry, sum(map(_axes_of, entries)))
            entries.extend(np.nonzero(entry))
        else:
            entries.append(entry)
    named = sum(map(_axes_of, entries))
    if named > type.rank:
        fail(IndexRangeError(f"getitem: {_text(key)} names {named} axes, but {type} has rank {type.rank}"))
    ellipses = [i for i, entry in enumerate(entries) if entry is Ellipsis]
    if len(ellipses) > 1:
        fail(OpAttributeError(f"getitem: {_text(key)} has `...` more than once"))
    rest = _Whole(type.rank - named)
    if not ellipses:
        return [*entries, rest]
    return [rest if entry is Ellipsis else entry for entry in entries]


@dataclass(frozen=True)
class _Whole:
    """Axes that stay as they are: an ellipsis, or what the key leaves out."""

    count: int


def _axes_of(entry: Any) -> int:
    return 0 if entry is None or entry is Ellipsis else 1


def _plain(entry: Any) -> Any:
    """A key's entry as an integer, a slice, None, `...`, an extent, an array or a tensor."""
    if entry is None or entry is Ellipsis or isinstance(entry, slice | Dim | Tensor):
        return entry
    if isinstance(entry, Cell):
        return as_tensor(entry, "getitem")
    if isinstance(entry, int | np.integer) and not isinstance(entry, bool):
        return int(entry)
    holds_tensors = any(isinstance(leaf, Tensor) for leaf in leaves_of(entry))
    if isinstance(entry, list | np.ndarray) and not holds_tensors:
        array = np.asarray(entry)
        if array.size == 0 and isinstance(entry, list):
            return array.astype(np.int64)
        if array.dtype.kind in "iu" or (array.dtype.kind == "b" and array.ndim):
            return array if array.ndim else int(array)
    hint = "; join traced integers with gc.stack" if holds_tensors else ""
    fail(ArgumentError(f"getitem: {entry!r} is no index; use integers, slices, None, `...` or integer arrays{hint}"))


def _check_mask(type: TensorType, key: Any, mask: Array, first: int) -> None:
    """A mask of n axes stands for n axes of the tensor of its own extents."""
    extents = type.shape[first : first + mask.ndim]
    if mask.ndim and extents != mask.shape:
        fail(ShapeError(f"getitem: a mask of shape {mask.shape} does not fit axes {first} and following of {type}"))


def _text(key: Any) -> str:
    entries = key if isinstance(key, tuple) else (key,)
    return f"[{', '.join(map(_entry_text, entries))}]"


def _entry_text(entry: Any) -> str:
    if entry is Ellipsis:
        return "..."
    if isinstance(entry, slice):
        bounds = [entry.start, entry.stop] if entry.step is None else [entry.start, entry.stop, entry.step]
        return ":".join("" if bound is None else str(bound) for bound in bounds)
    if isinstance(entry, Tensor):
        return repr(entry.value)
    return f"array of shape {entry.shape}" if isinstance(entry, np.ndarray) else repr(entry)


# -- what each entry does ---------------------------------------------------------------------------------------------


def _add(plan: _Plan, place: int, entry: Any, axis: int) -> None:
    if entry is None:
        plan.keep(1)
    elif isinstance(entry, _Whole):
        for _ in range(entry.count):
            plan.keep(plan.cut(0, plan.extent))
    elif isinstance(entry, slice):
        plan.keep(plan.cut(*_bounds(plan, entry)))
    elif isinstance(entry, int | Dim):
        at = _position(plan, entry, axis)
        plan.cut(at, at + 1)
        plan.places.append(place)
    else:
        index = _checked_index(plan, entry, axis)
        plan.places.append(place)
        plan.indices.append(Index(len(plan.shape), index))
        plan.keep(plan.cut(0, plan.extent))


def _position(plan: _Plan, index: Extent, axis: int) -> Extent:
    """An integer counted from the start of its axis."""
    extent = plan.extent
    if isinstance(index, int) and isinstance(extent, int) and not -extent <= index < extent:
        fail(
            IndexRangeError(
                f"getitem: index {index} is out of range for axis {axis} of {plan.type}, of extent {extent}"
            )
        )
    return index + extent if _is_negative(index) else index


def _is_negative(bound: Extent) -> bool:
    """Whether a bound counts from the end; one that may be either counts from the start."""
    try:
        return bool(bound < 0)
    except TypeError:
        return False


def _bounds(plan: _Plan, key: slice) -> tuple[Extent, Extent, int]:
    """Start, limit and stride of a slice: a limit of -1 with a negative stride goes down to the first element."""
    extent = plan.extent
    stride = _integer(plan, 1 if key.step is None else key.step)
    if not isinstance(stride, int) or stride == 0:
        fail(OpAttributeError(f"getitem: the step of a slice is an integer other than 0, not {key.step!r}"))
    start, stop = (None if bound is None else _integer(plan, bound) for bound in (key.start, key.stop))
    if isinstance(extent, int) and not isinstance(start, Dim) and not isinstance(stop, Dim):
        first, limit, _ = slice(start, stop, stride).indices(extent)
    else:
        first, limit = _symbolic_bounds(extent, start, stop, stride)
    count = limit - first if stride > 0 else first - limit
    if isinstance(count, int) and count <= 0:
        return 0, 0, 1
    return first, limit, stride


def _symbolic_bounds(extent: Extent, start: Extent | None, stop: Extent | None, stride: int) -> Any:
    def counted(bound: Extent) -> Extent:
        return bound + extent if _is_negative(bound) else bound

    if stride > 0:
        return 0 if start is None else counted(start), extent if stop is None else counted(stop)
    return extent - 1 if start is None else counted(start), -1 if stop is None else counted(stop)


def _integer(plan: _Plan, bound: Any) -> Extent:
    if isinstance(bound, Dim):
        return bound
    if isinstance(bound, int | np.integer) and not isinstance(bound, bool):
        return int(bound)
    if isinstance(bound, Tensor):
        fail(TraceError(f"getitem: {bound.value!r} bounds a slice of {plan.type}, whose extent would depend on data"))
    fail(ArgumentError(f"getitem: {bound!r} is no bound of a slice; use integers and extents"))


def _checked_index(plan: _Plan, index: Tensor | Array, axis: int) -> Tensor | Array:
    """An index array; what is known of it now is checked now, and counted from the start."""
    extent = plan.extent
    if isinstance(index, Tensor):
        if index.dtype is bool_:
            fail(
                TraceError(
                    f"getitem: the mask {index.value!r} is traced, so the shape of the result would depend on data; "
                    "choose elements with gc.where(mask, x, 0)"
                )
            )
        if not index.dtype.is_integer:
            fail(ArgumentError(f"getitem: an index is made of integers, but {index.value!r} is not; use gc.astype"))
        return index
    if isinstance(extent, int) and index.size:
        wrong = index[(index < -extent) | (index >= extent)]
        if wrong.size:
            fail(IndexRangeError(f"getitem: index {wrong[0]} is out of range for axis {axis} of {plan.type}"))
        return np.where(index < 0, index + extent, index)
    return index


def _slice(x: Tensor, plan: _Plan) -> Tensor:
    """The one node for all integers and slices of the key."""
    if (
        all(start == 0 for start in plan.starts)
        and plan.limits == list(x.shape)
        and all(stride == 1 for stride in plan.strides)
    ):
        return x
    strides = None if all(stride == 1 for stride in plan.strides) else tuple(plan.strides)
    return call("slice", x, starts=tuple(plan.starts), limits=tuple(plan.limits), strides=strides)
