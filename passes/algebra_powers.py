"""Rules of powers and roots, of signs and extrema, that hold for every element of every kind.

    x² written as a power → square(x)        1/√x → rsqrt(x)        |-x| → |x|        max(x, x) → x

√(x²) → |x| is not here, for x² overflows; nor x^½ → √x where x may be -0.0 or -∞, for which they differ.
"""
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from graphc.ops.elementwise import (
    abs,
    ceil,
    cos,
    cosh,
    div,
    floor,
    maximum,
    minimum,
    mul,
    pow,
    reciprocal,
    relu,
    round,
    rsqrt,
    sign,
    sqrt,
    square,
    trunc,
)
from graphc.ops.shape import broadcast_to
from graphc.passes.algebra_signs import is_never_negative, never_negative
from graphc.passes.rewrite import Number, Rule, RuleSet, floats, rule, rule_on, same_type

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
    return x if is_never_negative(x) else None


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


power_rules = RuleSet(value for value in list(globals().values()) if isinstance(value, Rule))
