"""A program's kernels as native code, and the driver that walks its tables.

    code = compile_program(program, threads=2)
    code.report                     # kernels compiled, loaded from the cache, reused
    code.run(binding)               # -1, or the step after which a kernel reported trouble

With NUMBA_DISABLE_JIT=1 the kernels are the Python functions of their files, called one slice after another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from graphc.backends.cpu import driver_source
from graphc.backends.cpu.array_address import structs_are_readable
from graphc.backends.cpu.binding import Binding
from graphc.backends.cpu.control import ENTRY
from graphc.backends.cpu.kernels import Report, Source, interpreted, load
from graphc.backends.cpu.steps import Steps
from graphc.backends.cpu.table import HAS_FINISH
from graphc.backends.cpu.threads import Native, Pool, shared_pool
from graphc.backends.cpu.trial import Trial


@dataclass
class Compiled:
    """What runs a program's tables."""

    report: Report
    run: Callable[[Binding], int]
    run_entry: Callable[[Binding, int], None]  # one entry of a table, on the calling thread
    fits: int = 0  # the address of the function that reads a call's arrays; 0 where Python reads them
    repeat: int = 0  # the address of the one that does a whole call; 0 likewise


def compile_program(program: Steps, threads: int) -> Compiled:
    """Compile, or load, the kernels of a program, and give their addresses to its kernels."""
    sources = [Source(kernel.name, kernel.source, key=kernel.key) for kernel in program.kernels]
    if interpreted():
        loaded, report = load(sources)
        for kernel, each in zip(program.kernels, loaded, strict=True):
            kernel.function, kernel.path = each.function, str(each.path)
        return Compiled(report, _interpret, _interpret_entry)
    own = driver_source.sources()
    loaded, report = load([*own, *sources])
    *driver, fits, repeat = (each.address for each in loaded[: len(own)])
    for kernel, each in zip(program.kernels, loaded[len(own) :], strict=True):
        kernel.address, kernel.path = each.address, str(each.path)
    runner = _Runner(shared_pool(Native(*driver), threads))
    return Compiled(report, runner, runner.entry, *((fits, repeat) if structs_are_readable else ()))


class _Runner:
    """Calls the driver: alone for the smallest steps, with the pool's helpers for others; in doubt it tries both."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def __call__(self, binding: Binding) -> int:
        if binding.serial_call is not None:
            return binding.serial_call()
        count = binding.entries
        if not count:
            return -1
        if binding.is_serial or self._pool.threads == 1:
            binding.serial_call = self._alone(binding)
            return binding.serial_call()
        if binding.is_doubtful:
            return self._try(binding)
        return self._pool.run(binding.table_address, count)

    def _alone(self, binding: Binding) -> Callable[[], int]:
        return self._pool.serial_call(binding.table_address, binding.entries, binding.status)

    def _try(self, binding: Binding) -> int:
        """Alone or with helpers, until it is known which is faster."""
        if binding.trial is None:
            together = partial(self._pool.run, binding.table_address, binding.entries)
            binding.trial = Trial(self._alone(binding), together)
        result = binding.trial.run()
        if binding.trial.is_alone:
            binding.serial_call = self._alone(binding)
        return result

    def entry(self, binding: Binding, entry: int) -> None:
        """Run one entry alone."""
        self._pool.run_serial(binding.table_address + entry * ENTRY, 1, binding.status)


def _interpret(binding: Binding) -> int:
    """Walk a table in Python."""
    for number in range(binding.entries):
        _interpret_entry(binding, number)
        if binding.has_trouble():
            return number
    return -1


def _interpret_entry(binding: Binding, entry: int) -> None:
    kernel: Any = binding.calls[entry].step.kernel.function
    row, slices = (int(word) for word in binding.table[entry][1:3])
    for part in range(slices):
        kernel(row, part, slices)
    if int(binding.table[entry][3]) & HAS_FINISH:
        kernel(row, -1, slices)
