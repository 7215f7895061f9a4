"""Arrays at call time: checked against the graph's inputs, never read wrong.

ShapeError: @mlp takes 2 inputs, (%x: f32[N,784], %y: i64[N]), and got 1
ShapeError: @mlp: %x is f32[N,784], but the array has shape (32, 100): axis 1 has 100, not 784
ShapeError: @mlp: %y is i64[N], but the array has shape (31,): axis 0 has 31, and N is 32 from %x
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.dim import Dim, UnsolvedExtent, bind_extent, evaluate_extent
from graphc.errors import ArgumentError, DTypeError, ShapeError
from graphc.ir import Graph, Value
from graphc.tensor import Tensor
from graphc.types import DType, TensorType, as_dtype

Array = np.ndarray[Any, Any]


def bind_arguments(graph: Graph, arrays: Sequence[Any]) -> tuple[list[Array], dict[str, int]]:
    """The arrays as the graph reads them, and the values of its named dims.

    Any layout and byte order is accepted; scalars and lists become arrays where they lose nothing. Raises
    ArgumentError, DTypeError or ShapeError, naming the input and both sides.
    """
    if len(arrays) != len(graph.inputs):
        inputs = ", ".join(map(repr, graph.inputs))
        noun = "input" if len(graph.inputs) == 1 else "inputs"
        raise ArgumentError(f"@{graph.name} takes {len(graph.inputs)} {noun}, ({inputs}), and got {len(arrays)}")
    given = [as_argument(graph.name, v, a) for v, a in zip(graph.inputs, arrays, strict=True)]
    return given, bind_dims(graph, given)


def as_argument(graph: str, value: Value, argument: Any) -> Array:
    """One argument as an array of the input's dtype."""
    if isinstance(argument, Tensor) or argument is None or isinstance(argument, str | bytes | dict | TensorType):
        raise ArgumentError(f"@{graph}: %{value.name} takes an array, not {type(argument).__name__}")
    is_python = not hasattr(argument, "dtype") and not hasattr(argument, "__array__")
    what = f"@{graph}: %{value.name} is {value.type}, but the {type(argument).__name__ if is_python else 'array'} given"
    try:
        array = np.asarray(argument)
    except ValueError:
        raise ArgumentError(f"{what} makes no array: its rows differ in length") from None
    try:
        dtype = as_dtype(array.dtype)
    except DTypeError:
        raise DTypeError(f"{what} is of NumPy dtype {array.dtype}, which graphc does not have") from None
    expected = value.type.dtype
    if dtype is not expected:
        if not is_python:
            library = "ml_dtypes" if expected.name == "bf16" else "np"
            hint = f"convert it with array.astype({library}.{expected.numpy.name})"
            raise DTypeError(f"{what} is {dtype}; {hint}")
        converted = _converted(array, expected)
        if converted is None:
            raise DTypeError(f"{what} holds {dtype} values that {expected} does not")
        array = converted
    return np.ascontiguousarray(array, expected.numpy).reshape(array.shape)


def _converted(array: Array, dtype: DType) -> Array | None:
    """A Python scalar or list in another dtype: 1 becomes 1.0, but 0.5 no integer; None where a value would change."""
    if not array.size:
        return array.astype(dtype.numpy)
    if dtype.is_float and array.dtype.kind in "iuf":
        with np.errstate(over="ignore"):
            cast = array.astype(dtype.numpy)
        return cast if np.array_equal(np.isfinite(cast), np.isfinite(array)) else None
    if dtype.is_integer and array.dtype.kind in "iu":
        cast = array.astype(dtype.numpy)
        return cast if np.array_equal(cast, array) else None
    return None


def bind_dims(graph: Graph, arrays: Sequence[Array]) -> dict[str, int]:
    """The values of named dims that make every input's shape the array's."""
    dims: dict[str, int] = {}
    origin: dict[str, str] = {}
    waiting: list[tuple[Value, Array, int]] = []
    for value, array in zip(graph.inputs, arrays, strict=True):
        if array.ndim != value.type.rank:
            raise ShapeError(
                f"@{graph.name}: %{value.name} is {value.type}, of rank {value.type.rank}, "
                f"but the array has shape {array.shape}"
            )
        waiting.extend((value, array, axis) for axis in range(array.ndim))
    while waiting:
        unsolved = []
        for value, array, axis in waiting:
            known = set(dims)
            try:
                fits = bind_extent(value.type.shape[axis], array.shape[axis], dims)
            except UnsolvedExtent:
                unsolved.append((value, array, axis))
                continue
            if not fits:
                raise ShapeError(_mismatch(graph.name, value, array, axis, dims, origin))
            origin.update((name, value.name) for name in set(dims) - known)
        if len(unsolved) == len(waiting):
            value, _, axis = unsolved[0]
            raise ShapeError(
                f"@{graph.name}: the extent {value.type.shape[axis]} of %{value.name} cannot be solved for its dims; "
                "give an input that has each dim alone as an extent"
            )
        waiting = unsolved
    return dims


def _mismatch(graph: str, value: Value, array: Array, axis: int, dims: dict[str, int], origin: dict[str, str]) -> str:
    extent = value.type.shape[axis]
    text = f"@{graph}: %{value.name} is {value.type}, but the array has shape {array.shape}: axis {axis} has "
    names = extent.names if isinstance(extent, Dim) else frozenset()
    if not names:
        return f"{text}{array.shape[axis]}, not {extent}"
    if all(name in dims for name in names):
        known = ", ".join(f"{name} is {dims[name]} from %{origin.get(name, value.name)}" for name in sorted(names))
        wanted = "" if str(extent) in dims else f", so {extent} is {evaluate_extent(extent, dims)}"
        return f"{text}{array.shape[axis]}, and {known}{wanted}"
    return f"{text}{array.shape[axis]}, which is no value of {extent}"
