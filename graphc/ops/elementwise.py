"""Elementwise primitives: arithmetic, comparisons, choice, casts. `declare.py` says how one is written."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import DTypeError
from graphc.op import Kind, define_op, no_gradient, no_tangent
from graphc.ops.declare import binary, compare, same, unary
from graphc.samples import booleans, exactly, integers, positive, real, sample
from graphc.types import DType, TensorType, bool_, f32, i32, u8

SPECIAL = exactly([0.0, -0.0, 1.5, -2.5, np.inf, -np.inf, np.nan, 1e30])
OTHER = exactly([-0.0, 3.0, np.nan, 2.0, np.inf, np.inf, 1.0, -1e30])

# -- arithmetic -------------------------------------------------------------------------------------------------------

add = binary(
    "add", np.add, lambda y, a, b: (1, 1), "{a} + {b}", accepts="numeric", commutative=True,
    samples=[sample(real(4, 5), real(4, 5)), sample(SPECIAL, OTHER, differentiable=False), sample(real(3), real())],
)  # fmt: skip
sub = binary(
    "sub", np.subtract, lambda y, a, b: (1, -1), "{a} - {b}", accepts="numeric",
    samples=[sample(real(4, 5), real(4, 5)), sample(SPECIAL, OTHER, differentiable=False), sample(real(), real(3))],
)  # fmt: skip
mul = binary(
    "mul", np.multiply, lambda y, a, b: (b, a), "{a} * {b}", accepts="numeric", commutative=True,
    samples=[sample(real(4, 5), real(4, 5)), sample(SPECIAL, OTHER, differentiable=False)],
)  # fmt: skip
div = binary(
    "div", np.divide, lambda y, a, b: (1 / b, -y / b), "{a} / {b}", accepts="float",
    samples=[sample(real(4, 5), positive(4, 5)), sample(SPECIAL, OTHER, differentiable=False)],
)  # fmt: skip
maximum = binary(
    "maximum", np.maximum, lambda y, a, b: (_share(a, b, a > b), _share(a, b, b > a)),
    "{a} if ({a} > {b} or {a} != {a}) else {b}", accepts="numeric", commutative=True,
    samples=[sample(real(4, 5), real(4, 5)), sample(SPECIAL, OTHER, differentiable=False)],
)  # fmt: skip
minimum = binary(
    "minimum", np.minimum, lambda y, a, b: (_share(a, b, a < b), _share(a, b, b < a)),
    "{a} if ({a} < {b} or {a} != {a}) else {b}", accepts="numeric", commutative=True,
    samples=[sample(real(4, 5), real(4, 5)), sample(SPECIAL, OTHER, differentiable=False)],
)  # fmt: skip


def _share(a: Any, b: Any, wins: Any) -> Any:
    """1 where this operand wins, one half where both are equal, as torch and JAX share the gradient of a tie."""
    return where(a == b, 0.5, cast(wins, dtype=a.dtype))


neg = unary("neg", np.negative, lambda y, x: -1, "-{x}", accepts="numeric", samples=[sample(real(4, 5))])
identity = unary("identity", np.positive, lambda y, x: 1, "{x}", accepts="any", samples=[sample(real(4, 5))])
exp = unary("exp", np.exp, lambda y, x: y, "exp({x})", samples=[sample(real(4, 5))])
log = unary("log", np.log, lambda y, x: 1 / x, "log({x})", samples=[sample(positive(4, 5))])
sqrt = unary("sqrt", np.sqrt, lambda y, x: 0.5 / y, "sqrt({x})", samples=[sample(positive(4, 5))])
rsqrt = unary(
    "rsqrt", lambda x: 1 / np.sqrt(x), lambda y, x: -0.5 * y * y * y, "{one} / sqrt({x})", samples=[sample(positive(4, 5))]
)
tanh = unary("tanh", np.tanh, lambda y, x: 1 - y * y, "tanh({x})", samples=[sample(real(4, 5))])
relu = unary(
    "relu", lambda x: np.maximum(x, x.dtype.type(0)), lambda y, x: cast(x > 0, dtype=x.dtype),
    "{x} if not ({x} <= {zero}) else {zero}", accepts="numeric",
    samples=[sample(real(4, 5)), sample(SPECIAL, differentiable=False)],
)  # fmt: skip

# -- comparisons ------------------------------------------------------------------------------------------------------

equal = compare("equal", np.equal, "{a} == {b}", accepts="any", commutative=True)
not_equal = compare("not_equal", np.not_equal, "{a} != {b}", accepts="any", commutative=True)
less = compare("less", np.less, "{a} < {b}")
less_equal = compare("less_equal", np.less_equal, "{a} <= {b}")
greater = compare("greater", np.greater, "{a} > {b}")
greater_equal = compare("greater_equal", np.greater_equal, "{a} >= {b}")

# -- choice and casts -------------------------------------------------------------------------------------------------


def _infer_where(condition: TensorType, x: TensorType, y: TensorType) -> TensorType:
    if condition.dtype is not bool_:
        raise DTypeError(f"where: condition is {condition}, not boolean; compare it, as in x > 0")
    return same("where", ("x", "y"), x, y).with_shape(
        same("where", ("condition", "x", "y"), condition, x, y, dtypes=False).shape
    )


where = define_op(
    "where",
    kind=Kind.ELEMENTWISE,
    infer=_infer_where,
    reference=lambda condition, x, y: np.where(condition, x, y),
    vjp=lambda g, out, condition, x, y: (None, where(condition, g, 0), where(condition, 0, g)),
    jvp=lambda t, out, condition, x, y: where(condition, 0 if t[1] is None else t[1], 0 if t[2] is None else t[2]),
    scalar="{x} if {condition} else {y}",
    promoted=(1, 2),
    samples=[sample(booleans(4, 5), real(4, 5), real(4, 5)), sample(booleans(4), real(4), real())],
    doc="x where the condition holds, else y.",
)


def _cast_reference(x: Any, *, dtype: DType) -> Any:
    """Floats to integers: towards zero, saturating, NaN to 0, so that the result is defined on every backend."""
    target = dtype.numpy
    if dtype.is_integer and not np.issubdtype(x.dtype, np.integer) and x.dtype != bool:
        wide = np.nan_to_num(np.trunc(x.astype(np.float64)), nan=0.0, posinf=np.inf, neginf=-np.inf)
        info = np.iinfo(target)
        inside = (wide >= float(info.min)) & (wide < float(info.max))
        low = np.where(wide < 0, info.min, info.max).astype(target)
        return np.where(inside, np.where(inside, wide, 0).astype(target), low)
    return x.astype(target)


cast = define_op(
    "cast",
    kind=Kind.ELEMENTWISE,
    infer=lambda x, *, dtype: x.with_dtype(dtype),
    reference=_cast_reference,
    vjp=lambda g, y, x, *, dtype: (cast(g, dtype=x.dtype) if x.dtype.is_float and dtype.is_float else None,),
    jvp=lambda t, y, x, *, dtype: cast(t[0], dtype=dtype) if dtype.is_float else None,
    scalar="{dtype}({x})",
    promoted=(),
    samples=[
        sample(real(4, 5), dtype=f32),
        sample(exactly([1.7, -1.7, np.nan, np.inf, -np.inf, 300.0, -5.0]), dtype=u8, differentiable=False),
        sample(exactly([1.7, -1.7, np.nan, 1e20, -1e20]), dtype=i32, differentiable=False),
        sample(integers(5), dtype=f32),
        sample(real(3), dtype=bool_, differentiable=False),
    ],
    doc="The same numbers in another dtype; floats become integers towards zero, saturating, NaN becoming 0.",
)

stop_gradient = define_op(
    "stop_gradient",
    kind=Kind.ELEMENTWISE,
    infer=lambda x: x,
    reference=np.positive,
    vjp=no_gradient,
    jvp=no_tangent,
    scalar="{x}",
    samples=[sample(real(4, 5), differentiable=False)],
    doc="x, with a derivative of zero.",
)
