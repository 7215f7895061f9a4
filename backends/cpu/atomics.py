"""Memory at raw addresses, shared between threads: what Python lacks and a native driver needs.

    add(address, -1)                           # returns the value before; atomic
    if compare_exchange(address, 3, 2) == 3:   # this thread, and no other, made a 3 a 2
    wait(bell, seen, 1000)                     # sleep while the word at `bell` holds `seen`
    call(kernel, row, slice, slices)           # a C function at an address
    ask(function, object)                      # one of Python's C interface

Each is a plain Python function, its *twin*: it runs where Numba is switched off (NUMBA_DISABLE_JIT=1), the atomic
ones under a lock. Numba, where it compiles a caller, emits instructions instead. Addresses and values are int64;
every atomic access is sequentially consistent.

On Linux `wait` and `wake` are a futex, elsewhere `wait` is a nap and `wake` nothing. A wait may end for no reason:
who waits looks again.
"""

from __future__ import annotations

import ctypes
import inspect
import itertools
import platform
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from llvmlite import ir
from numba import types
from numba.core.typing import templates
from numba.extending import lower_builtin

Kernel = Callable[[int, int, int], object]
Twin = TypeVar("Twin", bound=Callable[..., Any])

I32, I64 = ir.IntType(32), ir.IntType(64)
MACHINE = platform.machine().lower()
FUTEX = {"x86_64": 202, "aarch64": 98, "riscv64": 98}.get(MACHINE, 0) if sys.platform == "linux" else 0
FUTEX_WAIT, FUTEX_WAKE = 128, 129  # among threads of one process
# What tells the core that a loop only waits.
PAUSE: dict[str, tuple[str, list[int]]] = {
    "x86_64": ("llvm.x86.sse2.pause", []),
    "amd64": ("llvm.x86.sse2.pause", []),
    "aarch64": ("llvm.aarch64.isb", [15]),
    "arm64": ("llvm.aarch64.isb", [15]),
}


numba_typing: Any = templates  # without types
numba_lowering: Any = lower_builtin
# How calls of twins are written, by twin: what writes the instructions, and the result's type.
EMITTED: dict[Callable[..., Any], tuple[Callable[..., Any], Any]] = {}


def _emits(emit: Callable[..., Any], result: Any = types.int64) -> Callable[[Twin], Twin]:
    """Makes Numba write `emit(builder, *arguments)` where compiled code calls the twin; it stays a plain function."""

    def register(twin: Twin) -> Twin:
        EMITTED[twin] = emit, result
        arguments = [types.int64] * len(inspect.signature(twin).parameters)
        members = {"key": twin, "cases": [numba_typing.signature(result, *arguments)]}
        template = type("Template", (numba_typing.ConcreteTemplate,), members)
        numba_typing.infer_global(twin, types.Function(template))

        def lower(context: Any, builder: Any, _: Any, values: Any) -> Any:
            value = emit(builder, *values)
            return context.get_dummy_value() if result is types.void else value

        numba_lowering(twin, *arguments)(lower)
        return twin

    return register


def _pointer(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, I64.as_pointer())


