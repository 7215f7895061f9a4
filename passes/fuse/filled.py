"""Updates of an array that has one number everywhere: their kernel fills the array, which is read from nowhere.

    %zeros: f32[20000,256] = broadcast_to(0.0)            %d_table: f32[20000,256] = fused(%tokens, %d_rows) {
    %d_table = index_add(%zeros, %tokens, %d_rows)    ->      %zeros = broadcast_to(0.0), then index_add
                                                          }

So are the gradients of what reads at indices: an embedding's table, the element of each row that a loss looks up.
"""

from __future__ import annotations

from graphc.ir import Graph, Literal, Node, Value
from graphc.op import Kind, find_op
from graphc.passes.fuse.strided import Producer


def filling(node: Node, producer: Producer) -> Node | None:
    """What makes the array that a node writes into, where that is one number everywhere."""
    if node.op.kind is not Kind.SCATTER:
        return None
    made = producer(node.operands[0]) if node.operands[0] not in node.operands[1:] else None
    is_number = made is not None and made.op.name == "broadcast_to" and isinstance(made.operands[0], Literal)
    return made if is_number else None


def with_filling(node: Node, made: Node) -> Node:
    """The node and what makes its array as one kernel."""
    outside = [value for value in dict.fromkeys(node.operands[1:]) if not isinstance(value, Literal)]
    inside = {value: Value(value.name, value.type) for value in (*outside, made.result, node.result)}
    nodes = tuple(
        Node(
            each.op, tuple(inside.get(o, o) for o in each.operands), each.attributes, (inside[each.result],), (),
            each.provenance,
        )
        for each in (made, node)
    )  # fmt: skip
    region = Graph(node.result.name, tuple(inside[value] for value in outside), nodes, (inside[node.result],))
    return Node(find_op("fused"), tuple(outside), {}, (node.result,), (region,), node.provenance)


def filled_update(region: Graph) -> Node | None:
    """The update of a region that `with_filling` made, with the number in place of its array; None of any other."""
    if len(region.nodes) != 2 or filling(region.nodes[1], region.producers.get) is not region.nodes[0]:
        return None
    made, node = region.nodes
    return node.with_operands((made.operands[0], *node.operands[1:]))
