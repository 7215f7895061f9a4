"""What was measured of a workload: a `Measured` for each contender, and the machine's rates of the same rounds.

report.as_json()["contenders"]["graphc"]["median"]        # seconds a step
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.contenders import Contender
from benchmarks.figures import LARGEST_DISAGREEMENT, floor, quartiles
from benchmarks.workloads import Workload


@dataclass
class Measured:
    """One contender on one workload."""

    contender: Contender
    first: dict[str, Any] = field(default_factory=dict)  # what `load` gave, from nothing
    again: dict[str, Any] = field(default_factory=dict)  # what `load` gave in a second process with the first's caches
    new_batch: dict[str, Any] = field(default_factory=dict)  # its size, seconds of its first and second step
    times: list[float] = field(default_factory=list)  # seconds a step, one for each round
    cores: list[float] = field(default_factory=list)  # processor seconds per second of a turn
    waits: list[float] = field(default_factory=list)  # seconds per second that threads waited for a core, where known
    steps: int = 1  # of a batch
    absent: str = ""
    error: str = ""

    @property
    def ok(self) -> bool:
        return not self.absent and not self.error

    @property
    def waited(self) -> float:
        """Seconds in a second of a turn, usually, that threads waited for a core; 0 where nobody counts that."""
        return quartiles(self.waits)[1] if self.waits else 0.0

    @property
    def memory(self) -> float | None:
        """Peak of a step, in bytes: of the process that compiled nothing, if there was one."""
        found: float | None = (self.again or self.first).get("memory")
        return found

    def as_json(self) -> dict[str, Any]:
        """All of it, in seconds and bytes."""
        if not self.ok:
            return {"absent": self.absent} if self.absent else {"error": self.error}
        first, median, third = quartiles(self.times)
        found: dict[str, Any] = {"median": median, "quartiles": [first, third], "rounds": self.times}
        found |= {"steps": self.steps, "cores": self.cores, "waits": self.waits, **self.first}
        found["witnesses"] = [numbers[:1] for numbers in self.first["witnesses"]]
        if self.again:
            kept = ("import", "first_call", "memory", "process_peak")
            found["second process"] = {key: self.again[key] for key in kept}
        if self.new_batch:
            found["new batch size"] = self.new_batch
        return found


@dataclass
class Report:
    """One workload."""

    workload: Workload
    contenders: list[Measured]
    bandwidth: float  # bytes a second
    contraction: float  # operations a second; infinity where there is no contraction
    disagreement: float

    @property
    def floor(self) -> float:
        return floor(self.workload, self.contraction, self.bandwidth)

    @property
    def failed(self) -> bool:
        return self.disagreement > LARGEST_DISAGREEMENT or any(each.error for each in self.contenders)

    def as_json(self) -> dict[str, Any]:
        """All that was measured, in seconds, bytes and operations a second."""
        return {
            "title": self.workload.title,
            "floor": self.floor,
            "flops": self.workload.flops,
            "bytes": self.workload.bytes_moved,
            "bandwidth": self.bandwidth,
            "contraction": self.contraction if np.isfinite(self.contraction) else None,
            "disagreement": self.disagreement,
            "contenders": {each.contender.name: each.as_json() for each in self.contenders},
        }
