"""Scalars of a kernel that is being translated: Python's operators between them, as Numba types them, in LLVM's words.

    x = Scalar(types.float32, value)
    arithmetic(builder, ast.Mult(), x, x)       # Scalar(types.float32, …): fmul
    arithmetic(builder, ast.Add(), number(3), number(4)).literal     # 7

The rules are those of Numba that kernels need: integers meet as int64, or as uint64 where both are unsigned; floats
meet floats of their own width. What Numba would make of other pairs (f32 beside int64 gives f64) is refused with
Unknown, so that no kernel means two things.
"""

# Numba's types are hardly annotated.
# mypy: allow-untyped-calls

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.np.numpy_support import from_dtype

I1, I32, I64 = ir.IntType(1), ir.IntType(32), ir.IntType(64)
_INTEGERS: dict[type[ast.operator], tuple[str, Callable[[int, int], int] | None]] = {
    ast.Add: ("add", operator.add),
    ast.Sub: ("sub", operator.sub),
    ast.Mult: ("mul", operator.mul),
    ast.BitAnd: ("and_", operator.and_),
    ast.BitOr: ("or_", operator.or_),
    ast.BitXor: ("xor", operator.xor),
    ast.LShift: ("", operator.lshift),
    ast.RShift: ("", operator.rshift),
    ast.FloorDiv: ("", operator.floordiv),
    ast.Mod: ("", operator.mod),
}
_FLOATS = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}
_SIGNS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}


class Unknown(Exception):  # noqa: N818 -- no mistake: Numba goes on
    """What the translation does not know; Numba's own front end reads such a kernel."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A typed value, or a pointer; `literal` is the integer where the text says which."""

    kind: Any
    ref: Any
    literal: int | None = None


def number(value: int) -> Scalar:
    """A Python integer."""
    if not -(1 << 63) <= value < 1 << 63:
        raise Unknown(f"{value} does not fit int64")
    return Scalar(types.int64, ir.Constant(I64, value), value)


def boolean(ref: Any) -> Scalar:
    return Scalar(types.boolean, ref)


def is_integer(kind: Any) -> bool:
    return isinstance(kind, types.Integer)


def is_float(kind: Any) -> bool:
    return kind is types.float32 or kind is types.float64


def llvm_type(kind: Any) -> Any:
    """The LLVM type of a scalar, or of a pointer."""
    if is_integer(kind):
        return ir.IntType(kind.bitwidth)
    if kind is types.boolean:
        return I1
    if is_float(kind):
        return ir.FloatType() if kind is types.float32 else ir.DoubleType()
    return kind.stored.as_pointer()


def constant_of(value: Any) -> Scalar:
    """A number or a truth value that stands in the text, or in the module that it imports."""
    if isinstance(value, bool):
        return boolean(ir.Constant(I1, int(value)))
    if isinstance(value, int):
        return number(int(value))
    if isinstance(value, float):
        return Scalar(types.float64, ir.Constant(ir.DoubleType(), value))
    raise Unknown(f"{value!r} is no number")


# -- from kind to kind ------------------------------------------------------------------------------------------------


def cast(builder: Any, value: Scalar, kind: Any) -> Any:
    """The value as an integer of another width, which wraps around; nothing else changes its kind by itself."""
    if value.kind == kind:
        return value.ref
    if not (is_integer(value.kind) and is_integer(kind)):
        raise Unknown(f"{value.kind} is no {kind}")
    if isinstance(value.ref, ir.Constant):
        return ir.Constant(llvm_type(kind), _wrapped(value.ref.constant, kind))
    if value.kind.bitwidth == kind.bitwidth:
        return value.ref
    if value.kind.bitwidth > kind.bitwidth:
        return builder.trunc(value.ref, llvm_type(kind))
    return (builder.sext if value.kind.signed else builder.zext)(value.ref, llvm_type(kind))


