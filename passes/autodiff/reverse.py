"""Reverse mode: cotangents flow from outputs to inputs, one walk backwards, each op giving its vjp.

    y = mul(a, b)   with cotangent g of y   gives   a: mul(g, b),   b: mul(g, a)

A value used several times collects the sum of its cotangents. The backward nodes are appended to the forward graph;
each carries the user's line of its forward node and the name of the forward value, and the cotangent of %h is %d_h.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from graphc.builder import Builder
from graphc.errors import GradientError
from graphc.ir import Graph, Literal, Node, Value
from graphc.op import recording
from graphc.passes.autodiff.active import active_values, missing_rule
from graphc.passes.autodiff.regions import REGION_VJPS
from graphc.provenance import Provenance
from graphc.tensor import Tensor


def pull_back(
    builder: Builder, graph: Graph, seeds: Mapping[Value, Tensor], wrt: Iterable[Value]
) -> dict[Value, Tensor]:
    """The gradients of `wrt`, given the cotangents of some values; values that nothing depends on are absent.

    `builder` holds the nodes of `graph`, whose composites all have a vjp (`open_composites`). Raises GradientError
    where an op on the way declares no vjp.
    """
    wanted = list(wrt)
    active = active_values(graph, wanted)
    sweep = _Sweep(builder, active)
    for value, seed in seeds.items():
        sweep.add(value, seed)
    keep = set(wanted)
    with recording(builder):
        for node in reversed(graph.nodes):
            if any(result in sweep.arrived for result in node.results):
                sweep.through(node, keep)
        return {value: total for value in wanted if (total := sweep.total(value)) is not None}


class _Sweep:
    """The cotangents that have arrived so far."""

    def __init__(self, builder: Builder, active: set[Value]) -> None:
        self.builder = builder
        self.active = active
        self.arrived: dict[Value, list[Tensor]] = {}
        self._forward = {result for node in builder.nodes for result in node.results} | set(builder.inputs)
        self._named: set[Value] = set()

    def add(self, value: Value, cotangent: Tensor) -> None:
        if value in self.active:
            self.arrived.setdefault(value, []).append(cotangent)

    def total(self, value: Value) -> Tensor | None:
        """The sum of a value's cotangents, named after it; None when none has arrived."""
        terms = self.arrived.get(value)
        if not terms:
            return None
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        self.arrived[value] = [total]
        made_here = total.value not in self._forward and total.value not in self._named
        if made_here and not isinstance(total.value, Literal):
            self._named.add(total.value)
            if not total.value.name.startswith("d_"):
                self.builder.rename(total.value, f"d_{value.name}")
        return total

    def through(self, node: Node, keep: set[Value]) -> None:
        """Carry the cotangents of a node's results to its operands."""
        if not any(operand in self.active for operand in node.operands):
            return
        if node.op.vjp is None and node.op.name not in REGION_VJPS:
            raise missing_rule(node, "vjp")
        origin = node.results[0].name
        provenance = replace(node.provenance, origin=origin, rule=None)
        with self.builder.provenance(provenance):
            cotangents = tuple(self.total(result) for result in node.results)
            if node.op.name in REGION_VJPS:
                given = REGION_VJPS[node.op.name](self.builder, node, cotangents, self.active)
            else:
                given = call_rule(self.builder, node, node.op.vjp, cotangents)
            for operand, cotangent in zip(node.operands, given, strict=True):
                if cotangent is not None and operand in self.active:
                    self.add(operand, self._fit(node, operand, self.builder.tensor(cotangent)))
        for result in node.results:
            if result not in keep:
                self.arrived.pop(result, None)

    def _fit(self, node: Node, operand: Value, cotangent: Tensor) -> Tensor:
        """A cotangent in the operand's type: an operand of rank 0 that met a tensor collects the sum over it."""
        if operand.type.rank == 0 and cotangent.ndim:
            cotangent = cotangent.sum()
        if cotangent.ndim == 0 and operand.type.rank:
            from graphc.ops.shape import broadcast_to

            cotangent = broadcast_to(cotangent, shape=operand.type.shape)
        if cotangent.type != operand.type:
            raise GradientError(
                f"{node.op.name}: its vjp gives a {cotangent.type} for {operand!r}",
                line=node.line,
                where=node.provenance.where,
            )
        return cotangent


def call_rule(builder: Builder, node: Node, rule: Any, first: tuple[Any, ...]) -> Any:
    """Call a vjp with cotangents, or a jvp with tangents: single results go bare, several as tuples."""
    results = tuple(builder.tensor(value) for value in node.results)
    operands = tuple(builder.tensor(value) for value in node.operands)
    regions = {"regions": node.regions} if node.regions else {}
    single = len(results) == 1
    y = results[0] if single else results
    lead = first[0] if single and rule is node.op.vjp else first
    return rule(lead, y, *operands, **node.attributes, **regions)


def provenance_of(node: Node) -> Provenance:
    """The provenance of a node that belongs to the derivative of another."""
    return replace(node.provenance, origin=node.results[0].name, rule=None)
