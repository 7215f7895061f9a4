"""`batch_products`: products that no carry needs are taken out of a scan, and made for all places at once.

    scan(%h0, %xs, %w, …) {                        %p: f32[T,N,4] = dot_general(%xs, %w, …)
      %p: f32[N,4] = dot_general(%x, %w, …)   ->   scan(%h0, %p, …) {
      …                                              …

A product of a sequence's place with a shared operand is made before the loop. A product with a shared operand that is
stacked, and read by nothing in the loop, is made after it, of the stack of its other operand: the cotangent of the
sequence above is d·wᵀ. A product for all places reads the shared operand once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from graphc.builder import Builder
from graphc.ir import Graph, Node, Value
from graphc.ops.contraction import dot_general
from graphc.ops.recurrence import scan
from graphc.ops.shape import permute_dims
from graphc.passes.decompose import substitute
from graphc.passes.regions import in_regions_too
from graphc.passes.scans import Scan


@in_regions_too
def batch_products(graph: Graph) -> tuple[Graph, dict[str, int]]:
    """Take products out of scans; counts those that went `before` and `after`."""
    if not any(node.op is scan for node in graph.nodes):
        return graph, {}
    builder = Builder.rewriting(graph)
    counts: Counter[str] = Counter()
    for node in graph.nodes:
        if node.op is scan:
            with builder.provenance(node.provenance):
                counts.update(_taken_out(builder, node))
        else:
            builder.append(node)
    return (graph.with_(nodes=tuple(builder.nodes)) if counts else graph), dict(counts)


def _taken_out(builder: Builder, node: Node) -> dict[str, int]:
    """Append a scan with the products that go before and after it."""
    parts = Scan.of(node)
    places = {inner: operand for operand, inner in parts.sequences}
    shared = {inner: operand for operand, inner in parts.shared}
    parts, before = _before(builder, parts, places, shared)
    stacks, after = dict(parts.stacks), _after(parts, shared)
    if not before and not after:
        builder.append(node)
        return {}
    for factor in after.values():
        if factor not in stacks:
            type = factor.type.with_shape((node.attributes["length"], *factor.type.shape))
            stacks[factor] = Value(builder.scope.fresh(f"{factor.name}_s"), type)
    made = {each.result for each in after}
    kept = tuple((output, result) for output, result in stacks.items() if output not in made)
    builder.append(replace(parts, stacks=kept).rebuilt(each for each in parts.region.nodes if each not in after))
    for each in parts.region.nodes:
        if each in after:
            _for_all_places(builder, each, {after[each]: stacks[after[each]]} | shared, stacks[each.result])
    return {name: count for name, count in (("before", before), ("after", len(after))) if count}


def _after(parts: Scan, shared: dict[Value, Value]) -> dict[Node, Value]:
    """The products that are read by nothing in the loop, each with the operand that differs from place to place."""
    wanted = {output for output, _ in parts.stacks}
    if len(wanted) < len(parts.stacks):  # `merge_scans` has not run
        return {}
    read = Counter(operand for each in parts.region.nodes for operand in each.operands)
    read.update(carry.after for carry in parts.carries)
    after: dict[Node, Value] = {}
    for each in reversed(parts.region.nodes):
        factor = _factor(each, shared, [value for value in each.operands if value not in shared])
        if factor is not None and each.result in wanted and not read[each.result]:
            after[each] = factor
            wanted.add(factor)
            read.subtract(each.operands)
    return after


def _before(builder: Builder, parts: Scan, places: dict[Value, Value], shared: dict[Value, Value]) -> tuple[Scan, int]:
    """Products of places with shared operands become sequences."""
    inside: dict[Value, Value] = {}
    sequences = list(parts.sequences)
    nodes: list[Node] = []
    for each in parts.region.nodes:
        factor = _factor(each, shared, places)
        if factor is None:
            nodes.append(substitute(each, inside))
            continue
        own = inside[each.result] = Value(each.result.name, each.result.type)
        sequences.append((_for_all_places(builder, each, places | shared, None), own))
    count = len(inside)
    if not count:
        return parts, 0
    region = parts.region.with_(nodes=tuple(nodes))
    parts = replace(
        parts,
        node=replace(parts.node, regions=(region,)),
        carries=tuple(replace(carry, after=inside.get(carry.after, carry.after)) for carry in parts.carries),
        sequences=tuple(sequences),
        stacks=tuple((inside.get(output, output), result) for output, result in parts.stacks),
    )
    return parts, count


def _factor(node: Node, shared: Iterable[Value], among: Iterable[Value]) -> Value | None:
    """The operand of a product that is among some, where the other one is shared; None for other nodes."""
    if node.op is not dot_general or node.attributes["batch"][0]:
        return None
    for factor, other in (node.operands, node.operands[::-1]):
        if factor in among and other in shared:
            return factor
    return None


def _for_all_places(builder: Builder, node: Node, outside: dict[Value, Value], result: Value | None) -> Value:
    """A product over the stack of one of its operands; it gives `result`, or a value of its own."""
    (left, right), (of_left, of_right) = node.operands, node.attributes["contract"]
    swapped = outside[left].type.rank == left.type.rank
    if swapped:
        (left, right), (of_left, of_right) = (right, left), (of_right, of_left)
    contract = (tuple(axis + 1 for axis in of_left), of_right)
    attributes = {"contract": contract, "batch": ((), ())}
    (value,) = builder.emit(dot_general, (outside[left], outside[right]), attributes)
    if swapped:  # places, then the free axes of the shared operand, then those of the stack
        own, others = left.type.rank - len(of_left), right.type.rank - len(of_right)
        axes = (0, *range(1 + own, 1 + own + others), *range(1, 1 + own))
        (value,) = builder.emit(permute_dims, (value,), {"axes": axes})
    if result is None:
        return value
    builder.nodes[-1] = replace(builder.nodes[-1], results=(result,))
    return result
