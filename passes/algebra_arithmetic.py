"""Rules of arithmetic that hold for every element: of floats with NaN, infinities and -0.0, of integers with wrapping.

    x·1 → x        -(-x) → x        x - (-y) → x + y        x² written as a power → square(x)

What is true of real numbers alone is not here: x·0 is NaN where x is, x + 0.0 turns -0.0 into 0.0, -(x - y) is -0.0
where y - x is 0.0, √(x²) overflows. Some rules change the last bit, where two roundings become one; none changes more.
"""
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False, disallow-untyped-calls=False

from __future__ import annotations

import math
from typing import Any

import ml_dtypes

from graphc.ops.elementwise import (
    abs,
    add,
    ceil,
    cos,
    cosh,
    div,
    floor,
    maximum,
    minimum,
    mul,
    neg,
    pow,
    reciprocal,
    relu,
    round,
    rsqrt,
    sign,
    sqrt,
    square,
    sub,
    trunc,
)
from graphc.ops.shape import broadcast_to
from graphc.passes.rewrite import Match, Matched, Number, Rule, RuleSet, floats, integers, rule, rule_on, same_type
from graphc.types import DType


def never_negative(name: str) -> Any:
    """This value is neither below zero nor -0.0, by the op that makes it; it may be NaN."""
    return lambda m: _never_negative(m[name])


def _never_negative(x: Matched) -> bool:
    if x.number is not None:
        return math.copysign(1, x.number) == 1
    if not x.dtype.is_float:  # an integer square may wrap around
        return False
    if x.made_by("cast"):
        return x.operand().dtype.kind in ("bool", "unsigned")
    return x.made_by("exp", "exp2", "square", "abs", "sigmoid", "cosh", "hypot", "erfc")


def never_negative_zero(name: str) -> Any:
    """This value is not -0.0: a sum is -0.0 only where both terms are."""

    def holds(m: Match) -> bool:
        x = m[name]
        if _never_negative(x) or (x.made_by("cast") and not x.operand().dtype.is_float):
            return True
        return x.made_by("add") and any(_never_negative(x.operand(i)) for i in (0, 1))

    return holds


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


# -- powers and roots -------------------------------------------------------------------------------------------------


@rule
def product_with_itself(x):
    """x·x  →  x²"""
    return mul(x, x), square(x)


@rule
def power_zero(x):
    """x⁰  →  1        of NaN too, as IEEE 754 has it"""
    return pow(x, 0), 1


@rule
def power_negative_zero(x):
    """x⁻⁰  →  1"""
    return pow(x, -0.0), 1


@rule
def power_one(x):
    """x¹  →  x"""
    return pow(x, 1), x


@rule
def power_two(x):
    """x²  →  square(x)"""
    return pow(x, 2), square(x)


@rule
def power_three(x):
    """x³  →  x·x²"""
    return pow(x, 3), mul(x, square(x))


@rule
def power_four(x):
    """x⁴  →  (x²)²"""
    return pow(x, 4), square(square(x))


@rule(where=floats())
def power_minus_one(x):
    """x⁻¹  →  1 / x"""
    return pow(x, -1), reciprocal(x)


@rule(where=never_negative("x"))
def power_half(x):
    """x^½  →  √x        where x is not negative: (-0.0)^½ is 0.0 and (-∞)^½ is ∞, but √ gives -0.0 and NaN"""
    return pow(x, 0.5), sqrt(x)


@rule(where=never_negative("x"))
def power_minus_half(x):
    """x^-½  →  1/√x        where x is not negative"""
    return pow(x, -0.5), rsqrt(x)


@rule
def reciprocal_of_root(x):
    """1 / √x  →  rsqrt(x)"""
    return reciprocal(sqrt(x)), rsqrt(x)


@rule
def reciprocal_of_rsqrt(x):
    """1 / rsqrt(x)  →  √x"""
    return reciprocal(rsqrt(x)), sqrt(x)


@rule
def divide_by_repeated_root(x, v, shape):
    """x / broadcast(√v)  →  x·broadcast(1/√v)        one division for each v instead of each x"""
    return div(x, broadcast_to(sqrt(v), shape=shape)), mul(x, broadcast_to(rsqrt(v), shape=shape))


@rule(where=lambda m: m["v"].ndim == 0 < m["x"].ndim)
def divide_by_scalar_root(x, v):
    """x / √v  →  x·(1/√v)        v of rank 0"""
    return div(x, sqrt(v)), mul(x, rsqrt(v))


# -- signs and extrema ------------------------------------------------------------------------------------------------


@rule_on(square, abs, cos, cosh)
def even_function(node):
    """f(-x), f(|x|)  →  f(x)        for square, abs, cos, cosh"""
    x = node.operands[0]
    even = x.made_by("neg", "abs") and x.node.op is not node.op and x.dtype.kind != "unsigned"
    return node.op(x.operand()) if even else None


@rule_on(abs, relu, sign, floor, ceil, trunc, round)
def idempotent(node):
    """f(f(x))  →  f(x)        for abs, relu, sign, floor, ceil, trunc, round"""
    x = node.operands[0]
    return x if x.made_by(node.op.name) else None


@rule_on(floor, ceil, trunc, round)
def round_whole_numbers(node):
    """⌊round(x)⌋  →  round(x)        any two roundings"""
    x = node.operands[0]
    return x if x.made_by("floor", "ceil", "trunc", "round") else None


@rule_on(abs, relu)
def already_positive(node):
    """|x|, relu(x)  →  x        where x is not negative: |exp(x)| → exp(x)"""
    x = node.operands[0]
    return x if _never_negative(x) else None


@rule(where=same_type("x"))
def maximum_of_one(x):
    """max(x, x)  →  x"""
    return maximum(x, x), x


@rule(where=same_type("x"))
def minimum_of_one(x):
    """min(x, x)  →  x"""
    return minimum(x, x), x


@rule(where=lambda m: m["a"] == m["a"] and m["b"] == m["b"])
def maximum_of_maximum(x, a: Number, b: Number):
    """max(max(x, a), b)  →  max(x, max(a, b))"""
    return maximum(maximum(x, a), b), lambda: maximum(x, a if a > b else b)


@rule(where=lambda m: m["a"] == m["a"] and m["b"] == m["b"])
def minimum_of_minimum(x, a: Number, b: Number):
    """min(min(x, a), b)  →  min(x, min(a, b))"""
    return minimum(minimum(x, a), b), lambda: minimum(x, a if a < b else b)


arithmetic_rules = RuleSet(value for value in list(globals().values()) if isinstance(value, Rule))
