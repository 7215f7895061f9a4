"""Rules of sums, products and quotients that hold for every element of every kind.

    x·1 → x        -(-x) → x        x - (-y) → x + y        (-x)·y → -(x·y)        x / 8 → x·0.125

Floats may be NaN, infinite or -0.0; integers wrap around. What is true of real numbers alone is not here: x·0 is NaN
where x is, x + 0.0 turns -0.0 into 0.0, -(x - y) is -0.0 where y - x is 0.0. Some rules change the last bit, where two
roundings become one; none changes more.
"""
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False, disallow-untyped-calls=False

from __future__ import annotations

import math

import ml_dtypes

from graphc.ops.elementwise import add, div, mul, neg, reciprocal, sub
from graphc.ops.shape import broadcast_to
from graphc.passes.algebra_signs import never_negative_zero
from graphc.passes.rewrite import Number, Rule, RuleSet, floats, integers, rule, same_type
from graphc.types import DType

# -- sums -------------------------------------------------------------------------------------------------------------


@rule
def add_negative_zero(x):
    """x + (-0.0)  →  x"""
    return add(x, -0.0), x


@rule(where=integers())
def add_integer_zero(x):
    """x + 0  →  x        integers"""
    return add(x, 0), x


@rule(where=[floats(), never_negative_zero("x")])
def add_zero(x):
    """x + 0.0  →  x        where x is not -0.0"""
    return add(x, 0.0), x


@rule
def subtract_zero(x):
    """x - 0.0  →  x"""
    return sub(x, 0), x


@rule
def subtract_from_negative_zero(x):
    """-0.0 - x  →  -x"""
    return sub(-0.0, x), neg(x)


@rule
def subtract_negation(x, y):
    """x - (-y)  →  x + y"""
    return sub(x, neg(y)), add(x, y)


@rule
def add_negation(x, y):
    """x + (-y)  →  x - y"""
    return add(x, neg(y)), sub(x, y)


@rule
def add_repeated_negation(x, y, shape):
    """x + broadcast(-y)  →  x - broadcast(y)"""
    return add(x, broadcast_to(neg(y), shape=shape)), sub(x, broadcast_to(y, shape=shape))


@rule
def subtract_repeated_negation(x, y, shape):
    """x - broadcast(-y)  →  x + broadcast(y)"""
    return sub(x, broadcast_to(neg(y), shape=shape)), add(x, broadcast_to(y, shape=shape))


@rule
def double_negation(x):
    """-(-x)  →  x"""
    return neg(neg(x)), x


@rule
def sum_with_itself(x):
    """x + x  →  x·2"""
    return add(x, x), mul(x, 2)


# -- products and quotients -------------------------------------------------------------------------------------------


@rule
def multiply_by_one(x):
    """x·1  →  x"""
    return mul(x, 1), x


@rule
def multiply_by_minus_one(x):
    """x·(-1)  →  -x"""
    return mul(x, -1), neg(x)


@rule
def divide_by_one(x):
    """x / 1  →  x"""
    return div(x, 1), x


@rule
def divide_by_minus_one(x):
    """x / (-1)  →  -x"""
    return div(x, -1), neg(x)


@rule(where=lambda m: inverse_is_exact(m["c"], m.root.dtype))
def divide_by_power_of_two(x, c: Number):
    """x / 2ᵏ  →  x·2⁻ᵏ"""
    return div(x, c), lambda: mul(x, 1 / c)


def inverse_is_exact(c: float, dtype: DType) -> bool:
    """Whether 1/c is a normal number of this dtype without rounding: c is a power of two, and not an extreme one."""
    mantissa, exponent = math.frexp(c) if math.isfinite(c) else (0.0, 0)
    limits = ml_dtypes.finfo(dtype.numpy)
    return math.fabs(mantissa) == 0.5 and limits.minexp < exponent < limits.maxexp - 1


@rule
def one_over(x):
    """1 / x  →  reciprocal(x)"""
    return div(1, x), reciprocal(x)


@rule
def product_of_negations(x, y):
    """(-x)·(-y)  →  x·y"""
    return mul(neg(x), neg(y)), mul(x, y)


@rule
def quotient_of_negations(x, y):
    """(-x) / (-y)  →  x / y"""
    return div(neg(x), neg(y)), div(x, y)


@rule(where=floats())
def negation_into_factor(x, c: Number):
    """(-x)·c  →  x·(-c)"""
    return mul(neg(x), c), lambda: mul(x, -c)


@rule(where=[floats(), lambda m: m["product"].single_use])
def negated_multiple(x, c: Number):
    """-(x·c)  →  x·(-c)"""
    product = mul(x, c)
    return neg(product), lambda: mul(x, -c)


@rule
def negation_into_divisor(x, c: Number):
    """(-x) / c  →  x / (-c)"""
    return div(neg(x), c), lambda: div(x, -c)


@rule
def negation_into_dividend(x, c: Number):
    """c / (-x)  →  (-c) / x"""
    return div(c, neg(x)), lambda: div(-c, x)


@rule(where=[same_type("x"), lambda m: m["negated"].single_use and not m["y"].is_literal])
def negated_factor(x, y):
    """(-x)·y  →  -(x·y)        outwards, where a sum takes the sign up"""
    negated = neg(x)
    return mul(negated, y), neg(mul(x, y))


@rule(where=[same_type("x"), lambda m: m["negated"].single_use and not m["y"].is_literal])
def negated_dividend(x, y):
    """(-x) / y  →  -(x / y)"""
    negated = neg(x)
    return div(negated, y), neg(div(x, y))


@rule(where=[same_type("y"), lambda m: m["negated"].single_use and not m["x"].is_literal])
def negated_divisor(x, y):
    """x / (-y)  →  -(x / y)"""
    negated = neg(y)
    return div(x, negated), neg(div(x, y))


@rule(where=lambda m: m["inner"].single_use and product_is_safe(m["a"], m["b"], m.root.dtype))
def multiple_of_multiple(x, a: Number, b: Number):
    """(x·a)·b  →  x·(a·b)        floats, where no overflow or underflow comes between"""
    inner = mul(x, a)
    return mul(inner, b), lambda: mul(x, a * b)


def product_is_safe(a: float, b: float, dtype: DType) -> bool:
    """Whether (x·a)·b overflows or underflows only where x·(a·b) does: both factors grow x, or both shrink it."""
    if not dtype.is_float or not (math.isfinite(a) and math.isfinite(b)):
        return False
    limits = ml_dtypes.finfo(dtype.numpy)
    size = math.fabs(a * b)
    if math.fabs(a) >= 1 and math.fabs(b) >= 1:
        return size <= float(limits.max)
    return math.fabs(a) <= 1 and math.fabs(b) <= 1 and (size >= float(limits.smallest_normal) or a == 0 or b == 0)


arithmetic_rules = RuleSet(value for value in list(globals().values()) if isinstance(value, Rule))
