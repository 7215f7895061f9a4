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


class Results:
    """Result arrays by shape and dtype."""

    def __init__(self) -> None:
        self._arrays: dict[tuple[tuple[int, ...], np.dtype[Any]], list[Array]] = {}

    def take(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array that nobody else holds, nor a view of it."""
        known = self._arrays.pop((shape, dtype), [])
        self._arrays[shape, dtype] = known
        if len(self._arrays) > _SHAPES:
            del self._arrays[next(iter(self._arrays))]
        for array in known:
            if sys.getrefcount(array) <= _FREE:
                return array[...]
        array = np.empty(shape, dtype)
        if len(known) < _KEPT:
            known.append(array)
        return array[...]
