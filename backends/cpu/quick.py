"""A call that is like the one before, done by one native function: what that is to know, as words.

    call = quick_call(repeat, binding, view, ticks, locks, [(model_state.CHANGES, 17), (is_open, 1)], memory)
    call((x, y))                # the result; None where anything is otherwise than it was

`repeat` is the address of the native code (`repeating.py`). The call keeps all that its words are addresses of, so
whoever has it may call it at any time, when others have closed it long since.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from graphc.backends.cpu.array_address import address_of
from graphc.backends.cpu.binding import Binding
from graphc.backends.cpu.native_call import builtin, interface

Array = np.ndarray[Any, Any]
Condition = tuple[ctypes.c_int64, int]  # a word of memory, and what it is to hold
QuickCall = Callable[[tuple[Any, ...]], Any]

# Offsets of the words, in bytes.
CALL, CALL_WITH, DROP, HOLD = 0, 8, 16, 24  # functions of Python's C interface
TUPLE, TRUE, FALSE, NONE = 32, 40, 48, 56  # objects
FRESH = 64  # a function that gives a new array for the result
RESULT, SIZE = 72, 80  # where the result lies when the table has been walked, and its bytes
TICKS = 88  # the address of the word that counts runs
FORM, STATUS = 96, 104  # what the arrays are to be and what to walk (`array_form.py`), and the table's status block
LOCKS, CONDITIONS = 112, 120  # how many there are
LISTS = 128  # locks, each the methods `acquire` and `release`; conditions, each the address of a word and its value
LOCK = CONDITION = 16

_INTERFACE = ("PyObject_CallNoArgs", "PyObject_CallOneArg", "Py_DecRef", "Py_NewRef")


def quick_call(
    repeat: int, binding: Binding, view: Array, ticks: ctypes.c_int64, locks: Sequence[Any],
    conditions: Sequence[Condition], memory: Any,
) -> QuickCall:  # fmt: skip
    """The function for a table whose only result is a view of the arena; `memory` is what else the table points to."""
    assert binding.form is not None
    form = binding.form.words_of_call(binding.table_address, binding.entries, binding.status)
    fresh = partial(np.empty, view.shape, view.dtype)
    methods = [(lock.acquire, lock.release) for lock in locks]
    words = [
        *map(interface, _INTERFACE), *map(id, (tuple, True, False, None, fresh)), address_of(view), view.nbytes,
        ctypes.addressof(ticks), address_of(form), binding.status, len(methods), len(conditions),
    ]  # fmt: skip
    for acquire, release in methods:
        words += [id(acquire), id(release)]
    for word, value in conditions:
        words += [ctypes.addressof(word), value]
    held = form, binding, view, ticks, fresh, methods, conditions, memory
    return builtin(repeat, (np.array(words, np.int64), *held))
