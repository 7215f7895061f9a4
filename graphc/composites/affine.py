"""Affine maps: sums of products with a weight, and a bias.

    affine(x, weight, bias)             x: f32[N,784], weight: f32[512,784], bias: f32[512]   ->   f32[N,512]
    bilinear(a, b, weight, bias)        a: f32[N,3], b: f32[N,4], weight: f32[5,3,4]          ->   f32[N,5]

Weights lie as torch's do: one row per output feature.
"""

from __future__ import annotations

from typing import Any

from graphc.dim import Extent
from graphc.errors import DTypeError, ShapeError
from graphc.op import composite
from graphc.ops.contraction import dot_general
from graphc.ops.reduction import sum
from graphc.samples import real, sample
from graphc.types import TensorType

Axes = tuple[int, ...]


def _check_dtypes(what: str, **operands: TensorType | None) -> None:
    given = [(name, type) for name, type in operands.items() if type is not None]
    for name, type in given:
        if type.dtype.kind == "bool":
            raise DTypeError(f"{what}: takes numbers, but {name} is {type}; convert with gc.astype")
        if type.dtype is not given[0][1].dtype:
            raise DTypeError(
                f"{what}: {given[0][0]} is {given[0][1].dtype}, but {name} is {type.dtype}; convert one with gc.astype"
            )


def _check_bias(what: str, features: Extent, bias: TensorType | None) -> None:
    if bias is None or bias.shape == (features,):
        return
    if bias.rank != 1:
        raise ShapeError(f"{what}: bias has shape ({features},), but this one is {bias}")
    raise ShapeError(f"{what}: weight gives {features} features, but bias has {bias.shape[0]}")


def _infer_affine(x: TensorType, weight: TensorType, bias: TensorType | None = None) -> TensorType:
    _check_dtypes("affine", x=x, weight=weight, bias=bias)
    if weight.rank != 2:
        raise ShapeError(f"affine: weight has shape (out, in), but this one is {weight}")
    if x.rank == 0:
        raise ShapeError(f"affine: x has features along its last axis, but this one is {x}")
    if x.shape[-1] != weight.shape[1]:
        raise ShapeError(f"affine: x has {x.shape[-1]} features, but weight takes {weight.shape[1]}")
    _check_bias("affine", weight.shape[0], bias)
    return x.with_shape((*x.shape[:-1], weight.shape[0]))


def _leading(x: Any) -> Axes:
    return tuple(range(x.ndim - 1))


def _affine_vjp(g: Any, y: Any, x: Any, weight: Any, bias: Any = None) -> tuple[Any, ...]:
    """dX = dY·W, dW = dYᵀ·X, db = the column sums of dY."""
    rows, last = _leading(x), x.ndim - 1
    cotangents = (
        dot_general(g, weight, contract=((last,), (0,))),
        dot_general(g, x, contract=(rows, rows)),
    )
    return cotangents if bias is None else (*cotangents, sum(g, axis=rows))


@composite(
    infer=_infer_affine,
    vjp=_affine_vjp,
    samples=[
        sample(real(4, 3), real(5, 3), real(5)),
        sample(real(4, 3), real(5, 3)),
        sample(real(3), real(5, 3), real(5)),
        sample(real(2, 4, 3), real(5, 3), real(5)),
        sample(real(0, 3), real(5, 3), real(5)),
        sample(real(4, 0), real(5, 0), real(5)),
    ],
)
def affine(x: Any, weight: Any, bias: Any = None) -> Any:
    """x·Wᵀ + b over the last axis.

        affine(x, weight, bias)   x: f32[N,784], weight: f32[512,784], bias: f32[512]   ->   f32[N,512]

    Leading axes are free; the bias is optional. Raises ShapeError where features do not fit, DTypeError where dtypes
    differ. torch.nn.functional.linear.
    """
    h = dot_general(x, weight, contract=((x.ndim - 1,), (1,)))
    return h if bias is None else h + bias


def _infer_bilinear(a: TensorType, b: TensorType, weight: TensorType, bias: TensorType | None = None) -> TensorType:
    _check_dtypes("bilinear", a=a, b=b, weight=weight, bias=bias)
    if weight.rank != 3:
        raise ShapeError(f"bilinear: weight has shape (out, in of a, in of b), but this one is {weight}")
    if a.rank == 0 or a.rank != b.rank or a.shape[:-1] != b.shape[:-1]:
        raise ShapeError(f"bilinear: a and b agree in all axes but the last, but they are {a} and {b}")
    for name, type, takes in (("a", a, weight.shape[1]), ("b", b, weight.shape[2])):
        if type.shape[-1] != takes:
            raise ShapeError(f"bilinear: {name} has {type.shape[-1]} features, but weight takes {takes}")
    _check_bias("bilinear", weight.shape[0], bias)
    return a.with_shape((*a.shape[:-1], weight.shape[0]))


@composite(
    infer=_infer_bilinear,
    samples=[
        sample(real(2, 3), real(2, 4), real(5, 3, 4), real(5)),
        sample(real(2, 2, 3), real(2, 2, 4), real(5, 3, 4)),
        sample(real(3), real(4), real(5, 3, 4), real(5)),
        sample(real(0, 3), real(0, 4), real(5, 3, 4), real(5)),
    ],
)
def bilinear(a: Any, b: Any, weight: Any, bias: Any = None) -> Any:
    """yₒ = aᵀ·Wₒ·b + biasₒ over the last axes.

        bilinear(a, b, weight, bias)   a: f32[N,3], b: f32[N,4], weight: f32[5,3,4], bias: f32[5]   ->   f32[N,5]

    Leading axes are free and equal; the bias is optional. Raises ShapeError where features do not fit, DTypeError
    where dtypes differ. torch.nn.functional.bilinear.
    """
    rows, last = _leading(a), a.ndim - 1
    partial = dot_general(a, weight, contract=((last,), (1,)))
    h = dot_general(partial, b, contract=((last + 1,), (last,)), batch=(rows, rows))
    return h if bias is None else h + bias
