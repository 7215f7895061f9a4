"""Putting chains together: which kernels of a fused graph become stages of one, and where in the order it stands.

    chained, merged = chain_kernels(fused)          # merged: the nodes of each chain

A chain stands where its last stage stood. What lies between its stages and reads one of them runs after it, all else
before it; so a kernel that needs one stage and is needed by another keeps them apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.ir import Graph, Literal, Node, Value
from graphc.op import find_op
from graphc.passes.fuse.chain import Chain, Stage, stage_of
from graphc.provenance import Provenance

LOOKED_AHEAD = 48  # kernels within which the readers of a matrix are looked for


def chain_kernels(graph: Graph) -> tuple[Graph, list[tuple[Node, ...]]]:
    """The graph with one `fused` op for each chain, whose region holds the stages; and the stages, chain by chain."""
    nodes = list(graph.nodes)
    merged: list[tuple[Node, ...]] = []
    known: dict[Node, Stage | None] = {}

    def stage(node: Node) -> Stage | None:
        if node not in known:
            known[node] = stage_of(node)
        return known[node]

    at = 0
    while at < len(nodes):
        first = stage(nodes[at])
        if first is None or not first.links:
            at += 1
            continue
        chain = Chain(first)
        order = nodes[at : at + LOOKED_AHEAD]
        for later in order[1:]:
            following = stage(later)
            if following is None or not chain.takes(following):
                continue
            moved = _with_stage(order, chain, following)
            if moved is not None:
                order = moved
                chain.add(following)
        if not chain.is_useful:
            at += 1
            continue
        own = [each.node for each in chain.stages]
        whole = _chain_node(graph, own)
        order = [whole if node is own[-1] else node for node in order if node not in own[:-1]]
        known[whole] = None
        merged.append(tuple(own))
        nodes[at : at + LOOKED_AHEAD] = order
    return (graph.with_(nodes=tuple(nodes)), merged) if merged else (graph, [])


def _with_stage(order: list[Node], chain: Chain, stage: Stage) -> list[Node] | None:
    """The kernels in an order in which the chain's stages and one more follow each other; None where there is none."""
    own = {each.node for each in chain.stages}
    reached = set(chain.values)
    before: list[Node] = []
    after: list[Node] = []
    end = order.index(stage.node)
    for node in order[:end]:
        if node in own:
            continue
        if any(operand in reached for operand in node.operands):
            after.append(node)
            reached.update(node.results)
        else:
            before.append(node)
    beyond = reached - chain.values
    if any(operand in beyond for operand in stage.node.operands):
        return None
    stages = [each.node for each in chain.stages]
    return [*before, *stages, stage.node, *after, *order[end + 1 :]]


def _chain_node(graph: Graph, members: Sequence[Node]) -> Node:
    """The stages as one `fused` op over what they read of others, giving what others read of them."""
    inside: dict[Value, Value] = {}
    operands: list[Value] = []
    nodes: list[Node] = []

    def bring(value: Value) -> Value:
        if isinstance(value, Literal):
            return value
        if value not in inside:
            inside[value] = Value(value.name, value.type)
            operands.append(value)
        return inside[value]

    for member in members:
        brought = tuple(bring(operand) for operand in member.operands)
        for result in member.results:
            inside[result] = Value(result.name, result.type)
        results = tuple(inside[result] for result in member.results)
        nodes.append(Node(member.op, brought, member.attributes, results, member.regions, member.provenance))
    own = set(members)
    outputs = [
        value
        for member in members
        for value in member.results
        if graph.is_result(value) or any(user not in own for user in graph.users.get(value, ()))
    ]
    region = Graph(
        members[-1].results[0].name, tuple(inside[o] for o in operands), tuple(nodes), tuple(inside[o] for o in outputs)
    )
    provenance = next((m.provenance for m in members if m.provenance.where), Provenance())
    return Node(find_op("fused"), tuple(operands), {}, tuple(outputs), (region,), provenance)
