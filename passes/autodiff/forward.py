"""Forward mode: tangents flow from inputs to outputs, one walk forwards, each op giving its jvp.

    y = mul(a, b)   with tangents ta and tb   gives   ty = ta·b + tb·a

A tangent that is None is zero. The tangent nodes are appended to the forward graph; the tangent of %h is %t_h.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphc.builder import Builder
from graphc.errors import GradientError
from graphc.ir import Graph, Literal, Node, Value
from graphc.op import recording
from graphc.passes.autodiff.active import active_values, missing_rule
from graphc.passes.autodiff.regions import REGION_JVPS
from graphc.passes.autodiff.reverse import call_rule, provenance_of
from graphc.tensor import Tensor


def push_forward(builder: Builder, graph: Graph, seeds: Mapping[Value, Tensor]) -> dict[Value, Tensor]:
    """The tangents of all values that depend on the seeds; values with a zero tangent are absent.

    `builder` holds the nodes of `graph`, whose composites all have a jvp (`open_composites`). Raises GradientError
    where an op on the way declares no jvp.
    """
    active = active_values(graph, seeds)
    forward = set(graph.values.values())
    tangents = dict(seeds)
    with recording(builder):
        for node in graph.nodes:
            if not any(operand in tangents for operand in node.operands):
                continue
            if node.op.jvp is None and node.op.name not in REGION_JVPS:
                raise missing_rule(node, "jvp")
            with builder.provenance(provenance_of(node)):
                first = tuple(tangents.get(operand) for operand in node.operands)
                if node.op.name in REGION_JVPS:
                    given = REGION_JVPS[node.op.name](builder, node, first)
                else:
                    given = call_rule(builder, node, node.op.jvp, first)
                several = given if isinstance(given, tuple) else (given,) * len(node.results)
                for result, tangent in zip(node.results, several, strict=True):
                    if tangent is not None and result in active:
                        tangents[result] = fitted = _fit(builder, node, result, tangent)
                        if fitted.value not in forward and not isinstance(fitted.value, Literal):
                            forward.add(fitted.value)
                            builder.rename(fitted.value, f"t_{result.name}")
    return tangents


def _fit(builder: Builder, node: Node, result: Value, tangent: Tensor) -> Tensor:
    """A tangent in the result's type: one of rank 0 spreads over the result."""
    tangent = builder.tensor(tangent)
    if tangent.ndim == 0 and result.type.rank:
        from graphc.ops.shape import broadcast_to

        tangent = broadcast_to(tangent, shape=result.type.shape)
    if tangent.type != result.type:
        raise GradientError(
            f"{node.op.name}: its jvp gives a {tangent.type} for {result!r}",
            line=node.line,
            where=node.provenance.where,
        )
    return tangent
