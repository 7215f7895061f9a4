"""Where the time of a call goes: every entry of its table, timed by itself.

    print(exe.profile(x, y))
    kernel                             calls  slices        us   share
    %3.weight_next                         1      16     911.5  30.7 %
    …

The entries run in order on one thread, as often as asked; the best time of each counts. State is what it was before.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from graphc.backends.cpu.binding import Binding
from graphc.backends.cpu.native_code import Compiled
from graphc.ir import Node


@dataclass(frozen=True)
class Timing:
    """One entry: the kernel's name, its slices, microseconds on one thread, and the node that it computes."""

    name: str
    slices: int
    microseconds: float
    node: Node


class Profile(Sequence[Timing]):
    """The entries of a table in the order in which they run."""

    def __init__(self, timings: Sequence[Timing]) -> None:
        self._timings = tuple(timings)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self._timings[index]

    def __len__(self) -> int:
        return len(self._timings)

    @property
    def microseconds(self) -> float:
        """All entries together, one after another on one thread."""
        return sum(timing.microseconds for timing in self._timings)

    def __str__(self) -> str:
        total = self.microseconds or 1.0
        lines = [f"{'kernel':<40} {'slices':>6} {'us':>10} {'share':>8}"]
        lines += [
            f"{'%' + timing.name:<40} {timing.slices:>6} {timing.microseconds:>10.2f} "
            f"{timing.microseconds / total * 100:>6.1f} %"
            for timing in self._timings
        ]
        return "\n".join([*lines, f"{'all, on one thread':<40} {'':>6} {total:>10.2f}"])

    __repr__ = __str__


def profile(code: Compiled, binding: Binding, repeats: int) -> Profile:
    """Run a table's entries one by one, `repeats` times; the caller restores what they write."""
    best = [float("inf")] * binding.entries
    for _ in range(repeats):
        for entry in range(binding.entries):
            start = time.perf_counter()
            code.run_entry(binding, entry)
            best[entry] = min(best[entry], time.perf_counter() - start)
    return Profile(
        [
            Timing(node.results[0].name, call.slices, seconds * 1e6, node)
            for call, seconds in zip(binding.calls, best, strict=True)
            if (node := call.step.node) is not None
        ]
    )
