"""Sorting and searching along one axis.

    sort(x, axis=0)            x: f32[N,3]   ->   f32[N,3]
    argmax(x, axis=1)          x: f32[N,10]  ->   i64[N]
    topk(x, 5)                 x: f32[N,10]  ->   f32[N,5], i64[N,5]
    searchsorted(edges, x)     edges: f32[9], x: f32[N]   ->   i64[N]

NaN counts as the greatest number. Equal elements keep their order.
"""

from __future__ import annotations

from typing import Literal

from graphc.array.gathering import take
from graphc.array.manipulation import expand_dims, flatten, reshape
from graphc.array.operands import Operand, as_axis, as_tensor, call, cast, fail
from graphc.errors import OpAttributeError, ShapeError
from graphc.op import find_op
from graphc.tensor import Tensor
from graphc.types import i64


def sort(x: Operand, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The elements in order along one axis; `sort(x, descending=True)` of [1, 3, 2] is [3, 2, 1].

    Always stable, so `stable` has no effect.
    """
    tensor = as_tensor(x, "sort")
    return call("sort", tensor, axis=as_axis(axis, tensor.ndim, "sort"), descending=bool(descending))


def argsort(x: Operand, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The indices that sort along one axis, i64; equal elements keep their order in either direction."""
    tensor = as_tensor(x, "argsort")
    return call("argsort", tensor, axis=as_axis(axis, tensor.ndim, "argsort"), descending=bool(descending))


def topk(x: Operand, k: int, axis: int = -1, largest: bool = True, sorted: bool = True) -> tuple[Tensor, Tensor]:
    """The k greatest elements along an axis and their indices, in order (torch's `topk`).

        values, indices = topk(x, 5)   x: f32[N,10]   ->   f32[N,5], i64[N,5]

    `largest=False` gives the least ones. `sorted` has no effect: they always are. Raises OpAttributeError where k is
    not within the axis.
    """
    tensor = as_tensor(x, "topk")
    at = as_axis(axis, tensor.ndim, "topk")
    extent = tensor.shape[at]
    if k < 0 or (isinstance(extent, int) and k > extent):
        fail(OpAttributeError(f"topk: k is {k}, but axis {at} of {tensor.type} has {extent} elements"))
    values, indices = find_op("topk")(tensor, k=k, axis=at, largest=bool(largest))
    return values, indices


def argmax(x: Operand, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
    """The index of the greatest element, i64: the first of several, or of the first NaN.

        argmax(x, axis=1)   x: f32[N,10]   ->   i64[N]

    Without an axis, the index into the flattened tensor. ShapeError over an axis of extent 0.
    """
    return _extremum("argmax", x, axis, keepdims)


def argmin(x: Operand, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
    """The index of the least element, i64: the first of several, or of the first NaN; else as `argmax`."""
    return _extremum("argmin", x, axis, keepdims)


def _extremum(op: str, x: Operand, axis: int | None, keepdims: bool) -> Tensor:
    tensor = as_tensor(x, op)
    if axis is None:
        index = call(op, flatten(tensor), axis=0, keepdims=False)
        return reshape(index, (1,) * tensor.ndim) if keepdims else index
    return call(op, tensor, axis=as_axis(axis, tensor.ndim, op), keepdims=bool(keepdims))


def searchsorted(
    x1: Operand, x2: Operand, *, side: Literal["left", "right"] = "left", sorter: Operand | None = None
) -> Tensor:
    """For each element of x2, where to insert it into x1 (rank 1, in ascending order) to keep the order: i64.

        searchsorted(edges, x)   edges: f32[9], x: f32[N]   ->   i64[N], from 0 to 9

    "left" gives the first such place, "right" the last. Counts the elements of x1 below: len(x1) · len(x2) comparisons.
    """
    if side not in ("left", "right"):
        fail(OpAttributeError(f'searchsorted: side is "left" or "right", not {side!r}'))
    line, values = as_tensor(x1, "searchsorted"), as_tensor(x2, "searchsorted")
    if line.ndim != 1:
        fail(ShapeError(f"searchsorted: x1 has rank 1, but it is {line.type}"))
    if sorter is not None:
        line = take(line, sorter)
    wanted = expand_dims(values, -1)
    below = call("less" if side == "left" else "less_equal", line, wanted)
    if line.dtype.is_float:  # NaN is the greatest
        beside = call("isnan", wanted)
        if side == "left":
            beside = call("logical_and", beside, call("logical_not", call("isnan", line)))
        below = call("logical_or", below, beside)
    return call("sum", cast(below, i64), axis=(values.ndim,), keepdims=False)


def isin(x1: Operand, x2: Operand, *, invert: bool = False) -> Tensor:
    """Whether each element of x1 equals one of x2, or none with `invert`: size(x1) · size(x2) comparisons."""
    values, tests = as_tensor(x1, "isin"), flatten(as_tensor(x2, "isin"))
    found = call("any", call("equal", expand_dims(values, -1), tests), axis=(values.ndim,), keepdims=False)
    return call("logical_not", found) if invert else found


__all__ = ["argmax", "argmin", "argsort", "isin", "searchsorted", "sort", "topk"]
