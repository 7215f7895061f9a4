"""Ops that hold a region, a graph over their operands.

    %y: f32[N,3] = fused(%x, %b) {
      region @fused(%x: f32[N,3], %b: f32[3]) {
        …
      }
    }

`fused` gives what its region gives; `map` gives what its region gives for each place of a leading axis; `scan`
(`graphc.ops.recurrence`) carries values from place to place. A region has no state, and its named dims are those of
the graph around it. Derivatives are made of regions, so passes make them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.dim import Extent
from graphc.errors import ArgumentError, OpAttributeError, ShapeError, VerifyError
from graphc.op import Kind, define_op
from graphc.types import TensorType

if TYPE_CHECKING:
    from graphc.ir import Graph


def only_region(what: str, regions: tuple[Graph, ...], operands: tuple[TensorType, ...]) -> Graph:
    """The region, whose inputs must be of the operands' types."""
    if len(regions) != 1:
        raise VerifyError(f"{what}: holds {len(regions)} regions, not one")
    (region,) = regions
    if region.state or region.updates:
        raise VerifyError(f"{what}: region @{region.name} has state; pass it in as an operand")
    if len(region.inputs) != len(operands):
        raise ArgumentError(f"{what}: got {len(operands)} operands, but its region takes {len(region.inputs)}")
    for taken, given in zip(region.inputs, operands, strict=True):
        if taken.type != given:
            raise ShapeError(f"{what}: its region takes {taken!r}, but gets a {given}")
    return region


def _infer_fused(*operands: TensorType, regions: tuple[Graph, ...] = ()) -> tuple[TensorType, ...]:
    return tuple(output.type for output in only_region("fused", regions, operands).outputs)


fused = define_op(
    "fused",
    kind=Kind.CONTROL,
    infer=_infer_fused,
    reference=lambda *operands, regions: regions[0](*operands),
    doc="What its region gives: ops that one kernel computes.",
)


def _leading_extent(operands: tuple[TensorType, ...], mapped: int) -> Extent:
    if not isinstance(mapped, int) or not 1 <= mapped <= len(operands):
        raise OpAttributeError(f"map: mapped is {mapped}, but there are {len(operands)} operands to map")
    for i, type in enumerate(operands[:mapped]):
        if not type.rank:
            raise ShapeError(f"map: operands[{i}] is {type}, which has no leading axis to map over")
        if type.shape[0] != operands[0].shape[0]:
            raise ShapeError(f"map: operands[0] is {operands[0]}, but operands[{i}] is {type}: they differ in extent")
    return operands[0].shape[0]


def _infer_map(*operands: TensorType, mapped: int, regions: tuple[Graph, ...] = ()) -> tuple[TensorType, ...]:
    count = _leading_extent(operands, mapped)
    items = tuple(type.with_shape(type.shape[1:]) if i < mapped else type for i, type in enumerate(operands))
    region = only_region("map", regions, items)
    return tuple(output.type.with_shape((count, *output.type.shape)) for output in region.outputs)


def _map_reference(*operands: Any, mapped: int, regions: Any) -> tuple[Any, ...]:
    """One run of the region for each place; over no places, one run on zeros tells the shapes."""
    (region,) = regions
    lines, shared = operands[:mapped], operands[mapped:]
    if not len(lines[0]):
        items = [np.zeros(line.shape[1:], line.dtype) for line in lines]
        return tuple(np.empty((0, *result.shape), result.dtype) for result in region(*items, *shared))
    runs = [region(*(line[i] for line in lines), *shared) for i in range(len(lines[0]))]
    return tuple(np.stack(results) for results in zip(*runs, strict=True))


map = define_op(
    "map",
    kind=Kind.CONTROL,
    infer=_infer_map,
    reference=_map_reference,
    doc="What its region gives for each place along the leading axis of the first `mapped` operands, stacked; the "
    "other operands are the same for all places.",
)
