"""Positions of elements: one index for each axis of an array, and the one place in its memory that they make.

linear([i0, i1], (N, 512))      512*i0 + i1
"""

from __future__ import annotations

from graphc.backends.nests.nest import Index
from graphc.passes.fuse.strided import strides_of
from graphc.types import Shape

Indices = list[Index]


def linear(at: Indices, shape: Shape) -> Index:
    """Positions along axes as one place in a row-major array."""
    total = Index()
    for index, stride in zip(at, strides_of(shape), strict=True):
        total = total + index.times(stride)
    return total
