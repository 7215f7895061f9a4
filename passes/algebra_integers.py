"""Rules that hold for integers, whose sums and products wrap around and are associative.

x·0 → 0        x - x → 0        (x + a) + b → x + (a + b)        x & x → x
"""
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False, disallow-untyped-calls=False

from __future__ import annotations

from graphc.ops.elementwise import (
    add,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    floordiv,
    mul,
    neg,
    rem,
    shift_left,
    shift_right,
    sub,
)
from graphc.passes.rewrite import Number, Rule, RuleSet, integers, rule, same_type
from graphc.types import DType

# -- sums and products ------------------------------------------------------------------------------------------------


def wrapped(total: Number, dtype: DType) -> int:
    """A sum or product of integers as this dtype holds it: 200 + 100 is 44 in u8."""
    value = int(total) % (1 << dtype.bits)
    return value - (1 << dtype.bits) if dtype.kind == "signed" and value >> (dtype.bits - 1) else value


@rule(where=integers())
def multiply_by_zero(x):
    """x·0  →  0"""
    return mul(x, 0), 0


@rule(where=integers())
def subtract_itself(x):
    """x - x  →  0"""
    return sub(x, x), 0


@rule(where=integers())
def subtract_from_zero(x):
    """0 - x  →  -x"""
    return sub(0, x), neg(x)


@rule(where=integers())
def negated_difference(x, y):
    """-(x - y)  →  y - x"""
    return neg(sub(x, y)), sub(y, x)


@rule(where=[integers(), same_type("x")])
def subtract_what_was_added(x, y):
    """(x + y) - y  →  x"""
    return sub(add(x, y), y), x


@rule(where=[integers(), same_type("x")])
def add_what_was_subtracted(x, y):
    """(x - y) + y  →  x"""
    return add(sub(x, y), y), x


@rule(where=[integers(), lambda m: m["inner"].single_use])
def sum_with_literals(x, a: Number, b: Number):
    """(x + a) + b  →  x + (a + b)"""
    inner = add(x, a)
    total = add(inner, b)
    return total, lambda: add(x, wrapped(a + b, total.dtype))


@rule(where=[integers(), lambda m: m["inner"].single_use])
def product_with_literals(x, a: Number, b: Number):
    """(x·a)·b  →  x·(a·b)"""
    inner = mul(x, a)
    total = mul(inner, b)
    return total, lambda: mul(x, wrapped(a * b, total.dtype))


@rule(where=integers())
def integer_negation_into_factor(x, c: Number):
    """(-x)·c  →  x·(-c)"""
    product = mul(neg(x), c)
    return product, lambda: mul(x, wrapped(-c, product.dtype))


# -- division ---------------------------------------------------------------------------------------------------------


@rule(where=integers())
def floor_divide_by_one(x):
    """x // 1  →  x"""
    return floordiv(x, 1), x


@rule(where=integers())
def remainder_of_one(x):
    """x mod 1  →  0"""
    return rem(x, 1), 0


# -- bits -------------------------------------------------------------------------------------------------------------


@rule
def double_bitwise_not(x):
    """~~x  →  x"""
    return bitwise_not(bitwise_not(x)), x


@rule(where=same_type("x"))
def bitwise_and_of_one(x):
    """x & x  →  x"""
    return bitwise_and(x, x), x


@rule(where=same_type("x"))
def bitwise_or_of_one(x):
    """x | x  →  x"""
    return bitwise_or(x, x), x


@rule
def bitwise_xor_of_one(x):
    """x ^ x  →  0"""
    return bitwise_xor(x, x), 0


@rule
def bitwise_and_zero(x):
    """x & 0  →  0"""
    return bitwise_and(x, 0), 0


@rule
def bitwise_and_all(x):
    """x & -1  →  x"""
    return bitwise_and(x, -1), x


@rule
def bitwise_or_zero(x):
    """x | 0  →  x"""
    return bitwise_or(x, 0), x


@rule
def bitwise_xor_zero(x):
    """x ^ 0  →  x"""
    return bitwise_xor(x, 0), x


@rule
def shift_left_by_zero(x):
    """x << 0  →  x"""
    return shift_left(x, 0), x


@rule
def shift_right_by_zero(x):
    """x >> 0  →  x"""
    return shift_right(x, 0), x


integer_rules = RuleSet(value for value in list(globals().values()) if isinstance(value, Rule))
