"""Running sums and products, and differences, along one axis.

cumulative_sum(x, axis=1)   x: f32[N,4]   ->   f32[N,4]
diff(x, axis=1)             x: f32[N,4]   ->   f32[N,3]
"""

from __future__ import annotations

from graphc.array.joining import concat, narrow
from graphc.array.operands import Operand, as_axis, as_tensor, call, cast, fail
from graphc.array.reductions import summed_dtype
from graphc.errors import DTypeError, OpAttributeError
from graphc.tensor import Tensor
from graphc.types import bool_


def cumulative_sum(
    x: Operand, *, axis: int | None = None, dtype: object = None, include_initial: bool = False
) -> Tensor:
    """The sums of all prefixes: [1, 2, 3] gives [1, 3, 6], with `include_initial` [0, 1, 3, 6].

    The axis may be left out where x has rank 1. Dtypes as in `sum`.
    """
    return _cumulative("cumulative_sum", 0, x, axis, dtype, include_initial)


def cumulative_prod(
    x: Operand, *, axis: int | None = None, dtype: object = None, include_initial: bool = False
) -> Tensor:
    """The products of all prefixes: [1, 2, 3] gives [1, 2, 6], with `include_initial` [1, 1, 2, 6]."""
    return _cumulative("cumulative_prod", 1, x, axis, dtype, include_initial)


def _cumulative(op: str, start: int, x: Operand, axis: int | None, dtype: object, include_initial: bool) -> Tensor:
    tensor = as_tensor(x, op)
    at = _axis(op, tensor, axis)
    tensor = cast(tensor, summed_dtype(tensor, dtype, op))
    running = call(op, tensor, axis=at)
    if not include_initial:
        return running
    shape = (*tensor.shape[:at], 1, *tensor.shape[at + 1 :])
    return concat([call("full", value=start, shape=shape, dtype=tensor.dtype), running], axis=at)


def _axis(what: str, x: Tensor, axis: int | None) -> int:
    if axis is None and x.ndim != 1:
        fail(OpAttributeError(f"{what}: axis must be given for {x.type}, which has rank {x.ndim}"))
    return as_axis(0 if axis is None else axis, x.ndim, what)


def logcumsumexp(x: Operand, axis: int | None = None) -> Tensor:
    """log Σ eˣ of all prefixes, without overflow: f32[N,4] gives f32[N,4]."""
    tensor = as_tensor(x, "logcumsumexp")
    if not tensor.dtype.is_float:
        fail(DTypeError(f"logcumsumexp: takes floating-point numbers, but x is {tensor.type}; convert with gc.astype"))
    return call("logcumsumexp", tensor, axis=_axis("logcumsumexp", tensor, axis))


def diff(
    x: Operand, *, axis: int = -1, n: int = 1, prepend: Operand | None = None, append: Operand | None = None
) -> Tensor:
    """The n-th difference of neighbours: [1, 4, 9] gives [3, 5].

        diff(x, axis=0)   x: f32[N,3]   ->   f32[N-1,3]

    `prepend` and `append` are joined to x first. Booleans differ where they are unequal.
    """
    tensor = as_tensor(x, "diff")
    at = as_axis(axis, tensor.ndim, "diff")
    if n < 0:
        fail(OpAttributeError(f"diff: n is at least 0, not {n}"))
    parts = [prepend, tensor, append]
    if n and (prepend is not None or append is not None):
        tensor = concat([p for p in parts if p is not None], axis=at)
    op = "not_equal" if tensor.dtype is bool_ else "sub"
    for _ in range(n):
        extent = tensor.shape[at]
        if extent == 0:
            break
        tensor = call(op, narrow(tensor, 1, extent, at), narrow(tensor, 0, extent - 1, at))
    return tensor


__all__ = ["cumulative_prod", "cumulative_sum", "diff", "logcumsumexp"]
