"""Comparisons, logic, bits, and tests of single elements. `declare.py` says how one is written.

    less(x, y): f32[N], f32[N] -> bool[N]       bitwise_and(i, 15): i32[N], i32[] -> i32[N]

None has a derivative. Comparisons with NaN are false, `not_equal` is true. Logical ops take booleans, bitwise ops and
shifts take integers. A shift by the width or more, or by a negative count, moves every bit out: 0 is left, or -1
from the arithmetic right shift of a negative number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.op import Op
from graphc.ops.declare import binary, compare, unary
from graphc.samples import Sample, booleans, exactly, integers, real, sample
from graphc.types import TensorType, bool_, i8, u8

# -- comparisons ------------------------------------------------------------------------------------------------------

equal = compare("equal", np.equal, "{a} == {b}", accepts="any", commutative=True, doc="a = b; false where one is NaN.")
not_equal = compare(
    "not_equal", np.not_equal, "{a} != {b}", accepts="any", commutative=True, doc="a ≠ b; true where one is NaN."
)
less = compare("less", np.less, "{a} < {b}", doc="a < b; false where one is NaN.")
less_equal = compare("less_equal", np.less_equal, "{a} <= {b}", doc="a ≤ b; false where one is NaN.")
greater = compare("greater", np.greater, "{a} > {b}", doc="a > b; false where one is NaN.")
greater_equal = compare("greater_equal", np.greater_equal, "{a} >= {b}", doc="a ≥ b; false where one is NaN.")

# -- booleans ---------------------------------------------------------------------------------------------------------

_COINS = [sample(booleans(4, 5), booleans(4, 5)), sample(booleans(5), exactly(True, "bool"))]

logical_and = binary(
    "logical_and", np.logical_and, None, "{a} and {b}", accepts="bool", commutative=True, samples=_COINS,
    doc="Whether both hold.",
)  # fmt: skip
logical_or = binary(
    "logical_or", np.logical_or, None, "{a} or {b}", accepts="bool", commutative=True, samples=_COINS,
    doc="Whether one holds at least.",
)  # fmt: skip
logical_xor = binary(
    "logical_xor", np.logical_xor, None, "{a} != {b}", accepts="bool", commutative=True, samples=_COINS,
    doc="Whether exactly one holds.",
)  # fmt: skip
logical_not = unary(
    "logical_not", np.logical_not, None, "not {x}", accepts="bool", samples=[sample(booleans(4, 5))],
    doc="Whether x does not hold.",
)  # fmt: skip

# -- bits -------------------------------------------------------------------------------------------------------------

_BITS = [
    sample(integers(4, 5), integers(4, 5)),
    sample(integers(6, low=0, high=256, dtype=u8), integers(6, low=0, high=256, dtype=u8)),
    sample(integers(3), exactly(12, "i64")),
]
_SHIFTS = [
    sample(integers(4, 5), integers(4, 5, low=0, high=8)),
    sample(exactly([-128, -1, 1, 127, -5, 5, -5, 5], i8), exactly([7, 7, 7, 1, 8, 8, -1, -1], i8)),
    sample(integers(6, low=0, high=256, dtype=u8), exactly([0, 1, 7, 8, 9, 255], u8)),
]

bitwise_and = binary(
    "bitwise_and", np.bitwise_and, None, "{a} & {b}", accepts="integer", commutative=True, samples=_BITS,
    doc="The bits that both have.",
)  # fmt: skip
bitwise_or = binary(
    "bitwise_or", np.bitwise_or, None, "{a} | {b}", accepts="integer", commutative=True, samples=_BITS,
    doc="The bits that one has at least.",
)  # fmt: skip
bitwise_xor = binary(
    "bitwise_xor", np.bitwise_xor, None, "{a} ^ {b}", accepts="integer", commutative=True, samples=_BITS,
    doc="The bits that exactly one has.",
)  # fmt: skip
bitwise_not = unary(
    "bitwise_not", np.bitwise_not, None, "~{x}", accepts="integer",
    samples=[sample(integers(4, 5)), sample(integers(6, low=0, high=256, dtype=u8))], doc="The bits that x lacks.",
)  # fmt: skip
shift_left = binary(
    "shift_left", np.left_shift, None, "shift_left({a}, {b})", accepts="integer", samples=_SHIFTS,
    doc="a·2ᵇ, wrapping around; 0 where b is negative or at least the width.",
)  # fmt: skip
shift_right = binary(
    "shift_right", np.right_shift, None, "shift_right({a}, {b})", accepts="integer", samples=_SHIFTS,
    doc="⌊a/2ᵇ⌋, the sign kept; where b is negative or at least the width, 0, or -1 of a negative a.",
)  # fmt: skip

# -- tests of single elements -----------------------------------------------------------------------------------------

_SPECIAL = sample(exactly([0.0, -0.0, 1.5, -2.5, np.inf, -np.inf, np.nan, -np.nan]), differentiable=False)


def _test(name: str, reference: Callable[[Any], Any], scalar: str, doc: str) -> Op:
    def boolean(x: TensorType) -> TensorType:
        return x.with_dtype(bool_)

    samples: list[Sample] = [sample(real(4, 5)), _SPECIAL]
    return unary(name, reference, None, scalar, result=boolean, samples=samples, doc=doc)


isnan = _test("isnan", np.isnan, "{x} != {x}", "Whether each element is NaN.")
isinf = _test("isinf", np.isinf, "isinf({x})", "Whether each element is inf or -inf.")
isfinite = _test("isfinite", np.isfinite, "isfinite({x})", "Whether each element is neither infinite nor NaN.")
signbit = _test("signbit", np.signbit, "signbit({x})", "Whether the sign bit is set, of -0.0 and NaN too.")
