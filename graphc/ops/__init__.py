"""Primitive ops, one declaration each, one file a family; importing this package registers them."""

from graphc.ops import (
    contraction,
    control,
    convolution,
    creation,
    elementwise,
    indexing,
    ordering,
    random,
    recurrence,
    reduction,
    scan,
    scattering,
    shape,
    slicing,
    sorting,
    window,
)

__all__ = [
    "contraction", "control", "convolution", "creation", "elementwise", "indexing", "ordering", "random", "recurrence",
    "reduction", "scan", "scattering", "shape", "slicing", "sorting", "window",
]  # fmt: skip
