"""Threads that help a step: one pool for all executables, whose helpers sleep in native code until there is work.

    pool = shared_pool(native, thread_count(None))   # native: the addresses of the compiled driver
    pool.run(table, entries)                         # -1, or the entry after which the status block was not zero
    pool.run_serial(table, entries, status)          # for steps that are too small to share

A call needs nobody but its caller: helpers that are late, or busy with another caller's step, cost nothing but their
help, so calls from several Python threads are fine. Helpers start with the first `run`. After a fork the child has
no helpers and starts its own; a KeyboardInterrupt comes when the native call has returned.
"""

from __future__ import annotations

import ctypes
import math
import operator
import os
import threading
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from graphc.backends.cpu.control import CONTROL_BYTES, HELPERS, LINE, RESTING, SPINS
from graphc.errors import ArgumentError

VARIABLE = "GRAPHC_NUM_THREADS"
PAUSES = 4000  # before a helper without work sleeps: 70 to 200 microseconds, what Python does between two calls
FAREWELL = 1.0  # seconds at most that closing a pool waits for its helpers

_WALK = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_size_t, ctypes.c_int64, ctypes.c_size_t)
_HELP = ctypes.CFUNCTYPE(None, ctypes.c_size_t)


class Native(NamedTuple):
    """The addresses of the driver's compiled functions."""

    run: int
    run_serial: int
    help: int


def thread_count(requested: int | None = None) -> int:
    """The threads to use: `requested`, else GRAPHC_NUM_THREADS, else as many as there are cores for this process."""
    given = os.environ.get(VARIABLE) if requested is None else requested
    if given is None:
        return available_cores()
    try:
        count = int(given) if isinstance(given, str) else operator.index(given)
    except (TypeError, ValueError):
        count = 0
    if count < 1 or isinstance(given, bool):
        name = VARIABLE if requested is None else "threads"
        raise ArgumentError(f"{name} is a positive number of threads, not {given!r}")
    return count


def available_cores() -> int:
    """The cores that this process may use: those that it is bound to, and no more than its control group allows."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(bound, _quota(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))))


def _quota(membership: Path, groups: Path) -> int:
    """The cores that the control group of this process and those around it are limited to."""
    cores = float(2**30)
    try:
        line = next(line for line in membership.read_text().splitlines() if line.startswith("0::"))
        group = groups / line.removeprefix("0::").lstrip("/")
    except (OSError, StopIteration):
        return int(cores)
    for folder in (group, *group.parents):
        try:
            limit, period = (folder / "cpu.max").read_text().split()
        except (OSError, ValueError):
            limit, period = "max", "1"
        if limit != "max":
            cores = min(cores, int(limit) / int(period))
        if folder == groups:
            break
    return math.ceil(cores)


class Pool:
    """`threads - 1` helper threads and the control block that they share with the caller."""

    def __init__(self, native: Native, threads: int) -> None:
        self.threads = threads
        self._help = _HELP(native.help)
        self._run: Callable[[int, int, int], int] = _WALK(native.run)
        self.run_serial: Callable[[int, int, int], int] = _WALK(native.run_serial)  # table, entries, status
        self._begin()
        _pools.add(self)

    def _begin(self) -> None:
        """A control block that no helper knows yet."""
        self._memory = ctypes.create_string_buffer(CONTROL_BYTES + LINE)
        self._control = -(-ctypes.addressof(self._memory) // LINE) * LINE
        self._helpers: list[threading.Thread] = []
        self._starting = threading.Lock()
        self._started = self.threads == 1
        self._leave = weakref.finalize(self, _dismiss, self._run, self._control, self._memory, self._helpers)

    def run(self, table: int, entries: int) -> int:
        """Walk the table at an address, with the helpers if no other caller has them."""
        if not self._started:
            self._start()
        return self._run(table, entries, self._control)

    def serial_call(self, table: int, entries: int, status: int) -> Callable[[], int]:
        """`run_serial` of these arguments, again and again: they are converted once."""
        arguments = ctypes.c_size_t(table), ctypes.c_int64(entries), ctypes.c_size_t(status)
        return partial(self.run_serial, *arguments)  # type: ignore[arg-type]

    def close(self) -> None:
        """Send the helpers away; the pool goes on with the caller alone."""
        self._started = True
        self._leave()

    def _start(self) -> None:
        with self._starting:
            wanted = self.threads - 1
            _set(self._control + SPINS, PAUSES)
            _set(self._control + RESTING, max(0, wanted - (available_cores() - 1)))
            while not self._started and len(self._helpers) < wanted:
                # The thread keeps the memory: it may outlive the pool.
                arguments = (self._help, self._control, self._memory)
                helper = threading.Thread(target=_serve, args=arguments, name="graphc-helper", daemon=True)
                try:
                    helper.start()
                except RuntimeError:  # no more threads here, or none any more since Python ends: fewer will do
                    break
                self._helpers.append(helper)
            if not self._started:
                _set(self._control + HELPERS, len(self._helpers))
                self._started = True

    def _forked(self) -> None:
        """The helpers stayed with the parent: begin again, in the child."""
        closed = not self._leave.alive
        self._leave.detach()
        self._begin()
        if closed:
            self.close()


def _serve(function: Callable[[int], None], control: int, memory: ctypes.Array[ctypes.c_char]) -> None:
    function(control)


def _dismiss(
    run: Callable[[int, int, int], int],
    control: int,
    memory: ctypes.Array[ctypes.c_char],
    helpers: list[threading.Thread],
) -> None:
    _set(control + HELPERS, 0)
    run(0, -1, control)
    for helper in helpers:
        helper.join(FAREWELL / len(helpers))


def _set(address: int, value: int) -> None:
    ctypes.c_int64.from_address(address).value = value


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()
_shared: dict[tuple[Native, int], Pool] = {}


def shared_pool(native: Native, threads: int) -> Pool:
    """The pool of this many threads that all executables of the process share."""
    key = (native, threads)
    return _shared.get(key) or _shared.setdefault(key, Pool(native, threads))


def _after_fork() -> None:
    for pool in list(_pools):
        pool._forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
