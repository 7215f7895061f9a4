"""Writing at computed indices, to a copy: the derivatives of `indexing.py`, and the other way round.

    index_add(x, i, u, axis=0):     f32[10,4], i64[N], f32[N,4] -> f32[10,4]     y[i[n], c] += u[n, c]
    scatter_add(x, i, u, axis=1):   f32[N,4], i64[N,2], f32[N,2] -> f32[N,4]     y[n, i[n, c]] += u[n, c]

The `index_` ops write whole slices, at the indices of `take`; the `scatter_` ops single elements, at those of
`take_along_axis`. Where indices repeat, `add` sums, `max` keeps the greatest and shares its gradient equally among
ties, and `set` keeps the last in row-major order, which alone gets the gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import DTypeError, ShapeError
from graphc.op import Kind, Op, define_op
from graphc.operands import shape_text
from graphc.ops.choice import cast, where
from graphc.ops.creation import full, iota, zeros
from graphc.ops.declare import computed_in_f32
from graphc.ops.indexing import (
    along_shape,
    check_indices,
    check_range,
    elements_at,
    slices_at,
    take,
    take_along_axis,
    taken_shape,
)
from graphc.ops.shape import broadcast_to, reshape
from graphc.samples import Draw, Sample, exactly, integers, real, sample
from graphc.types import TensorType, i64


def _updates(*shape: int) -> Draw:
    return real(*shape, low=-1.9, high=2.1)


@dataclass(frozen=True)
class _Family:
    """What the ops over one kind of indices share: how they are read, and where they point."""

    read: Op
    shape_of: Any
    places: Any
    samples: list[Sample]


WHOLE_SLICES = _Family(
    take,
    taken_shape,
    slices_at,
    [
        sample(real(5, 3), integers(4, low=0, high=5), _updates(4, 3), axis=0),
        sample(real(2, 5), integers(2, 3, low=0, high=5, dtype="i32"), _updates(2, 2, 3), axis=1),
        sample(real(4), exactly(2, i64), _updates(), axis=0),
        sample(real(4, 2), integers(0, low=0, high=1), _updates(0, 2), axis=0),
        sample(integers(4), integers(6, low=0, high=4), integers(6), axis=0),
    ],
)
SINGLE_ELEMENTS = _Family(
    take_along_axis,
    along_shape,
    elements_at,
    [
        sample(real(5, 3), integers(4, 3, low=0, high=5), _updates(4, 3), axis=0),
        sample(real(3, 5), integers(3, 7, low=0, high=5, dtype="i32"), _updates(3, 7), axis=1),
        sample(real(3, 5), integers(2, 2, low=0, high=5), _updates(2, 2), axis=1),
        sample(integers(4), integers(6, low=0, high=4), integers(6), axis=0),
    ],
)


def _scatter(name: str, family: _Family, write: Any, *, accepts: str, vjp: Any, jvp: Any, doc: str) -> Op:
    def infer(x: TensorType, indices: TensorType, updates: TensorType, *, axis: int) -> TensorType:
        check_indices(name, indices)
        if accepts == "numeric" and x.dtype.kind == "bool":
            raise DTypeError(f"{name}: takes numbers, but x is {x}")
        if updates.dtype is not x.dtype:
            raise DTypeError(f"{name}: x is {x}, but updates are {updates}; convert with gc.astype")
        shape = family.shape_of(name, x, indices, axis)
        if updates.shape != shape:
            given, needed = shape_text(updates.shape), shape_text(shape)
            raise ShapeError(f"{name}: updates have shape {given}, but {x} at indices {indices} has {needed}")
        return x

    def reference(x: Any, indices: Any, updates: Any, *, axis: int) -> Any:
        check_range(name, indices, x.shape[axis], axis)
        result = x.copy()
        write(result, family.places(indices, axis), updates)
        return result

    return define_op(
        name, kind=Kind.SCATTER, infer=infer, reference=computed_in_f32(reference), accepts=accepts,
        vjp=lambda g, y, *operands, axis: vjp(g, y, *operands, axis),
        jvp=lambda t, y, *operands, axis: jvp(t, y, *operands, axis),
        samples=family.samples, doc=doc,
    )  # fmt: skip


def _tangents(t: Any, x: Any, updates: Any) -> tuple[Any, Any]:
    return zeros(x) if t[0] is None else t[0], zeros(updates) if t[2] is None else t[2]


# -- sums -------------------------------------------------------------------------------------------------------------


def _declare_add(name: str, family: _Family, doc: str) -> Op:
    def vjp(g: Any, y: Any, x: Any, indices: Any, updates: Any, axis: int) -> tuple[Any, None, Any]:
        return g, None, family.read(g, indices, axis=axis)

    def jvp(t: Any, y: Any, x: Any, indices: Any, updates: Any, axis: int) -> Any:
        moved, added = _tangents(t, x, updates)
        return op(moved, indices, added, axis=axis)

    op = _scatter(name, family, np.add.at, accepts="numeric", vjp=vjp, jvp=jvp, doc=doc)
    return op


index_add = _declare_add("index_add", WHOLE_SLICES, "x with updates added to its slices at indices.")
scatter_add = _declare_add("scatter_add", SINGLE_ELEMENTS, "x with updates added to its elements at indices.")

# -- maxima -----------------------------------------------------------------------------------------------------------


def _declare_max(name: str, family: _Family, add: Op, doc: str) -> Op:
    def shares(y: Any, x: Any, indices: Any, updates: Any, axis: int) -> tuple[Any, Any, Any]:
        """1 for what equals the maximum it competed for, else 0, in x and in updates; and how many do."""
        of_x = cast(x == y, dtype=x.dtype)
        of_updates = cast(updates == family.read(y, indices, axis=axis), dtype=x.dtype)
        return of_x, of_updates, add(of_x, indices, of_updates, axis=axis)

    def vjp(g: Any, y: Any, x: Any, indices: Any, updates: Any, axis: int) -> tuple[Any, None, Any]:
        of_x, of_updates, count = shares(y, x, indices, updates, axis)
        return of_x * (g / count), None, of_updates * family.read(g / count, indices, axis=axis)

    def jvp(t: Any, y: Any, x: Any, indices: Any, updates: Any, axis: int) -> Any:
        of_x, of_updates, count = shares(y, x, indices, updates, axis)
        moved, added = _tangents(t, x, updates)
        return add(of_x * moved, indices, of_updates * added, axis=axis) / count

    return _scatter(name, family, np.maximum.at, accepts="numeric", vjp=vjp, jvp=jvp, doc=doc)


index_max = _declare_max("index_max", WHOLE_SLICES, index_add, "x with its slices at indices raised to updates.")
scatter_max = _declare_max(
    "scatter_max",
    SINGLE_ELEMENTS,
    scatter_add,
    "x with its elements at indices raised to updates.",
)

# -- assignments ------------------------------------------------------------------------------------------------------


def _assign(result: Any, places: Any, updates: Any) -> None:
    result[places] = updates


def _order_of_slices(indices: Any, updates: Any, axis: int) -> Any:
    """The number of each update's index in row-major order."""
    numbers = reshape(iota(shape=(indices.size,), axis=0, dtype=i64), shape=indices.shape)
    behind = updates.ndim - indices.ndim - axis
    return broadcast_to(reshape(numbers, shape=(*indices.shape, *(1,) * behind)), shape=updates.shape)


