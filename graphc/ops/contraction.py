"""Contraction: the sum of products over shared axes; matmul, tensordot and einsum are written with it.

dot_general(x: f32[G,N,K], w: f32[G,K,O], contract=((2,), (1,)), batch=((0,), (0,)))     f32[G,N,O]
grouped_dot(x: f32[N,G,K], w: f32[G,K,O], contract=((2,), (1,)), batch=((1,), (0,)))     f32[N,G,O]
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import DTypeError, OpAttributeError, ShapeError
from graphc.op import Kind, define_op
from graphc.ops.declare import computed_in_f32
from graphc.ops.shape import permute_dims
from graphc.order import inverse
from graphc.samples import integers, real, sample
from graphc.types import TensorType

Axes = tuple[int, ...]
Pair = tuple[Axes, Axes]


def free_axes(rank: int, contract: Axes, batch: Axes) -> Axes:
    """The axes of an operand that are neither summed nor shared."""
    return tuple(i for i in range(rank) if i not in contract and i not in batch)


def _infer(lhs: TensorType, rhs: TensorType, *, contract: Pair, batch: Pair = ((), ())) -> TensorType:
    if lhs.dtype is not rhs.dtype:
        raise DTypeError(f"dot_general: lhs is {lhs.dtype}, but rhs is {rhs.dtype}")
    if lhs.dtype.kind == "bool":
        raise DTypeError("dot_general: takes numbers, not booleans")
    for what, (left, right) in (("contracted", contract), ("batch", batch)):
        if len(left) != len(right):
            raise OpAttributeError(f"dot_general: {len(left)} {what} axes of lhs, but {len(right)} of rhs")
        for a, b in zip(left, right, strict=True):
            if not (0 <= a < lhs.rank and 0 <= b < rhs.rank):
                raise OpAttributeError(f"dot_general: {what} axes {a} and {b} are out of range for {lhs} and {rhs}")
            if lhs.shape[a] != rhs.shape[b]:
                raise ShapeError(
                    f"dot_general: lhs has {lhs.shape[a]} along its {what} axis {a}, "
                    f"but rhs has {rhs.shape[b]} along {b}"
                )
    shared = tuple(lhs.shape[a] for a in batch[0])
    left_free = tuple(lhs.shape[a] for a in free_axes(lhs.rank, contract[0], batch[0]))
    right_free = tuple(rhs.shape[a] for a in free_axes(rhs.rank, contract[1], batch[1]))
    return lhs.with_shape(shared + left_free + right_free)


def _reference(lhs: Any, rhs: Any, *, contract: Pair, batch: Pair) -> Any:
    """Both operands as (batch, free, contracted) and (batch, contracted, free), then one batched matmul."""
    left_free = free_axes(lhs.ndim, contract[0], batch[0])
    right_free = free_axes(rhs.ndim, contract[1], batch[1])
    shared = [lhs.shape[a] for a in batch[0]]
    rows, columns = [lhs.shape[a] for a in left_free], [rhs.shape[a] for a in right_free]
    depth = int(np.prod([lhs.shape[a] for a in contract[0]], dtype=np.int64))
    count, m, n = (int(np.prod(extents, dtype=np.int64)) for extents in (shared, rows, columns))
    left = lhs.transpose(*batch[0], *left_free, *contract[0]).reshape(count, m, depth)
    right = rhs.transpose(*batch[1], *contract[1], *right_free).reshape(count, depth, n)
    return np.matmul(left, right).reshape((*shared, *rows, *columns))


def _cotangent_of_lhs(g: Any, lhs: Any, rhs: Any, contract: Pair, batch: Pair) -> Any:
    """g · rhsᵀ over rhs's free axes, its axes brought back into the order of lhs."""
    shared = len(batch[0])
    left_free = free_axes(lhs.ndim, contract[0], batch[0])
    right_free = free_axes(rhs.ndim, contract[1], batch[1])
    from_g = tuple(range(shared + len(left_free), g.ndim))
    product = dot_general(g, rhs, contract=(from_g, right_free), batch=(tuple(range(shared)), batch[1]))
    # The product's axes are batch, lhs's free axes, then the contracted ones in the order they have in rhs.
    by_rhs = tuple(a for _, a in sorted(zip(contract[1], contract[0], strict=True)))
    axes = inverse((*batch[0], *left_free, *by_rhs))
    return product if axes == tuple(range(len(axes))) else permute_dims(product, axes=axes)


def _cotangent_of_rhs(g: Any, lhs: Any, rhs: Any, contract: Pair, batch: Pair) -> Any:
    """lhsᵀ · g over lhs's free axes, its axes brought back into the order of rhs."""
    shared = len(batch[0])
    left_free = free_axes(lhs.ndim, contract[0], batch[0])
    right_free = free_axes(rhs.ndim, contract[1], batch[1])
    from_g = tuple(range(shared, shared + len(left_free)))
    product = dot_general(g, lhs, contract=(from_g, left_free), batch=(tuple(range(shared)), batch[0]))
    by_lhs = tuple(b for _, b in sorted(zip(contract[0], contract[1], strict=True)))
    axes = inverse((*batch[1], *right_free, *by_lhs))
    return product if axes == tuple(range(len(axes))) else permute_dims(product, axes=axes)


