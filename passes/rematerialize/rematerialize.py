"""`rematerialize`: early values that later kernels read are computed again, where that is cheaper than keeping them.

    %batch_norm: f32[N,512] = add(%scaled, %shift)               ... and in the backward half
    %less_equal: bool[N,512] = less_equal(%batch_norm, 0.0)      %d_relu: f32[N,512] = where(%less_equal, 0.0, %d_y)

The mask is one comparison of what the backward kernel of BatchNorm reads anyhow, so it need not be kept. What is kept
is found by a minimum cut (`cut.py`); the copies are placed late (`recompute.py`). The pass runs after `prepare`,
where it is settled what lies in memory, and before `fuse`, which puts the copies into the kernels of their readers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from graphc.ir import Graph
from graphc.ops.ordering import is_after
from graphc.passes.rematerialize.cost import FREE, Effort
from graphc.passes.rematerialize.cut import Cut, minimum_cut
from graphc.passes.rematerialize.lifetimes import Lifetimes
from graphc.passes.rematerialize.recompute import Recompute

LEAST_SAVED = 1 << 15  # bytes below which nothing is gained that a user would see
LEAST_PART = 64  # of what is kept

_RATES = (0.25, 0.1, 0.03, 0.01)
_MOST_SEGMENTS = 64


def rematerialize(
    graph: Graph, dims: Mapping[str, int] | None = None, effort: Effort = FREE, least_saved: int = LEAST_SAVED
) -> tuple[Graph, dict[str, int]]:
    """Compute early values again instead of keeping them, as far as `effort` allows.

        smaller, counts = rematerialize(prepared, {"N": 128})
        counts                                # {"computed again": 4, "kilobytes saved": 512}

    Named dims have the extents of `dims`; those that are not there are taken to be 64. Random bits come out the same,
    since they are a function of their counter. The graph itself comes back where too little would be saved, and where
    something waits already (`after`).
    """
    if any(map(is_after, graph.nodes)):
        return graph, {}
    lifetimes = Lifetimes(graph, dims)
    if sum(map(lifetimes.bytes, lifetimes.kept)) < least_saved:
        return graph, {}
    found = Rematerialized(lifetimes, minimum_cut(lifetimes, effort))
    least = max(least_saved, sum(map(lifetimes.bytes, lifetimes.kept)) // LEAST_PART)
    return (graph, {}) if found.cut.saved < least else (found.graph, found.counts)


@dataclass
class Rematerialized:
    """One way to compute values again: what it saves and costs; its graph is made when it is asked for."""

    lifetimes: Lifetimes
    cut: Cut

    @cached_property
    def graph(self) -> Graph:
        return Recompute(self.lifetimes, self.cut.again).run() if self.cut.again else self.lifetimes.graph

    @property
    def counts(self) -> dict[str, int]:
        return {"computed again": len(self.cut.again), "kilobytes saved": self.cut.saved >> 10}


def ways_to_save(graph: Graph, dims: Mapping[str, int]) -> list[Rematerialized]:
    """Ways to compute values again for these extents, the one that costs least first; nothing at all is the first.

    They give a byte of memory less and less worth in time; at the end whole segments of the early half are computed
    again, products with them, as in Chen et al. 2016: with √n segments of n layers, √n layers are alive at a time.
    """
    lifetimes = Lifetimes(graph, dims)
    efforts = [FREE, *(Effort(rate, writes=True) for rate in _RATES)]
    most = min(_MOST_SEGMENTS, lifetimes.turn + 1)
    counts = [count for count in _numbers() if count <= most]
    efforts += [Effort(rate, True, True, count) for count in counts for rate in (0.02, 0.001)]
    found: dict[frozenset[object], Rematerialized] = {frozenset(): Rematerialized(lifetimes, Cut())}
    for effort in efforts:
        cut = minimum_cut(lifetimes, effort)
        found.setdefault(cut.again, Rematerialized(lifetimes, cut))
    return sorted(found.values(), key=lambda way: way.cut.cost)


def _numbers() -> list[int]:
    """Numbers of segments that are tried: 2, 3, 4, 6, 8, 12, 16, …"""
    return [number for power in range(1, 7) for number in (2**power, 3 * 2 ** (power - 1))]
