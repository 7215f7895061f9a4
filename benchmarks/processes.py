"""The harness's side of the pipes: a contender in a process of its own, asked one thing at a time.

    with start(contender, settings, folder) as process:
        process.load("mlp_bn", arrays)             # {"first_call": 0.7, ...}, or ContenderError
        process.batch(steps=50, warm=5)            # {"seconds": 0.2, ...}

A process runs while it owes an answer, and is stopped otherwise: threads that go on spinning for their next work, as
those of most libraries do, take no core from the contender whose turn it is. Where processes cannot be stopped, a turn
begins after a rest.

All processes have the same number of threads and processors. Each has folders of its own for compiled code, in a folder
that a later process may be given, too, to find what is there.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.contenders import Contender

ROOT = Path(__file__).resolve().parents[1]
PEERS_PYTHON = "GRAPHC_PEERS_PYTHON"
PATIENCE = 900.0  # seconds for one answer
REST = 0.0 if hasattr(signal, "SIGSTOP") else 0.25  # seconds; OpenBLAS spins for 0.1 after its last product
THREAD_VARIABLES = (
    "GRAPHC_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NPROC",  # XLA's
    "NUMBA_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
)
CACHE_VARIABLES = ("GRAPHC_CACHE_DIR", "JAX_COMPILATION_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "TMPDIR")
JAX_SETTINGS = {
    "JAX_PLATFORMS": "cpu",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",  # by default it keeps only what took long
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
FORCED_KERNELS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # libraries shall choose by themselves


class ContenderError(Exception):
    """A contender failed: what it said, and the end of what it printed."""


class ContenderAbsentError(ContenderError):
    """A contender is not installed."""


@dataclass(frozen=True)
class Settings:
    """What all contenders have in common."""

    threads: int = 2
    backend: str = "cpu"
    peers_python: str = sys.executable

    @property
    def cpus(self) -> list[int]:
        """Processors to run on, each on a core of its own as long as there are enough; [] where it cannot be said."""
        if not hasattr(os, "sched_getaffinity"):
            return []
        found: dict[str, int] = {}
        available = sorted(os.sched_getaffinity(0))
        for cpu in available:
            siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
            found.setdefault(siblings.read_text(encoding="ascii") if siblings.exists() else str(cpu), cpu)
        cores = list(found.values())
        return (cores + [cpu for cpu in available if cpu not in cores])[: self.threads]


class Process:
    """A contender that runs."""

    def __init__(self, contender: Contender, settings: Settings, folder: Path) -> None:
        self.contender = contender
        self._settings = settings
        self._log = (folder / "log.txt").open("w+", encoding="utf-8")
        self._process = subprocess.Popen(
            [_python(contender, settings), "-m", f"benchmarks.contenders.{contender.module}"],
            cwd=ROOT,
            env=_environment(settings, folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
            process_group=0,  # with what it starts; the system ends a stopped group that its parent left behind
        )
        self._answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request and wait for the answer; ContenderError for an error, an end or too long a silence."""
        assert self._process.stdin is not None
        time.sleep(REST)
        self._signal("SIGCONT")
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._answers.get(timeout=PATIENCE)
        except OSError:
            line = ""
        except queue.Empty:
            raise ContenderError(f"no answer within {PATIENCE:.0f} s{self._said()}") from None
        self._stop()
        answer: dict[str, Any] = json.loads(line) if line else {"error": "the process ended"}
        if "absent" in answer:
            raise ContenderAbsentError(answer["absent"])
        if "error" in answer:
            raise ContenderError(answer["error"] + self._said())
        return answer

    def load(self, workload: str, arrays: Path) -> dict[str, Any]:
        """Make a workload ready."""
        return self.ask(
            {
                "do": "load",
                "workload": workload,
                "arrays": str(arrays),
                "threads": self._settings.threads,
                "cpus": self._settings.cpus,
                "variant": self.contender.variant,
                "backend": self._settings.backend,
            }
        )

    def batch(self, steps: int, warm: int) -> dict[str, Any]:
        """Time some steps."""
        return self.ask({"do": "batch", "steps": steps, "warm": warm})

    def take(self, size: int) -> dict[str, Any]:
        """Go on with another batch size, and time its first two steps."""
        return self.ask({"do": "take", "size": size})

    @property
    def pid(self) -> int:
        """The number that the system gave it."""
        return self._process.pid

    def close(self) -> None:
        """End it, whatever it does, and what it has started."""
        self._signal("SIGKILL")
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._log):
            if pipe is not None:
                with suppress(OSError):  # there may be something left to write to a process that has ended
                    pipe.close()

    def _stop(self) -> None:
        """Let it run no further until it is asked again; all of its threads stand still afterwards."""
        self._signal("SIGSTOP")
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def _signal(self, name: str) -> None:
        """Send a signal to the process and those that it has started, where there are such signals."""
        if hasattr(signal, name):
            with suppress(ProcessLookupError):  # it has ended
                os.killpg(self.pid, signal.Signals[name])

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self._answers.put(line)
        self._answers.put("")

    def _said(self) -> str:
        self._log.seek(0)
        lines = self._log.read().splitlines()[-12:]
        return "".join(f"\n      | {line}" for line in lines)


@contextmanager
def start(contender: Contender, settings: Settings, folder: Path) -> Iterator[Process]:
    """A process with its compiled code in this folder, ended in the end."""
    process = Process(contender, settings, folder)
    try:
        yield process
    finally:
        process.close()


def _python(contender: Contender, settings: Settings) -> str:
    return settings.peers_python if contender.peer else sys.executable


def _environment(settings: Settings, folder: Path) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name not in FORCED_KERNELS}
    environment |= dict.fromkeys(THREAD_VARIABLES, str(settings.threads))
    for name in CACHE_VARIABLES:
        environment[name] = str(folder / name.lower())
        Path(environment[name]).mkdir(exist_ok=True)
    return environment | JAX_SETTINGS | {"PYTHONUNBUFFERED": "1"}
