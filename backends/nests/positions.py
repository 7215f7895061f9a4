"""Positions of elements: one index for each axis of an array, and the one place in its memory that they make.

linear([i0, i1], (N, 512))      512*i0 + i1
"""

from __future__ import annotations

from graphc.backends.nests.nest import Index
from graphc.dim import Extent
from graphc.types import Shape

Indices = list[Index]


def strides_of(shape: Shape) -> list[Extent]:
    """Row-major strides, in elements."""
    strides: list[Extent] = []
    step: Extent = 1
    for extent in reversed(shape):
        strides.append(step)
        step = step * extent
    return strides[::-1]


def linear(at: Indices, shape: Shape) -> Index:
    """Positions along axes as one place in a row-major array."""
    total = Index()
    for index, stride in zip(at, strides_of(shape), strict=True):
        total = total + index.times(stride)
    return total
