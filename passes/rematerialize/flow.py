"""A minimum cut of a network, by Dinic's algorithm.

    sink_side(4, [(0, 1, 3), (1, 2, 2), (2, 3, None)], 0, 3)      # {2, 3}: the edge 1 → 2 is cut

Dinic, "Algorithm for solution of a problem of maximum flow in networks with power estimation", 1970: along the
shortest paths first, so the number of rounds is that of the lengths of paths, which are short here. (networkx has
minimum cuts, too, but takes a quarter of a second to import: half of what a warm start may take. A test compares both.)
"""

from __future__ import annotations

from collections.abc import Iterable

UNBOUNDED = 1 << 62

Edge = tuple[int, int, int | None]  # from, to, capacity; None where it has no bound


def sink_side(count: int, edges: Iterable[Edge], source: int, sink: int) -> set[int]:
    """The vertices beyond the minimum cut that is nearest to the sink, of `count` vertices."""
    flow = _Flow(count)
    for start, end, capacity in edges:
        flow.join(start, end, UNBOUNDED if capacity is None else capacity)
    while (levels := flow.levels(source, sink)) is not None:
        flow.augment(source, sink, levels)
    return flow.reaching(sink)


class _Flow:
    """What is left of each edge's capacity; edge e and its reverse are e and e ^ 1."""

    def __init__(self, count: int) -> None:
        self.edges: list[list[int]] = [[] for _ in range(count)]
        self.end: list[int] = []
        self.left: list[int] = []

    def join(self, start: int, end: int, capacity: int) -> None:
        self.edges[start].append(len(self.end))
        self.edges[end].append(len(self.end) + 1)
        self.end += (end, start)
        self.left += (capacity, 0)

    def levels(self, source: int, sink: int) -> list[int] | None:
        """How far each vertex is from the source along edges that are not full; None where the sink is cut off."""
        levels = [-1] * len(self.edges)
        levels[source] = 0
        reached = [source]
        for vertex in reached:
            for edge in self.edges[vertex]:
                if self.left[edge] and levels[self.end[edge]] < 0:
                    levels[self.end[edge]] = levels[vertex] + 1
                    reached.append(self.end[edge])
        return levels if levels[sink] >= 0 else None

    def augment(self, source: int, sink: int, levels: list[int]) -> None:
        """Fill all shortest paths."""
        tried = [0] * len(self.edges)
        path: list[int] = []
        vertex = source
        while True:
            if vertex == sink:
                amount = min(self.left[edge] for edge in path)
                for edge in path:
                    self.left[edge] -= amount
                    self.left[edge ^ 1] += amount
                full = next(i for i, edge in enumerate(path) if not self.left[edge])
                vertex = self.end[path[full] ^ 1]
                del path[full:]
            out = self.edges[vertex]
            while tried[vertex] < len(out):
                edge = out[tried[vertex]]
                if self.left[edge] and levels[self.end[edge]] == levels[vertex] + 1:
                    path.append(edge)
                    vertex = self.end[edge]
                    break
                tried[vertex] += 1
            else:
                if not path:
                    return
                vertex = self.end[path.pop() ^ 1]
                tried[vertex] += 1

    def reaching(self, sink: int) -> set[int]:
        """The vertices from which edges that are not full lead to the sink."""
        found = {sink}
        pending = [sink]
        while pending:
            for edge in self.edges[pending.pop()]:
                start = self.end[edge]
                if self.left[edge ^ 1] and start not in found:
                    found.add(start)
                    pending.append(start)
        return found
