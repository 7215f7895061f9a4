"""What the array functions share: operands become tensors, axes become non-negative integers, errors know their line.

    x = as_tensor(x, "sum")                     # a tensor, a cell, an array, a list or a number
    axes = as_axes(axis, x, "sum")              # None, -1 or (0, -1)  ->  (0, 1), (1,), (0, 1)
    return call("sum", x, axis=axes)            # the op of the registry

Axes that are out of range raise OpAttributeError, which names the axis, the rank and the user's line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NoReturn, TypeAlias

import numpy as np

from graphc.dim import Dim, Extent
from graphc.errors import ArgumentError, GraphcError, OpAttributeError
from graphc.op import active_recorder, current_recorder, find_op
from graphc.tensor import Tensor
from graphc.types import DType, Shape, as_shape, f32

Operand: TypeAlias = Any  # a Tensor, a Cell, a NumPy array, a list of numbers, or a Python scalar
Axis: TypeAlias = "int | Sequence[int] | None"


def call(op: str, *operands: Operand, **attributes: Any) -> Tensor:
    """Append a node for the op of this name, which has one result."""
    result: Tensor = find_op(op)(*map(listed, operands), **attributes)
    return result


def as_tensor(x: Operand, what: str) -> Tensor:
    """A traced tensor; `what` names the function in the TraceError that a call outside of a trace raises."""
    if isinstance(x, Tensor):
        return x
    tensor: Tensor = current_recorder(what).tensor(listed(x))  # type: ignore[attr-defined]
    return tensor


def listed(x: Operand) -> Operand:
    """Nested lists of Python numbers as an array of the default dtype: f32, i64 or bool. All else as it is."""
    if not isinstance(x, list | tuple):
        return x
    leaves = list(leaves_of(x))
    if any(isinstance(leaf, Tensor) for leaf in leaves):
        fail(ArgumentError("a list of tensors is not a tensor; join them with gc.stack or gc.concat"))
    if not all(type(leaf) in (bool, int, float) for leaf in leaves):
        return x
    array = np.asarray(x)
    return array.astype(np.float32) if array.dtype == np.float64 else array


def leaves_of(x: object) -> Iterator[object]:
    """What nested lists hold."""
    if isinstance(x, list | tuple):
        for item in x:
            yield from leaves_of(item)
    else:
        yield x


def fail(error: GraphcError) -> NoReturn:
    """Raise an error with the user's line."""
    where = getattr(active_recorder(), "where", None)
    raise error.located(where=where() if where else None)


def as_axis(axis: int, rank: int, what: str, *, name: str = "axis") -> int:
    """One axis as a non-negative integer below `rank`."""
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer):
        fail(OpAttributeError(f"{what}: {name} is an integer, not {axis!r}"))
    if not -rank <= axis < rank:
        allowed = f"-{rank} to {rank - 1}" if rank else "none, a scalar has no axes"
        fail(OpAttributeError(f"{what}: {name} {axis} is out of range for rank {rank} (allowed: {allowed})"))
    return int(axis) % rank


def as_axes(axis: Axis, rank: int, what: str, *, name: str = "axis") -> tuple[int, ...]:
    """Distinct axes as non-negative integers in the order given; None names all."""
    if axis is None:
        return tuple(range(rank))
    if not isinstance(axis, Iterable):
        return (as_axis(axis, rank, what, name=name),)
    axes = tuple(as_axis(a, rank, what, name=name) for a in axis)
    if len(set(axes)) != len(axes):
        fail(OpAttributeError(f"{what}: {name} {tuple(axis)} names an axis twice for rank {rank}"))
    return axes


def reduced_axes(axis: Axis, rank: int, what: str) -> tuple[int, ...]:
    """The axes that a reduction folds, in ascending order."""
    return tuple(sorted(as_axes(axis, rank, what)))


def shape_of(shape: Any, what: str) -> Shape:
    """A shape from an extent or a sequence of extents."""
    try:
        return as_shape(shape)
    except GraphcError as error:
        error.rule = f"{what}: {error.rule}"
        fail(error)


def extent_product(shape: Iterable[Extent]) -> Extent:
    """The number of elements of a shape."""
    size: Extent = 1
    for extent in shape:
        size = size * extent
    return size


def is_scalar(x: object) -> bool:
    """Whether an operand is a Python scalar or an extent, which takes the dtype of the tensors beside it."""
    return isinstance(x, bool | int | float | Dim) and not isinstance(x, np.generic)


def accumulator(x: Tensor) -> Tensor:
    """16-bit floats in f32, for what rounds more than once; others as they are."""
    return call("cast", x, dtype=f32) if x.dtype.is_float and x.dtype.bits == 16 else x


def cast(x: Tensor, dtype: DType) -> Tensor:
    """The tensor in a dtype, itself where it has it already."""
    return x if x.dtype is dtype else call("cast", x, dtype=dtype)
