"""Who is measured, each in a process of its own: a module that serves `load` and `batch` over pipes.

find(["graphc", "jax"])          # the contenders of these names, in the order of CONTENDERS
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.workloads import Workload


@dataclass(frozen=True)
class Contender:
    """Where a contender is found: its module here, whether it is a peer, and which of its variants it is."""

    name: str
    module: str
    peer: bool = True
    variant: str = ""
    kind: str = ""  # of the workloads that have this variant; all of them if empty
    caches: bool = False  # whether a second process finds what the first compiled

    def runs(self, workload: Workload) -> bool:
        """Whether there is such a variant of a workload."""
        return not self.kind or self.kind in workload.kinds


CONTENDERS = (
    Contender("graphc", "graphc_", peer=False, caches=True),
    Contender("torch", "torch_", variant="eager"),
    Contender("torch.channels-last", "torch_", variant="channels_last", kind="convolutional"),
    Contender("torch.compile", "torch_", variant="parts", caches=True),
    Contender("torch.compile-step", "torch_", variant="step", kind="training", caches=True),
    Contender("jax", "jax_", caches=True),
    Contender("onnxruntime", "onnxruntime_", kind="inference"),
)

# Not contenders, but measured in the same rounds: what the machine can do, of which the floors are made.
BANDWIDTH = Contender("bandwidth", "machine_", peer=False, variant="bandwidth")
CONTRACTION = Contender("contraction", "machine_", peer=False, variant="contraction")


def find(names: Iterable[str]) -> list[Contender]:
    """The contenders of these names; ValueError names those that there are."""
    wanted = set(names)
    unknown = wanted - {contender.name for contender in CONTENDERS}
    if unknown:
        known = ", ".join(contender.name for contender in CONTENDERS)
        raise ValueError(f"there is no contender {', '.join(sorted(unknown))}; there are {known}")
    return [contender for contender in CONTENDERS if contender.name in wanted]