def _wrapped(value: int, kind: Any) -> int:
    """A Python integer as one of a kind."""
    rest: int = value % (1 << kind.bitwidth)
    return rest - (1 << kind.bitwidth) if kind.signed and rest >> (kind.bitwidth - 1) else rest


def converted(builder: Any, scalar: type[np.generic], value: Scalar) -> Scalar:
    """`float32(x)`, `int32(x)`: NumPy's scalar types as kernels call them."""
    kind = from_dtype(np.dtype(scalar))
    if is_integer(kind):
        return Scalar(kind, cast(builder, value, kind))
    if value.kind == kind:
        return value
    target = llvm_type(kind)
    if is_float(kind) and isinstance(value.ref, ir.Constant) and value.kind is not types.boolean:
        with np.errstate(over="ignore"):
            return Scalar(kind, ir.Constant(target, float(scalar(value.ref.constant))))
    if is_float(kind) and is_integer(value.kind):
        return Scalar(kind, (builder.sitofp if value.kind.signed else builder.uitofp)(value.ref, target))
    raise Unknown(f"{scalar.__name__} of {value.kind}")


def stored(builder: Any, value: Scalar, kind: Any) -> Any:
    """The value as an element of this kind: floats are rounded, integers wrap around."""
    if not (is_float(value.kind) and is_float(kind)) or value.kind == kind:
        return cast(builder, value, kind)
    if isinstance(value.ref, ir.Constant):
        return converted(builder, np.float32 if kind is types.float32 else np.float64, value).ref
    return (builder.fptrunc if kind is types.float32 else builder.fpext)(value.ref, llvm_type(kind))


def truth(builder: Any, value: Scalar) -> Any:
    """Whether a value is true, as one bit."""
    if value.kind is types.boolean:
        return value.ref
    if is_integer(value.kind):
        return builder.icmp_signed("!=", value.ref, ir.Constant(value.ref.type, 0))
    raise Unknown(f"the truth of {value.kind}")


def together(builder: Any, left: Scalar, right: Scalar) -> tuple[Any, Any, Any]:
    """The kind in which two operands meet, and both in that kind."""
    if left.kind == right.kind and not is_integer(left.kind):
        return left.kind, left.ref, right.ref
    left, right = _counted(builder, left, right), _counted(builder, right, left)
    if not (is_integer(left.kind) and is_integer(right.kind)):
        raise Unknown(f"{left.kind} meets {right.kind}")
    signed = left.kind.signed or right.kind.signed
    if signed and types.uint64 in (left.kind, right.kind):
        raise Unknown(f"{left.kind} meets {right.kind}")
    kind = types.int64 if signed else types.uint64
    return kind, cast(builder, left, kind), cast(builder, right, kind)


def _counted(builder: Any, value: Scalar, beside: Scalar) -> Scalar:
    """A truth value beside an integer is 0 or 1."""
    if value.kind is types.boolean and is_integer(beside.kind):
        return Scalar(types.int64, builder.zext(value.ref, I64))
    return value


# -- operators --------------------------------------------------------------------------------------------------------


def arithmetic(builder: Any, sign: ast.operator, left: Scalar, right: Scalar) -> Scalar:
    """A binary operator."""
    name, exactly = _INTEGERS.get(type(sign), ("", None))
    divides = isinstance(sign, ast.FloorDiv | ast.Mod)
    if exactly and left.literal is not None and right.literal is not None and not (divides and right.literal == 0):
        return number(exactly(left.literal, right.literal))
    kind, a, b = together(builder, left, right)
    if is_float(kind) and type(sign) in _FLOATS:
        return Scalar(kind, getattr(builder, _FLOATS[type(sign)])(a, b))
    if is_integer(kind) and divides:
        return Scalar(kind, _divided(builder, sign, kind, a, b, right.literal))
    if isinstance(sign, ast.RShift) and is_integer(kind) and right.literal in range(64):
        return Scalar(kind, builder.ashr(a, b) if kind.signed else builder.lshr(a, b))
    if name and (is_integer(kind) or (kind is types.boolean and name in ("and_", "or_", "xor"))):
        return Scalar(kind, getattr(builder, name)(a, b))
    raise Unknown(f"{type(sign).__name__} of {left.kind} and {right.kind}")


