"""`cse`: common subexpressions are computed once.

    %a: f32[N] = exp(%x)            ->   %a = exp(%x)
    %b: f32[N] = exp(%x)            ->   %y = mul(%a, %a)
    %y: f32[N] = mul(%a, %b)        ->

Two nodes are one when op, operands, attributes and regions are equal: constants by content, regions up to the names in
them, operands of commutative ops in either order. Random ops are functions of their counter and stream, so they merge
only where they would draw the same bits. The first node stays.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from graphc.ir import Graph, Node, Value
from graphc.passes.decompose import substitute, with_substitution
from graphc.passes.regions import in_regions_too
from graphc.text.canonical import canonical_text


@in_regions_too
def cse(graph: Graph) -> tuple[Graph, dict[str, int]]:
    """Merge equal nodes; counts how many were `merged` into an earlier one."""
    numbers: dict[Value, int] = {}
    first: dict[tuple[Any, ...], Node] = {}
    renamed: dict[Value, Value] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        node = substitute(node, renamed)
        known = first.setdefault(_key(node, numbers), node)
        if known is node:
            nodes.append(node)
        else:
            renamed.update(zip(node.results, known.results, strict=True))
    merged = len(graph.nodes) - len(nodes)
    if not merged:
        return graph, {}
    return with_substitution(graph.with_(nodes=tuple(nodes)), renamed), {"merged": merged}


def _key(node: Node, numbers: dict[Value, int]) -> tuple[Any, ...]:
    """What equal nodes share. Values count by the order in which they are first read; equal literals are equal."""
    operands = [numbers.setdefault(operand, len(numbers)) for operand in node.operands]
    if node.op.commutative:
        operands.sort()
    attributes = tuple(attribute_key(value) for value in node.attributes.values())
    regions = tuple(canonical_text(region) for region in node.regions)
    return node.op, tuple(operands), attributes, regions


def attribute_key(value: Any) -> Any:
    """What equal attributes share: 1, 1.0 and True differ, -0.0 and 0.0 differ, NaN equals NaN, arrays by content."""
    if isinstance(value, tuple):
        return tuple(map(attribute_key, value))
    if isinstance(value, np.ndarray):
        content = hashlib.blake2b(np.ascontiguousarray(value).view(np.uint8).data if value.size else b"").digest()
        return "array", value.dtype, value.shape, content
    if isinstance(value, float):
        return "float", repr(value)
    return type(value), value
