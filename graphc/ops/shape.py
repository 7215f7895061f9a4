"""Shape primitives: the same elements at other places."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import OpAttributeError, ShapeError
from graphc.op import Kind, Op, define_op
from graphc.operands import broadcast_shapes, shape_text
from graphc.order import inverse
from graphc.samples import real, sample
from graphc.types import Shape, TensorType


def _infer_broadcast_to(x: TensorType, *, shape: Shape) -> TensorType:
    if len(shape) < x.rank or broadcast_shapes(x.shape, shape, what="broadcast_to") != shape:
        raise ShapeError(f"broadcast_to: {shape_text(x.shape)} does not broadcast to {shape_text(shape)}")
    return x.with_shape(shape)


def sum_to(g: Any, shape: Shape) -> Any:
    """Sum a tensor down to a shape that broadcasts to its own: the transpose of broadcasting."""
    from graphc.ops.reduction import sum as sum_op

    if g.shape == shape:
        return g
    lead = g.ndim - len(shape)
    stretched = [lead + i for i, (a, b) in enumerate(zip(g.shape[lead:], shape, strict=True)) if a != b]
    if stretched:
        g = sum_op(g, axis=tuple(stretched), keepdims=True)
    if lead:
        g = sum_op(g, axis=tuple(range(lead)), keepdims=False)
    return g


broadcast_to: Op = define_op(
    "broadcast_to",
    kind=Kind.BROADCAST,
    infer=_infer_broadcast_to,
    reference=lambda x, *, shape: np.broadcast_to(x, shape),
    vjp=lambda g, y, x, *, shape: (sum_to(g, x.shape),),
    jvp=lambda t, y, x, *, shape: broadcast_to(t[0], shape=shape),
    samples=[sample(real(3), shape=(4, 3)), sample(real(4, 1), shape=(2, 4, 3)), sample(real(), shape=(0, 3))],
    doc="The elements repeated along axes of extent 1 and new leading axes, by NumPy's rule.",
)


def _infer_reshape(x: TensorType, *, shape: Shape) -> TensorType:
    result = x.with_shape(shape)
    if result.size != x.size:
        raise ShapeError(f"reshape: {x} has {x.size} elements, but shape {shape_text(shape)} has {result.size}")
    return result


reshape: Op = define_op(
    "reshape",
    kind=Kind.INJECTIVE,
    infer=_infer_reshape,
    reference=lambda x, *, shape: np.reshape(x, shape),
    vjp=lambda g, y, x, *, shape: (reshape(g, shape=x.shape),),
    jvp=lambda t, y, x, *, shape: reshape(t[0], shape=shape),
    samples=[sample(real(4, 6), shape=(2, 12)), sample(real(1), shape=()), sample(real(0, 3), shape=(3, 0))],
    doc="The same elements in row-major order under another shape.",
)


def _infer_permute_dims(x: TensorType, *, axes: tuple[int, ...]) -> TensorType:
    if sorted(axes) != list(range(x.rank)):
        raise OpAttributeError(f"permute_dims: axes {axes} are not a permutation of the {x.rank} axes of {x}")
    return x.with_shape(x.shape[a] for a in axes)


permute_dims: Op = define_op(
    "permute_dims",
    kind=Kind.INJECTIVE,
    infer=_infer_permute_dims,
    reference=lambda x, *, axes: np.transpose(x, axes),
    vjp=lambda g, y, x, *, axes: (permute_dims(g, axes=inverse(axes)),),
    jvp=lambda t, y, x, *, axes: permute_dims(t[0], axes=axes),
    samples=[sample(real(2, 3, 4), axes=(2, 0, 1)), sample(real(3, 4), axes=(1, 0)), sample(real(), axes=())],
    doc="The axes in another order: result axis i is operand axis axes[i].",
)
