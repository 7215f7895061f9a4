"""A contender's side of the pipes: one line of JSON in, one line of JSON out.

{"do": "load", "workload": "mlp_bn", "arrays": "mlp_bn.npz", "threads": 2, "cpus": [0, 1], "variant": "", "backend": "cpu"}
    → {"versions": {"jax": "0.10.2"}, "import": 0.9, "first_call": 0.7, "witnesses": [[2.31], [2.25], …], "memory": 1e8}
{"do": "batch", "steps": 50, "warm": 5}
    → {"seconds": 0.2, "cores": 1.98, "waits": 0.004}        the timed steps' (benchmarks/cores.py)
{"do": "take", "size": 96}
    → {"first": 0.31, "second": 0.004}       seconds of the first two steps with so many examples
{"do": "stop"}

What a contender's library prints goes to standard error: standard output belongs to the protocol.
"""  # noqa: E501

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, cast

import numpy as np

from benchmarks import cores, memory
from benchmarks.contenders.runner import AbsentError, Load, Resizable, Runner
from benchmarks.workloads import find


def serve(imports: Callable[[], dict[str, str]], load: Load) -> None:
    """Answer requests until told to stop. `imports` imports what is measured and gives versions."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    session = Session(imports, load)
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "stop":
            break
        reply = session.answer(request)
        print(json.dumps(reply), file=channel, flush=True)


class Session:
    """What one contender has loaded."""

    def __init__(self, imports: Callable[[], dict[str, str]], load: Load) -> None:
        self._imports = imports
        self._load = load
        self._runner: Runner

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked; what goes wrong is an answer too."""
        try:
            match request["do"]:
                case "load":
                    return self.load(request)
                case "take":
                    return self.take(request)
            return self.batch(request)
        except AbsentError as error:
            return {"absent": str(error)}
        except Exception as error:  # whatever it was, the harness reports it and goes on with the others
            traceback.print_exc()
            return {"error": f"{type(error).__name__}: {error}"}

    def load(self, request: dict[str, Any]) -> dict[str, Any]:
        """Import, make the workload ready, do the first steps."""
        if request["cpus"] and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, request["cpus"])
        start = time.perf_counter()
        try:
            versions = self._imports()
        except ModuleNotFoundError as error:
            return {"absent": f"{error.name} is not installed"}
        seconds = time.perf_counter() - start
        workload = find(request["workload"])
        with np.load(request["arrays"]) as archive:
            arrays = dict(archive)
        before = memory.resident()
        start = time.perf_counter()
        self._runner = self._load(workload, arrays, request)
        self._runner.run(1)
        first_call = time.perf_counter() - start
        witnesses = [self._runner.witness()]
        for _ in range(workload.checked - 1):
            self._runner.run(1)
            witnesses.append(self._runner.witness())
        memory.forget_peak()
        self._runner.run(2)
        peak = memory.peak()
        return {
            "versions": {"numpy": np.__version__, **versions},
            "import": seconds,
            "first_call": first_call,
            "witnesses": witnesses,
            "memory": None if before is None or peak is None else peak - before,
            "process_peak": peak,
        }

    def batch(self, request: dict[str, Any]) -> dict[str, Any]:
        """Time some steps, after a few that wake the threads and warm the caches."""
        self._runner.run(request["warm"])
        start = cores.now()
        self._runner.run(request["steps"])
        seconds = time.perf_counter() - start.clock
        return {"seconds": seconds, **cores.share(start, cores.now())}

    def take(self, request: dict[str, Any]) -> dict[str, Any]:
        """Time the first two steps with another batch size."""
        cast(Resizable, self._runner).take(request["size"])
        start = time.perf_counter()
        self._runner.run(1)
        first = time.perf_counter()
        self._runner.run(1)
        return {"first": first - start, "second": time.perf_counter() - first}
