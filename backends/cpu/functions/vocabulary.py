"""The words that every scalar function is written in, each on NumPy arrays and on a kernel's values alike.

    def softsign(x):
        return x / (1 + magnitude(x))

    softsign(np.array([3.0], np.float32))       array([0.75], dtype=float32)
    softsign(value)                             emits and, fadd, fdiv

Operators, `astype` and `view` are NumPy's own and `Value`'s. No word branches, so that LLVM's loop vectoriser can turn
a loop over scalars into one over vectors. NumPy rounds `fma` twice, but where the result is a float64 and fits: a twin
may differ from its kernel in the last place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc import special
from graphc.backends.cpu.functions.value import F32, F64, Value

INFINITY, NAN = math.inf, math.nan

# A NumPy array or scalar, or a Value. Operators of both take Python numbers on the other side.
Number = Any

_INTEGER_OF: dict[int, Any] = {2: np.dtype(np.int16), 4: np.dtype(np.int32), 8: np.dtype(np.int64)}


def _value(*operands: Number) -> Value | None:
    """The first of the operands that is a kernel's value."""
    return next((operand for operand in operands if isinstance(operand, Value)), None)


# -- arithmetic -------------------------------------------------------------------------------------------------------


def fma(a: Number, b: Number, c: Number) -> Number:
    """a·b + c, rounded once."""
    value = _value(a, b, c)
    if value is not None:
        return value.like(a).intrinsic("fma", b, c)
    dtype = np.result_type(*(operand for operand in (a, b, c) if isinstance(operand, np.generic | np.ndarray)))
    wide = [np.asarray(operand, dtype).astype(F64) for operand in (a, b, c)]  # constants too are rounded to the dtype
    return _with_lost_parts(*wide) if dtype == F64 else (wide[0] * wide[1] + wide[2]).astype(dtype)


def _with_lost_parts(a: Any, b: Any, c: Any) -> Any:
    """a·b + c in float64 with what the product and the sum lose, by Dekker (1971) and Knuth; exact where it fits."""
    # Of an infinity nothing is lost, but by this rule NaN.
    product = a * b
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    lost = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    total = product + c
    added = total - product
    lost = lost + ((product - (total - added)) + (c - added))
    return np.where(np.isfinite(lost), total + lost, total)


def _halves(x: Any) -> tuple[Any, Any]:
    """The upper 26 bits of a float64's 53 and the rest."""
    scaled = x * (2.0**27 + 1)
    high = scaled - (scaled - x)
    return high, x - high


def polynomial(x: Number, coefficients: Sequence[float]) -> Number:
    """c₀ + c₁·x + c₂·x² + …, by Horner's rule."""
    total: Number = fma(x, coefficients[-1], coefficients[-2])
    for coefficient in reversed(coefficients[:-2]):
        total = fma(total, x, coefficient)
    return total


def polynomial_by_pairs(x: Number, coefficients: Sequence[float]) -> Number:
    """The same as a polynomial of x² with pairs for its coefficients, so that half as many sums wait for each other."""
    pairs = [coefficients[i : i + 2] for i in range(0, len(coefficients), 2)]
    terms = [fma(x, pair[1], pair[0]) if len(pair) == 2 else full_like(x, pair[0]) for pair in pairs]
    square, total = x * x, terms[-1]
    for term in reversed(terms[:-1]):
        total = fma(total, square, term)
    return total


def plain_polynomial(x: Number, coefficients: Sequence[float]) -> Number:
    """The same with sums and products rounded each, on float64, for which NumPy has no `fma`."""
    total: Number = x * coefficients[-1] + coefficients[-2]
    for coefficient in reversed(coefficients[:-2]):
        total = total * x + coefficient
    return total


def _rounding(name: str, on_arrays: Callable[[Any], Any]) -> Callable[[Number], Number]:
    def word(x: Number) -> Number:
        return x.intrinsic(name) if isinstance(x, Value) else on_arrays(x)

    return word


floor = _rounding("floor", np.floor)
ceil = _rounding("ceil", np.ceil)
trunc = _rounding("trunc", np.trunc)
nearest = _rounding("rint", np.rint)
square_root = _rounding("sqrt", np.sqrt)


def fmod(a: Number, b: Number) -> Number:
    """a - trunc(a/b)·b with the sign of a; the divisor of integers is not 0, nor -1 of the least."""
    return a.remainder(b) if isinstance(a, Value) else np.fmod(a, b)


