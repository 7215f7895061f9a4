"""Products taken apart: which factors vary along some axes, and which are constant along them.

    g·((x - m)·s̄)  over axis 0    →    varying: g, x - m        constant: s

A factor is constant along axes that `broadcast_to` repeats it along; one of rank 0 is constant along all.
"""
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from dataclasses import dataclass

from graphc.ops.shape import broadcast_to, reshape
from graphc.passes.rewrite import Matched

MOST_FACTORS = 16  # of a product that is taken apart


@dataclass(frozen=True, eq=False)
class Factor:
    """A factor of a product, or a divisor of it."""

    value: Matched
    divides: bool = False


@dataclass(eq=False)
class Product:
    """A product taken apart: factors that vary along some axes, factors that are constant along them, and a sign."""

    varying: list[Factor]
    constant: list[Factor]
    negated: bool = False


def taken_apart(x: Matched, axes) -> Product:
    """The factors of a product, without building anything anew that is needed elsewhere.

    A product that only this sum reads is opened. One that others read too is opened where all factors but one are
    constant: the one is there already.
    """
    product = Product([], [])
    pending = [Factor(x)]
    while pending:
        factor = pending.pop()
        given = _opened(factor, axes, x.ndim) if len(product.varying) + len(pending) < MOST_FACTORS else None
        if given is not None:
            pending += given
            product.negated ^= factor.value.made_by("neg")
        elif repeated_along(factor.value, axes, x.ndim):
            product.constant.append(factor)
        else:
            product.varying.append(factor)
    return product


def _opened(factor: Factor, axes, rank: int) -> list[Factor] | None:
    """The factors of a factor, the first one last; None where it stays as it is."""
    x = factor.value
    if x.made_by("neg"):
        return [Factor(x.operand(), factor.divides)]
    if not x.made_by("mul", "div") or x.ndim == 0:
        return None
    left, right = Factor(x.operand(0), factor.divides), Factor(x.operand(1), factor.divides != x.made_by("div"))
    constant = [repeated_along(f.value, axes, rank) for f in (left, right)]
    is_free = constant[1] or (constant[0] and x.made_by("mul"))
    return [right, left] if x.single_use or is_free else None


def repeated_along(x: Matched, axes, rank: int) -> bool:
    """Whether a factor of tensors of this rank is the same all along these axes."""
    if x.ndim == 0:
        return True
    if not x.made_by("broadcast_to"):
        return False
    source, lead = x.operand().shape, rank - x.operand().ndim
    return all(a < lead or (source[a - lead] == 1 and x.shape[a] != 1) for a in axes)


def without_axes(x: Matched, axes, rank: int):
    """A factor that is repeated along these axes, as one of what is left when they are summed."""
    if x.ndim == 0:
        return x
    source = x.operand()
    lead = rank - source.ndim
    kept = tuple(extent for i, extent in enumerate(source.shape) if i + lead not in axes)
    return source if len(kept) == source.ndim else reshape(source, shape=kept)


def is_wide(x: Matched) -> bool:
    """Whether sums may leave factors: s·Σx of 16-bit floats may overflow where Σ x·s does not."""
    return not (x.dtype.is_float and x.dtype.bits == 16)


def spread(x, shape):
    """A tensor repeated to a shape, where it is not of this shape."""
    return x if x.shape == shape else broadcast_to(x, shape=shape)