def _extern(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    """A function of the C library, or an LLVM intrinsic, called with `arguments`."""
    function = builder.module.globals.get(name)
    if function is None:
        function_type = ir.FunctionType(result, [argument.type for argument in arguments])
        function = ir.Function(builder.module, function_type, name)
    return builder.call(function, arguments)


# -- words ----------------------------------------------------------------------------------------------------------

_lock = threading.Lock()


@_emits(lambda builder, value: value)
def signed(value: int) -> int:
    """An address as int64: sums of unsigned and signed integers would be floats for Numba."""
    return value


@_emits(lambda builder, address: builder.load(_pointer(builder, address)))
def read(address: int) -> int:
    """The word at an address; for words that no other thread writes now."""
    return ctypes.c_int64.from_address(address).value


@_emits(lambda builder, address, value: builder.store(value, _pointer(builder, address)), types.void)
def write(address: int, value: int) -> None:
    """Set the word at an address; for words that no other thread touches now."""
    ctypes.c_int64.from_address(address).value = value


@_emits(lambda builder, to, source, size: _extern(builder, "memcpy", I64, [to, source, size]), types.void)
def copy(to: int, source: int, size: int) -> None:
    """Copy so many bytes, which no other thread touches now."""
    ctypes.memmove(to, source, size)


@_emits(lambda builder, address: builder.load_atomic(_pointer(builder, address), "seq_cst", 8))
def load(address: int) -> int:
    """The word at an address, which others may be writing."""
    with _lock:
        return ctypes.c_int64.from_address(address).value


@_emits(
    lambda builder, address, value: builder.store_atomic(value, _pointer(builder, address), "seq_cst", 8), types.void
)
def store(address: int, value: int) -> None:
    """Set the word at an address, which others may be reading."""
    with _lock:
        ctypes.c_int64.from_address(address).value = value


@_emits(lambda builder, address, value: builder.atomic_rmw("add", _pointer(builder, address), value, "seq_cst"))
def add(address: int, value: int) -> int:
    """Add to the word at an address in one step; returns what it held before."""
    with _lock:
        word = ctypes.c_int64.from_address(address)
        before = word.value
        word.value = before + value
        return before


def _emit_compare_exchange(builder: Any, address: Any, expected: Any, value: Any) -> Any:
    pair = builder.cmpxchg(_pointer(builder, address), expected, value, "seq_cst", "seq_cst")
    return builder.extract_value(pair, 0)


@_emits(_emit_compare_exchange)
def compare_exchange(address: int, expected: int, value: int) -> int:
    """Set the word at an address if it holds `expected`, in one step; returns what it held before."""
    with _lock:
        word = ctypes.c_int64.from_address(address)
        before = word.value
        if before == expected:
            word.value = value
        return before


# -- time -----------------------------------------------------------------------------------------------------------


def _emit_pause(builder: Any) -> None:
    if MACHINE in PAUSE:
        name, hints = PAUSE[MACHINE]
        _extern(builder, name, ir.VoidType(), [I32(hint) for hint in hints])


@_emits(_emit_pause, types.void)
def pause() -> None:
    """Some tens of cycles of nothing, in a loop that waits for another core."""
    time.sleep(0)


def _emit_give_way(builder: Any) -> None:
    _extern(builder, "SwitchToThread" if sys.platform == "win32" else "sched_yield", I32, [])


@_emits(_emit_give_way, types.void)
def give_way() -> None:
    """Let another thread have this core."""
    time.sleep(0)


def _emit_wait(builder: Any, address: Any, seen: Any, nap: Any) -> None:
    if FUTEX:
        arguments = [I64(FUTEX), address, I64(FUTEX_WAIT), seen, I64(0), I64(0), I64(0)]
        _extern(builder, "syscall", I64, arguments)
    elif sys.platform == "win32":
        _extern(builder, "Sleep", ir.VoidType(), [I32(1)])
    else:
        _extern(builder, "usleep", I32, [builder.trunc(nap, I32)])


@_emits(_emit_wait, types.void)
def wait(address: int, seen: int, nap: int) -> None:
    """Sleep while the lower half of the word is that of `seen`, until `wake`; without futexes, `nap` microseconds."""
    time.sleep(nap * 1e-6)


def _emit_wake(builder: Any, address: Any, sleepers: Any) -> Any:
    if not FUTEX:
        return I64(0)
    arguments = [I64(FUTEX), address, I64(FUTEX_WAKE), sleepers, I64(0), I64(0), I64(0)]
    return _extern(builder, "syscall", I64, arguments)


@_emits(_emit_wake)
def wake(address: int, sleepers: int) -> int:
    """Wake up to this many that wait on the word; returns how many there were."""
    return 0


# -- kernels --------------------------------------------------------------------------------------------------------

_kernels: dict[int, Kernel] = {}
_numbers = itertools.count(1)


def stand_in(kernel: Kernel) -> int:
    """What stands for a kernel's address in a table while Numba is switched off."""
    number = next(_numbers)
    _kernels[number] = kernel
    return number


def _emit_call(builder: Any, kernel: Any, *arguments: Any) -> None:
    function_type = ir.FunctionType(ir.VoidType(), [I64, I64, I64])
    builder.call(builder.inttoptr(kernel, function_type.as_pointer()), arguments)


@_emits(_emit_call, types.void)
def call(kernel: int, row: int, slice_: int, slices: int) -> None:
    """Call the kernel at an address: void(uintp row, int64 slice, int64 slices)."""
    _kernels[kernel](row, slice_, slices)


# -- Python's objects -----------------------------------------------------------------------------------------------


def _emit_ask(builder: Any, function: Any, *objects: Any) -> Any:
    function_type = ir.FunctionType(I64, [I64] * len(objects))
    return builder.call(builder.inttoptr(function, function_type.as_pointer()), objects)


@_emits(_emit_ask)
def ask(function: int, object_: int) -> int:
    """Call the function at an address in Python's C interface with an object; gives what it returns.

    For who has Python's lock.
    """
    return int(ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(function)(object_))


@_emits(_emit_ask)
def ask_with(function: int, object_: int, argument: int) -> int:
    """The same with two objects."""
    return int(ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)(function)(object_, argument))
