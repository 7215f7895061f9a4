"""A quotient of extents is a real number that is known at run time, such as `1 / N` or `0.5 * N`.

    >>> N, T = dim("N"), dim("T")
    >>> N / 2, 1 / N, 0.5 * N, 3 * (N / T)
    (N/2, 1/N, 0.5*N, 3*N/T)

It is a weak scalar, like a Python float: traced tensors take it as an operand, and it takes their dtype.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real

from graphc.dim import Dim, Extent, evaluate_extent


@dataclass(frozen=True)
class Quotient:
    """`scale * numerator / denominator`; integers and extents stay exact, floats gather in `scale`.

    `*` and `/` take integers, floats, extents and quotients. Raises ZeroDivisionError for the divisor 0.
    """

    numerator: Extent
    denominator: Extent = 1
    scale: float = 1.0

    __array_ufunc__ = None  # NumPy scalars leave the operators to us

    def __post_init__(self) -> None:
        if self.denominator == 0:
            raise ZeroDivisionError(f"{self.numerator} is divided by 0")

    def evaluate(self, bindings: Mapping[str, int]) -> float:
        """The value where the dims have these values."""
        numerator = evaluate_extent(self.numerator, bindings)
        return self.scale * numerator / evaluate_extent(self.denominator, bindings)

    def __mul__(self, other: Quotient | Extent | float) -> Quotient:
        if (q := _as_quotient(other)) is None:
            return NotImplemented
        return Quotient(self.numerator * q.numerator, self.denominator * q.denominator, self.scale * q.scale)

    __rmul__ = __mul__

    def __truediv__(self, other: Quotient | Extent | float) -> Quotient:
        return NotImplemented if (q := _as_quotient(other)) is None else self * q._inverse(self)

    def __rtruediv__(self, other: Extent | float) -> Quotient:
        return NotImplemented if (q := _as_quotient(other)) is None else q * self._inverse(q)

    def __neg__(self) -> Quotient:
        return Quotient(-self.numerator, self.denominator, self.scale)

    def _inverse(self, dividend: Quotient) -> Quotient:
        if self.numerator == 0 or self.scale == 0:
            raise ZeroDivisionError(f"{dividend} is divided by 0")
        return Quotient(self.denominator, self.numerator, 1.0 / self.scale)

    def __str__(self) -> str:
        above = _enclosed(self.numerator, "+-")
        if self.scale != 1:
            above = f"{self.scale!r}" if self.numerator == 1 else f"{self.scale!r}*{above}"
        return above if self.denominator == 1 else f"{above}/{_enclosed(self.denominator, '+-*/%')}"

    __repr__ = __str__


def _as_quotient(value: object) -> Quotient | None:
    if isinstance(value, Quotient):
        return value
    if isinstance(value, Dim):
        return Quotient(value)
    if isinstance(value, Integral):
        return Quotient(int(value))
    return Quotient(1, 1, float(value)) if isinstance(value, Real) else None


def _enclosed(extent: Extent, operators: str) -> str:
    text = str(extent)
    return f"({text})" if any(operator in text for operator in operators) else text