def quotient(a: Number, b: Number) -> Number:
    """trunc(a/b) of integers; the divisor is not 0, nor -1 of the least."""
    return a.quotient(b) if isinstance(a, Value) else (a - np.fmod(a, b)) // b


def greater_of(a: Number, b: Number) -> Number:
    """The maximum, NaN where one is."""
    return _extremum("maximum", "max", np.maximum, a, b)


def lesser_of(a: Number, b: Number) -> Number:
    """The minimum, NaN where one is."""
    return _extremum("minimum", "min", np.minimum, a, b)


def _extremum(on_floats: str, on_integers: str, on_arrays: Any, a: Number, b: Number) -> Number:
    if not isinstance(a, Value):
        return on_arrays(a, b)
    if a.dtype.kind == "f":
        return a.intrinsic(on_floats, b)
    return a.intrinsic(("s" if a.dtype.kind == "i" else "u") + on_integers, b)


def reassociated_sum(a: Number, b: Number) -> Number:
    """a + b, in a reduction whose order is free."""
    return a.reassociated(b, "fadd", "add") if isinstance(a, Value) else a + b


def reassociated_product(a: Number, b: Number) -> Number:
    """a·b, in a reduction whose order is free."""
    return a.reassociated(b, "fmul", "mul") if isinstance(a, Value) else a * b


# -- choices and bits -------------------------------------------------------------------------------------------------


def select(condition: Number, yes: Number, no: Number) -> Number:
    """`yes` where the condition holds, else `no`; both are computed."""
    return condition.select(yes, no) if isinstance(condition, Value) else np.where(condition, yes, no)


def clamped(x: Number, low: float, high: float) -> Number:
    """x within [low, high]; NaN stays NaN."""
    x = select(x > high, high, x)
    return select(x < low, low, x)


def full_like(x: Number, number: float) -> Number:
    """The number in the dtype of x."""
    return x.like(number) if isinstance(x, Value) else np.full_like(x, number)


def bits(x: Number) -> Number:
    """The bits of a float as a signed integer."""
    return x.view(_INTEGER_OF[x.dtype.itemsize])


def sign_bit(x: Number) -> Number:
    """The bits of a float without all but the sign."""
    return bits(x) & np.iinfo(_INTEGER_OF[x.dtype.itemsize]).min


def magnitude(x: Number) -> Number:
    """|x| of a float."""
    return (bits(x) & np.iinfo(_INTEGER_OF[x.dtype.itemsize]).max).view(x.dtype)


def with_sign(x: Number, sign: Number) -> Number:
    """x ≥ +0 with a sign bit given as an integer of that one bit."""
    return (bits(x) | sign).view(x.dtype)


def is_nan(x: Number) -> Number:
    """Whether a float is NaN."""
    return x != x


# -- calls -----------------------------------------------------------------------------------------------------------

_ON_ARRAYS: dict[str, Callable[..., Any]] = {
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "asinh": np.arcsinh, "acosh": np.arccosh,
    "atanh": np.arctanh, "atan2": np.arctan2, "pow": np.power, "erf": special.erf, "erfc": special.erfc,
    "lgamma": special.lgamma,
}  # fmt: skip


def libm(name: str, *operands: Number) -> Number:
    """C's function of this name, on float64."""
    value = _value(*operands)
    if value is not None:
        return value.like(operands[0]).libm(name, *operands[1:])
    return (_ON_ARRAYS.get(name) or getattr(np, name))(*operands)


def in_f64(formula: Callable[..., Number]) -> Callable[..., Number]:
    """A formula on float64 as one on either float: float32 goes there and back, rounded once."""

    def either(*operands: Number) -> Number:
        if operands[0].dtype == F64:
            return formula(*operands)
        return formula(*(operand.astype(F64) for operand in operands)).astype(F32)

    return either


def by_libm(name: str) -> Callable[..., Number]:
    """C's function of this name, on either float."""
    return in_f64(lambda *operands: libm(name, *operands))


def fast(single: Callable[..., Number], double: Callable[..., Number]) -> Callable[..., Number]:
    """A formula of its own for float32, and one for float64."""
    return lambda *operands: (single if operands[0].dtype == F32 else double)(*operands)
