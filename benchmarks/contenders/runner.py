"""What a contender makes of a workload, and how it says that it cannot.

load(workload, arrays, options).run(1)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from benchmarks.workloads import Workload
from benchmarks.workloads.constants import Array


class AbsentError(Exception):
    """A contender has no such workload: its message says what is missing."""


class Runner(Protocol):
    """A workload made ready by a contender."""

    def run(self, steps: int) -> None:
        """Do steps, and wait for the result of the last."""

    def witness(self) -> list[float]:
        """Numbers of the last result that all contenders must agree on; the loss first."""


class Resizable(Runner, Protocol):
    """A workload that has a batch."""

    def take(self, size: int) -> None:
        """Go on with the first `size` examples of the batch only."""


Load = Callable[[Workload, dict[str, Array], dict[str, Any]], Runner]
