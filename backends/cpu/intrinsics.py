"""Functions of vector IR as names that kernels call, with plain Python for NUMBA_DISABLE_JIT=1.

    def typed(_, rows, columns, source, …):
        return typed_call(Transposition, "float32", {"rows": rows, "columns": columns, "source": source, …})

    transpose_f32 = called_by_kernels("transpose_f32", typed, plain)

An emitter is made of a module, a tiling and the arguments that are literals, and its `emit` gives the function. What is
a literal goes into the function; the others are its arguments, addresses among them.
"""

from __future__ import annotations

import ctypes
from typing import Any, Protocol

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic

from graphc.backends.cpu.ir_function import ADDRESSES
from graphc.backends.cpu.vector_ir import POINTER, Tiling, word

CONFIGURATION: Any = numba.config  # its names come from the environment


class Emitter(Protocol):
    """What writes a function into a module."""

    def __init__(self, module: ir.Module, tiling: Tiling, literals: dict[str, int]) -> None: ...

    def emit(self) -> ir.Function: ...


def typed_call(emitter: type[Emitter], dtype: str, kinds: dict[str, Any]) -> Any:
    """The signature of a call and how it is lowered: literals go into the function, the rest are its arguments."""
    for name, kind in kinds.items():
        if not isinstance(kind, types.Integer):
            raise TypingError(f"{emitter.__name__.lower()}: {name} is an integer, not {kind}")
    literals = {
        name: int(kind.literal_value)
        for name, kind in kinds.items()
        if isinstance(kind, types.IntegerLiteral) and name not in ADDRESSES
    }

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        function = emitter(builder.module, Tiling.of(dtype), literals).emit()
        arguments = []
        for (name, kind), value in zip(kinds.items(), values, strict=True):
            if name in literals:
                arguments.append(word(literals[name]))
                continue
            wide = context.cast(builder, value, kind, types.int64)
            arguments.append(builder.inttoptr(wide, POINTER) if name in ADDRESSES else wide)
        builder.call(function, arguments)
        return context.get_dummy_value()

    return types.void(*kinds.values()), lower


def called_by_kernels(name: str, typed: Any, plain: Any) -> Any:
    """What compiled kernels call, or its twin in Python."""
    plain.__name__ = typed.__name__ = name
    return plain if CONFIGURATION.DISABLE_JIT else intrinsic(prefer_literal=True)(typed)


def memory_of(dtype: str, address: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """The elements at an address, as an array; strides count elements."""
    kind = np.dtype(dtype)
    extents, steps = [int(x) for x in shape], [int(x) * kind.itemsize for x in strides]
    if 0 in extents:
        return np.zeros(extents, kind)
    span = sum((extent - 1) * step for extent, step in zip(extents, steps, strict=True)) + kind.itemsize
    memory = memoryview((ctypes.c_char * span).from_address(int(address)))
    return np.ndarray(extents, kind, memory, strides=steps)
