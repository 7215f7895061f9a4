"""The native driver with a few kernels, for tests: compiled once to object files, loaded without Numba.

    save(folder)                       # needs Numba, a few seconds
    native, kernels = load(folder)     # needs llvmlite only, milliseconds: what a process with a warm cache does
    table = Table(2).add(kernels["chain"], 8, source, target)
    Pool(native, 2).run(table.address, table.entries)

Kernels are plain functions on atomics with twins, so that they also run as Python.
"""

import array
import json
from collections.abc import Callable
from pathlib import Path

from graphc.backends.cpu.control import STATUS_WORDS
from graphc.backends.cpu.threads import Native

WORDS = 48  # of a buffer


def save(folder: Path) -> None:
    """Compile the driver and the kernels to `folder`."""
    from llvmlite import binding
    from numba import cfunc

    from graphc.backends.cpu import driver

    functions: dict[str, tuple[Callable[..., object], str]] = {
        name: (getattr(driver, name), signature) for name, signature in driver.SIGNATURES.items()
    }
    functions |= {kernel.__name__: (kernel, "void(uintp, int64, int64)") for kernel in plain_kernels()}
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine(opt=3, jit=True, codemodel="jitdefault")
    symbols = {}
    for name, (function, signature) in functions.items():
        compiled = cfunc(signature, **driver.OPTIONS)(function)
        (folder / f"{name}.o").write_bytes(machine.emit_object(compiled._library._final_module))
        symbols[name] = compiled._wrapper_name
    (folder / "symbols.json").write_text(json.dumps(symbols))


def load(folder: Path) -> tuple[Native, dict[str, int]]:
    """The addresses of the driver's functions and of the kernels."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine(jit=True)
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
    symbols = json.loads((folder / "symbols.json").read_text())
    for name in symbols:
        engine.add_object_file(binding.ObjectFileRef.from_path(str(folder / f"{name}.o")))
    engine.finalize_object()
    _engines.append(engine)
    addresses = {name: engine.get_function_address(symbol) for name, symbol in symbols.items()}
    native = Native(*(addresses.pop(name) for name in Native._fields))
    return native, addresses


_engines: list[object] = []  # the code lives as long as they do


def plain_kernels() -> list[Callable[[int, int, int], None]]:
    from graphc.backends.cpu.atomics import add, load, pause, read, signed, store, write

    def count(row: int, taken: int, slices: int) -> None:
        """counts[slice] += 1; the finish sees all of them, and counts itself behind them."""
        words = signed(row)
        counts = read(words + 8)
        if taken >= 0:
            add(counts + taken * 8, 1)
            return
        runs = add(counts + slices * 8, 1) + 1
        for i in range(slices):
            if load(counts + i * 8) != runs:
                store(read(words), 1)

    def chain(row: int, taken: int, slices: int) -> None:
        """target[i] = 31 * (a sum over all of source) + i; the finish adds the sum of the targets to the first."""
        words = signed(row)
        source, target, total = read(words + 8), read(words + 16), 0
        if taken < 0:
            for i in range(WORDS):
                total += read(target + i * 8)
            write(target, total)
            return
        for i in range(WORDS):
            total += read(source + i * 8) * (i + 1)
        for i in range(taken * WORDS // slices, (taken + 1) * WORDS // slices):
            write(target + i * 8, total * 31 + i)

    def fail(row: int, taken: int, slices: int) -> None:
        """Slice 0 sets a word of the status block."""
        words = signed(row)
        if taken == 0:
            store(read(words) + read(words + 8) * 8, 7)

    def linger(row: int, taken: int, slices: int) -> None:
        """Each slice takes its time, in pauses."""
        for _ in range(read(signed(row) + 8)):
            pause()

    return [count, chain, fail, linger]


class Table:
    """A step's table, its rows, and a status block."""

    def __init__(self) -> None:
        self.status = array.array("q", [0] * STATUS_WORDS)
        self._words = array.array("q")
        self._rows: list[array.array[int]] = []

    def add(self, kernel: int, slices: int, *arguments: int, flags: int = 0) -> "Table":
        row = array.array("q", [address(self.status), *arguments])
        self._rows.append(row)
        self._words.extend([kernel, address(row), slices, flags])
        return self

    @property
    def address(self) -> int:
        return address(self._words)

    @property
    def entries(self) -> int:
        return len(self._rows)


def address(words: "array.array[int]") -> int:
    return words.buffer_info()[0]
