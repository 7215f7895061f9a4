"""Passes look into regions: what simplifies a graph simplifies the graphs that its `map` and `fused` nodes hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import wraps

from graphc.ir import Graph, Node

Counted = tuple[Graph, dict[str, int]]


def in_regions_too(simplify: Callable[[Graph], Counted]) -> Callable[[Graph], Counted]:
    """A pass that simplifies the regions of a graph's nodes, and theirs, before the graph itself; counts add up."""

    @wraps(simplify)
    def everywhere(graph: Graph) -> Counted:
        counts: Counter[str] = Counter()

        def inside(node: Node) -> Node:
            if not node.regions:
                return node
            regions = tuple(visit(region) for region in node.regions)
            unchanged = all(new is old for new, old in zip(regions, node.regions, strict=True))
            return node if unchanged else replace(node, regions=regions)

        def visit(graph: Graph) -> Graph:
            nodes = tuple(map(inside, graph.nodes))
            if any(new is not old for new, old in zip(nodes, graph.nodes, strict=True)):
                graph = graph.with_(nodes=nodes)
            simplified, counted = simplify(graph)
            counts.update(counted)
            return simplified

        return visit(graph), dict(counts)

    return everywhere
