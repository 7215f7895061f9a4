"""Sources to be compiled, and processes that share them: each takes the next that nobody has taken.

    compiled = compile_jobs(jobs, helpers=1)    # {job.key: (object bytes, metadata)}

A helper is `python -m graphc.backends.cpu.compile LIST`. It puts objects into the cache, and nothing depends on it:
what it did not do, because it could not start, failed or died, this process does, and raises the errors of.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from graphc.backends import cache

if TYPE_CHECKING:
    import subprocess

# How kernels are compiled. No flag that lets the compiler assume away NaN or infinity, or reorder sums; nor `arcp`,
# under which LLVM computes 1/√x by an estimate that is NaN at 0.
FLAGS: dict[str, Any] = {
    "fastmath": ("afn", "contract", "nsz"),
    "error_model": "numpy",
    "boundscheck": False,
}

# What a source may say with `UNROLL = …`, besides True: unroll loops over neighbours, but as loops of vectors.
AS_VECTORS = "vectors"

Compiled = tuple[bytes, dict[str, Any]]
Compile = Callable[["Job"], Compiled]

_PATIENCE = 60.0  # seconds for what a helper has begun, before this process does it itself


@dataclass(frozen=True)
class Job:
    """A function to be compiled: the text of its module, and where source and object lie in the cache.

    `key` stands for everything that the object depends on.
    """

    key: str
    name: str
    text: str
    function: str
    signature: str
    folder: str

    @property
    def path(self) -> Path:
        """The source file."""
        return Path(self.folder, f"{self.name}.py")

    @property
    def object(self) -> Path:
        """The object file. Its name has no title, so that equal texts with different titles share it."""
        return Path(self.folder, f"{self.key}.o")

    @property
    def symbol(self) -> str:
        """The name of the C function in the object, which profilers show."""
        return f"{self.name.rpartition('_')[0]}_{self.function}_{self.key[:12]}"


def import_source(path: Path, text: str) -> ModuleType:
    """The module of a source file, imported once under a name of its own; no bytecode is kept beside the file."""
    name = f"graphc_source_{path.stem}"
    if name not in sys.modules:
        module = ModuleType(name)
        module.__file__ = str(path)
        sys.modules[name] = module
        try:
            exec(compile(text, str(path), "exec"), module.__dict__)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


def compile_jobs(jobs: Sequence[Job], helpers: int) -> dict[str, Compiled]:
    """Objects and metadata by key, with up to so many other processes; raises BackendError of a job that fails."""
    jobs = sorted(jobs, key=lambda job: -len(job.text))  # long ones first, so that all end at about the same time
    done: dict[str, Compiled] = {}
    with _started(jobs, helpers) as (claims, processes):
        from graphc.backends.cpu.compile import compile_source  # imports Numba while the helpers do

        for job in jobs:
            if claims is None or _claim(claims, job):
                done[job.key] = _compile_and_keep(job, compile_source)
        others = [job for job in jobs if job.key not in done]
        _wait(others, processes)
    for job in others:
        done[job.key] = stored(job) or _compile_and_keep(job, compile_source)
    return done


def work_on(jobs_file: Path, compile_source: Compile) -> None:
    """What a helper does: compile the jobs of a list that nobody has claimed. Failures are left to who asked."""
    for fields in json.loads(jobs_file.read_text(encoding="utf-8")):
        job = Job(**fields)
        if _claim(jobs_file.parent, job):
            with contextlib.suppress(Exception):
                _compile_and_keep(job, compile_source)


def stored(job: Job) -> Compiled | None:
    """The object that the cache has for a job; None where it has none, or one that is damaged or not this job's."""
    found = cache.read(job.object)
    return found if found is not None and found[1].get("key") == job.key else None


def _compile_and_keep(job: Job, compile_source: Compile) -> Compiled:
    data, metadata = compile_source(job)
    cache.write(job.object, data, metadata)
    return data, metadata


def _claim(claims: Path, job: Job) -> bool:
    """Take a job, unless another process has."""
    try:
        os.close(os.open(claims / job.key, os.O_CREAT | os.O_EXCL))
    except OSError:  # taken; or, in a helper, the folder has gone because nobody waits any more
        return False
    return True


@contextlib.contextmanager
def _started(jobs: Sequence[Job], helpers: int) -> Iterator[tuple[Path | None, list[subprocess.Popen[bytes]]]]:
    """Helpers at work, and the folder where claims lie; none where processes or files cannot be made."""
    import tempfile  # here: a process that finds all objects in the cache needs neither this nor `subprocess`

    processes: list[subprocess.Popen[bytes]] = []
    with contextlib.ExitStack() as stack:
        claims = None
        if helpers > 0 and _is_python(sys.executable):
            with contextlib.suppress(OSError):
                shared = tempfile.TemporaryDirectory(prefix="graphc-jobs-", ignore_cleanup_errors=True)
                claims = Path(stack.enter_context(shared))
                jobs_file = claims / "jobs.json"
                jobs_file.write_text(json.dumps([asdict(job) for job in jobs]), encoding="utf-8")
                for _ in range(helpers):
                    processes.append(_start(jobs_file))
        try:
            yield claims, processes
        finally:
            for process in processes:
                process.kill()
                process.wait()


def _start(jobs_file: Path) -> subprocess.Popen[bytes]:
    """A helper that imports what this process imports; -P keeps a folder `graphc` of where it starts out of it."""
    import subprocess

    return subprocess.Popen(
        [sys.executable, "-P", "-m", "graphc.backends.cpu.compile", str(jobs_file)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(each) for each in sys.path if each)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _is_python(executable: str | None) -> bool:
    """Whether this is an interpreter, rather than a program that has Python built in, which would start once more."""
    return "python" in os.path.basename(executable or "").lower()


def _wait(jobs: Sequence[Job], processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Wait until these objects are there, as long as there is somebody at work on them."""
    until = time.monotonic() + _PATIENCE
    while any(not job.object.exists() for job in jobs) and time.monotonic() < until:
        if all(process.poll() is not None for process in processes):
            return
        time.sleep(0.005)
