"""Comparisons, logic, bits, and tests of single elements, elementwise.

less(x, y)            x: f32[N,3], y: f32[3]   ->   bool[N,3]
bitwise_and(i, 15)    i: i32[4]                ->   i32[4]
"""

from __future__ import annotations

from graphc.array.operands import Operand, as_tensor, call
from graphc.tensor import Tensor
from graphc.types import bool_

# -- comparisons ------------------------------------------------------------------------------------------------------


def equal(x1: Operand, x2: Operand) -> Tensor:
    """x1 = x2; false where one is NaN."""
    return call("equal", x1, x2)


def not_equal(x1: Operand, x2: Operand) -> Tensor:
    """x1 ≠ x2; true where one is NaN."""
    return call("not_equal", x1, x2)


def less(x1: Operand, x2: Operand) -> Tensor:
    """x1 < x2; false where one is NaN."""
    return call("less", x1, x2)


def less_equal(x1: Operand, x2: Operand) -> Tensor:
    """x1 ≤ x2; false where one is NaN."""
    return call("less_equal", x1, x2)


def greater(x1: Operand, x2: Operand) -> Tensor:
    """x1 > x2; false where one is NaN."""
    return call("greater", x1, x2)


def greater_equal(x1: Operand, x2: Operand) -> Tensor:
    """x1 ≥ x2; false where one is NaN."""
    return call("greater_equal", x1, x2)


# -- logic and bits ---------------------------------------------------------------------------------------------------


def logical_and(x1: Operand, x2: Operand) -> Tensor:
    """Whether both hold; of booleans."""
    return call("logical_and", x1, x2)


def logical_or(x1: Operand, x2: Operand) -> Tensor:
    """Whether one holds; of booleans."""
    return call("logical_or", x1, x2)


def logical_xor(x1: Operand, x2: Operand) -> Tensor:
    """Whether exactly one holds; of booleans."""
    return call("logical_xor", x1, x2)


def logical_not(x: Operand) -> Tensor:
    """Whether x does not hold; of booleans."""
    return call("logical_not", x)


def bitwise_and(x1: Operand, x2: Operand) -> Tensor:
    """The bits set in both; of integers, or of booleans."""
    return _bits("and", x1, x2)


def bitwise_or(x1: Operand, x2: Operand) -> Tensor:
    """The bits set in either; of integers, or of booleans."""
    return _bits("or", x1, x2)


def bitwise_xor(x1: Operand, x2: Operand) -> Tensor:
    """The bits set in exactly one; of integers, or of booleans."""
    return _bits("xor", x1, x2)


def bitwise_invert(x: Operand) -> Tensor:
    """All bits flipped; of integers, or of booleans."""
    return _bits("not", x)


def bitwise_left_shift(x1: Operand, x2: Operand) -> Tensor:
    """The bits of x1 moved up by x2 ≥ 0 places; 0 from the width on."""
    return call("shift_left", x1, x2)


def bitwise_right_shift(x1: Operand, x2: Operand) -> Tensor:
    """The bits of x1 moved down by x2 ≥ 0 places, ⌊x1 / 2^x2⌋."""
    return call("shift_right", x1, x2)


def _bits(name: str, *operands: Operand) -> Tensor:
    """Booleans have the logical ops, integers the bitwise ones."""
    booleans = [x.dtype is bool_ if hasattr(x, "dtype") else isinstance(x, bool) for x in operands]
    return call(f"logical_{name}" if all(booleans) else f"bitwise_{name}", *operands)


# -- tests of single elements -----------------------------------------------------------------------------------------


def isnan(x: Operand) -> Tensor:
    """Whether each element is NaN; false of integers."""
    return _test("isnan", x, False)


def isinf(x: Operand) -> Tensor:
    """Whether each element is inf or -inf; false of integers."""
    return _test("isinf", x, False)


def isfinite(x: Operand) -> Tensor:
    """Whether each element is neither infinite nor NaN; true of integers."""
    return _test("isfinite", x, True)


def _test(op: str, x: Operand, of_integers: bool) -> Tensor:
    tensor = as_tensor(x, op)
    if tensor.dtype.is_integer:
        return call("full", value=of_integers, shape=tensor.shape, dtype=bool_)
    return call(op, tensor)


__all__ = [
    "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "equal", "greater", "greater_equal", "isfinite", "isinf", "isnan", "less", "less_equal",
    "logical_and", "logical_not", "logical_or", "logical_xor", "not_equal",
]  # fmt: skip
