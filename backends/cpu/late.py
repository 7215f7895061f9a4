"""What became of a graph on the way to its kernels: known at once, or found out when somebody looks.

    late = Late(kept.steps)             # steps that another process has made
    stages.later(late.lower)            # runs the passes of the backend with those of the pipeline
    late.lowered, late.check()          # then

The passes make the steps once more, and these tell what each of the kept ones was made of. Where the machine is another
one by now (`GRAPHC_VECTOR_BITS` has changed, say), they make others; the stages and the ledger are right all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphc.backends.cpu.machine import machine
from graphc.backends.cpu.steps import Steps
from graphc.errors import BackendError

if TYPE_CHECKING:
    from graphc.backends.cpu.budget import MemoryBudget
    from graphc.backends.cpu.lower_graph import Lowered
    from graphc.passes.pipeline import Stages


class Late:
    """The lowered graph, or None before somebody has looked."""

    def __init__(self, steps: Steps | None = None) -> None:
        self.lowered: Lowered | None = None
        self._steps = steps  # that were kept
        self._machine = machine()
        self._others = ""

    def lower(self, stages: Stages) -> None:
        """Run the passes, and tell the kept steps what they were made of."""
        lowered = lower_now(stages, None)
        if self._steps is not None:
            now = machine()
            if now == self._machine and self._steps.is_like(lowered.program):
                self._steps.complete(lowered.program)
            elif now == self._machine:
                self._others = "the graph gives other kernels by now than those that were found for it"
            else:
                self._others = (
                    f"kernels were found for {self._machine.cpu} with vectors of {8 * self._machine.vector_bytes} "
                    f"bits, but the graph is lowered for {now.cpu} with {8 * now.vector_bytes}"
                )
        self.lowered = lowered

    def check(self) -> None:
        """Raises BackendError where the steps have not been told."""
        if self._others:
            raise BackendError(f"{self._others}: compile again to look at them")


def lower_now(stages: Stages, budget: MemoryBudget | None) -> Lowered:
    """The graph after the passes as a program."""
    from graphc.backends.cpu.lower_graph import lower  # which a process that finds its steps does without

    return lower(stages, budget)
