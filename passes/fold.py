"""`fold`: what is known when the graph is compiled is computed then, by the interpreter's own references.

    %c: f32[3] = constant(value=f32[3]{1.0, 2.0, 3.0})     ->
    %d: f32[3] = mul(%c, 2.0)                              ->   %d = constant(value=f32[3]{2.0, 4.0, 6.0})
    %y: f32[] = add(1.0:f32, 2.0:f32)                      ->   (gone: the literal 3.0)

Results of more than LIMIT elements, and results larger than what they are made of (a broadcast), stay ops: a kernel
computes them faster than it loads them. So does what depends on a named dim, on state or on the random counter. An
array of one value everywhere becomes `broadcast_to` of a literal.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.dim import Dim
from graphc.errors import GraphcError
from graphc.interpret import run_node
from graphc.ir import Graph, Literal, Node, Value
from graphc.op import Kind
from graphc.ops.creation import constant
from graphc.ops.shape import broadcast_to
from graphc.passes.decompose import substitute, with_substitution
from graphc.passes.regions import in_regions_too
from graphc.provenance import Provenance
from graphc.state import own
from graphc.types import DType, f16, f32

LIMIT = 1024  # elements of a result
OPERAND_LIMIT = 1 << 16  # elements of the operands together: compiling takes no time for large sums either

Array = np.ndarray[Any, Any]


@in_regions_too
def fold(graph: Graph) -> tuple[Graph, dict[str, int]]:
    """Compute small results of constants; counts `folded` nodes, and `uniform` constants that became literals."""
    known: dict[Value, Array] = {}
    renamed: dict[Value, Value] = {}
    nodes: list[Node] = []
    counts = {"folded": 0, "uniform": 0}
    for node in graph.nodes:
        node = substitute(node, renamed)
        if node.op is constant:
            results: tuple[Array, ...] | None = (node.attributes["value"],)
        else:
            results = _computed(node, known)
            counts["folded"] += results is not None
        if results is None:
            nodes.append(node)
            continue
        for value, array in zip(node.results, results, strict=True):
            literal = uniform_literal(array, value.type.dtype)
            if literal is not None and not array.ndim:
                renamed[value] = literal
            elif literal is not None:
                counts["uniform"] += node.op is constant
                nodes.append(_node(node, broadcast_to, (literal,), {"shape": value.type.shape}, value))
            else:
                known[value] = array
                nodes.append(node if node.op is constant else _node(node, constant, (), {"value": own(array)}, value))
    if not any(counts.values()):
        return graph, {}
    graph = with_substitution(graph.with_(nodes=tuple(nodes)), renamed)
    return graph, {name: count for name, count in counts.items() if count}


def _node(origin: Node, op: Any, operands: tuple[Value, ...], attributes: dict[str, Any], result: Value) -> Node:
    provenance = Provenance(origin.provenance.location, origin.provenance.module, origin.provenance.origin, "fold")
    return Node(op, operands, attributes, (result,), provenance=provenance)


def _computed(node: Node, known: dict[Value, Array]) -> tuple[Array, ...] | None:
    """The results of a node of constants; None where they are not known or not worth knowing."""
    if not node.operands or node.op.kind in (Kind.RANDOM, Kind.CONTROL) or node.op is broadcast_to:
        return None
    operands = [_constant(operand, known) for operand in node.operands]
    if any(operand is None for operand in operands) or any(map(_has_dim, node.attributes.values())):
        return None
    arrays = [operand for operand in operands if operand is not None]
    given = sum(array.size for array in arrays)
    sizes = [value.type.size for value in node.results]
    if given > OPERAND_LIMIT or any(isinstance(size, Dim) or size > min(LIMIT, max(given, 1)) for size in sizes):
        return None
    try:
        with np.errstate(all="ignore"):
            return run_node(node, arrays, {})
    except GraphcError:
        return None  # an index out of range, say: the run reports it


def _constant(value: Value, known: dict[Value, Array]) -> Array | None:
    if isinstance(value, Literal):
        return None if isinstance(value.value, Dim) else np.asarray(value.value, value.type.dtype.numpy)
    return known.get(value)


def _has_dim(attribute: Any) -> bool:
    return any(map(_has_dim, attribute)) if isinstance(attribute, tuple) else isinstance(attribute, Dim)


def uniform_literal(array: Array, dtype: DType) -> Literal | None:
    """The literal that all elements of an array are, bit for bit; None where they differ or there are none."""
    if not array.size:
        return None
    first = array.reshape(-1)[:1]
    if array.size > 1:
        size = array.dtype.itemsize
        raw = np.frombuffer(np.ascontiguousarray(array).tobytes(), f"V{size}")
        if not (raw == raw[0]).all():
            return None
    if dtype in (f16, f32):
        return Literal(float(str(first[0])), dtype)  # 0.1, not 0.10000000149011612: it is the same number in f32
    return Literal(first[0].item() if hasattr(first[0], "item") else first[0], dtype)
