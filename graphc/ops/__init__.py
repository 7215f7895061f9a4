"""Primitive ops, one declaration each, one file a family; importing this package registers them."""

from graphc.ops import (
    contraction,
    control,
    creation,
    elementwise,
    indexing,
    random,
    reduction,
    scan,
    scattering,
    shape,
    slicing,
    sorting,
)

__all__ = [
    "contraction", "control", "creation", "elementwise", "indexing", "random", "reduction", "scan", "scattering",
    "shape", "slicing", "sorting",
]  # fmt: skip