def _jvp(t: Any, y: Any, lhs: Any, rhs: Any, *, contract: Pair, batch: Pair) -> Any:
    left = None if t[0] is None else dot_general(t[0], rhs, contract=contract, batch=batch)
    right = None if t[1] is None else dot_general(lhs, t[1], contract=contract, batch=batch)
    return right if left is None else left if right is None else left + right


dot_general = define_op(
    "dot_general",
    kind=Kind.CONTRACTION,
    infer=_infer,
    reference=computed_in_f32(_reference),
    vjp=lambda g, y, lhs, rhs, *, contract, batch: (
        _cotangent_of_lhs(g, lhs, rhs, contract, batch),
        _cotangent_of_rhs(g, lhs, rhs, contract, batch),
    ),
    jvp=_jvp,
    samples=[
        sample(real(4, 3), real(3, 5), contract=((1,), (0,))),
        sample(real(4, 3), real(5, 3), contract=((1,), (1,))),
        sample(real(3, 4), real(3, 5), contract=((0,), (0,))),
        sample(real(2, 4, 3), real(2, 3, 5), contract=((2,), (1,)), batch=((0,), (0,))),
        sample(real(4, 2, 3), real(5, 3, 2), contract=((1, 2), (2, 1))),
        sample(real(4, 3, 2), real(3, 5, 4), contract=((0,), (2,)), batch=((1,), (0,))),
        sample(real(3), real(3), contract=((0,), (0,))),
        sample(real(3), real(2), contract=((), ())),
        sample(real(2, 0), real(0, 3), contract=((1,), (0,))),
        sample(integers(4, 3), integers(3, 2), contract=((1,), (0,))),
    ],
    doc="The sum of products over the contracted axes; result axes are batch, lhs's free, rhs's free.",
)


def order_of_groups(lhs: Any, rank: int, contract: Pair, batch: Pair) -> Axes:
    """The permutation from (batch, lhs's free, rhs's free), of so many axes, to (lhs's free, batch, rhs's free)."""
    groups = len(batch[0])
    columns = len(lhs.shape) - len(contract[0])  # where rhs's free axes begin
    return (*range(groups, columns), *range(groups), *range(columns, rank))


def _infer_grouped(lhs: TensorType, rhs: TensorType, *, contract: Pair, batch: Pair) -> TensorType:
    plain = _infer(lhs, rhs, contract=contract, batch=batch)
    return plain.with_shape(tuple(plain.shape[axis] for axis in order_of_groups(lhs, plain.rank, contract, batch)))


def _grouped_reference(lhs: Any, rhs: Any, *, contract: Pair, batch: Pair) -> Any:
    plain = _reference(lhs, rhs, contract=contract, batch=batch)
    return plain.transpose(order_of_groups(lhs, plain.ndim, contract, batch))


def _grouped_vjp(g: Any, y: Any, lhs: Any, rhs: Any, *, contract: Pair, batch: Pair) -> tuple[Any, Any]:
    """Those of the plain contraction, which has the groups first."""
    plain = permute_dims(g, axes=inverse(order_of_groups(lhs, g.ndim, contract, batch)))
    return _cotangent_of_lhs(plain, lhs, rhs, contract, batch), _cotangent_of_rhs(plain, lhs, rhs, contract, batch)


def _grouped_jvp(t: Any, y: Any, lhs: Any, rhs: Any, *, contract: Pair, batch: Pair) -> Any:
    left = None if t[0] is None else grouped_dot(t[0], rhs, contract=contract, batch=batch)
    right = None if t[1] is None else grouped_dot(lhs, t[1], contract=contract, batch=batch)
    return right if left is None else left if right is None else left + right


grouped_dot = define_op(
    "grouped_dot",
    kind=Kind.CONTRACTION,
    infer=_infer_grouped,
    reference=computed_in_f32(_grouped_reference),
    vjp=_grouped_vjp,
    jvp=_grouped_jvp,
    samples=[
        sample(real(4, 2, 3), real(2, 3, 5), contract=((2,), (1,)), batch=((1,), (0,))),
        sample(real(4, 3, 2), real(3, 2), contract=((1,), (0,)), batch=((2,), (1,))),
        sample(real(2, 4, 3, 5), real(4, 2, 3, 5), contract=((1,), (0,)), batch=((2, 3), (2, 3))),
        sample(real(4, 3), real(3, 5), contract=((1,), (0,)), batch=((), ())),
        sample(integers(4, 2, 3), integers(2, 3, 5), contract=((2,), (1,)), batch=((1,), (0,))),
    ],
    doc="The sum of products over the contracted axes; result axes are lhs's free, batch, rhs's free: groups stay "
    "among the columns, where the channels of an image are.",
)
