"""Smaller scans: what nobody needs is not carried, stacked or passed in (`dce`), what is there twice is there once.

    %h, %ys, %zs = scan(%h0, %xs, %xs, %w, …) { … return %next, %y, %y }    with %zs used, %ys used
    ->  %h, %ys = scan(%h0, %xs, %w, …) { … return %next, %y }              with %ys instead of %zs

A carry that no step changes is passed in instead, and a stack of a sequence's own places is that sequence.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from graphc.ir import Graph, Node, Value
from graphc.ops.recurrence import scan
from graphc.passes.decompose import substitute, with_substitution
from graphc.passes.regions import in_regions_too


@dataclass(frozen=True)
class Carry:
    """A carry: the operand it starts as, the region's input and output, and the last one."""

    start: Value
    before: Value
    after: Value
    last: Value


@dataclass(frozen=True)
class Scan:
    """A scan taken apart: carries, sequences and shared operands as (operand, input), stacks as (output, result)."""

    node: Node
    carries: tuple[Carry, ...]
    sequences: tuple[tuple[Value, Value], ...]
    shared: tuple[tuple[Value, Value], ...]
    stacks: tuple[tuple[Value, Value], ...]

    @classmethod
    def of(cls, node: Node) -> Scan:
        (region,) = node.regions
        carried, scanned = node.attributes["carried"], node.attributes["scanned"]
        operands = tuple(zip(node.operands, region.inputs, strict=True))
        results = tuple(zip(region.outputs, node.results, strict=True))
        carries = tuple(Carry(*o, *r) for o, r in zip(operands[:carried], results[:carried], strict=True))
        return cls(
            node, carries, operands[carried : carried + scanned], operands[carried + scanned :], results[carried:]
        )

    @property
    def region(self) -> Graph:
        return self.node.regions[0]

    def rebuilt(self, nodes: Iterable[Node] | None = None) -> Node:
        """The node of these parts, with other nodes in its region where they are given."""
        region = Graph(
            self.region.name,
            (*(c.before for c in self.carries), *(i for _, i in self.sequences), *(i for _, i in self.shared)),
            self.region.nodes if nodes is None else tuple(nodes),
            (*(c.after for c in self.carries), *(output for output, _ in self.stacks)),
        )
        attributes = {**self.node.attributes, "carried": len(self.carries), "scanned": len(self.sequences)}
        operands = (*(c.start for c in self.carries), *(o for o, _ in self.sequences), *(o for o, _ in self.shared))
        results = (*(c.last for c in self.carries), *(result for _, result in self.stacks))
        return Node(self.node.op, operands, attributes, results, (region,), self.node.provenance)


def pruned(node: Node, needed: AbstractSet[Value]) -> Node:
    """The scan without stacks that are not needed, nor carries and operands that only these were made of."""
    parts = Scan.of(node)
    stacks = tuple(stack for stack in parts.stacks if stack[1] in needed)
    live = {carry for carry in parts.carries if carry.last in needed}
    while True:
        read = _read(parts.region, (*(carry.after for carry in live), *(output for output, _ in stacks)))
        more = {carry for carry in parts.carries if carry.before in read} - live
        if not more:
            break
        live |= more
    fewer = replace(
        parts,
        carries=tuple(carry for carry in parts.carries if carry in live),
        sequences=tuple(pair for pair in parts.sequences if pair[1] in read),
        shared=tuple(pair for pair in parts.shared if pair[1] in read),
        stacks=stacks,
    )
    same = len(fewer.rebuilt().operands) == len(node.operands) and len(stacks) == len(parts.stacks)
    if same or not (fewer.carries or stacks):
        return node
    return fewer.rebuilt(n for n in parts.region.nodes if any(result in read for result in n.results))


def _read(region: Graph, outputs: Iterable[Value]) -> set[Value]:
    """All values that some outputs depend on."""
    read = set(outputs)
    for node in reversed(region.nodes):
        if any(result in read for result in node.results):
            read.update(node.operands)
    return read


@in_regions_too
def merge_scans(graph: Graph) -> tuple[Graph, dict[str, int]]:
    """Pass in, carry and stack nothing twice; counts operands and results that were `merged`."""
    if not any(node.op is scan for node in graph.nodes):
        return graph, {}
    renamed: dict[Value, Value] = {}
    nodes: list[Node] = []
    merged = 0
    for node in graph.nodes:
        node = substitute(node, renamed)
        if node.op is scan:
            smaller, gone = _merged(node)
            renamed |= gone
            merged += len(node.operands) + len(node.results) - (len(smaller.operands) + len(smaller.results))
            if not smaller.results:
                continue
            node = smaller
        nodes.append(node)
    if not merged:
        return graph, {}
    return with_substitution(graph.with_(nodes=tuple(nodes)), renamed), {"merged": merged}


def _merged(node: Node) -> tuple[Node, dict[Value, Value]]:
    """A scan that has nothing twice, and what is to be read instead of results that are gone."""
    parts = Scan.of(node)
    inside: dict[Value, Value] = {}  # inputs of the region that are others
    outside: dict[Value, Value] = {}
    fixed = [carry for carry in parts.carries if carry.after is carry.before]
    outside.update((carry.last, carry.start) for carry in fixed)
    sequences, shared = (
        _each_once(pairs, inside)
        for pairs in (parts.sequences, (*parts.shared, *((carry.start, carry.before) for carry in fixed)))
    )
    places = {inner: operand for operand, inner in sequences}
    stacks: dict[Value, Value] = {}
    for output, result in parts.stacks:
        output = inside.get(output, output)
        if output in places:
            outside[result] = places[output]
        elif stacks.setdefault(output, result) is not result:
            outside[result] = stacks[output]
    if not (inside or outside):
        return node, {}
    carries = tuple(
        replace(carry, after=inside.get(carry.after, carry.after)) for carry in parts.carries if carry not in fixed
    )
    smaller = replace(parts, carries=carries, sequences=sequences, shared=shared, stacks=tuple(stacks.items()))
    return smaller.rebuilt(substitute(n, inside) for n in parts.region.nodes), outside


def _each_once(pairs: Iterable[tuple[Value, Value]], inside: dict[Value, Value]) -> tuple[tuple[Value, Value], ...]:
    """Operands with the input that stands for each; other inputs for the same operand are that one."""
    first: dict[Value, Value] = {}
    for operand, inner in pairs:
        known = first.setdefault(operand, inner)
        if known is not inner:
            inside[inner] = known
    return tuple(first.items())
