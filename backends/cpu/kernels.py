"""From the text of a kernel to a native address, compiled once: for this process, for the next, for equal texts.

    source = Source("relu", text)           # the text of a Python module that defines `kernel`
    (loaded,), report = load([source])
    loaded.address                          # a C function: void kernel(uintptr_t row, int64_t slice, int64_t slices)
    loaded.path                             # the text as a file, to read, and to step through in a debugger

Where all objects are in the cache, Numba is not imported. An object is found by the hash of everything that it depends
on: its text, the modules of this folder, the versions of Python, NumPy, llvmlite and Numba, the CPU and its features.

With NUMBA_DISABLE_JIT=1 nothing is compiled: `loaded.function` is the Python function of the file, with the changes
that somebody may have made there, and `loaded.address` is 0.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache as remembered
from pathlib import Path
from typing import Any

import numpy as np

from graphc.backends import cache
from graphc.backends.cpu.jobs import FLAGS, Compiled, Job, compile_jobs, import_source, stored
from graphc.backends.cpu.machine import machine
from graphc.backends.fingerprint import source_hash
from graphc.errors import ArgumentError, BackendError

PROCESSES = "GRAPHC_COMPILE_PROCESSES"

# Variables of Numba's that change the code it generates.
_NUMBA_VARIABLES = ("NUMBA_OPT", "NUMBA_LOOP_VECTORIZE", "NUMBA_SLP_VECTORIZE", "NUMBA_LLVM_PASS_TIMINGS")
# What compiling takes, roughly: the time goes with the length of a text. A helper needs half a second until it can
# begin, in which this process, where Numba is imported already, is at work.
_SECONDS_A_LINE = 0.0008
_SECONDS_TO_START = 0.5
_SECONDS_WORTH_A_HELPER = 0.3

_lock = threading.RLock()
_addresses: dict[str, int] = {}  # by key: what this process has linked


@dataclass(frozen=True)
class Source:
    """The text of a Python module and the function in it that is wanted.

    `title` names the file; `signature` is written in Numba's types. Several functions of one text are several sources.
    Texts with the same `key` (the text, when None) do the same: the first one is compiled and kept.
    """

    title: str
    text: str
    function: str = "kernel"
    signature: str = "void(uintp, int64, int64)"
    key: str | None = None


@dataclass
class Loaded:
    """Where a function is: its native address and the file with its source; or the Python function itself."""

    address: int
    path: Path
    function: Callable[..., Any] | None = None


@dataclass
class Report:
    """What loading took: how many functions were compiled, loaded from the cache, or in this process already.

    `by_numba` names those among the compiled ones that Numba's own front end has read, which takes longer, and says
    what they have that is beyond `graphc.backends.cpu.translation`.
    """

    compiled: int
    loaded: int
    reused: int
    seconds: float
    by_numba: dict[str, str] = field(default_factory=dict)


def load(sources: Sequence[Source]) -> tuple[list[Loaded], Report]:
    """The functions of these sources, in their order.

    Raises BackendError where one does not compile, with its file and the reason.
    """
    start = time.perf_counter()
    with _lock:
        folder = cache.folder("cpu")
        if interpreted():
            return [_import(source, folder) for source in sources], Report(0, 0, 0, time.perf_counter() - start)
        jobs = [_job(source, folder) for source in sources]
        wanted = {job.key: job for job in jobs if job.key not in _addresses}
        missing = [job for job in wanted.values() if not _load(job)]
        for job in {job.path: job for job in jobs}.values():
            _keep_source(job, exactly=job in missing)
        by_numba: dict[str, str] = {}
        if missing:
            made = compile_jobs(missing, _helpers(missing))
            for key, compiled in made.items():
                _link(wanted[key], compiled)
                if "beyond_translation" in compiled[1]:
                    by_numba[f"{wanted[key].path}: {wanted[key].function}"] = compiled[1]["beyond_translation"]
            objects, texts = (len(data) for data, _ in made.values()), (len(job.text) for job in missing)
            cache.make_room(folder, sum(objects) + sum(texts))
        counts = len(missing), len(wanted) - len(missing), len(jobs) - len(wanted)
        loaded = [Loaded(_addresses[job.key], job.path) for job in jobs]
    return loaded, Report(*counts, time.perf_counter() - start, by_numba)


def interpreted() -> bool:
    """Whether NUMBA_DISABLE_JIT asks for kernels that run as plain Python."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0").strip() not in ("", "0")


