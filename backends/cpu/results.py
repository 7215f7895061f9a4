"""Arrays for results: they belong to the caller, and their memory is used again when the caller has dropped them.

    array = results.take((128, 10), np.dtype(np.float32))       # uninitialised

A loop that drops its results takes no page faults after its first rounds.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_KEPT = 4  # arrays of one shape that wait to be used again
_SHAPES = 64  # shapes whose arrays wait; those that were asked for last


def _references_when_free() -> int:
    """What getrefcount says of an array that only a list holds, while a loop looks at it."""
    for array in [np.empty(0)]:
        return sys.getrefcount(array)
    raise AssertionError


_FREE = _references_when_free()


class Shelf:
    """Result arrays of one shape and dtype."""

    __slots__ = ("_arrays", "_dtype", "_shape")

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._shape, self._dtype = shape, dtype
        self._arrays: list[Array] = []

    def take(self) -> Array:
        """An array that nobody else holds, nor a view of it."""
        for array in self._arrays:
            if sys.getrefcount(array) <= _FREE:
                return array[...]
        array = np.empty(self._shape, self._dtype)
        if len(self._arrays) < _KEPT:
            self._arrays.append(array)
        return array[...]


class Results:
    """Result arrays by shape and dtype."""

    def __init__(self) -> None:
        self._shelves: dict[tuple[tuple[int, ...], np.dtype[Any]], Shelf] = {}

    def take(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array that nobody else holds, nor a view of it."""
        return self.shelf(shape, dtype).take()

    def shelf(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Shelf:
        """Where arrays of a shape are, for who takes many."""
        shelf = self._shelves.pop((shape, dtype), None) or Shelf(shape, dtype)
        self._shelves[shape, dtype] = shelf
        if len(self._shelves) > _SHAPES:
            del self._shelves[next(iter(self._shelves))]
        return shelf