def _divided(builder: Any, sign: ast.operator, kind: Any, a: Any, b: Any, divisor: int | None) -> Any:
    """Quotient or remainder, rounded as Python rounds them; by zero it is zero, as in NumPy."""
    quotient = isinstance(sign, ast.FloorDiv)
    if not kind.signed:
        raise Unknown("division of unsigned integers")
    zero = ir.Constant(I64, 0)
    if divisor is not None and divisor > 0:
        remainder = builder.srem(a, b)
        below = builder.icmp_signed("<", remainder, zero)
        if quotient:
            return builder.add(builder.sdiv(a, b), builder.sext(below, I64))
        return builder.select(below, builder.add(remainder, b), remainder)
    by_zero, by_minus_one = (builder.icmp_signed("==", b, ir.Constant(I64, each)) for each in (0, -1))
    special = builder.or_(by_zero, by_minus_one)  # the machine traps at both
    by = builder.select(special, ir.Constant(I64, 1), b)
    remainder = builder.srem(a, by)
    differs = builder.icmp_signed("<", builder.xor(remainder, by), zero)
    off = builder.and_(builder.icmp_signed("!=", remainder, zero), differs)
    if not quotient:
        return builder.select(off, builder.add(remainder, by), remainder)
    floor = builder.add(builder.sdiv(a, by), builder.sext(off, I64))
    return builder.select(by_zero, zero, builder.select(by_minus_one, builder.neg(a), floor))


def negative(builder: Any, value: Scalar) -> Scalar:
    """-x"""
    if value.literal is not None:
        return number(-value.literal)
    if is_float(value.kind):
        if isinstance(value.ref, ir.Constant):
            return Scalar(value.kind, ir.Constant(value.ref.type, -value.ref.constant))
        return Scalar(value.kind, builder.fneg(value.ref))
    if is_integer(value.kind):
        return _widened(builder, Scalar(value.kind, builder.neg(value.ref)))
    raise Unknown(f"-x of {value.kind}")


def inverted(builder: Any, value: Scalar) -> Scalar:
    """~x"""
    if value.kind is types.boolean:
        return Scalar(value.kind, builder.not_(value.ref))
    if is_integer(value.kind):
        return _widened(builder, Scalar(value.kind, builder.not_(value.ref)))
    raise Unknown(f"~x of {value.kind}")


def _widened(builder: Any, value: Scalar) -> Scalar:
    """An integer as its operators give it: in 64 bits."""
    kind = types.int64 if value.kind.signed else types.uint64
    return Scalar(kind, cast(builder, value, kind))


def compared(builder: Any, sign: ast.cmpop, left: Scalar, right: Scalar) -> Any:
    """One comparison, as one bit; one with NaN does not hold, but for `!=`."""
    if type(sign) not in _SIGNS:
        raise Unknown(f"comparison {type(sign).__name__}")
    text = _SIGNS[type(sign)]
    kind, a, b = together(builder, left, right)
    if is_float(kind):
        return (builder.fcmp_unordered if text == "!=" else builder.fcmp_ordered)(text, a, b)
    if is_integer(kind) and kind.signed:
        return builder.icmp_signed(text, a, b)
    return builder.icmp_unsigned(text, a, b)


def extreme(builder: Any, sign: str, values: list[Scalar]) -> Scalar:
    """Python's min and max of integers."""
    best, *others = values
    for each in others:
        kind, a, b = together(builder, each, best)
        if kind is not types.int64:
            raise Unknown(f"min or max of {best.kind} and {each.kind}")
        best = Scalar(kind, builder.select(builder.icmp_signed(sign, a, b), a, b))
    return best
