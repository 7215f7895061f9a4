"""`dce`: nodes that no output and no update needs are dropped."""

from __future__ import annotations

from graphc.ir import Graph


def dce(graph: Graph) -> Graph:
    """Drop nodes none of whose results are used. Inputs and state stay: they are the graph's contract."""
    needed = set(graph.results)
    kept = []
    for node in reversed(graph.nodes):
        if any(result in needed for result in node.results):
            kept.append(node)
            needed.update(node.operands)
    return graph if len(kept) == len(graph.nodes) else graph.with_(nodes=tuple(reversed(kept)))