def _order_of_elements(indices: Any, updates: Any, axis: int) -> Any:
    """The place of each update along the axis: only those of one line compete."""
    return iota(shape=updates.shape, axis=axis, dtype=i64)


def _declare_set(name: str, family: _Family, order_of: Any, doc: str) -> Op:
    def vjp(g: Any, y: Any, x: Any, indices: Any, updates: Any, axis: int) -> tuple[Any, None, Any]:
        order = order_of(indices, updates, axis)
        last = op(full(value=-1, shape=x.shape, dtype=i64), indices, order, axis=axis)
        stays = family.read(last, indices, axis=axis) == order
        overwritten = op(g, indices, zeros(updates), axis=axis)
        return overwritten, None, where(stays, family.read(g, indices, axis=axis), 0)

    def jvp(t: Any, y: Any, x: Any, indices: Any, updates: Any, axis: int) -> Any:
        moved, assigned = _tangents(t, x, updates)
        return op(moved, indices, assigned, axis=axis)

    op = _scatter(name, family, _assign, accepts="any", vjp=vjp, jvp=jvp, doc=doc)
    return op


index_set = _declare_set("index_set", WHOLE_SLICES, _order_of_slices, "x with its slices at indices set to updates.")
scatter_set = _declare_set(
    "scatter_set", SINGLE_ELEMENTS, _order_of_elements, "x with its elements at indices set to updates."
)
