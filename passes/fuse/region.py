"""A node as the region of a kernel: the one that it holds, or one around it.

region, operands, results = region_of(node)     # what region.inputs are in the graph, and region.outputs
"""

from __future__ import annotations

from graphc.ir import Graph, Literal, Node, Value


def region_of(node: Node) -> tuple[Graph, list[Value], list[Value]]:
    """The region of a `fused` op; of another op a region around it."""
    if node.regions:
        return node.regions[0], list(node.operands), list(node.results)
    inside: dict[Value, Value] = {}
    for operand in node.operands:
        if not isinstance(operand, Literal) and operand not in inside:
            inside[operand] = Value(operand.name, operand.type)
    results = {result: Value(result.name, result.type) for result in node.results}
    inner = Node(
        node.op, tuple(inside.get(o, o) for o in node.operands), node.attributes, tuple(results.values()), (),
        node.provenance,
    )  # fmt: skip
    region = Graph(node.results[0].name, tuple(inside.values()), (inner,), tuple(results.values()))
    return region, list(inside), list(results)
