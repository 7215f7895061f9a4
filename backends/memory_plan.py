"""Where temporaries live: one arena, planned before anything runs.

    plan = plan_memory(requests, steps=12)
    print(plan)                        # buffers, offsets, lifetimes, peak, lower bound
    plan.offsets["%h"], plan.peak

A buffer lives from the step that writes it to the last step that reads it. Buffers that live at the same time never
overlap; a buffer may take over the memory of one that is read for the last time by the step that writes it, where the
kernel reads every element before it writes it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

ALIGNMENT = 64  # bytes: a cache line, and the widest vector

Entry = tuple[int, int, str]  # of a buffer that is alive: its last step, its number, its name


@dataclass(frozen=True)
class Request:
    """A buffer: its bytes, the steps at which it is written and last read, and whose memory it may take over."""

    name: str
    size: int
    first: int
    last: int
    takes_over: tuple[str, ...] = ()


@dataclass(frozen=True)
class Placement:
    """Where a buffer lies, and which buffer's memory it took over."""

    request: Request
    offset: int
    took_over: str | None = None


@dataclass
class MemoryPlan:
    """All buffers of a step with their places, in the order in which they are written."""

    placements: list[Placement] = field(default_factory=list)
    peak: int = 0
    lower_bound: int = 0

    @cached_property
    def offsets(self) -> dict[str, int]:
        return {placement.request.name: placement.offset for placement in self.placements}

    def __str__(self) -> str:
        lines = [
            f"arena {self.peak:,} bytes; at least {self.lower_bound:,} bytes live at once; "
            f"{len(self.placements)} buffers"
        ]
        lines.append(f"{'buffer':<32} {'offset':>12} {'bytes':>12}  steps")
        for placement in self.placements:
            request = placement.request
            note = f"  in place of {placement.took_over}" if placement.took_over else ""
            lines.append(
                f"{request.name:<32} {placement.offset:>12,} {request.size:>12,}  {request.first}-{request.last}{note}"
            )
        return "\n".join(lines)

    __repr__ = __str__


def aligned(size: int) -> int:
    """A size rounded up, so that what follows begins at a cache line; nothing takes a line too, to have an address."""
    return max(ALIGNMENT, -(-size // ALIGNMENT) * ALIGNMENT)


def plan_memory(requests: Sequence[Request]) -> MemoryPlan:
    """Place buffers in order of their first step, each in the smallest gap that holds it."""
    plan = MemoryPlan()
    free = _FreeList()
    alive: list[Entry] = []  # by last step
    entries: dict[str, Entry] = {}  # those alive, by name
    placed: dict[str, Placement] = {}
    sizes: dict[str, int] = {}
    live_bytes = 0
    for number, request in sorted(enumerate(requests), key=lambda entry: (entry[1].first, entry[0])):
        while alive and alive[0][0] < request.first:
            _, _, name = alive.pop(0)
            del entries[name]
            free.release(placed[name].offset, sizes[name])
            live_bytes -= sizes[name]
        size = aligned(request.size)
        heir = _heir(request, size, entries, sizes)
        if heir is not None:
            alive.pop(bisect_left(alive, entries.pop(heir)))
            placement = Placement(request, placed[heir].offset, heir)
        else:
            placement = Placement(request, free.take(size))
            live_bytes += size
        placed[request.name], sizes[request.name] = placement, size
        entries[request.name] = (request.last, number, request.name)
        insort(alive, entries[request.name])
        plan.placements.append(placement)
        plan.lower_bound = max(plan.lower_bound, live_bytes)
    plan.peak = free.end
    return plan


def _heir(request: Request, size: int, entries: Mapping[str, Entry], sizes: Mapping[str, int]) -> str | None:
    """A buffer of the same size that is read for the last time by the step that writes this one."""
    for name in request.takes_over:
        if name in entries and entries[name][0] == request.first and sizes[name] == size:
            return name
    return None


class _FreeList:
    """Gaps of the arena by offset, neighbours joined."""

    def __init__(self) -> None:
        self.end = 0
        self._gaps: list[tuple[int, int]] = []  # offset, size

    def take(self, size: int) -> int:
        best = None
        for index, (_, gap) in enumerate(self._gaps):
            if gap >= size and (best is None or gap < self._gaps[best][1]):
                best = index
        if best is None:
            if self._gaps and sum(self._gaps[-1]) == self.end:  # grow the last gap
                offset, gap = self._gaps.pop()
                self.end = offset + size
                return offset
            self.end += size
            return self.end - size
        offset, gap = self._gaps[best]
        if gap == size:
            self._gaps.pop(best)
        else:
            self._gaps[best] = (offset + size, gap - size)
        return offset

    def release(self, offset: int, size: int) -> None:
        insort(self._gaps, (offset, size))
        index = self._gaps.index((offset, size))
        if index + 1 < len(self._gaps) and offset + size == self._gaps[index + 1][0]:
            self._gaps[index] = (offset, size + self._gaps.pop(index + 1)[1])
        if index and sum(self._gaps[index - 1]) == offset:
            before, extent = self._gaps[index - 1]
            self._gaps[index - 1] = (before, extent + self._gaps.pop(index)[1])
