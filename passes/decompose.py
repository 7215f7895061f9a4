"""`decompose`: composites give way to the ops they are made of.

    %y = silu(%x)      ->     %sigmoid = sigmoid(%x)
                              %y = mul(%x, %sigmoid)

The results keep their names, and every new node the line of the composite that it came from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from graphc.builder import NameScope
from graphc.ir import Graph, Node, Value
from graphc.passes.regions import in_regions_too


def decompose(graph: Graph) -> Graph:
    """Inline every composite, and the composites in their bodies and in regions."""
    return _decompose(graph)[0]


@in_regions_too
def _decompose(graph: Graph) -> tuple[Graph, dict[str, int]]:
    return inline(graph, lambda node: node.op.is_composite), {}


def inline(graph: Graph, wanted: Callable[[Node], bool]) -> Graph:
    """Inline the composites and `fused` regions that are wanted, over and over; others stay one node."""
    if not any(map(wanted, graph.nodes)):
        return graph
    scope = NameScope(graph.values)
    renamed: dict[Value, Value] = {}
    nodes: list[Node] = []
    pending = list(reversed(graph.nodes))
    while pending:
        node = pending.pop()
        node = substitute(node, renamed)
        if not wanted(node):
            nodes.append(node)
            continue
        body = node.regions[0] if node.regions else node.op.body(tuple(o.type for o in node.operands), node.attributes)
        pending.extend(reversed(_instantiate(body, node, scope, renamed)))
    return with_substitution(graph.with_(nodes=tuple(nodes)), renamed)


def _instantiate(body: Graph, call: Node, scope: NameScope, renamed: dict[Value, Value]) -> list[Node]:
    """The nodes of a body over a call's operands; what the body returns takes the call's results."""
    mapping: dict[Value, Value] = dict(zip(body.inputs, call.operands, strict=True))
    made = {result for node in body.nodes for result in node.results}
    for inner, outer in zip(body.outputs, call.results, strict=True):
        if inner in made and inner not in mapping:
            mapping[inner] = outer
        else:  # the body returns an operand, a literal, or one value twice
            renamed[outer] = mapping.get(inner, inner)
    instances = []
    for node in body.nodes:
        results = tuple(
            mapping.setdefault(r, Value(scope.fresh(r.name), r.type)) if r not in mapping else mapping[r]
            for r in node.results
        )
        operands = tuple(mapping.get(o, o) for o in node.operands)
        instances.append(replace(node, operands=operands, results=results, provenance=call.provenance))
    return instances


def substitute(node: Node, renamed: dict[Value, Value]) -> Node:
    """The node over the values that its operands were replaced by."""
    if not any(operand in renamed for operand in node.operands):
        return node
    return node.with_operands(resolve(operand, renamed) for operand in node.operands)


def resolve(value: Value, renamed: dict[Value, Value]) -> Value:
    """What a value was replaced by in the end."""
    while value in renamed:
        value = renamed[value]
    return value


def with_substitution(graph: Graph, renamed: dict[Value, Value]) -> Graph:
    """A graph whose outputs and updates follow the replacements."""
    if not renamed:
        return graph
    return graph.with_(
        outputs=tuple(resolve(v, renamed) for v in graph.outputs),
        updates=tuple((old, resolve(new, renamed)) for old, new in graph.updates),
    )


def replace_values(graph: Graph, nodes: Iterable[Node], renamed: dict[Value, Value]) -> Graph:
    """A graph of these nodes with operands, outputs and updates following the replacements."""
    return with_substitution(graph.with_(nodes=tuple(substitute(node, renamed) for node in nodes)), renamed)
