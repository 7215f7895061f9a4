"""Primitive ops, one declaration each, one file a family; importing this package registers them."""

from graphc.ops import contraction, creation, elementwise, reduction, scan, shape, slicing

__all__ = ["contraction", "creation", "elementwise", "reduction", "scan", "shape", "slicing"]
