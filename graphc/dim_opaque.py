"""Floor division, remainder, maximum and minimum of extents: simplified where exact, opaque elsewhere.

    >>> N, H = dim("N"), dim("H")
    >>> floor_divide(4 * N + 6, 4), remainder(4 * N, 4), maximum(N, 0)
    (N+1, 0, N)
    >>> -(-N // 4), floor_divide((H - 1) // 2, 2)
    ((N-1)//4+1, (H-1)//4)

Each simplification is an identity of integers that holds for every value >= 0 of the dims and every divisor
but 0; the comment beside it states it.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd, prod
from typing import TypeAlias

from graphc.dim_monomial import Atom, Monomial, ratio
from graphc.dim_polynomial import Dim, Extent, extent_of, opaque, terms_of

Bounds: TypeAlias = tuple[int | None, int | None]  # least and greatest value; None is unbounded


def floor_divide(a: Extent, b: Extent) -> Extent:
    """`a // b`, rounded down as Python does. Raises ZeroDivisionError where `b` is the constant 0."""
    if isinstance(b, int):
        if b == 0:
            raise ZeroDivisionError(f"extent {a} is divided by 0")
        return _divide_by_integer(a, b) if b > 0 else _divide_by_integer(-a, -b)
    if b.terms[0][1] < 0:  # a // b = (-a) // (-b)
        return floor_divide(-a, -b)
    quotient, rest = _split(a, b)  # (q*b + r) // b = q + r // b
    if rest == 0:
        return quotient
    _, rest, b = _cancel(rest, b)  # (g*r) // (g*b) = r // b
    if isinstance(b, int):
        return quotient + floor_divide(rest, b)
    if _lies_in(rest, b):
        return quotient
    return quotient + _folded(opaque("//", rest, b))


def remainder(a: Extent, b: Extent) -> Extent:
    """`a % b`, with the sign of `b` as in Python. Raises ZeroDivisionError where `b` is the constant 0."""
    if isinstance(b, int):
        if b == 0:
            raise ZeroDivisionError(f"remainder of extent {a} divided by 0")
        return _remainder_by_integer(a, b) if b > 0 else -_remainder_by_integer(-a, -b)
    if b.terms[0][1] < 0:  # a % b = -((-a) % (-b))
        return -remainder(-a, -b)
    _, rest = _split(a, b)  # (q*b + r) % b = r % b
    if rest == 0:
        return 0
    factor, rest, b = _cancel(rest, b)  # (g*r) % (g*b) = g * (r % b)
    if isinstance(b, int):
        return factor * remainder(rest, b)
    return factor * (rest if _lies_in(rest, b) else opaque("%", rest, b))


def maximum(*extents: Extent) -> Extent:
    """The greatest of the extents; those that another one is never below are left out."""
    return _extremum("max", extents)


def minimum(*extents: Extent) -> Extent:
    """The least of the extents; those that another one is never above are left out."""
    return _extremum("min", extents)


@lru_cache(1 << 14)
def bounds(extent: Extent) -> Bounds:
    """An interval that holds the extent's value for all values >= 0 of the dims; not always the narrowest."""
    low: int | None = 0
    high: int | None = 0
    for monomial, coefficient in terms_of(extent):
        least, greatest = _monomial_bounds(monomial)
        if coefficient < 0:
            least, greatest = greatest, least
        low = None if low is None or least is None else low + coefficient * least
        high = None if high is None or greatest is None else high + coefficient * greatest
    return low, high


def _divide_by_integer(a: Extent, b: int) -> Extent:
    quotient, a = _split(a, b)
    _, a, b = _cancel_integer(a, b)  # (g*r + c) // (g*b) = (r + c // g) // b
    if b == 1 or isinstance(a, int):
        return quotient + a // b
    if a.terms[0][1] < 0:  # a // b = -((-a + b - 1) // b)
        return quotient - _divide_by_integer(-a + (b - 1), b)
    a, whole = _center(a, b)
    quotient += whole
    (monomial, coefficient), *others = terms_of(a)
    if coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1 and not any(m for m, _ in others):
        inner, m = monomial[0][0].arguments if monomial[0][0].kind == "//" else (0, 0)
        if m != 0 and isinstance(m, int):  # (x // m + c) // b = (x + m*c) // (m*b)
            return quotient + _divide_by_integer(inner + m * _constant(a), m * b)
    low, high = bounds(a)
    if low is not None and high is not None and low // b == high // b:
        return quotient + low // b
    return quotient + opaque("//", a, b)


