"""`fuse`: ops that one kernel computes become one `fused` op.

    %h: f32[N,512] = add(%dot, %bias_everywhere)          %y: f32[N,512] = fused(%dot, %bias) { … }
    %y: f32[N,512] = relu(%h)                       ->

A fused region computes only what the graph computed, and gives only what others read. Views (broadcast_to, slice …)
are repeated in every region that reads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from graphc.dim import Extent
from graphc.ir import Graph, Literal, Node, Value
from graphc.op import Kind, find_op
from graphc.passes.fuse.chaining import chain_kernels
from graphc.passes.fuse.filled import filling, with_filling
from graphc.passes.fuse.group import Group, reads_at_places
from graphc.passes.fuse.grouping import Grouping
from graphc.passes.fuse.late import without_after
from graphc.passes.fuse.ledger import Edge, Ledger
from graphc.passes.fuse.lines import by_lines
from graphc.passes.fuse.views import is_floating
from graphc.provenance import Provenance


def fuse(graph: Graph) -> Graph:
    """The graph with one `fused` op for each kernel of several ops."""
    return fuse_with_ledger(graph)[0]


def fuse_with_ledger(graph: Graph) -> tuple[Graph, Ledger]:
    """The fused graph, and the decision on every edge of the graph before."""
    graph, bounds = without_after(graph)
    grouping = Grouping(graph, bounds)
    wanted = _wanted(graph, grouping)
    nodes: list[Node] = []
    positions: dict[Node, int] = {}  # of the kernels that they stand for
    names = set(graph.values)
    repeated: dict[int, set[Node]] = {}
    for node, at in grouping.recomputed:
        repeated.setdefault(at, set()).add(node)
    for position, kernel in enumerate(grouping.kernels):
        if isinstance(kernel, Node):
            views = is_floating(kernel) and kernel.op.name != "reshape"
            made = filling(kernel, graph.producers.get)
            if made is not None:
                nodes.append(with_filling(kernel, made))
            else:
                nodes.append(_region_node(graph, [kernel], wanted, grouping) if views else kernel)
        elif kernel.members:
            region = _region_node(graph, kernel.members, wanted, grouping, repeated.get(position, set()))
            nodes += by_lines(region, names)
        positions |= dict.fromkeys(nodes[len(positions) :], position)
    fused, chains = chain_kernels(graph.with_(nodes=tuple(nodes)))
    first = {positions[node]: positions[chain[0]] for chain in chains for node in chain}
    ledger = Ledger(_edges(graph, grouping, first))
    if all(node in grouping.position for node in fused.nodes):  # nothing was put together: leave the order alone, too
        return graph, ledger
    return fused, ledger


def _wanted(graph: Graph, grouping: Grouping) -> set[Value]:
    """The values that a kernel must give: results of the graph, and what other kernels read, through views."""
    wanted = set(graph.results)

    def read(value: Value, kernel: Group | Node) -> None:
        node = graph.producers.get(value)
        if node is None or (isinstance(kernel, Group) and value in kernel.places):
            return
        if node in grouping.position:
            wanted.add(value)
            return
        for operand in node.operands:
            read(operand, kernel)

    for kernel in grouping.kernels:
        for node in kernel.members if isinstance(kernel, Group) else (kernel,):
            for operand in node.operands:
                read(operand, kernel)
            if node.op.kind is Kind.GATHER and node.operands[0] in graph.producers:
                wanted.add(node.operands[0])  # read at other places: it is stored, even within the kernel
    return wanted


def _region_node(
    graph: Graph,
    members: Sequence[Node],
    wanted: AbstractSet[Value],
    grouping: Grouping,
    repeated: AbstractSet[Node] = frozenset(),
) -> Node:
    """Ops as one node: itself where it is a single op over values in memory, else `fused` with a region.

    What floats in the grouping is brought into every region that reads it.
    """

    def is_repeated(value: Value) -> bool:
        return value in graph.producers and grouping.floats(graph.producers[value])

    waits = any(member in grouping.bounds for member in members)  # its region says that it is to stay as it is
    if len(members) == 1 and not waits and not any(map(is_repeated, members[0].operands)):
        return members[0]
    outputs = [
        result
        for member in members
        for result in member.results
        if member not in repeated and (result in wanted or is_floating(member))
    ] or [members[-1].results[0]]  # nobody reads any: an op has a result all the same
    inside: dict[Value, Value] = {}
    loaded: dict[Value, Value] = {}
    inputs: list[Value] = []
    operands: list[Value] = []
    nodes: list[Node] = []

    def bring(value: Value) -> Value:
        """A value as the region knows it: its own, a view repeated in it, or an input."""
        if isinstance(value, Literal):
            return value
        if value not in inside:
            if is_repeated(value):
                copy(graph.producers[value])
            else:
                inside[value] = Value(value.name, value.type)
                inputs.append(inside[value])
                operands.append(value)
        return inside[value]

    def load(value: Value) -> Value:
        """An array that a node reads at places of its own: a member's result, or an input, even where it is a view."""
        if isinstance(value, Literal):
            return value
        known = inside.get(value)
        if known is not None and (known in inputs or any(value in member.results for member in members)):
            return known
        if value not in loaded:
            loaded[value] = Value(value.name if known is None else f"{value.name}_stored", value.type)
            inputs.append(loaded[value])
            operands.append(value)
            inside.setdefault(value, loaded[value])
        return loaded[value]

    def copy(node: Node) -> None:
        whole = [] if grouping.floats(node) else reads_at_places(node, grouping.producer)
        brought = tuple(load(o) if i in whole else bring(o) for i, o in enumerate(node.operands))
        for result in node.results:
            inside[result] = Value(result.name, result.type)
        results = tuple(inside[result] for result in node.results)
        nodes.append(Node(node.op, brought, node.attributes, results, node.regions, node.provenance))

    for member in members:
        copy(member)
    if len(nodes) == 1 and not waits:  # the views that it reads lie in memory
        return members[0]
    region = Graph(members[-1].results[0].name, tuple(inputs), tuple(nodes), tuple(inside[o] for o in outputs))
    provenance = next((m.provenance for m in members if m.provenance.where), Provenance())
    return Node(find_op("fused"), tuple(operands), {}, tuple(outputs), (region,), provenance)


