"""Which values a derivative passes through, and which composites must be opened for it."""

from __future__ import annotations

from collections.abc import Iterable

from graphc.errors import GradientError
from graphc.ir import Graph, Node, Value
from graphc.passes.decompose import inline


def active_values(graph: Graph, sources: Iterable[Value]) -> set[Value]:
    """The floating-point values that depend on these sources."""
    active = set(sources)
    for node in graph.nodes:
        if any(operand in active for operand in node.operands):
            active.update(result for result in node.results if result.type.dtype.is_float)
    return active


def open_composites(graph: Graph, rule: str) -> Graph:
    """The graph with those composites inlined that have no `rule` ("vjp" or "jvp") of their own."""
    return inline(
        graph, lambda node: (node.op.is_composite or node.op.name == "fused") and getattr(node.op, rule) is None
    )


def missing_rule(node: Node, rule: str) -> GradientError:
    """The error for an op that does not say how it is differentiated."""
    return GradientError(
        f"{node.op.name}: declares no {rule}, so nothing can be differentiated through it; give define_op a {rule} "
        "(graphc.op.no_gradient where it is zero)",
        line=node.line,
        where=node.provenance.where,
    )
