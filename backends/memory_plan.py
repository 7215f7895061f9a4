"""Where temporaries live: one arena, planned before anything runs.

    plan = plan_memory(requests, steps=12)
    print(plan)                        # buffers, offsets, lifetimes, peak, lower bound
    plan.offsets["%h"], plan.peak

A buffer lives from the step that writes it to the last step that reads it. Buffers that live at the same time never
overlap; a buffer may take over the memory of one that is read for the last time by the step that writes it, where the
kernel reads every element before it writes it. Buffers are placed in the order of time, each in the smallest gap; where
that leaves the arena larger than what lives at once, the largest first, each as low as it can lie.
"""

from __future__ import annotations

import random
from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

ALIGNMENT = 64  # bytes: a cache line, and the widest vector

_CLOSE = 1.01  # an arena this close to what lives at once is not worth another try,
_SPARED = 1 << 18  # nor is one that could be so many bytes smaller,
_FEW = 2000  # nor are more buffers than these: the second way compares them pair by pair
_COMPARED = 20_000  # pairs of large blocks that further rounds may compare,
_MOST_LARGE = 256  # those that are more than this part of what lives at once

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
    steps: Sequence[str] = ()  # the kernel of each step, where it is known
    besides: Mapping[str, int] = field(default_factory=dict)  # what lies outside of the arena: state, constants, …

    @cached_property
    def offsets(self) -> dict[str, int]:
        return {placement.request.name: placement.offset for placement in self.placements}

    @property
    def total(self) -> int:
        """The arena and all that lies outside of it."""
        return self.peak + sum(self.besides.values())

    def live(self, step: int) -> list[Placement]:
        """The buffers that are alive at a step, the largest first."""
        alive = [p for p in self.placements if p.request.first <= step <= p.request.last]
        return sorted(alive, key=lambda placement: -placement.request.size)

    @cached_property
    def busiest(self) -> int:
        """The first step at which most bytes are alive."""
        change: dict[int, int] = {}
        for placement in self.placements:
            if placement.took_over is not None:  # both are alive at that step, in one place
                change[placement.request.first] = change.get(placement.request.first, 0) - aligned(
                    placement.request.size
                )
            change[placement.request.first] = change.get(placement.request.first, 0) + aligned(placement.request.size)
            end = placement.request.last + 1
            change[end] = change.get(end, 0) - aligned(placement.request.size)
        alive = most = busiest = 0
        for step in sorted(change):
            alive += change[step]
            if alive > most:
                most, busiest = alive, step
        return busiest

    def __str__(self) -> str:
        lines = [
            f"arena {self.peak:,} bytes; at least {self.lower_bound:,} bytes live at once; "
            f"{len(self.placements)} buffers"
        ]
        if self.besides:
            outside = "; ".join(f"{what} {size:,}" for what, size in self.besides.items())
            lines.append(f"outside of it, in bytes: {outside}; {self.total:,} in all")
        if self.steps and self.placements:
            lines.append(f"most is alive at step {self.busiest} of {len(self.steps)}, {self.steps[self.busiest]}")
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
    """Place buffers so that those alive at once do not overlap, in an arena that is as small as two ways make it."""
    plan = _in_order_of_time(requests)
    if _could_be_smaller(plan.peak, plan.lower_bound) and len(requests) <= _FEW:
        packed = _largest_first(plan)
        if packed.peak < plan.peak:
            return packed
    return plan


def _could_be_smaller(peak: int, lower_bound: int) -> bool:
    return peak > max(lower_bound * _CLOSE, lower_bound + _SPARED)


def _in_order_of_time(requests: Sequence[Request]) -> MemoryPlan:
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


def _largest_first(plan: MemoryPlan) -> MemoryPlan:
    """Place the buffers of a plan anew, the largest first, each as low as those let it that live at the same time.

    A buffer and the one that takes over its memory are one block, which lives as long as both.
    """
    blocks: list[_Block] = []
    block_of: dict[str, _Block] = {}
    for placement in plan.placements:
        request = placement.request
        if placement.took_over is None:
            block = _Block(aligned(request.size), request.first, request.last)
            blocks.append(block)
        else:
            block = block_of[placement.took_over]
            block.last = request.last
        block_of[request.name] = block
    peak = _settle(blocks, plan.lower_bound)
    placements = [Placement(p.request, block_of[p.request.name].offset, p.took_over) for p in plan.placements]
    return MemoryPlan(placements, peak, plan.lower_bound)


def _settle(blocks: Sequence[_Block], lower_bound: int) -> int:
    """Give the blocks their offsets; the arena's size.

    Where it is larger than it must be, other orders of the large blocks are tried, in which one may come before
    another that is several times its size.
    """
    order = sorted(blocks, key=lambda block: (-block.size, block.first))
    best, chosen = _stack(order), order
    large = [block for block in order if block.size * _MOST_LARGE >= lower_bound]
    small = order[len(large) :]
    chance = random.Random(0)  # the same plan for the same buffers
    for _ in range(_COMPARED // len(large) ** 2):
        if not _could_be_smaller(best, lower_bound):
            break
        weights = {id(block): block.size * chance.uniform(0.1, 1.0) for block in large}
        large.sort(key=lambda block: -weights[id(block)])
        if _stack(large) < best and (peak := _stack([*large, *small])) < best:
            best, chosen = peak, [*large, *small]
    return _stack(chosen)


def _stack(order: Sequence[_Block]) -> int:
    """Place blocks one after another, each as low as those before it let it lie."""
    placed: list[_Block] = []  # by offset
    for block in order:
        block.offset = 0
        for other in placed:
            if other.first <= block.last and block.first <= other.last:
                if other.offset >= block.offset + block.size:
                    break
                block.offset = max(block.offset, other.offset + other.size)
        insort(placed, block, key=lambda block: block.offset)
    return max(block.offset + block.size for block in order)


@dataclass
class _Block:
    """Buffers that lie in one place, one after another."""

    size: int
    first: int
    last: int
    offset: int = 0


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