# -- what an object depends on ------------------------------------------------------------------------------------


def _job(source: Source, folder: Path) -> Job:
    key = cache.digest(source.key or source.text, source.function, source.signature, *surroundings())
    return Job(key, _name(source), source.text, source.function, source.signature, str(folder))


def _name(source: Source) -> str:
    """A file name that is a Python name, with a hash of the text at its end."""
    title = re.sub(r"\W+", "_", source.title, flags=re.ASCII).strip("_")[:60] or "kernel"
    return f"{title}_{cache.digest(source.text.encode())[:12]}"


def surroundings() -> tuple[str, ...]:
    """What the code of kernels depends on, besides their text."""
    return (*_surroundings(), *_target())


def _target() -> tuple[str, ...]:
    """What the environment may change between two calls."""
    target = machine()
    return (target.cpu, target.features, str(target.vector_bytes), *(os.environ.get(v, "") for v in _NUMBA_VARIABLES))


@remembered
def _surroundings() -> tuple[str, ...]:
    """What stays in this process: versions, flags, and the modules that kernels import."""
    import llvmlite

    versions = (sys.version, platform.machine(), sys.platform, np.__version__, llvmlite.__version__, _numba_version())
    return (*versions, repr(sorted(FLAGS.items())), source_hash(Path(__file__).parent))


def _numba_version() -> str:
    """What tells Numba's version, without importing it: the file that it keeps the version in."""
    spec = importlib.util.find_spec("numba")
    if spec is None or spec.origin is None:
        raise BackendError('the CPU backend needs numba: pip install "graphc"')
    version = Path(spec.origin).with_name("_version.py")
    if version.exists():
        return version.read_text(encoding="utf-8")
    from importlib.metadata import version as version_of

    return version_of("numba")


# -- getting it -----------------------------------------------------------------------------------------------------


def _load(job: Job) -> bool:
    """Link the object that the cache has; whether it has one that is good."""
    found = stored(job)
    if found is None:
        return False
    try:
        _link(job, found)
    except BackendError:  # good where it was made, but not here: a function of the C library is missing, say
        return False
    return True


def _link(job: Job, compiled: Compiled) -> None:
    from graphc.backends.cpu.native import link

    data, metadata = compiled
    _addresses[job.key] = link(data, metadata["symbol"])


def _keep_source(job: Job, exactly: bool) -> None:
    """See to it that the source file is there, and marked as used; `exactly` where its lines are about to matter."""
    try:
        cache.touch(job.path, job.path.stat().st_mtime)
        if not exactly or job.path.read_bytes() == job.text.encode():
            return
    except OSError:
        pass
    cache.write_source(job.path, job.text)


def _import(source: Source, folder: Path) -> Loaded:
    """The Python function of the file: as generated, or as somebody has edited it."""
    path = folder / f"{_name(source)}.py"
    if not path.exists() or path.stat().st_size == 0:
        cache.write_source(path, source.text)
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else source.text
        return Loaded(0, path, getattr(import_source(path, text), source.function))
    except Exception as error:
        raise BackendError(f"{path}: {source.function} cannot be imported: {type(error).__name__}: {error}") from error


def _helpers(jobs: Sequence[Job]) -> int:
    """How many processes are to help compiling: as many as have a core and something to do."""
    text = os.environ.get(PROCESSES, "").strip()
    if not re.fullmatch(r"\d*", text) or text == "0":
        raise ArgumentError(f"{PROCESSES} is to be a number of processes, 1 or more, but is {text!r}")
    seconds = _SECONDS_A_LINE * sum(job.text.count("\n") for job in jobs)
    if "numba" in sys.modules:
        seconds -= _SECONDS_TO_START
    most = int(text) - 1 if text else min(machine().cores - 1, _idle_cores())
    return max(0, min(most, int(seconds / _SECONDS_WORTH_A_HELPER), len(jobs) // 2))


def _idle_cores() -> int:
    """The cores of the machine that had nothing to do in the last minute; all where the system does not say."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return round((os.cpu_count() or 1) - load)
