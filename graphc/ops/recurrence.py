"""`scan`: a region that is run for one place of some sequences after another, and carries values along.

    %h: f32[N,4], %ys: f32[T,N,4] = scan(%h0, %xs, %w, carried=1, scanned=1, length=T) {
      region @step(%h: f32[N,4], %x: f32[N,3], %w: f32[4,3]) {
        …
        return %next, %next
      }
    }

Operands are the carries as they are at first, then the sequences, whose leading axis is walked along, then what is the
same at all places. The region takes the carries, one place of each sequence and the rest, and gives the new carries,
then what is stacked. Results are the carries as they are at last, then the stacks. With `reverse=True` the walk starts
at the last place; stacks lie in the order of the sequences all the same. Over no places the carries come back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.dim import Dim, Extent
from graphc.errors import OpAttributeError, ShapeError, VerifyError
from graphc.op import Kind, define_op
from graphc.ops.control import only_region
from graphc.types import TensorType

if TYPE_CHECKING:
    from graphc.ir import Graph


def _check_attributes(count: int, carried: int, scanned: int, length: Extent, reverse: bool) -> None:
    for name, value in (("carried", carried), ("scanned", scanned)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise OpAttributeError(f"scan: {name} is a number of operands, 0 or more, not {value!r}")
    if carried + scanned > count:
        raise OpAttributeError(
            f"scan: carried is {carried} and scanned is {scanned}, but there are {count} operands in all"
        )
    if not isinstance(length, int | Dim) or isinstance(length, bool) or (isinstance(length, int) and length < 0):
        raise OpAttributeError(f"scan: length is an extent, 0 or more, not {length!r}")
    if not isinstance(reverse, bool):
        raise OpAttributeError(f"scan: reverse is True or False, not {reverse!r}")


def _place_of(sequence: TensorType, index: int, length: Extent) -> TensorType:
    """The type of one place of a sequence."""
    if not sequence.rank:
        raise ShapeError(f"scan: sequence {index} is {sequence}, which has no leading axis to walk along")
    if sequence.shape[0] != length:
        raise ShapeError(f"scan: sequence {index} is {sequence}, but the scan has length {length}")
    return sequence.with_shape(sequence.shape[1:])


def _infer_scan(
    *operands: TensorType,
    carried: int,
    scanned: int,
    length: Extent,
    reverse: bool = False,
    regions: tuple[Graph, ...] = (),
) -> tuple[TensorType, ...]:
    _check_attributes(len(operands), carried, scanned, length, reverse)
    carries, sequences, shared = (
        operands[:carried],
        operands[carried : carried + scanned],
        operands[carried + scanned :],
    )
    places = tuple(_place_of(sequence, i, length) for i, sequence in enumerate(sequences))
    region = only_region("scan", regions, (*carries, *places, *shared))
    given = tuple(output.type for output in region.outputs)
    if len(given) < carried or not given:
        raise VerifyError(
            f"scan: its region gives {len(given)} values, but it must give {carried} carries, and one value at least"
        )
    for i, (before, after) in enumerate(zip(carries, given, strict=False)):
        if before != after:
            raise ShapeError(f"scan: carry {i} is {before} before a step, but {after} after it")
    return (*carries, *(type.with_shape((length, *type.shape)) for type in given[carried:]))


def _scan_reference(
    *operands: Any, carried: int, scanned: int, length: int, reverse: bool, regions: Any
) -> tuple[Any, ...]:
    """One run of the region for each place; over no places, one run on zeros tells the shapes."""
    (region,) = regions
    carries, sequences, shared = (
        operands[:carried],
        operands[carried : carried + scanned],
        operands[carried + scanned :],
    )
    if not length:
        items = [np.zeros(sequence.shape[1:], sequence.dtype) for sequence in sequences]
        stacked = region(*carries, *items, *shared)[carried:]
        return (*carries, *(np.empty((0, *result.shape), result.dtype) for result in stacked))
    rows: list[Any] = [None] * length
    for place in reversed(range(length)) if reverse else range(length):
        results = region(*carries, *(sequence[place] for sequence in sequences), *shared)
        carries, rows[place] = results[:carried], results[carried:]
    return (*carries, *(np.stack(stack) for stack in zip(*rows, strict=True)))


scan = define_op(
    "scan",
    kind=Kind.CONTROL,
    infer=_infer_scan,
    reference=_scan_reference,
    doc="What its region makes of the first `carried` operands, place after place along the leading axis of the next "
    "`scanned` operands, and what else it gives, stacked; the other operands are the same for all places.",
)
