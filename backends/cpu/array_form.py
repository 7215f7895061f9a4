"""What the arrays of a call are to be, as words that native code compares them with.

    form = ArrayForm(fits, rows, [((32, 64), np.dtype(np.float32), [(17, 0)])])
    form.place((x,))                # -1: x is f32[32,64], contiguous, and its address is in word 17 of the rows

A dtype is compared by its object. NumPy has one object for most dtypes, but not for all (an array that was unpickled
has one of its own); the one that was accepted last is remembered.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from graphc.backends.cpu.array_address import address_of

Array = np.ndarray[Any, Any]
Input = tuple[tuple[int, ...], np.dtype[Any], Sequence[tuple[int, int]]]  # shape, dtype, (word of the rows, offset)

NO_FIT = -2
_FITS = ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_size_t, ctypes.c_int64, ctypes.py_object)  # keeps Python's lock
Place = Callable[[tuple[Any, ...]], int]


class ArrayForm:
    """The words for one table; `fits` is the address of the native function."""

    def __init__(self, fits: int, rows: Array, inputs: Sequence[Input]) -> None:
        self._dtypes = [dtype for _, dtype, _ in inputs]  # held, so that no other object comes to lie there
        self._places: list[int] = []  # of the words for dtypes
        words = [len(inputs), address_of(rows), 0, 0]
        for shape, dtype, places in inputs:
            self._places.append(len(words) + 1)
            words += [id(np.ndarray), id(dtype), len(shape), len(places), *shape]
            words += [number for place in places for number in place]
        self._words = np.array(words, np.int64)
        self._rows = rows
        # Partial functions, as what is the same in all calls is converted once.
        self._fits = partial(_FITS(fits), ctypes.c_size_t(address_of(self._words)))
        # Puts the addresses of a tuple's arrays into the rows where they are what the form asks for, and gives -1; else
        # NO_FIT, and anything may be in the rows.
        self.place: Place = partial(self._fits, ctypes.c_int64(0))

    def run(self, table: int, entries: int, status: int) -> Place:
        """What places arrays and then walks a table: gives -1, the entry that met trouble, or NO_FIT."""
        self.serial_words(table, status)
        return partial(self._fits, ctypes.c_int64(entries))

    def serial_words(self, table: int, status: int) -> int:
        """The address of the words, with those of a table that one thread is to walk."""
        self._words[2:4] = table, status
        return address_of(self._words)

    def accept(self, arrays: Sequence[Array]) -> None:
        """These arrays have been found right: from now on their dtypes are known."""
        for number, array in enumerate(arrays):
            if array.dtype is not self._dtypes[number]:
                self._dtypes[number] = array.dtype
                self._words[self._places[number]] = id(array.dtype)
