"""`hoist`: what is the same at all places of a `scan` or a `map` is computed once, before it.

    scan(%h0, %xs, %b, %d, …) {              %c: f32[4] = add(%b, %d)
      %c: f32[4] = add(%b, %d)          ->   scan(%h0, %xs, %c, …) {
      …                                        …

Views and `full` cost nothing where they are read, so they stay, unless something that goes out reads them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from graphc.builder import NameScope
from graphc.ir import Graph, Literal, Node, Value
from graphc.op import Kind
from graphc.ops.control import map as map_op
from graphc.ops.recurrence import scan
from graphc.passes.regions import in_regions_too

_STAY = frozenset({"broadcast_to", "permute_dims", "slice", "flip", "reshape", "windows"})


@in_regions_too
def hoist(graph: Graph) -> tuple[Graph, dict[str, int]]:
    """Move what depends on shared operands alone in front of loops; counts the nodes that were `hoisted`."""
    if not any(node.op in (scan, map_op) for node in graph.nodes):
        return graph, {}
    scope = NameScope(graph.values)
    nodes: list[Node] = []
    hoisted = 0
    for node in graph.nodes:
        if node.op in (scan, map_op):
            before, node = _split(node, scope)
            nodes += before
            hoisted += len(before)
        nodes.append(node)
    return (graph.with_(nodes=tuple(nodes)) if hoisted else graph), {"hoisted": hoisted}


def _split(node: Node, scope: NameScope) -> tuple[list[Node], Node]:
    """The nodes that go out of a loop, over the operands of the loop, and the loop without them."""
    (region,) = node.regions
    going = _going(region, region.inputs[_varying_inputs(node) :])
    if not going:
        return [], node
    outside: dict[Value, Value] = dict(zip(region.inputs, node.operands, strict=True))
    before = []
    for each in going:
        operands = tuple(outside.get(o, o) for o in each.operands)
        results = tuple(Value(scope.fresh(r.name), r.type) for r in each.results)
        outside.update(zip(each.results, results, strict=True))
        before.append(replace(each, operands=operands, results=results))
    gone = set(going)
    stays = [each for each in region.nodes if each not in gone or not _costs(each)]
    read = _read_by(stays, region.outputs)
    stays = [each for each in stays if each not in gone or any(result in read for result in each.results)]
    made = {result for each in stays for result in each.results}
    brought = [r for each in going for r in each.results if r in _read_by(stays, region.outputs) and r not in made]
    own = {value: Value(value.name, value.type) for value in brought}
    inner = region.with_(
        inputs=(*region.inputs, *own.values()),
        nodes=tuple(each.with_operands(own.get(o, o) for o in each.operands) for each in stays),
        outputs=tuple(own.get(value, value) for value in region.outputs),
    )
    return before, replace(node, operands=(*node.operands, *(outside[v] for v in brought)), regions=(inner,))


def _varying_inputs(node: Node) -> int:
    """How many of a region's inputs differ from place to place; they come first."""
    attributes = node.attributes
    count: int = attributes["carried"] + attributes["scanned"] if node.op is scan else attributes["mapped"]
    return count


def _going(region: Graph, shared: Iterable[Value]) -> list[Node]:
    """What is the same at all places and costs something, and what that is made of."""
    same = set(shared)
    found = []
    for node in region.nodes:
        if all(isinstance(operand, Literal) or operand in same for operand in node.operands):
            same.update(node.results)
            found.append(node)
    needed: set[Value] = set()
    going = []
    for node in reversed(found):
        if _costs(node) or any(result in needed for result in node.results):
            going.append(node)
            needed.update(node.operands)
    return going[::-1]


def _costs(node: Node) -> bool:
    return node.op.name not in _STAY and node.op.kind is not Kind.CREATION


def _read_by(nodes: Iterable[Node], outputs: Iterable[Value]) -> set[Value]:
    return {*outputs, *(operand for node in nodes for operand in node.operands)}
