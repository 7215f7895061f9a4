"""Graphs with their names and order taken away: equal graphs give equal text.

    graph @graph(%0: f32[N,3]) {
      %1: f32[N,3] = relu(%0)
      return %1
    }

Values are numbered in the order in which the results need them, so neither the names of values nor the order of
independent nodes counts; inputs, state, operands and outputs count by position.
"""

from __future__ import annotations

from dataclasses import replace

from graphc.ir import Graph, Node, Value


def canonical_text(graph: Graph) -> str:
    """The text of a graph that all graphs equal to it up to names have."""
    return str(canonical(graph))


def canonical(graph: Graph) -> Graph:
    """The graph with numbered values and nodes in the order in which the results need them."""
    numbered = {value: Value(str(number), value.type) for number, value in enumerate(graph.sources)}

    def of(value: Value) -> Value:
        return numbered.get(value, value)  # literals stay

    nodes: list[Node] = []
    for node in _ordered(graph):
        for result in node.results:
            numbered[result] = Value(str(len(numbered)), result.type)
        nodes.append(
            replace(
                node,
                operands=tuple(map(of, node.operands)),
                results=tuple(map(of, node.results)),
                regions=tuple(map(canonical, node.regions)),
            )
        )
    return Graph(
        "graph",
        tuple(map(of, graph.inputs)),
        tuple(nodes),
        tuple(map(of, graph.outputs)),
        tuple(replace(state, value=of(state.value)) for state in graph.state),
        tuple((of(old), of(new)) for old, new in graph.updates),
    )


def _ordered(graph: Graph) -> list[Node]:
    """The nodes as a walk from each result through its operands meets them; what no result needs comes last."""
    ordered: dict[Node, None] = {}
    producers = graph.producers
    needed = [producers[value] for value in graph.results if value in producers]
    for root in (*needed, *graph.nodes):
        pending = [root]
        while pending:
            node = pending[-1]
            if node in ordered:
                pending.pop()
                continue
            waiting = [producers[o] for o in node.operands if o in producers and producers[o] not in ordered]
            if waiting:
                pending.extend(reversed(waiting))
            else:
                ordered[pending.pop()] = None
    return list(ordered)
