"""Linear algebra (`gc.linalg`): the array API's extension, but for the factorizations.

    vector_norm(x, axis=1)      x: f32[N,3]     ->   f32[N]
    matrix_norm(x)              x: f32[N,3,4]   ->   f32[N]
    trace(x)                    x: f32[N,3,3]   ->   f32[N]
    cross(x, y)                 x, y: f32[N,3]  ->   f32[N,3]

Matrices are the last two axes. What needs a factorization (`inv`, `solve`, `svd`, `eigh` …) is left out: it is no
composition of elementwise ops, reductions and contractions, and no layer of a network here needs it.
"""

from __future__ import annotations

import math
from typing import Literal

from graphc.array.creation import eye
from graphc.array.joining import concat, narrow
from graphc.array.linear_algebra import diagonal, matmul, tensordot, vecdot
from graphc.array.manipulation import broadcast_arrays, broadcast_to, matrix_transpose, reshape
from graphc.array.operands import (
    Axis,
    Operand,
    accumulator,
    as_axis,
    as_tensor,
    call,
    cast,
    fail,
    reduced_axes,
)
from graphc.array.reductions import floating, summed_dtype
from graphc.errors import DTypeError, OpAttributeError, ShapeError
from graphc.tensor import Tensor


def vector_norm(x: Operand, *, axis: Axis = None, keepdims: bool = False, ord: float = 2) -> Tensor:
    """The p-norm (Σ |x|ᵖ)^(1/p) over axes, over all when None.

        vector_norm(x, axis=1)   x: f32[N,3]   ->   f32[N]

    `ord` is p: inf and -inf give the greatest and least |x|, 0 the number of elements other than 0. The derivative of
    the 2-norm at 0 is 0, as in torch.
    """
    tensor = floating(x, "vector_norm")
    axes = reduced_axes(axis, tensor.ndim, "vector_norm")
    return cast(_norm(accumulator(tensor), axes, keepdims, ord), tensor.dtype)


def _norm(x: Tensor, axes: tuple[int, ...], keepdims: bool, ord: float) -> Tensor:
    fold = {"axis": axes, "keepdims": bool(keepdims)}
    if ord == 2:
        return _root(call("sum", call("mul", x, x), **fold))
    size = call("abs", x)
    if ord in (math.inf, -math.inf):
        if ord > 0 and any(x.shape[a] == 0 for a in axes):
            return call("sum", size, **fold)  # the norm of nothing is 0
        return call("max" if ord > 0 else "min", size, **fold)
    if ord == 0:
        return call("sum", cast(call("not_equal", x, 0), x.dtype), **fold)
    if ord == 1:
        return call("sum", size, **fold)
    return call("pow", call("sum", call("pow", size, float(ord)), **fold), 1 / ord)


def _root(total: Tensor) -> Tensor:
    """√total, with the derivative 0 at 0, where that of the root is infinite."""
    is_zero = call("equal", total, 0)
    return call("where", is_zero, 0, call("sqrt", call("where", is_zero, 1, total)))


def matrix_norm(x: Operand, *, keepdims: bool = False, ord: Literal["fro"] | float = "fro") -> Tensor:
    """A norm of each matrix: "fro", or 1, -1 (columns' greatest, least sum of |x|), inf, -inf (rows').

        matrix_norm(x)   x: f32[N,3,4]   ->   f32[N]

    Raises OpAttributeError for 2, -2 and "nuc", which need singular values.
    """
    tensor = _matrices(floating(x, "matrix_norm"), "matrix_norm")
    wide, rows, columns = accumulator(tensor), tensor.ndim - 2, tensor.ndim - 1
    if ord == "fro":
        return cast(_norm(wide, (rows, columns), keepdims, 2), tensor.dtype)
    if ord not in (1, -1, math.inf, -math.inf):
        fail(OpAttributeError(f'matrix_norm: ord is "fro", 1, -1, inf or -inf, not {ord!r}'))
    summed, other = (rows, columns) if abs(float(ord)) == 1 else (columns, rows)
    sums = call("sum", call("abs", wide), axis=(summed,), keepdims=True)
    result = call("max" if float(ord) > 0 else "min", sums, axis=(other,), keepdims=True)
    result = result if keepdims else reshape(result, tensor.shape[:-2])
    return cast(result, tensor.dtype)


def _matrices(x: Tensor, what: str) -> Tensor:
    if x.ndim < 2:
        fail(ShapeError(f"{what}: takes rank 2 or more, but x is {x.type}"))
    return x


def matrix_power(x: Operand, n: int) -> Tensor:
    """The product of n copies of each square matrix, by repeated squaring; the identity for n = 0.

    Raises OpAttributeError for n < 0, which needs an inverse, and ShapeError where matrices are not square.
    """
    tensor = _matrices(as_tensor(x, "matrix_power"), "matrix_power")
    rows, columns = tensor.shape[-2:]
    if rows != columns:
        fail(ShapeError(f"matrix_power: takes square matrices, but x is {tensor.type}"))
    if n < 0:
        fail(OpAttributeError(f"matrix_power: n is at least 0, not {n}: graphc has no inverse"))
    if n == 0:
        return broadcast_to(eye(rows, dtype=tensor.dtype), tensor.shape)
    power: Tensor | None = None
    while True:
        if n & 1:
            power = tensor if power is None else matmul(power, tensor)
        n >>= 1
        if n == 0:
            assert power is not None
            return power
        tensor = matmul(tensor, tensor)


def outer(x1: Operand, x2: Operand) -> Tensor:
    """All products of the elements of two vectors: f32[3] and f32[4] give f32[3,4]."""
    left, right = as_tensor(x1, "outer"), as_tensor(x2, "outer")
    if left.ndim != 1 or right.ndim != 1:
        fail(ShapeError(f"outer: takes vectors, but x1 is {left.type} and x2 is {right.type}"))
    return call("mul", reshape(left, (left.shape[0], 1)), right)


def trace(x: Operand, *, offset: int = 0, dtype: object = None) -> Tensor:
    """The sum of the diagonal of each matrix: f32[N,3,3] gives f32[N]. Dtypes as in `gc.sum`."""
    tensor = as_tensor(x, "trace")
    line = diagonal(tensor, offset=offset)
    return call("sum", cast(line, summed_dtype(tensor, dtype, "trace")), axis=(line.ndim - 1,), keepdims=False)


def cross(x1: Operand, x2: Operand, *, axis: int = -1) -> Tensor:
    """The cross product along an axis of extent 3; the other axes broadcast.

    cross(x, y)   x, y: f32[N,3]   ->   f32[N,3]
    """
    left, right = broadcast_arrays(x1, x2)
    if left.dtype.kind == "bool":
        fail(DTypeError("cross: takes numbers, not booleans"))
    at = as_axis(axis, left.ndim, "cross")
    for name, given in (("x1", as_tensor(x1, "cross")), ("x2", as_tensor(x2, "cross"))):
        if given.ndim < left.ndim - at or given.shape[at - left.ndim] != 3:
            fail(ShapeError(f"cross: axis {axis} has the extent 3, but {name} is {given.type}"))
    a = [narrow(left, i, i + 1, at) for i in range(3)]
    b = [narrow(right, i, i + 1, at) for i in range(3)]
    parts = [call("sub", call("mul", a[i], b[j]), call("mul", a[j], b[i])) for i, j in ((1, 2), (2, 0), (0, 1))]
    return concat(parts, axis=at)


__all__ = [
    "cross", "diagonal", "matmul", "matrix_norm", "matrix_power", "matrix_transpose", "outer", "tensordot", "trace",
    "vecdot", "vector_norm",
]  # fmt: skip
