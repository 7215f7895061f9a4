"""Where a value stands in a kernel: which axes of the kernel's domain it spans, and after which pass it is known.

    domain (N, 512), cut by columns
      %affine: f32[N,512]   spans (0, 1)  pass 0     one number for each element
      %mean: f32[512]       spans (1,)    pass 1     one for each column, known when all rows have been read
      %loss: f32[]          finish                   known when all slices of the kernel are done

A kernel walks a domain: the shape of the values that it computes element by element, without axes of extent 1. It is
cut into slices along its leading axes ("rows") or its trailing ones ("columns"). A reduction over the axes that a slice
has whole is known within the slice, and the next pass over the slice can use it; any other reduction is known at the
finish only, when all slices are done.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from graphc.dim import Extent
from graphc.types import Shape


class Cut(StrEnum):
    """How a kernel's domain is cut into slices."""

    ROWS = "rows"  # along the leading axes; reductions over all trailing axes are known in the slice
    COLUMNS = "columns"  # along the trailing axes; reductions over all leading axes are known in the slice
    DEPTH = "depth"  # along what a contraction sums over; everything is known at the finish


@dataclass(frozen=True)
class Place:
    """The axes of the domain that a value spans, in order, and the pass in which it is known, if not at the finish."""

    axes: tuple[int, ...]
    phase: int = 0
    finish: bool = False


def squeezed(shape: Shape) -> tuple[Extent, ...]:
    """A shape without its axes of extent 1."""
    return tuple(extent for extent in shape if extent != 1)


def whole_axes(shape: Shape) -> tuple[int | None, ...]:
    """For each axis the number it has among those that are not of extent 1, None for one that is."""
    numbers: list[int | None] = []
    count = 0
    for extent in shape:
        numbers.append(None if extent == 1 else count)
        count += extent != 1
    return tuple(numbers)
