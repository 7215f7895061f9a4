"""One form for operands: literals on the right, scalars as scalars, repetition after arithmetic, no idle conversions.

mul(2, x) → mul(x, 2)        2 > x → x < 2        full(2, (N,)) → broadcast_to(2, (N,))
x + broadcast_to(s) → x + s        exp(broadcast_to(v)) → broadcast_to(exp(v))
"""
# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False, disallow-untyped-calls=False

from __future__ import annotations

import numpy as np

from graphc.ir import Literal
from graphc.op import Kind
from graphc.ops.creation import full
from graphc.ops.elementwise import (
    add,
    cast,
    greater,
    greater_equal,
    identity,
    less,
    less_equal,
    stop_gradient,
    sub,
)
from graphc.ops.shape import broadcast_to
from graphc.passes.rewrite import Number, Rule, RuleSet, floats, rule, rule_on
from graphc.types import DType, bool_

# -- literals ---------------------------------------------------------------------------------------------------------


@rule_on(lambda op: op.commutative, depth=1)
def literal_on_the_right(node):
    """c + x  →  x + c        and every other commutative op"""
    left, right = node.operands
    return node.op(right, left) if left.is_literal and not right.is_literal else None


_MIRRORED = {less: greater, greater: less, less_equal: greater_equal, greater_equal: less_equal}


@rule_on(*_MIRRORED, depth=1)
def compared_with_literal(node):
    """c < x  →  x > c"""
    left, right = node.operands
    return _MIRRORED[node.op](right, left) if left.is_literal and not right.is_literal else None


@rule(where=floats())
def subtracted_literal(x, c: Number):
    """x - c  →  x + (-c)"""
    return sub(x, c), lambda: add(x, -c)


@rule_on(full, depth=1)
def full_as_literal(node):
    """full(c, shape)  →  broadcast_to(c, shape), or c itself"""
    literal = Literal(node["value"], node["dtype"])
    return broadcast_to(literal, shape=node["shape"]) if node["shape"] else literal


# -- repetition -------------------------------------------------------------------------------------------------------


def _is_splat(x):
    return x.made_by("broadcast_to") and x.operand().ndim == 0


@rule_on(Kind.ELEMENTWISE)
def splat_as_scalar(node):
    """x + broadcast_to(s)  →  x + s        s of rank 0, x of the full shape"""
    operands = node.operands
    splats = [_is_splat(x) for x in operands]
    if not any(splats) or all(splat or not x.ndim for x, splat in zip(operands, splats, strict=True)):
        return None
    scalars = (x.operand() if splat else x for x, splat in zip(operands, splats, strict=True))
    return node.op(*scalars, **node.attributes)


@rule_on(Kind.ELEMENTWISE)
def repetition_after_arithmetic(node):
    """broadcast_to(u) + broadcast_to(v)  →  broadcast_to(u + v)        u and v of one shape, or of rank 0"""
    operands = node.operands
    tensors = [x for x in operands if x.ndim]
    if not tensors or not all(x.made_by("broadcast_to") for x in tensors):
        return None
    shapes = {x.operand().shape for x in tensors} - {()}
    if len(shapes) > 1:
        return None
    small = node.op(*(x.operand() if x.ndim else x for x in operands), **node.attributes)
    return broadcast_to(small, shape=node.result.shape)


# -- conversions ------------------------------------------------------------------------------------------------------


@rule_on(identity, stop_gradient, depth=1)
def nothing_done(node):
    """identity(x), stop_gradient(x)  →  x        the derivative is taken before this pass"""
    return node.operands[0]


@rule_on(cast, depth=1)
def cast_to_own_dtype(node):
    """cast(x: f32, f32)  →  x"""
    x = node.operands[0]
    return x if x.dtype is node["dtype"] else None


@rule(where=lambda m: cast_skips(m["x"].dtype, m["between"], m["last"]))
def cast_of_cast(x, between, last):
    """cast(cast(x, f64), f16)  →  cast(x, f16)        where the first loses nothing"""
    return cast(cast(x, dtype=between), dtype=last), cast(x, dtype=last)


def cast_skips(first: DType, between: DType, last: DType) -> bool:
    """Whether a cast by way of `between` gives what the direct one gives."""
    if not holds(between, first):
        return False
    # Integers narrow by wrapping around, floats by saturating.
    return not (first.is_integer and between.is_float and last.is_integer) or holds(last, first)


_DIGITS = {"bf16": 8, "f16": 11, "f32": 24, "f64": 53}
_EXPONENTS = {"bf16": 8, "f16": 5, "f32": 8, "f64": 11}


def holds(wide: DType, narrow: DType) -> bool:
    """Whether every number of a dtype is one of another: f32 holds i16, f16 and bool, not i32."""
    if wide is narrow or narrow is bool_:
        return True
    if wide is bool_ or (narrow.is_float and not wide.is_float):
        return False
    if narrow.is_float:
        return _DIGITS[wide.name] >= _DIGITS[narrow.name] and _EXPONENTS[wide.name] >= _EXPONENTS[narrow.name]
    bits = narrow.bits - (narrow.kind == "signed")
    if wide.is_float:  # f16's 11 digits hold u8 and i8; its exponents suffice for them
        return bits <= _DIGITS[wide.name]
    inner, outer = np.iinfo(narrow.numpy), np.iinfo(wide.numpy)
    return bool(outer.min <= inner.min and inner.max <= outer.max)


operand_rules = RuleSet(value for value in list(globals().values()) if isinstance(value, Rule))
