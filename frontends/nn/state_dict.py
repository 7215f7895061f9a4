"""State dicts: a model's parameters and persistent buffers by name, under torch's keys.

    >>> model.load_state_dict({"weight": np.zeros((3, 5))})
    StateError: the state dict does not fit Linear:
      missing: bias
      weight: takes f32[3,4], but the value is f64[3,5]

Loading is all or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphc.errors import DTypeError, StateError
from graphc.state import Cell
from graphc.types import type_of

if TYPE_CHECKING:
    from graphc.nn.module import Module

Array = np.ndarray[Any, Any]


class IncompatibleKeys(NamedTuple):
    """What a state dict lacks, and what it has that the model does not; both empty after a strict load."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def named_cells(model: Module, prefix: str = "") -> Iterator[tuple[str, Cell]]:
    """The cells that a state dict has, module by module: parameters, then buffers; tied ones under each name."""
    for path, module in model.named_modules(prefix=prefix.removesuffix("."), remove_duplicate=False):
        owner = f"{path}." if path else ""
        for name, parameter in module._parameters.items():
            if parameter is not None:
                yield owner + name, parameter
        for name, buffer in module._buffers.items():
            if buffer is not None and buffer.persistent:
                yield owner + name, buffer


def read_state(model: Module, prefix: str = "") -> dict[str, Array]:
    """The state dict."""
    return {name: cell.array for name, cell in named_cells(model, prefix)}


def load_state(model: Module, given: Mapping[str, Any], strict: bool) -> IncompatibleKeys:
    """Write the given values to the model's cells, all or none; StateError lists everything that does not fit."""
    cells = dict(named_cells(model))
    missing = [name for name in cells if name not in given]
    unexpected = [str(name) for name in given if name not in cells]
    problems = []
    if strict and missing:
        problems.append(f"missing: {', '.join(missing)}")
    if strict and unexpected:
        problems.append(f"unexpected: {', '.join(unexpected)}")
    values: dict[Cell, tuple[str, Array]] = {}
    for name, cell in cells.items():
        if name not in given:
            continue
        try:
            array = fitting(cell, given[name])
        except StateError as error:
            problems.append(f"{name}: {error.rule}")
            continue
        first, other = values.setdefault(cell, (name, array))
        if not np.array_equal(array, other, equal_nan=cell.dtype.is_float):
            problems.append(f"{name}: is tied to {first} (one cell), but the values differ")
    if problems:
        raise StateError("\n  ".join([f"the state dict does not fit {type(model).__name__}:", *problems]))
    for cell, (_, array) in values.items():
        cell.commit(array)
    return IncompatibleKeys(missing, unexpected)


def fitting(cell: Cell, value: Any) -> Array:
    """A value as an array of a cell's own type: floats of any width fit a floating cell, integers an integer cell."""
    try:
        array = np.asarray(value)
        given = type_of(array)
    except (ValueError, DTypeError):
        raise StateError(f"takes {cell.type}, but the value is no array of numbers") from None
    floats = given.dtype.is_float and cell.dtype.is_float
    if given.shape != cell.shape or not (floats or given.dtype.kind == cell.dtype.kind):
        raise StateError(f"takes {cell.type}, but the value is {given}")
    return array.astype(cell.dtype.numpy, order="C")