def _remainder_by_integer(a: Extent, b: int) -> Extent:
    _, a = _split(a, b)
    constant = _constant(a)
    factor, a, b = _cancel_integer(a, b)  # (g*r + c) % (g*b) = g * ((r + c // g) % b) + c % g
    offset = constant % factor
    if isinstance(a, int):
        return factor * (a % b) + offset
    if b == 1:
        return offset
    a, _ = _center(a, b)
    low, high = bounds(a)
    if low is not None and high is not None and low // b == high // b:
        return factor * (a - b * (low // b)) + offset
    return factor * opaque("%", a, b) + offset


def _split(a: Extent, b: Extent) -> tuple[Extent, Extent]:
    """`q, r` with `a == q*b + r`: term by term if `b` is one term, else exact division or none at all."""
    (lead, divisor), *others = terms_of(b)
    quotient: dict[Monomial, int] = {}
    rest = a
    if others:
        while rest != 0:
            if isinstance(rest, int):
                return 0, a
            monomial, coefficient = rest.terms[0]
            cofactor = ratio(monomial, lead)
            if cofactor is None or coefficient % divisor:
                return 0, a
            quotient[cofactor] = coefficient // divisor
            rest = rest - extent_of({cofactor: coefficient // divisor}) * b
        return extent_of(quotient), 0
    remaining = dict(terms_of(a))
    for monomial, coefficient in terms_of(a):
        cofactor = ratio(monomial, lead)
        if cofactor is not None and monomial:
            # Towards zero, so that 3*N stays whole under 4 and -3*N is its mirror image.
            count = abs(coefficient) // divisor * (1 if coefficient > 0 else -1)
            quotient[cofactor] = count
            remaining[monomial] = coefficient - count * divisor
    return extent_of(quotient), extent_of(remaining)


def _cancel(a: Extent, b: Extent) -> tuple[Extent, Extent, Extent]:
    """`g, a / g, b / g` for the greatest one-term factor `g` of both."""
    terms = terms_of(a) + terms_of(b)
    size = gcd(*(coefficient for _, coefficient in terms))
    shared = dict(terms[0][0])
    for monomial, _ in terms[1:]:
        powers = dict(monomial)
        shared = {atom: min(power, powers[atom]) for atom, power in shared.items() if atom in powers}
    factor = tuple(shared.items())

    def divided(extent: Extent) -> Extent:
        reduced: dict[Monomial, int] = {}
        for monomial, coefficient in terms_of(extent):
            cofactor = ratio(monomial, factor)
            assert cofactor is not None, f"{extent} has no factor {extent_of({factor: 1})}"
            reduced[cofactor] = coefficient // size
        return extent_of(reduced)

    return extent_of({factor: size}), divided(a), divided(b)


def _cancel_integer(a: Extent, b: int) -> tuple[int, Extent, int]:
    """`g, a // g, b // g` for the greatest `g` that divides `b` and the coefficients in `a` of its dims."""
    factor = gcd(b, *(coefficient for monomial, coefficient in terms_of(a) if monomial))
    return factor, extent_of({m: c // factor for m, c in terms_of(a)}), b // factor


def _center(a: Extent, b: int) -> tuple[Extent, int]:
    """`r, k` with `a == r + k*b` and the constant of `r` in [-b/2, b/2), which keeps `(H-1)//2` as it is."""
    k = (2 * _constant(a) + b) // (2 * b)
    return a - k * b, k


def _constant(extent: Extent) -> int:
    monomial, coefficient = terms_of(extent)[-1] if terms_of(extent) else ((), 0)
    return 0 if monomial else coefficient


def _folded(extent: Extent) -> Extent:
    """The one value that an extent can have, else the extent: `(-1)//N` is -1 for every divisor > 0."""
    low, high = bounds(extent)
    return low if low is not None and low == high else extent


def _lies_in(a: Extent, b: Extent) -> bool:
    """Whether 0 <= a < b for all values of the dims."""
    low, gap = bounds(a)[0], bounds(b - a)[0]
    return low is not None and gap is not None and low >= 0 and gap > 0


def _extremum(kind: str, extents: tuple[Extent, ...]) -> Extent:
    operands: list[Extent] = []
    for extent in extents:
        operands.extend(_operands(kind, extent))
    sign = 1 if kind == "max" else -1
    kept: list[Extent] = []
    # In one order, since of two that are never apart the first is kept.
    for extent in sorted(set(operands), key=lambda operand: (isinstance(operand, int), str(operand))):
        if any(_is_at_least_zero((other - extent) * sign) for other in kept):
            continue
        kept = [other for other in kept if not _is_at_least_zero((extent - other) * sign)]
        kept.append(extent)
    if len(kept) == 1:
        return kept[0]
    return opaque(kind, *kept)


def _operands(kind: str, extent: Extent) -> tuple[Extent, ...]:
    """The operands of a maximum inside a maximum (a minimum inside a minimum), else the extent itself."""
    if isinstance(extent, Dim) and len(extent.terms) == 1:
        monomial, coefficient = extent.terms[0]
        if coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1 and monomial[0][0].kind == kind:
            return monomial[0][0].arguments
    return (extent,)


def _is_at_least_zero(extent: Extent) -> bool:
    low, _ = bounds(extent)
    return low is not None and low >= 0


def _monomial_bounds(monomial: Monomial) -> Bounds:
    factors = [(_atom_bounds(atom), power) for atom, power in monomial]
    lows = [low**power for (low, _), power in factors if low is not None and low >= 0]
    if len(lows) == len(factors):
        highs = [high**power for (_, high), power in factors if high is not None]
        return prod(lows), prod(highs) if len(highs) == len(factors) else None
    if len(factors) == 1 and factors[0][1] == 1:
        return factors[0][0]
    return (0, None) if all(power % 2 == 0 for _, power in factors) else (None, None)


def _atom_bounds(atom: Atom) -> Bounds:
    if atom.kind == "name":
        return 0, None
    lows, highs = zip(*map(bounds, atom.arguments), strict=True)
    if atom.kind in ("max", "min"):
        # One known bound of a maximum's operands bounds it from below; from above all must be known.
        choose = max if atom.kind == "max" else min
        any_side, all_side = (lows, highs) if atom.kind == "max" else (highs, lows)
        known = [bound for bound in any_side if bound is not None]
        some = choose(known) if known else None
        every = None if None in all_side else choose(bound for bound in all_side if bound is not None)
        return (some, every) if atom.kind == "max" else (every, some)
    low, high = lows[0], highs[0]
    divisor_low, divisor_high = lows[1], highs[1]
    if divisor_low is None or divisor_low < 0 or divisor_high == 0:
        return None, None
    # As no divisor is 0, it is at least 1 from here on.
    if atom.kind == "%":
        greatest = None if divisor_high is None else divisor_high - 1
        if low is not None and low >= 0 and high is not None:
            greatest = high if greatest is None else min(greatest, high)
        return 0, greatest
    least = max(1, divisor_low)
    return _quotient_bound(low, divisor_high, least), _quotient_bound(high, least, divisor_high)


def _quotient_bound(value: int | None, if_positive: int | None, if_negative: int | None) -> int | None:
    """`value // divisor` with the divisor for its sign; an unbounded divisor takes it to 0 or to -1."""
    if value is None:
        return None
    chosen = if_positive if value >= 0 else if_negative
    if chosen is None:
        return 0 if value >= 0 else -1
    return value // chosen
