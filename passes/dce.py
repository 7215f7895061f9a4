"""`dce`: nodes that no output and no update needs are dropped.

%a: f32[N] = exp(%x)            ->   (gone)
%y: f32[N] = mul(%x, 2.0)       ->   %y = mul(%x, 2.0)
return %y
"""

from __future__ import annotations

from graphc.ir import Graph
from graphc.ops.recurrence import scan
from graphc.passes.regions import in_regions_too
from graphc.passes.scans import pruned


def dce(graph: Graph) -> Graph:
    """Drop nodes none of whose results are used, and what a scan carries and stacks for nobody.

    Inputs and state stay: they are the graph's contract.
    """
    return _drop(graph)[0]


@in_regions_too
def _drop(graph: Graph) -> tuple[Graph, dict[str, int]]:
    needed = set(graph.results)
    kept = []
    smaller = 0
    for node in reversed(graph.nodes):
        if any(result in needed for result in node.results):
            fewer = pruned(node, needed) if node.op is scan else node
            smaller += fewer is not node
            kept.append(fewer)
            needed.update(fewer.operands)
    dropped = len(graph.nodes) - len(kept)
    counts = {"dropped": dropped} | ({"scans": smaller} if smaller else {})
    return (graph.with_(nodes=tuple(reversed(kept))) if dropped or smaller else graph), counts
