"""Arithmetic, elementwise: sums and products, quotients and remainders, powers and roots, signs and extrema.

    mul(x, y): f32[N,3], f32[N,3] -> f32[N,3]        floordiv(i, 2): i32[N], i32[] -> i32[N]

Integers wrap around. Division of an integer by zero gives 0, and so does its remainder; the least integer divided by
-1 is itself. A negative integer power is the truncated 1/aᵇ: 0 unless |a| is 1. Floats follow IEEE 754 and the special
cases of the array API. `declare.py` says how an op is written.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ir import Literal
from graphc.op import Kind, Op, define_op
from graphc.ops.choice import where
from graphc.ops.declare import binary, checked, computed_in_f32, plus, unary
from graphc.samples import exactly, integers, positive, real, sample
from graphc.types import i8, u8

SPECIAL = exactly([0.0, -0.0, 1.5, -2.5, np.inf, -np.inf, np.nan, 1e30])
OTHER = exactly([-0.0, 3.0, np.nan, 2.0, np.inf, np.inf, 1.0, -1e30])
TWO_REALS = sample(real(4, 5), real(4, 5))
TWO_SPECIAL = sample(SPECIAL, OTHER, differentiable=False)
TWO_INTEGERS = sample(integers(4, 5), integers(4, 5))
WRAPPING = sample(exactly([127, -128, -128, 100], i8), exactly([1, -1, 2, 100], i8))
QUOTIENTS = [
    sample(integers(4, 5), integers(4, 5)),  # zero divisors among them
    sample(exactly([-128, 127, -7, 7, -7], i8), exactly([-1, -1, 2, -2, 0], i8)),
    sample(integers(6, low=0, high=256, dtype=u8), integers(6, low=0, high=9, dtype=u8)),
    sample(exactly([7.5, -7.5, 7.5, -7.5]), exactly([2.0, 2.0, -2.0, -2.0])),
    TWO_SPECIAL,
]

# -- sums, products, quotients ----------------------------------------------------------------------------------------

add = binary(
    "add", np.add, lambda y, a, b: (1, 1), "{a} + {b}", accepts="numeric", commutative=True,
    samples=[TWO_REALS, TWO_SPECIAL, sample(real(3), real()), WRAPPING], doc="a + b.",
)  # fmt: skip
sub = binary(
    "sub", np.subtract, lambda y, a, b: (1, -1), "{a} - {b}", accepts="numeric",
    samples=[TWO_REALS, TWO_SPECIAL, sample(real(), real(3)), WRAPPING], doc="a - b.",
)  # fmt: skip
mul = binary(
    "mul", np.multiply, lambda y, a, b: (b, a), "{a} * {b}", accepts="numeric", commutative=True,
    samples=[TWO_REALS, TWO_SPECIAL, WRAPPING], doc="a·b.",
)  # fmt: skip
div = binary(
    "div", np.divide, lambda y, a, b: (1 / b, -y / b), "{a} / {b}",
    samples=[sample(real(4, 5), positive(4, 5)), TWO_SPECIAL], doc="a/b of floating-point numbers.",
)  # fmt: skip
floordiv = binary(
    "floordiv", np.floor_divide, None, "floordiv({a}, {b})", accepts="numeric", samples=QUOTIENTS,
    doc="⌊a/b⌋; of integers 0 where b is 0.",
)  # fmt: skip
rem = binary(
    "rem", np.remainder, lambda y, a, b: (1, -floordiv(a, b)), "rem({a}, {b})", accepts="numeric",
    samples=QUOTIENTS, doc="a - ⌊a/b⌋·b, with the sign of b, as Python's %; of integers 0 where b is 0.",
)  # fmt: skip
fmod = binary(
    "fmod", np.fmod, lambda y, a, b: (1, -_whole_quotient(y, a, b)), "fmod({a}, {b})", accepts="numeric",
    samples=QUOTIENTS, doc="a - trunc(a/b)·b, with the sign of a, as C's fmod; of integers 0 where b is 0.",
)  # fmt: skip


def _whole_quotient(y: Any, a: Any, b: Any) -> Any:
    """trunc(a/b), from the remainder y, since a/b may round up to the next integer."""
    from graphc.ops.rounding import round

    return round((a - y) / b)


neg = unary(
    "neg", np.negative, lambda y, x: -1, "-{x}", accepts="numeric",
    samples=[sample(real(4, 5)), sample(SPECIAL, differentiable=False), sample(exactly([-128, 127, 0], i8))], doc="-x.",
)  # fmt: skip

# -- powers and roots -------------------------------------------------------------------------------------------------

square = unary(
    "square", np.square, lambda y, x: 2 * x, "{x} * {x}", accepts="numeric",
    samples=[sample(real(4, 5)), sample(integers(4)), sample(exactly([16, -128, 100], i8))], doc="x².",
)  # fmt: skip
sqrt = unary(
    "sqrt", np.sqrt, lambda y, x: 0.5 / y, "sqrt({x})",
    samples=[sample(positive(4, 5)), sample(SPECIAL, differentiable=False)], doc="√x; NaN below 0.",
)  # fmt: skip
rsqrt = unary(
    "rsqrt", lambda x: 1 / np.sqrt(x), lambda y, x: -0.5 * y * y * y, "{one} / sqrt({x})",
    samples=[sample(positive(4, 5)), sample(SPECIAL, differentiable=False)], doc="1/√x.",
)  # fmt: skip
reciprocal = unary(
    "reciprocal", lambda x: 1 / x, lambda y, x: -y * y, "{one} / {x}",
    samples=[sample(positive(4, 5)), sample(SPECIAL, differentiable=False)], doc="1/x.",
)  # fmt: skip


def _pow_reference(a: Any, b: Any) -> Any:
    if a.dtype.kind != "i":
        return np.power(a, b)
    of_units = np.where(a == 1, 1, np.where(a == -1, np.where(b % 2 == 0, 1, -1), 0)).astype(a.dtype)
    return np.where(b < 0, of_units, np.power(a, np.maximum(b, 0)))


def _pow_partials(y: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """b·aᵇ⁻¹ and aᵇ·log a. At b = 0 the first is 0·a⁰ = 0, and at a = 0 ≤ b the second is 0, as in torch."""
    from graphc.ops.transcendental import log

    exponent = b.value.value if isinstance(b.value, Literal) else None
    if isinstance(exponent, float):
        return _power_rule(a, exponent), None
    return b * a ** where(b == 0, 0, b - 1), y * log(where((a == 0) & (b >= 0), 1, a))


def _power_rule(x: Any, n: float) -> Any:
    """n·xⁿ⁻¹ for an exponent known now."""
    if n in (0.0, 1.0):
        return None if n == 0 else 1
    return n * (x if n == 2 else x ** (n - 1))


pow = binary(
    "pow", _pow_reference, _pow_partials, "pow({a}, {b})", accepts="numeric",
    samples=[
        sample(positive(4, 5), real(4, 5)), sample(positive(4, 5), exactly(2.5)),
        sample(exactly([-2.0, -0.5, 1.5, 0.0, 0.0]), exactly([2.0, 3.0, -1.0, 1.0, 2.0]), differentiable=False),
        TWO_SPECIAL,
        sample(integers(4, 5), integers(4, 5)), sample(integers(6, low=0, high=256, dtype=u8), exactly(3, u8)),
    ],
    doc="aᵇ; of integers with b < 0, the truncated 1/a⁻ᵇ, and 0 where a is 0.",
)  # fmt: skip
hypot = binary(
    "hypot", np.hypot, lambda y, a, b: (a / y, b / y), "hypot({a}, {b})", commutative=True,
    samples=[sample(positive(4, 5), positive(4, 5)), TWO_SPECIAL], doc="√(a² + b²), without overflow in between.",
)  # fmt: skip

# -- signs and extrema ------------------------------------------------------------------------------------------------

sign = unary(
    "sign", np.sign, None, "sign({x})", accepts="numeric",
    samples=[sample(real(4, 5)), sample(SPECIAL, differentiable=False), sample(integers(6))],
    doc="-1, 0 or 1; NaN of NaN.",
)  # fmt: skip
abs = unary(
    "abs", np.abs, lambda y, x: sign(x), "abs({x})", accepts="numeric",
    samples=[sample(real(4, 5)), sample(SPECIAL, differentiable=False), sample(exactly([-128, -5, 7], i8))],
    doc="|x|; its derivative at 0 is 0.",
)  # fmt: skip
copysign: Op = binary(
    "copysign", np.copysign, lambda y, a, b: (sign(a) * copysign(1, b), None), "copysign({a}, {b})",
    samples=[TWO_REALS, TWO_SPECIAL], doc="|a| with the sign of b, those of zeros and NaN included.",
)  # fmt: skip


def _winner(name: str, reference: Any, loses: Any, scalar: str, doc: str) -> Op:
    """Declare an extremum of two; a tie shares its gradient equally, as in torch and JAX, and NaN lets it pass."""

    def share(g: Any, own: Any, other: Any) -> Any:
        return None if g is None else where(own == other, 0.5 * g, where(loses(own, other), 0, g))

    return define_op(
        name,
        kind=Kind.ELEMENTWISE,
        infer=lambda a, b: checked(name, ("a", "b"), "numeric", a, b),
        reference=computed_in_f32(reference),
        vjp=lambda g, y, a, b: (share(g, a, b), share(g, b, a)),
        jvp=lambda t, y, a, b: plus([share(t[0], a, b), share(t[1], b, a)]),
        scalar=scalar,
        accepts="numeric",
        commutative=True,
        samples=[TWO_REALS, TWO_SPECIAL, TWO_INTEGERS],
        doc=doc,
    )


maximum = _winner(
    "maximum",
    np.maximum,
    lambda own, other: own < other,
    "{a} if ({a} > {b} or {a} != {a}) else {b}",
    "The greater of both; NaN where one is.",
)
minimum = _winner(
    "minimum",
    np.minimum,
    lambda own, other: own > other,
    "{a} if ({a} < {b} or {a} != {a}) else {b}",
    "The lesser of both; NaN where one is.",
)
relu = define_op(
    "relu",
    kind=Kind.ELEMENTWISE,
    infer=lambda x: checked("relu", ("x",), "numeric", x),
    reference=computed_in_f32(lambda x: np.maximum(x, x.dtype.type(0))),
    vjp=lambda g, y, x: (where(x <= 0, 0, g),),
    jvp=lambda t, y, x: where(x <= 0, 0, t[0]),
    scalar="{x} if not ({x} <= {zero}) else {zero}",
    accepts="numeric",
    samples=[sample(real(4, 5)), sample(SPECIAL, differentiable=False), sample(integers(5))],
    doc="max(x, 0), NaN of NaN; its derivative at 0 is 0.",
)
