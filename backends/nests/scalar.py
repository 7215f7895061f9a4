"""Scalars of kernels: how a number is written, what an op's expression becomes, what a reduction starts from.

Expressions are Python, the language that kernels are emitted in for every device. 16-bit floats are carried in f32 and
rounded after every op; narrow integers are brought back to their width, since Python widens them.
"""

from __future__ import annotations

import math
import string
from typing import Any

import numpy as np

from graphc.errors import BackendError
from graphc.ir import Node
from graphc.types import DType

_NUMPY = {
    "u8": "uint8",
    "u16": "uint16",
    "u32": "uint32",
    "u64": "uint64",
    "i8": "int8",
    "i16": "int16",
    "i32": "int32",
}


# A processor's i64 wraps around, as NumPy's does; Python's `+` on one tells LLVM that it never does.
_WRAPPING = {
    "add": "add_wrapping({a}, {b})",
    "sub": "sub_wrapping({a}, {b})",
    "mul": "mul_wrapping({a}, {b})",
    "neg": "sub_wrapping({zero}, {x})",
    "square": "mul_wrapping({x}, {x})",
}


def literal(value: Any, dtype: DType) -> str:
    """A number of a dtype as Python text."""
    if dtype.kind == "bool":
        return str(bool(value))
    if dtype.is_integer:
        number = int(value)
        if dtype.name == "i64":
            return (
                str(number) if number >= 0 else f"({number})" if number > -(1 << 63) else "(-9223372036854775807 - 1)"
            )
        return f"{_NUMPY[dtype.name]}({number})"
    with np.errstate(over="ignore"):
        rounded = float(np.asarray(value, np.float64).astype(dtype.numpy))
    text = (
        repr(rounded)
        if math.isfinite(rounded)
        else ("nan" if math.isnan(rounded) else "inf" if rounded > 0 else "-inf")
    )
    if dtype.bits < 64:
        return f"float32({text})"
    return f"({text})" if text.startswith("-") else text


def rounded(expression: str, dtype: DType) -> str:
    """An expression brought to its dtype, where Python would leave it wider."""
    if dtype.is_float and dtype.bits == 16:
        return f"to_{dtype.name}({expression})"
    if dtype.is_integer and dtype.name != "i64":
        return f"{_NUMPY[dtype.name]}({expression})"
    return expression


def conversion(dtype: DType) -> str:
    """The name of the function that converts to a dtype."""
    return f"to_{dtype.name}"


def template_of(node: Node) -> str:
    """A node's scalar expression over `{0}`, `{1}` … for its operands in order."""
    if node.op.scalar is None:
        raise BackendError(
            f"{node.op.name} has no scalar expression, so no kernel can compute it; declare one: define_op(scalar=…)",
            line=node.line,
            where=node.provenance.where,
        )
    dtype = node.operands[0].type.dtype if node.operands else node.result.type.dtype
    if node.op.name == "where":
        dtype = node.result.type.dtype
    fields: dict[str, str] = {name: f"{{{i}}}" for i, name in enumerate(node.op.signature.operands)}
    fields |= {"zero": literal(0, dtype), "one": literal(1, dtype)}
    for name, value in node.attributes.items():
        fields[name] = conversion(value) if isinstance(value, DType) else str(value)
    result = node.result.type.dtype
    expression = _WRAPPING.get(node.op.name, node.op.scalar) if result.name == "i64" else node.op.scalar
    text = string.Formatter().vformat(expression, (), fields)
    return text if node.op.name == "cast" else rounded(text, result)


def computing(dtype: DType) -> DType:
    """The dtype that a scalar is carried in."""
    from graphc.types import f32

    return f32 if dtype.is_float and dtype.bits == 16 else dtype


def start_of(op: str, dtype: DType) -> str:
    """What a reduction starts from."""
    carried = computing(dtype)
    if op in ("sum", "any"):
        return literal(0, carried)
    if op in ("prod", "all"):
        return literal(1, carried)
    if carried.is_float:
        return literal(-math.inf if op in ("max", "argmax") else math.inf, carried)
    if carried.kind == "bool":
        return literal(op in ("min", "argmin"), carried)
    info = np.iinfo(carried.numpy)
    return literal(info.min if op in ("max", "argmax") else info.max, carried)


def fold_of(op: str, dtype: DType) -> str:
    """How a reduction takes in a value: an expression of `{0}`, what it has, and `{1}`, the value."""
    carried = computing(dtype)
    if op == "sum":
        return "add_reassociated({0}, {1})" if carried.is_float else _folded("add", "{0} + {1}", carried)
    if op == "prod":
        return "mul_reassociated({0}, {1})" if carried.is_float else _folded("mul", "{0} * {1}", carried)
    if op in ("max", "min"):
        return f"{'maximum' if op == 'max' else 'minimum'}({{0}}, {{1}})"
    return "{0} or {1}" if op == "any" else "{0} and {1}"


def _folded(op: str, expression: str, dtype: DType) -> str:
    return f"{op}_wrapping({{0}}, {{1}})" if dtype.name == "i64" else rounded(expression, dtype)
