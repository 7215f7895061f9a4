"""`dce`: nodes that no output and no update needs are dropped.

%a: f32[N] = exp(%x)            ->   (gone)
%y: f32[N] = mul(%x, 2.0)       ->   %y = mul(%x, 2.0)
return %y
"""

from __future__ import annotations

from graphc.ir import Graph
from graphc.passes.regions import in_regions_too


def dce(graph: Graph) -> Graph:
    """Drop nodes none of whose results are used. Inputs and state stay: they are the graph's contract."""
    return _drop(graph)[0]


@in_regions_too
def _drop(graph: Graph) -> tuple[Graph, dict[str, int]]:
    needed = set(graph.results)
    kept = []
    for node in reversed(graph.nodes):
        if any(result in needed for result in node.results):
            kept.append(node)
            needed.update(node.operands)
    dropped = len(graph.nodes) - len(kept)
    return (graph.with_(nodes=tuple(reversed(kept))) if dropped else graph), {"dropped": dropped}
