"""Derivatives of `scan`: what depends on the arriving cotangents or tangents is a scan of its own.

    %h, %ys = scan(%h0, %xs, %w, …)   ->   %h, %ys, %hs, %gates = scan(%h0, %xs, %w, …)       saves what is needed
                                           %d_h0, %d_xs = scan(%d_h, %d_ys, %hs, %gates, %w, …, reverse=True)
                                           %d_w = dot_general(%d_xs, %hs, …)                  one product for all places

What the second scan reads is saved by the first one (`linear_part`). The gradient of a shared operand is a sum over the
places, which is taken outside of the loop wherever the sum goes into what it sums (`totals`). Where no cotangent
arrives nothing is computed, but for carries, which need one to start from.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from graphc.builder import Builder
from graphc.ir import Graph, Node, Value
from graphc.op import recording
from graphc.passes.autodiff.active import active_values, open_composites
from graphc.passes.autodiff.linear_part import Linear
from graphc.passes.autodiff.totals import Totals
from graphc.tensor import Tensor


def scan_vjp(
    builder: Builder, node: Node, cotangents: Sequence[Tensor | None], active: AbstractSet[Value]
) -> list[Tensor | None]:
    """The cotangents of a scan's operands; the node in the builder is replaced by one that saves what is needed."""
    from graphc.passes.autodiff.derivatives import zeros_like
    from graphc.passes.autodiff.reverse import pull_back

    carried = node.attributes["carried"]
    region = open_composites(node.regions[0], "vjp")
    sources = _active_inputs(node, region, active)
    moving = active_values(region, sources)
    inner = Builder.extending(region).within(builder)
    parts = Linear(builder, node, region, inner)
    seeds: dict[Value, Tensor] = {}
    for i, output in enumerate(region.outputs):
        arriving = cotangents[i]
        if i < carried and region.inputs[i] in sources:
            arriving = zeros_like(builder, node.operands[i].type) if arriving is None else arriving
        elif output not in moving:
            continue
        if arriving is not None:
            seed = inner.input(f"d_{output.name}", output.type)
            parts.arrive(seed.value, arriving.value, is_carry=i < carried)
            with recording(inner):
                seeds[output] = seeds[output] + seed if output in seeds else seed
    found = pull_back(inner, region, seeds, sources)
    for source in sources[: len(parts.carry_inputs)]:
        if source not in found:
            found[source] = zeros_like(inner, source.type)
    parts.settle()
    totals = Totals(builder, inner, parts, node.attributes["length"])
    for i, source in enumerate(region.inputs):
        if source not in found:
            continue
        value = found[source].value
        if i < carried:
            parts.carry_on(value)
        elif parts.is_place(source):
            parts.stack(value)
        else:
            totals.want(value)
    totals.plan()
    parts.emit(reverse=not node.attributes["reverse"])
    given: list[Tensor | None] = []
    finals = iter(parts.finals)
    for i, source in enumerate(region.inputs):
        if source not in found:
            given.append(None)
        elif i < carried:
            given.append(builder.tensor(next(finals)))
        elif parts.is_place(source):
            given.append(builder.tensor(parts.stacks[found[source].value]))
        else:
            given.append(totals.of(found[source].value))
    return given


def scan_jvp(builder: Builder, node: Node, tangents: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
    """The tangents of a scan's results; the node in the builder is replaced by one that saves what is needed."""
    from graphc.passes.autodiff.derivatives import zeros_like
    from graphc.passes.autodiff.forward import push_forward

    carried = node.attributes["carried"]
    region = open_composites(node.regions[0], "jvp")
    moved = {operand for operand, tangent in zip(node.operands, tangents, strict=True) if tangent is not None}
    sources = _active_inputs(node, region, moved)
    inner = Builder.extending(region).within(builder)
    parts = Linear(builder, node, region, inner)
    seeds: dict[Value, Tensor] = {}
    for i, source in enumerate(region.inputs):
        if source not in sources:
            continue
        arriving = tangents[i]
        if arriving is None:  # a carry that moves after the first step
            arriving = zeros_like(builder, source.type)
        seeds[source] = inner.input(f"t_{source.name}", source.type)
        parts.arrive(seeds[source].value, arriving.value, is_carry=i < carried, is_shared=parts.is_shared(source))
    found = push_forward(inner, region, seeds)
    after = [
        found[output] if output in found else zeros_like(inner, output.type)
        for source, output in zip(region.inputs[:carried], region.outputs[:carried], strict=True)
        if source in sources
    ]
    parts.settle()
    for each in after:
        parts.carry_on(each.value)
    for output in region.outputs[carried:]:
        if output in found:
            parts.stack(found[output].value)
    parts.emit(reverse=node.attributes["reverse"])
    finals = iter(parts.finals)
    given: list[Tensor | None] = []
    for i, output in enumerate(region.outputs):
        if i < carried:
            given.append(builder.tensor(next(finals)) if region.inputs[i] in sources else None)
        else:
            given.append(builder.tensor(parts.stacks[found[output].value]) if output in found else None)
    return tuple(given)


def _active_inputs(node: Node, region: Graph, active: AbstractSet[Value]) -> list[Value]:
    """The floating-point inputs that a derivative passes through: a carry also where a step makes it one."""
    carried = node.attributes["carried"]
    found = {
        inside
        for inside, outside in zip(region.inputs, node.operands, strict=True)
        if outside in active and inside.type.dtype.is_float
    }
    while True:
        moving = active_values(region, found)
        more = {
            before
            for before, after in zip(region.inputs[:carried], region.outputs[:carried], strict=True)
            if after in moving and before.type.dtype.is_float and before not in found
        }
        if not more:
            return [value for value in region.inputs if value in found]
        found |= more
