"""Between a node and the kernel that it stands for: its region, and the group that the region was made of.

region, operands, results = region_of(node)     # what region.inputs are in the graph, and region.outputs
group = group_of(region)                        # places and cut, as fusion had them
"""

from __future__ import annotations

from graphc.ir import Graph, Literal, Node, Value
from graphc.op import Kind
from graphc.passes.fuse.group import JOINING, Group
from graphc.passes.fuse.place import squeezed
from graphc.passes.fuse.product import margins_in_place
from graphc.passes.fuse.views import is_floating
from graphc.types import Shape


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


def domain_of(node: Node) -> Shape:
    """The domain of the kernel that a node starts."""
    return node.operands[0].type.shape if node.op.kind is Kind.REDUCTION else node.results[0].type.shape


def group_of(region: Graph) -> Group:
    """The group that a region was made of."""
    margins = margins_in_place(region, region.producers.get)
    members = [node for node in region.nodes if not is_floating(node) and node not in margins]
    # Members that span rows, columns or nothing have fewer axes than the domain; a view has no members. Where parts are
    # joined, the domain is that of a part.
    made = {result for node in members for result in node.results}
    own = [node for node in members if node.op.name not in JOINING or not made.issuperset(node.operands)]
    shapes = [domain_of(node) for node in own] or [region.outputs[0].type.shape]
    domain = max(shapes, key=lambda shape: len(squeezed(shape)))
    group = Group(domain, region.producers.get)
    for node in members:
        refusal = group.admit(node)
        if refusal is not None:
            raise AssertionError(f"region @{region.name} is no kernel: {node.op.name}: {refusal.reason}")
    group.settle()
    return group
