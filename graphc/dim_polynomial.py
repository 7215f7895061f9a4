"""A symbolic extent is one canonical polynomial: two extents are equal exactly when they print alike.

    >>> N, T = dim("N"), dim("T")
    >>> (N + 1) * (N - 1) == N**2 - 1
    True
    >>> (4 * N + 2) // 4, (N * T) // N, (N - 1) // 2 + 1
    (N, T, (N-1)//2+1)

A polynomial has integer coefficients over atoms: a named dim, or an opaque term (floor division, remainder,
maximum, minimum of extents; `graphc.dim_opaque` makes them). Named dims are integers >= 0, no divisor is 0;
the simplifications and the comparisons use both facts. Constant results are plain `int`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from keyword import iskeyword
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, overload

from graphc.dim_monomial import Monomial, Term, atom_of, order_of, product, text_of

if TYPE_CHECKING:
    from graphc.quotient import Quotient

Extent: TypeAlias = "int | Dim"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CACHED = 1 << 14  # results of arithmetic kept: a model repeats the same few extents in all of its layers


@lru_cache(_CACHED)
def dim(name: str) -> Dim:
    """The named dim `N` of `dim("N")`: an integer >= 0 that is known only at run time.

    Raises ValueError unless the name is an ASCII identifier other than a Python keyword, `max` or `min`.
    """
    if not _NAME.fullmatch(name) or iskeyword(name) or name in ("max", "min"):
        raise ValueError(f"{name!r} cannot name a dim: a name is letters, digits and _, and no keyword, max or min")
    return Dim(((((atom_of("name", name), 1),), 1),))


def opaque(kind: str, *arguments: Extent) -> Dim:
    """The extent that is one opaque term, kept as it stands: `opaque("//", N, 2)` is `N//2`."""
    return Dim(((((atom_of(kind, *arguments), 1),), 1),))


class Dim:
    """A symbolic extent, such as `N`, `4*N` or `(H-1)//2+1`; made by `dim` and by arithmetic.

    Immutable and hashable. `+ - * // % **` with integers and other extents give extents; `/`, and products
    with floats, give a `Quotient`. Order and truth are decided where they hold for all values of the dims;
    elsewhere they raise TypeError, as does a conversion to `int`.
    """

    __slots__ = ("names", "terms", "text")
    __array_ufunc__ = None  # NumPy scalars leave the operators to us

    terms: tuple[Term, ...]
    names: frozenset[str]
    text: str

    def __init__(self, terms: tuple[Term, ...] | str) -> None:
        if isinstance(terms, str):
            raise TypeError(f"a dim is named where a type is written: gc.f32[{terms!r}, 3], not by Dim({terms!r})")
        names: set[str] = set()
        for monomial, _ in terms:
            for atom, _ in monomial:
                if atom.kind == "name":
                    names.add(atom.text)
                for argument in atom.arguments:
                    if isinstance(argument, Dim):
                        names |= argument.names
        object.__setattr__(self, "terms", terms)
        object.__setattr__(self, "names", frozenset(names))
        object.__setattr__(self, "text", text_of(terms))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"extent {self} is immutable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"extent {self} is immutable")

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return self.text == other.text if isinstance(other, Dim) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return format(self.text, spec)

    def __reduce__(self) -> tuple[Callable[[str], Extent], tuple[str]]:
        from graphc.dim_text import parse_extent

        return parse_extent, (self.text,)

    def __add__(self, other: Extent) -> Extent:
        return NotImplemented if (b := _exact(other)) is None else _add(self, b)

    def __radd__(self, other: Extent) -> Extent:
        return NotImplemented if (b := _exact(other)) is None else _add(self, b)

    def __sub__(self, other: Extent) -> Extent:
        return NotImplemented if (b := _exact(other)) is None else _add(self, -b)

    def __rsub__(self, other: Extent) -> Extent:
        return NotImplemented if (b := _exact(other)) is None else _add(-self, b)

    def __neg__(self) -> Extent:
        return _multiply(self, -1)

    def __pos__(self) -> Dim:
        return self

    @overload
    def __mul__(self, other: Extent) -> Extent: ...
    @overload
    def __mul__(self, other: float) -> Quotient: ...
    def __mul__(self, other: Extent | float) -> Extent | Quotient:
        if (b := _exact(other)) is not None:
            return _multiply(self, b)
        return NotImplemented if (real := _real(other)) is None else _quotient(self) * real

    __rmul__ = __mul__

    def __truediv__(self, other: Extent | float) -> Quotient:
        return NotImplemented if (b := _real(other)) is None else _quotient(self) / b

    def __rtruediv__(self, other: Extent | float) -> Quotient:
        return NotImplemented if (a := _real(other)) is None else a / _quotient(self)

    def __floordiv__(self, other: Extent) -> Extent:
        return NotImplemented if (b := _exact(other)) is None else _floor_divide(self, b)

    def __rfloordiv__(self, other: Extent) -> Extent:
        return NotImplemented if (a := _exact(other)) is None else _floor_divide(a, self)

    def __mod__(self, other: Extent) -> Extent:
        return NotImplemented if (b := _exact(other)) is None else _remainder(self, b)

    def __rmod__(self, other: Extent) -> Extent:
        return NotImplemented if (a := _exact(other)) is None else _remainder(a, self)

    def __pow__(self, power: int) -> Extent:
        exponent = _exact(power)
        if not isinstance(exponent, int):
            return NotImplemented
        if exponent < 0:
            raise ValueError(f"the power of an extent is an integer >= 0, not {exponent} as in {self}**{exponent}")
        result: Extent = 1
        square: Extent = self
        while exponent:
            if exponent & 1:
                result = result * square
            exponent >>= 1
            if exponent:
                square = square * square
        return result

    def __lt__(self, other: Extent) -> bool:
        return self._decide("<", other)

    def __le__(self, other: Extent) -> bool:
        return self._decide("<=", other)

    def __gt__(self, other: Extent) -> bool:
        return self._decide(">", other)

    def __ge__(self, other: Extent) -> bool:
        return self._decide(">=", other)

    def _decide(self, comparison: str, other: Extent) -> bool:
        """Compare by the bounds of the difference; TypeError where they leave both answers open."""
        from graphc.dim_opaque import bounds

        if (b := _exact(other)) is None:
            return NotImplemented  # type: ignore[no-any-return]
        low, high = bounds(self - b)
        if comparison in ("<", ">="):
            below, above = high is not None and high < 0, low is not None and low >= 0
        else:
            below, above = high is not None and high <= 0, low is not None and low > 0
        if below or above:
            return below if "<" in comparison else above
        raise TypeError(
            f"extent {self} is symbolic: its value is known only at run time, so {self} {comparison} {other} "
            "cannot be decided here"
        )

    def __bool__(self) -> bool:
        from graphc.dim_opaque import bounds

        low, high = bounds(self)
        if (low is not None and low > 0) or (high is not None and high < 0):
            return True
        raise TypeError(f"extent {self} is symbolic: its value is known only at run time, and it may be 0")

    def __index__(self) -> int:
        raise TypeError(f"extent {self} is symbolic: its value is known only at run time, so it is no Python integer")

    __int__ = __index__


def terms_of(extent: Extent) -> tuple[Term, ...]:
    """The terms of an extent; a constant has at most one."""
    if isinstance(extent, Dim):
        return extent.terms
    return (((), extent),) if extent else ()


def extent_of(coefficients: Mapping[Monomial, int]) -> Extent:
    """The extent with these coefficients: zeros dropped, terms in order, an `int` where it is constant."""
    kept = [term for term in coefficients.items() if term[1]]
    if not any(monomial for monomial, _ in kept):
        return kept[0][1] if kept else 0
    kept.sort(key=order_of)
    return Dim(tuple(kept))


def _exact(value: Any) -> Extent | None:
    """An operand as an extent, NumPy integers included; None if it is something else."""
    if type(value) is int or isinstance(value, Dim):
        return value
    return int(value) if isinstance(value, Integral) else None


def _real(value: Any) -> Extent | float | None:
    """An operand as an extent or a float; None if it is something else."""
    if (extent := _exact(value)) is not None:
        return extent
    return float(value) if isinstance(value, Real) else None


@lru_cache(_CACHED)
def _add(a: Extent, b: Extent) -> Extent:
    coefficients = dict(terms_of(a))
    for monomial, coefficient in terms_of(b):
        coefficients[monomial] = coefficients.get(monomial, 0) + coefficient
    return extent_of(coefficients)


@lru_cache(_CACHED)
def _multiply(a: Extent, b: Extent) -> Extent:
    coefficients: dict[Monomial, int] = {}
    for left, c in terms_of(a):
        for right, d in terms_of(b):
            monomial = product(left, right)
            coefficients[monomial] = coefficients.get(monomial, 0) + c * d
    return extent_of(coefficients)


@lru_cache(_CACHED)
def _floor_divide(a: Extent, b: Extent) -> Extent:
    from graphc.dim_opaque import floor_divide

    return floor_divide(a, b)


@lru_cache(_CACHED)
def _remainder(a: Extent, b: Extent) -> Extent:
    from graphc.dim_opaque import remainder

    return remainder(a, b)


def _quotient(extent: Dim) -> Quotient:
    from graphc.quotient import Quotient

    return Quotient(extent)
