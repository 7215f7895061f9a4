"""Primitives without operands: constants, one value everywhere, positions along an axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.dim import Dim
from graphc.errors import DTypeError, OpAttributeError
from graphc.op import Kind, define_op, no_gradient, no_tangent
from graphc.samples import sample
from graphc.types import DType, Shape, TensorType, f32, i64, type_of

constant = define_op(
    "constant",
    kind=Kind.CREATION,
    infer=lambda *, value: type_of(value),
    reference=lambda *, value: value,
    vjp=no_gradient,
    jvp=no_tangent,
    samples=[
        sample(value=np.arange(6, dtype=np.float32).reshape(2, 3)),
        sample(value=np.array([np.nan, -np.inf, -0.0, 1e-45], np.float32)),
        sample(value=np.arange(100, dtype=np.int64)),
        sample(value=np.zeros((0, 3), np.float64)),
        sample(value=np.array([True, False])),
    ],
    doc="An array known when the graph is built.",
)


def represents(dtype: DType, value: float) -> bool:
    """Whether a number can be held: floats hold all, integers whole ones in their range, booleans 0 and 1."""
    if dtype.is_float:
        return True
    least, most = (0, 1) if dtype.kind == "bool" else (np.iinfo(dtype.numpy).min, np.iinfo(dtype.numpy).max)
    return least <= value <= most and value == int(value)


def _infer_full(*, value: Any, shape: Shape, dtype: DType) -> TensorType:
    if not isinstance(value, bool | int | float | Dim):
        raise OpAttributeError(f"full: value is a number or an extent, not {value!r}")
    if not isinstance(value, Dim) and not represents(dtype, value):
        raise DTypeError(f"full: {value} is no {dtype}")
    return TensorType(dtype, shape)


full = define_op(
    "full",
    kind=Kind.CREATION,
    infer=_infer_full,
    reference=lambda *, value, shape, dtype: np.full(shape, value, dtype.numpy),
    vjp=no_gradient,
    jvp=no_tangent,
    scalar="{value}",
    samples=[sample(value=2.5, shape=(3, 4), dtype=f32), sample(value=7, shape=(), dtype=i64)],
    doc="One value everywhere.",
)


def _infer_iota(*, shape: Shape, axis: int, dtype: DType) -> TensorType:
    if not 0 <= axis < len(shape):
        raise OpAttributeError(f"iota: axis {axis} is out of range for shape {shape}")
    return TensorType(dtype, shape)


def _iota_reference(*, shape: tuple[int, ...], axis: int, dtype: DType) -> Any:
    line = np.arange(shape[axis]).astype(dtype.numpy)
    return np.broadcast_to(line.reshape([-1 if i == axis else 1 for i in range(len(shape))]), shape)


iota = define_op(
    "iota",
    kind=Kind.CREATION,
    infer=_infer_iota,
    reference=_iota_reference,
    vjp=no_gradient,
    jvp=no_tangent,
    scalar="{position}",
    samples=[sample(shape=(3, 4), axis=1, dtype=i64), sample(shape=(5,), axis=0, dtype=f32)],
    doc="The position along an axis: 0, 1, 2 …",
)


def zeros(x: Any) -> Any:
    """Zeros of the type of a traced tensor, for derivatives."""
    return full(value=0.0, shape=x.shape, dtype=x.dtype)
