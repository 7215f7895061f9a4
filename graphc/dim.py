"""Symbolic extents: one graph for every batch size. What a shape holds, and how its dims get their values.

    >>> N, T = dim("N"), dim("T")
    >>> N * T + 2 * N - 1, (4 * N) // 4, N / 2
    (N*T+2*N-1, N, N/2)
    >>> bindings = {}
    >>> bind_extent(4 * N, 12, bindings), bindings
    (True, {'N': 3})
    >>> evaluate_extent(N * T, {"N": 3, "T": 5})
    15

An extent is an `int` or a `Dim`, a canonical polynomial in named dims (`graphc.dim_polynomial`).
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

from graphc.dim_monomial import Atom
from graphc.dim_opaque import floor_divide, maximum, minimum, remainder
from graphc.dim_polynomial import Dim, Extent, dim
from graphc.dim_text import parse_extent

__all__ = [
    "Dim", "Extent", "UnboundDimError", "UnsolvedExtent", "bind_extent", "broadcast_extent", "dim",
    "evaluate_extent", "max_extent", "min_extent", "parse_extent", "substitute_extent",
]  # fmt: skip


class UnboundDimError(KeyError):
    """An extent was evaluated without a value for one of its dims."""

    def __str__(self) -> str:
        return str(self.args[0])  # a KeyError would print the repr


class UnsolvedExtent(ValueError):  # noqa: N818 -- no mistake: more arguments may settle it
    """An extent does not determine its dims yet: several are unbound, or one is not linear in it."""


def evaluate_extent(extent: Extent, bindings: Mapping[str, int]) -> int:
    """The value of an extent: `evaluate_extent(4*N + 1, {"N": 3})` is 13.

    Raises UnboundDimError for a dim without a value, ZeroDivisionError where a divisor is 0 for these values.
    """
    if not isinstance(extent, Dim):
        return extent
    total = 0
    for monomial, coefficient in extent.terms:
        for atom, power in monomial:
            coefficient *= _evaluate_atom(atom, extent, bindings) ** power
        total += coefficient
    return total


def _evaluate_atom(atom: Atom, extent: Dim, bindings: Mapping[str, int]) -> int:
    if atom.kind == "name":
        try:
            return int(bindings[atom.text])
        except KeyError:
            known = ", ".join(f"{name}={value}" for name, value in bindings.items()) or "none is known"
            raise UnboundDimError(f"extent {extent} needs the value of {atom.text}; {known}") from None
    values = [evaluate_extent(argument, bindings) for argument in atom.arguments]
    if atom.kind in ("max", "min"):
        return max(values) if atom.kind == "max" else min(values)
    if values[1] == 0:
        raise ZeroDivisionError(f"extent {extent} has no value where the divisor {atom.arguments[1]} is 0")
    return values[0] // values[1] if atom.kind == "//" else values[0] % values[1]


def substitute_extent(extent: Extent, mapping: Mapping[str, Extent]) -> Extent:
    """Replace dims by extents, all at once: `substitute_extent(N*T, {"N": T, "T": 2})` is `2*T`.

    Dims that the mapping lacks stay. Raises ZeroDivisionError where a divisor becomes 0.
    """
    if not isinstance(extent, Dim) or extent.names.isdisjoint(mapping):
        return extent
    total: Extent = 0
    for monomial, coefficient in extent.terms:
        term: Extent = coefficient
        for atom, power in monomial:
            term = term * _substitute_atom(atom, mapping) ** power
        total = total + term
    return total


def _substitute_atom(atom: Atom, mapping: Mapping[str, Extent]) -> Extent:
    if atom.kind == "name":
        return mapping.get(atom.text, dim(atom.text))
    arguments = [substitute_extent(argument, mapping) for argument in atom.arguments]
    if atom.kind in ("max", "min"):
        return maximum(*arguments) if atom.kind == "max" else minimum(*arguments)
    return floor_divide(*arguments) if atom.kind == "//" else remainder(*arguments)


def bind_extent(extent: Extent, actual: int, bindings: MutableMapping[str, int]) -> bool:
    """Whether an extent can have the actual value; binds its one unbound dim to what solves it.

    `bind_extent(4*N + 1, 13, b)` is True and sets `b["N"]` to 3; `bind_extent(4*N, 13, b)` is False.
    Raises UnsolvedExtent where the dims are not determined yet: retry after other extents. The bindings
    change only where the answer is True.
    """
    if not isinstance(extent, Dim):
        return extent == actual
    unbound = sorted(extent.names - bindings.keys())
    try:
        known = substitute_extent(extent, dict(bindings))
    except ZeroDivisionError:
        return False
    if not isinstance(known, Dim):
        if known == actual and unbound:
            raise UnsolvedExtent(f"extent {extent} is {actual} for any {', '.join(unbound)}")
        return known == actual
    (monomial, coefficient), *others = known.terms
    is_linear = all(not m for m, _ in others) and len(monomial) == 1 and monomial[0][1] == 1
    if not is_linear or monomial[0][0].kind != "name":
        raise UnsolvedExtent(f"extent {extent} = {actual} does not determine {', '.join(unbound)}")
    value, rest = divmod(actual - sum(c for _, c in others), coefficient)
    if rest or value < 0:
        return False
    bindings[monomial[0][0].text] = value
    return True


def max_extent(a: Extent, b: Extent) -> Extent:
    """The greater of two extents: `max(N,3)`, or one of them where it is never below the other."""
    return maximum(a, b)


def min_extent(a: Extent, b: Extent) -> Extent:
    """The lesser of two extents: `min(N,3)`, or one of them where it is never above the other."""
    return minimum(a, b)


def broadcast_extent(a: Extent, b: Extent) -> Extent | None:
    """The extent that two axes broadcast to if they are equal or one is the integer 1, else None.

    A named dim never counts as 1, even if its value is 1 at run time.
    """
    if a == b or b == 1:
        return a
    return b if a == 1 else None
