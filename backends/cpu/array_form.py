"""What the arrays of a call are to be, as words that native code compares them with.

    form = ArrayForm(fits, rows, [((32, 64), np.dtype(np.float32), [(17, 0)])], [])
    form.place((x,))                # -1: x is f32[32,64], contiguous, and its address is in word 17 of the rows

A call gives its arrays, and perhaps arrays that kernels are to fill with results; they are placed the same way.

A dtype is compared by its object. NumPy has one object for most dtypes, but not for all (an array that was unpickled
has one of its own); the one that was accepted last is remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.backends.cpu.array_address import address_of
from graphc.backends.cpu.native_call import builtin, interface

Array = np.ndarray[Any, Any]
Input = tuple[tuple[int, ...], np.dtype[Any], Sequence[tuple[int, int]]]  # shape, dtype, (word of the rows, offset)

NO_FIT = -2
_ANSWERS = (NO_FIT, -1, 0)
# Of the words of a call, bytes from their start: how many arrays there are, the address of the rows; the table, its
# entries and its status block; the address of what the arrays are to be; Python's function that gives a reference; the
# last of the answers, which are objects.
COUNT, ROWS, TABLE, ENTRIES, STATUS, ARRAYS, HOLD = range(0, 56, 8)
ANSWERS = 56 - 8 * NO_FIT
Place = Callable[[tuple[Any, ...]], int]


class ArrayForm:
    """The words for one table; `fits` is the address of the native function."""

    def __init__(self, fits: int, rows: Array, inputs: Sequence[Input], results: Sequence[Input]) -> None:
        self._dtypes = [dtype for _, dtype, _ in inputs]  # held, so that no other object comes to lie there
        self._places: list[int] = []  # of the words for dtypes
        words: list[int] = []
        for shape, dtype, places in (*inputs, *results):
            self._places.append(len(words) + 1)
            words += [id(np.ndarray), id(dtype), len(shape), len(places), *shape]
            words += [number for place in places for number in place]
        self._words, self._rows, self._fits = np.array(words, np.int64), rows, fits
        self._held = [dtype for _, dtype, _ in results]
        self._count = len(inputs) + len(results)
        # Puts the addresses of a tuple's arrays into the rows where they are what the form asks for, and gives -1; else
        # NO_FIT, and anything may be in the rows.
        self.place: Place = builtin(fits, self._words_of(len(inputs)))
        self.place_all: Place = builtin(fits, self._words_of(self._count))  # the same for arrays and results

    def run(self, table: int, entries: int, status: int) -> Place:
        """What places arrays and results and then walks a table: gives -1, NO_FIT, or 0 where there was trouble."""
        return builtin(self._fits, self.words_of_call(table, entries, status))

    def words_of_call(self, table: int, entries: int, status: int) -> Array:
        """What native code is to do: place arrays and results, and walk a table."""
        return self._words_of(self._count, table, entries, status)

    def _words_of(self, count: int, table: int = 0, entries: int = 0, status: int = 0) -> Array:
        words = [count, address_of(self._rows), table, entries, status, address_of(self._words)]
        return np.array([*words, interface("Py_NewRef"), *map(id, _ANSWERS)], np.int64)

    def accept(self, arrays: Sequence[Array]) -> None:
        """These arrays have been found right: from now on their dtypes are known."""
        for number, array in enumerate(arrays):
            if array.dtype is not self._dtypes[number]:
                self._dtypes[number] = array.dtype
                self._words[self._places[number]] = id(array.dtype)
