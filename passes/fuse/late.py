"""What `after` means for kernels: `after(x, y)` is x, and what reads it joins no kernel before that of y.

    %again: f32[N,8] = after(%h, %d_y)
    %mask: bool[N,8] = less_equal(%again, 0.0)     ->   less_equal(%h, 0.0), in the kernel of %d_y or a later one

Kernels are ordered by what they need, so a value that is computed again from what is known early would be computed
early again, beside the first one. The bound holds for the op that reads an `after`, through views of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphc.ir import Graph, Node, Value
from graphc.ops.ordering import is_after
from graphc.passes.decompose import replace_values, substitute
from graphc.passes.fuse.views import is_floating

Bounds = Mapping[Node, tuple[Value, ...]]  # what must be known before a node runs, besides its operands


def without_after(graph: Graph) -> tuple[Graph, Bounds]:
    """The graph with what each `after` gives instead of it, and the bounds on the nodes that read one."""
    if not any(map(is_after, graph.nodes)):
        return graph, {}
    instead: dict[Value, Value] = {}
    waiting: dict[Value, tuple[Value, ...]] = {}  # for values that are no work: their readers wait
    bounds: dict[Node, tuple[Value, ...]] = {}
    nodes: list[Node] = []
    for original in graph.nodes:
        waits = tuple(dict.fromkeys(bound for operand in original.operands for bound in waiting.get(operand, ())))
        node = substitute(original, instead)
        if is_after(node):
            value, bound = node.operands
            instead[node.result] = value
            waiting[node.result] = (*waits, bound)
            continue
        nodes.append(node)
        if waits and is_floating(node):
            waiting[node.result] = waits
        elif waits:
            bounds[node] = waits
    return replace_values(graph.with_(nodes=()), (), instead).with_(nodes=tuple(nodes)), bounds
