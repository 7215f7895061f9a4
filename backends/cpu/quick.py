"""A call that is like the one before, done by one native function: what that is to know, as words.

    call = quick_call(repeat, binding, view, ticks, locks, [(model_state.CHANGES, 17), (is_open, 1)], memory)
    call((x, y))                # the result; None where anything is otherwise than it was

`repeat` is the address of the function (`repeating.py`). It becomes a function of Python's own kind: calling it takes
a tenth of the time of a call by ctypes. It keeps all that its words are addresses of, so whoever has it may call it at
any time, when others have closed it long since.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.backends.cpu.array_address import address_of
from graphc.backends.cpu.binding import Binding

Array = np.ndarray[Any, Any]
Condition = tuple[ctypes.c_int64, int]  # a word of memory, and what it is to hold
QuickCall = Callable[[tuple[Any, ...]], Any]

# Offsets of the words, in bytes. The first four are Python's `PyMethodDef`: name, function, flags, docstring.
CALL, CALL_WITH, DROP, HOLD = 32, 40, 48, 56  # functions of Python's C interface
TUPLE, TRUE, FALSE, NONE = 64, 72, 80, 88  # objects
COPY = 96  # a method that gives a new array for the result
RESULT, SIZE = 104, 112  # where the result lies when the table has been walked, and its bytes
TICKS = 120  # the address of the word that counts runs
FORM, ENTRIES, STATUS = 128, 136, 144  # of the table
LOCKS, CONDITIONS = 152, 160  # how many there are
LISTS = 168  # locks, each the methods `acquire` and `release`; conditions, each the address of a word and its value
LOCK = CONDITION = 16

_ONE_ARGUMENT = 8  # METH_O of the flags
_NAME = ctypes.create_string_buffer(b"repeat")
_NEW_FUNCTION = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
_INTERFACE = ("PyObject_CallNoArgs", "PyObject_CallOneArg", "Py_DecRef", "Py_NewRef")


def quick_call(
    repeat: int, binding: Binding, view: Array, ticks: ctypes.c_int64, locks: Sequence[Any],
    conditions: Sequence[Condition], memory: Any,
) -> QuickCall:  # fmt: skip
    """The function for a table whose only result is a view of the arena; `memory` is what else the table points to."""
    assert binding.form is not None
    form = binding.form.serial_words(binding.table_address, binding.status)
    copy = np.empty(view.shape, view.dtype).copy
    methods = [(lock.acquire, lock.release) for lock in locks]
    words = [
        ctypes.addressof(_NAME), repeat, _ONE_ARGUMENT, 0, *_addresses(),
        *map(id, (tuple, True, False, None, copy)), address_of(view), view.nbytes, ctypes.addressof(ticks),
        form, binding.entries, binding.status, len(methods), len(conditions),
    ]  # fmt: skip
    for acquire, release in methods:
        words += [id(acquire), id(release)]
    for word, value in conditions:
        words += [ctypes.addressof(word), value]
    array = np.array(words, np.int64)
    new = _NEW_FUNCTION(("PyCFunction_NewEx", ctypes.pythonapi))
    made: QuickCall = new(address_of(array), (array, binding, view, ticks, copy, methods, conditions, memory), None)
    return made


def _addresses() -> list[int]:
    functions = [getattr(ctypes.pythonapi, name) for name in _INTERFACE]
    return [ctypes.cast(function, ctypes.c_void_p).value or 0 for function in functions]