def _edges(graph: Graph, grouping: Grouping, chains: Mapping[int, int]) -> list[Edge]:
    """One entry for each op's operand that another op makes."""
    edges = []
    for node in graph.nodes:
        for operand in dict.fromkeys(node.operands):
            producer = graph.producers.get(operand)
            if producer is not None:
                edges.append(_edge(grouping, chains, operand, producer, node))
    return edges


def _edge(grouping: Grouping, chains: Mapping[int, int], value: Value, producer: Node, consumer: Node) -> Edge:
    def entry(fused: bool, rule: str, reason: str, saved: Extent = 0) -> Edge:
        name = consumer.results[0].name
        return Edge(value.name, producer.op.name, name, consumer.op.name, fused, rule, reason, saved)

    size = value.type.size * value.type.dtype.itemsize
    if producer in grouping.turned and consumer in grouping.position:
        return entry(False, "turned", "neighbours lie far apart, so a kernel of its own turns matrices around")
    if producer not in grouping.position:
        return entry(True, "view", f"{producer.op.name} is repeated where it is read", 2 * size)
    if consumer not in grouping.position:
        return entry(True, "view", f"{consumer.op.name} only says where elements are read")
    if (producer, grouping.position[consumer]) in grouping.recomputed:
        return entry(True, "recomputed", f"{producer.op.name} is repeated from what the kernel reads anyhow", 2 * size)
    if grouping.position[producer] == grouping.position[consumer]:
        return entry(True, _rule(producer, consumer), "one kernel computes both", 2 * size)
    chain = chains.get(grouping.position[producer])
    if chain is not None and chain == chains.get(grouping.position[consumer]):
        return entry(True, "chain", "one kernel computes both, a block of rows at a time", size)
    refused = grouping.refusals.get((value, consumer))
    if refused is not None:
        return entry(False, "kernel rules", refused)
    kernel = grouping.kernels[grouping.position[consumer]]
    if isinstance(kernel, Node):
        return entry(False, "own kernel", f"{consumer.op.name} has a kernel of its own and reads memory")
    return entry(False, "joined another", "the op joined the kernel of another operand, and reads this one from memory")


def _rule(producer: Node, consumer: Node) -> str:
    """What kind of fusion an edge within a kernel is."""
    if producer.op.kind is Kind.CONTRACTION:
        return "epilogue"
    if consumer.op.kind is Kind.REDUCTION:
        return "reduction of a computed value"
    if producer.op.kind is Kind.REDUCTION:
        return "consumer of a reduction"
    return "elementwise"
