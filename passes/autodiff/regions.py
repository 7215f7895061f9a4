"""Derivatives of ops that hold regions: the derivative of a `map` is a `map` of the derivative.

%y = map(%xs, %w, mapped=1) { region(%x, %w) … }
%d_xs, %d_ws = map(%xs, %d_y, %w, mapped=2) { the region's vjp };   %d_w = sum(%d_ws, axis=(0,))

Those of `scan` stand in a file of their own, `recurrence.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from graphc.builder import Builder
from graphc.ir import Graph, Node, Value
from graphc.ops.reduction import sum as sum_op
from graphc.passes.autodiff.recurrence import scan_jvp, scan_vjp
from graphc.tensor import Tensor


def map_vjp(
    builder: Builder, node: Node, cotangents: Sequence[Tensor | None], active: AbstractSet[Value]
) -> list[Tensor | None]:
    """The cotangents of a map's operands: stacked for mapped ones, summed over the runs for shared ones."""
    from graphc.passes.autodiff.derivatives import vjp, zeros_like

    (region,), mapped = node.regions, node.attributes["mapped"]
    derivative = vjp(region)
    arriving = [
        zeros_like(builder, value.type).value if cotangent is None else cotangent.value
        for value, cotangent in zip(node.results, cotangents, strict=True)
        if value.type.dtype.is_float
    ]
    gradients = iter(_run(builder, node, derivative, arriving, mapped))
    given: list[Tensor | None] = []
    for index, operand in enumerate(node.operands):
        gradient = next(gradients) if operand.type.dtype.is_float else None
        if gradient is None or operand not in active:
            given.append(None)
            continue
        given.append(gradient if index < mapped else builder.node(sum_op, gradient, axis=(0,)))
    return given


def map_jvp(builder: Builder, node: Node, tangents: Sequence[Tensor | None]) -> tuple[Tensor | None, ...]:
    """The tangents of a map's results."""
    from graphc.passes.autodiff.derivatives import jvp, zeros_like

    (region,), mapped = node.regions, node.attributes["mapped"]
    derivative = jvp(region)
    moving = [
        (index, zeros_like(builder, operand.type).value if tangent is None else tangent.value)
        for index, (operand, tangent) in enumerate(zip(node.operands, tangents, strict=True))
        if operand.type.dtype.is_float
    ]
    count = len(region.inputs)
    extra = list(derivative.inputs[count:])
    stacked = [(value, own) for (index, value), own in zip(moving, extra, strict=True) if index < mapped]
    shared = [(value, own) for (index, value), own in zip(moving, extra, strict=True) if index >= mapped]
    inputs = (
        *region.inputs[:mapped],
        *(own for _, own in stacked),
        *region.inputs[mapped:],
        *(own for _, own in shared),
    )
    operands = (
        *node.operands[:mapped],
        *(v for v, _ in stacked),
        *node.operands[mapped:],
        *(v for v, _ in shared),
    )
    results = _emit(builder, node, derivative.with_(inputs=inputs), operands, mapped + len(stacked))
    later = iter(results[len(node.results) :])
    return tuple(next(later) if value.type.dtype.is_float else None for value in node.results)


def _run(builder: Builder, node: Node, derivative: Graph, arriving: list[Any], mapped: int) -> tuple[Tensor, ...]:
    """Map a region's vjp over the mapped operands and the cotangents that arrive."""
    count = len(node.operands)
    inputs = (*derivative.inputs[:mapped], *derivative.inputs[count:], *derivative.inputs[mapped:count])
    operands = (*node.operands[:mapped], *arriving, *node.operands[mapped:])
    return _emit(builder, node, derivative.with_(inputs=inputs), operands, mapped + len(arriving))


def _emit(builder: Builder, node: Node, region: Graph, operands: tuple[Any, ...], mapped: int) -> tuple[Tensor, ...]:
    results = builder.emit(node.op, operands, {"mapped": mapped}, (region,))
    return tuple(builder.tensor(value) for value in results)


REGION_VJPS = {"map": map_vjp, "scan": scan_vjp}
REGION_JVPS = {"map": map_jvp, "scan": scan_jvp}
