"""The parts of a symbolic extent: atoms, monomials and terms, in one order and with one text each.

    >>> N, T = atom_of("name", "N"), atom_of("name", "T")
    >>> text_of([(((N, 2), (T, 1)), 3), ((), -1)])
    '3*N**2*T-1'

The order is graded lexicographic, which products preserve; exact division relies on that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from graphc.dim_polynomial import Extent

Monomial: TypeAlias = "tuple[tuple[Atom, int], ...]"  # (atom, power), in the atoms' order; () is the constant
Term: TypeAlias = tuple[Monomial, int]  # (monomial, coefficient)


class Atom:
    """A named dim (`kind` "name") or an opaque term (`kind` "//", "%", "max" or "min" of `arguments`).

    There is one atom for each text (`atom_of`), so atoms compare by identity.
    """

    __slots__ = ("arguments", "kind", "order", "text")

    def __init__(self, kind: str, text: str, arguments: tuple[Extent, ...]) -> None:
        self.kind = kind
        self.text = text
        self.arguments = arguments
        self.order = (kind != "name", text)  # names come before opaque terms

    @property
    def is_infix(self) -> bool:
        return self.kind in ("//", "%")


_ATOMS: dict[str, Atom] = {}


def atom_of(kind: str, *arguments: Extent | str) -> Atom:
    """The atom of a kind: `atom_of("name", "N")`, `atom_of("//", N, 2)`."""
    texts = [str(argument) for argument in arguments]
    if kind == "name":
        text = texts[0]
    elif kind in ("max", "min"):
        text = f"{kind}({','.join(texts)})"
    else:
        text = kind.join(text if _is_one_word(text) else f"({text})" for text in texts)
    extents = tuple(argument for argument in arguments if not isinstance(argument, str))
    return _ATOMS.setdefault(text, Atom(kind, text, extents))


def product(a: Monomial, b: Monomial) -> Monomial:
    """The product of two monomials: `N*T` and `N` give `N**2*T`."""
    if not a or not b:
        return a or b
    powers = dict(a)
    for atom, power in b:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted(powers.items(), key=lambda factor: factor[0].order))


def ratio(a: Monomial, b: Monomial) -> Monomial | None:
    """The monomial `a / b`, or None where `b` does not divide `a`."""
    powers = dict(a)
    for atom, power in b:
        if powers.get(atom, 0) < power:
            return None
        powers[atom] -= power
    return tuple((atom, power) for atom, power in powers.items() if power)


def order_of(term: Term) -> tuple[int, list[tuple[tuple[bool, str], int]]]:
    """The sort key of a term: highest degree first, then by the atoms."""
    monomial, _ = term
    return -sum(power for _, power in monomial), [(atom.order, -power) for atom, power in monomial]


def text_of(terms: Iterable[Term]) -> str:
    """The text of a polynomial, without spaces; `parse_extent` reads it back."""
    pieces: list[str] = []
    for monomial, coefficient in terms:
        size = abs(coefficient)
        # `-N//2` would read as `(-N)//2`, and `2*N//2` as `(2*N)//2`.
        is_alone = size == 1 and len(monomial) == 1 and (coefficient > 0 or bool(pieces))
        factors = [str(size)] if size != 1 or not monomial else []
        for atom, power in monomial:
            text = f"({atom.text})" if atom.is_infix and not (is_alone and power == 1) else atom.text
            factors.append(text if power == 1 else f"{text}**{power}")
        sign = "-" if coefficient < 0 else "+" if pieces else ""
        pieces.append(sign + "*".join(factors))
    return "".join(pieces)


def _is_one_word(text: str) -> bool:
    """Whether an operand of `//` or `%` needs no parentheses: a whole number, a name, max(...), min(...)."""
    return text.isdigit() or (text in _ATOMS and not _ATOMS[text].is_infix)
