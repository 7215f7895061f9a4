"""Choosing and converting elements: where, clip, cast; and the ops that only say what flows through them."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import DTypeError
from graphc.op import Kind, Op, define_op, no_gradient, no_tangent
from graphc.ops.declare import checked, computed_in_f32, plus, same, times, unary
from graphc.samples import booleans, exactly, integers, real, sample
from graphc.types import DType, TensorType, bool_, f32, f64, i8, i32, u8

identity = unary(
    "identity", lambda x: x, lambda y, x: 1, "{x}", accepts="any",
    samples=[sample(real(4, 5)), sample(integers(4)), sample(booleans(4))], doc="x itself.",
)  # fmt: skip

stop_gradient = define_op(
    "stop_gradient",
    kind=Kind.ELEMENTWISE,
    infer=lambda x: x,
    reference=lambda x: x,
    vjp=no_gradient,
    jvp=no_tangent,
    scalar="{x}",
    samples=[sample(real(4, 5), differentiable=False)],
    doc="x, with a derivative of zero.",
)


def _infer_where(condition: TensorType, x: TensorType, y: TensorType) -> TensorType:
    if condition.dtype is not bool_:
        raise DTypeError(f"where: condition is {condition}, not boolean; compare it, as in x > 0")
    return same("where", ("x", "y"), x, y).with_shape(
        same("where", ("condition", "x", "y"), condition, x, y, dtypes=False).shape
    )


where: Op = define_op(
    "where",
    kind=Kind.ELEMENTWISE,
    infer=_infer_where,
    reference=lambda condition, x, y: np.where(condition, x, y),
    vjp=lambda g, out, condition, x, y: (None, where(condition, g, 0), where(condition, 0, g)),
    jvp=lambda t, out, condition, x, y: where(condition, 0 if t[1] is None else t[1], 0 if t[2] is None else t[2]),
    scalar="{x} if {condition} else {y}",
    promoted=(1, 2),
    samples=[
        sample(booleans(4, 5), real(4, 5), real(4, 5)),
        sample(booleans(4), real(4), real()),
        sample(exactly(True, "bool"), real(4), real(4)),
        sample(booleans(4), integers(4), integers(4)),
    ],
    doc="x where the condition holds, else y.",
)


def _clip_partials(x: Any, low: Any, high: Any) -> tuple[Any, Any, Any]:
    """To x inside and at the bounds, as torch; outside to the bound that holds, high where low is above it."""
    inside = (x >= low) & (x <= high)
    return inside, (x < low) & (low < high), (x > high) | (high < low)


clip = define_op(
    "clip",
    kind=Kind.ELEMENTWISE,
    infer=lambda x, low, high: checked("clip", ("x", "low", "high"), "numeric", x, low, high),
    reference=computed_in_f32(lambda x, low, high: np.minimum(np.maximum(x, low), high)),
    vjp=lambda g, y, x, low, high: tuple(times(partial, g) for partial in _clip_partials(x, low, high)),
    jvp=lambda t, y, x, low, high: plus(
        [times(partial, tangent) for partial, tangent in zip(_clip_partials(x, low, high), t, strict=True)]
    ),
    scalar="clip({x}, {low}, {high})",
    accepts="numeric",
    samples=[
        sample(real(4, 5), exactly(-1.0), exactly(1.0)),
        sample(real(4, 5), real(4, 5, low=-2.0, high=0.0), real(4, 5, low=0.1, high=2.0)),
        sample(exactly([-1.0, 1.0, np.nan, np.inf, -np.inf]), exactly(-1.0), exactly(1.0), differentiable=False),
        sample(integers(6), exactly(-2, "i64"), exactly(2, "i64")),
    ],
    doc="x kept within [low, high]; high where low is above it; NaN where one of the three is.",
)


def _cast_reference(x: Any, *, dtype: DType) -> Any:
    """Floats to integers: towards zero, saturating, NaN to 0, so that the result is defined on every backend."""
    target = dtype.numpy
    with np.errstate(all="ignore"):
        if not dtype.is_integer or x.dtype.kind in "iub":
            return x.astype(target)
        wide = np.trunc(x.astype(np.float64))
        info = np.iinfo(target)
        # The greatest i64 is no f64, but the number after it is: an inside number is below max + 1.
        inside = (wide >= float(info.min)) & (wide < float(info.max) + (1 if info.bits < 64 else 0))
        edge = np.where(wide < 0, info.min, info.max).astype(target)
        number = np.where(inside, np.where(inside, wide, 0).astype(target), edge)
        return np.where(np.isnan(wide), target.type(0), number)


cast: Op = define_op(
    "cast",
    kind=Kind.ELEMENTWISE,
    infer=lambda x, *, dtype: x.with_dtype(dtype),
    reference=_cast_reference,
    vjp=lambda g, y, x, *, dtype: (cast(g, dtype=x.dtype) if x.dtype.is_float and dtype.is_float else None,),
    jvp=lambda t, y, x, *, dtype: cast(t[0], dtype=dtype) if dtype.is_float else None,
    scalar="{dtype}({x})",
    promoted=(),
    samples=[
        sample(real(4, 5), dtype=f64),
        sample(real(4, 5), dtype=f32, differentiable=False),  # differences drown in f32's rounding
        sample(exactly([1.7, -1.7, np.nan, np.inf, -np.inf, 300.0, -5.0, 255.9]), dtype=u8, differentiable=False),
        sample(exactly([1.7, -1.7, np.nan, 1e20, -1e20]), dtype=i32, differentiable=False),
        sample(integers(5), dtype=f32),
        sample(integers(5, low=-300, high=300), dtype=i8),
        sample(exactly([0.0, -0.0, 0.5, np.nan]), dtype=bool_, differentiable=False),
        sample(booleans(4), dtype=f32),
    ],
    doc="The same numbers in another dtype. Floats become integers towards zero, saturating, NaN becoming 0; integers "
    "become narrower ones by wrapping around; what is not 0 becomes True.",
)
