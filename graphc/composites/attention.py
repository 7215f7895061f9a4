"""Attention: every query takes the mean of the values, weighted by how well their keys fit it.

    attention_weights(q, k, mask)                  q: f32[N,H,L,8], k: f32[N,H,S,8]    ->   f32[N,H,L,S]
    scaled_dot_product_attention(q, k, v, mask)    and v: f32[N,H,S,16]                ->   f32[N,H,L,16]

Leading axes broadcast. A mask is boolean, True where a query may look, or floats that are added to the scores. A query
that may look nowhere has the weights 0, the result 0 and the gradient 0. The gradients take the weights from the
operands anew: after `decompose` they are the forward graph's own nodes, and `cse` makes them one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc.array.contract import Label, Labelled, contract
from graphc.composites.precision import check_floats, computed_in_f32, computing_dtype, cotangents_in_f32
from graphc.dim import Extent
from graphc.errors import DTypeError, ShapeError
from graphc.op import composite
from graphc.operands import broadcast_shapes, shape_text
from graphc.ops.creation import full, iota
from graphc.ops.elementwise import exp, logical_and, rsqrt, stop_gradient, where
from graphc.ops.reduction import max, sum
from graphc.ops.shape import sum_to
from graphc.samples import booleans, exactly, real, sample
from graphc.types import Shape, TensorType, bool_, i32

# -- what fits --------------------------------------------------------------------------------------------------------


def _scores_shape(what: str, query: TensorType, key: TensorType) -> Shape:
    for name, type in (("query", query), ("key", key)):
        if type.rank < 2:
            raise ShapeError(f"{what}: {name} has 2 axes or more, positions and features, but this one is {type}")
    check_floats(what, query=query)
    _check_dtype(what, query, key=key)
    if query.shape[-1] != key.shape[-1]:
        raise ShapeError(f"{what}: query has {query.shape[-1]} features, but key has {key.shape[-1]}")
    leading = broadcast_shapes(query.shape[:-2], key.shape[:-2], what=f"{what}: query and key before their last 2 axes")
    return (*leading, query.shape[-2], key.shape[-2])


def _check_dtype(what: str, query: TensorType, **others: TensorType) -> None:
    for name, type in others.items():
        if type.dtype is not query.dtype:
            raise DTypeError(f"{what}: query is {query.dtype}, but {name} is {type.dtype}; convert one with gc.astype")


def _check_mask(what: str, query: TensorType, mask: TensorType | None, scores: Shape) -> None:
    if mask is None:
        return
    if mask.dtype is not bool_ and computing_dtype(mask.dtype) is not computing_dtype(query.dtype):
        raise DTypeError(
            f"{what}: the mask is boolean or of the query's dtype, {query.dtype}, but it is {mask}; "
            "convert it with gc.astype"
        )
    misfit = ShapeError(
        f"{what}: the scores have shape {shape_text(scores)}, but the mask has {shape_text(mask.shape)}, "
        "which does not broadcast to it"
    )
    try:
        fits = broadcast_shapes(scores, mask.shape) == scores
    except ShapeError:
        raise misfit from None
    if not fits:
        raise misfit


# -- products over named axes -----------------------------------------------------------------------------------------


def _named(x: Any, axes: str) -> Labelled:
    """A tensor whose last axes have these names; those before are counted from the last: … -2, -1."""
    return Labelled(x, (*range(len(axes) - x.ndim, 0), *axes))


def _product(lhs: Labelled, rhs: Labelled, axes: str) -> Any:
    """The sum of products over the names that `axes` lacks; leading axes broadcast."""
    longer = lhs if lhs.tensor.ndim >= rhs.tensor.ndim else rhs
    labels = (*longer.labels[:-2], *axes)
    return contract(lhs, rhs, labels).aligned(labels)


def _cotangent_of(x: Labelled, lhs: Labelled, rhs: Labelled) -> Any:
    """The sum of products over all that x lacks, the leading axes along which x was broadcast among them."""
    extents: dict[Label, Extent] = {**lhs.extents}
    extents |= {label: extent for label, extent in rhs.extents.items() if extents.get(label, 1) == 1}
    kept = [label for label, extent in x.extents.items() if extents[label] == extent]
    return contract(lhs, rhs, kept).aligned(x.labels)


# -- weights ----------------------------------------------------------------------------------------------------------


def _factor(query: Any, scale: float | None) -> Any:
    """The scale, by default 1/√E for E features."""
    features = query.shape[-1]
    if scale is not None:
        return scale
    if isinstance(features, int):
        return 1 / math.sqrt(features) if features else 1.0
    return rsqrt(full(value=features, shape=(), dtype=query.dtype))


def _looks(scores: Any, mask: Any, is_causal: bool) -> Any:
    """Where queries may look, by a boolean mask and the order of positions; None for everywhere."""
    look = mask if mask is not None and mask.dtype is bool_ else None
    if not is_causal:
        return look
    axes = scores.ndim - 2, scores.ndim - 1
    row, column = (iota(shape=scores.shape, axis=axis, dtype=i32) for axis in axes)
    return row >= column if look is None else logical_and(look, row >= column)


def _weights_vjp(
    g: Any, y: Any, query: Any, key: Any, mask: Any = None, *, is_causal: bool, scale: float | None
) -> tuple[Any, ...]:
    """With P the weights:  dS = P·(g - Σ g·P)"""
    d_scores = y * (g - sum(g * y, axis=(y.ndim - 1,), keepdims=True))
    return _cotangents_of_scores(d_scores, query, key, mask, scale)


def _cotangents_of_scores(d_scores: Any, query: Any, key: Any, mask: Any, scale: float | None) -> tuple[Any, ...]:
    """dQ = dS·K·scale, dK = dSᵀ·Q·scale, and dS itself for a mask that was added."""
    scaled, q, k = _named(d_scores * _factor(query, scale), "ls"), _named(query, "le"), _named(key, "se")
    cotangents = (_cotangent_of(q, scaled, k), _cotangent_of(k, scaled, q))
    if mask is None:
        return cotangents
    return (*cotangents, None if mask.dtype is bool_ else sum_to(d_scores, mask.shape))


def _infer_weights(
    query: TensorType, key: TensorType, mask: TensorType | None = None,
    *, is_causal: bool = False, scale: float | None = None,
) -> TensorType:  # fmt: skip
    scores = _scores_shape("attention_weights", query, key)
    _check_mask("attention_weights", query, mask, scores)
    return query.with_shape(scores)


_NOWHERE = exactly([[True, False, True, True, False], [False] * 5, [True] * 5], bool_)
_ADDED = exactly([[0.5, -math.inf, 1.0, 0.0, -1.0], [-math.inf] * 5, [0.0] * 5])


@composite(
    infer=_infer_weights,
    vjp=cotangents_in_f32(_weights_vjp),
    samples=[
        sample(real(3, 4), real(3, 4)),
        sample(real(2, 3, 4), real(2, 5, 4), is_causal=True),
        sample(real(2, 5, 4), real(2, 3, 4), booleans(5, 3), is_causal=True, scale=0.3),
        sample(real(2, 2, 3, 4), real(2, 1, 5, 4), _NOWHERE),
        sample(real(2, 3, 4), real(2, 5, 4), real(3, 5)),
        sample(real(2, 3, 4), real(2, 5, 4), _ADDED, differentiable=False),
        sample(real(2, 3, 4), real(2, 0, 4)),
        sample(real(0, 3, 4), real(0, 5, 4)),
    ],
)
@computed_in_f32
def attention_weights(
    query: Any, key: Any, mask: Any = None, *, is_causal: bool = False, scale: float | None = None
) -> Any:
    """softmax(q·kᵀ·scale) over the keys: how much every query takes of every value.

        attention_weights(q, k, mask)   q: f32[N,H,L,8], k: f32[N,H,S,8], mask: bool[L,S]   ->   f32[N,H,L,S]

    The mask broadcasts to the result: True where a query may look, or floats that are added to the scores.
    `is_causal` lets query i see the keys 0 to i. `scale` is 1/√E when None. A row that may look nowhere is 0. Raises
    ShapeError and DTypeError where operands do not fit. Vaswani et al., Attention is all you need, 2017.
    """
    scores = _product(_named(query, "le"), _named(key, "se"), "ls") * _factor(query, scale)
    look = _looks(scores, mask, is_causal)
    if mask is not None and mask.dtype is not bool_:
        scores = scores + mask
    last = (scores.ndim - 1,)
    if scores.shape[-1] == 0:
        return scores
    if look is not None:  # the least number, not -inf, which max absorbs: compiled, its loop would branch
        scores = where(look, scores, float(np.finfo(scores.dtype.numpy).min))
    top = stop_gradient(max(scores, axis=last, keepdims=True))
    e = exp(scores - (top if mask is None else where(top == -math.inf, 0, top)))
    if look is not None:
        e = where(look, e, 0)
    total = sum(e, axis=last, keepdims=True)
    return e / (total if mask is None else where(total == 0, 1, total))


# -- attention --------------------------------------------------------------------------------------------------------


def _infer(
    query: TensorType, key: TensorType, value: TensorType, mask: TensorType | None = None,
    *, is_causal: bool = False, scale: float | None = None,
) -> TensorType:  # fmt: skip
    what = "scaled_dot_product_attention"
    scores = _scores_shape(what, query, key)
    if value.rank < 2:
        raise ShapeError(f"{what}: value has 2 axes or more, positions and features, but this one is {value}")
    _check_dtype(what, query, value=value)
    if key.shape[-2] != value.shape[-2]:
        raise ShapeError(f"{what}: there are {key.shape[-2]} keys, but {value.shape[-2]} values")
    _check_mask(what, query, mask, scores)
    leading = broadcast_shapes(
        scores[:-2], value.shape[:-2], what=f"{what}: weights and value before their last 2 axes"
    )
    return query.with_shape((*leading, query.shape[-2], value.shape[-1]))


def _attention_vjp(
    g: Any, y: Any, query: Any, key: Any, value: Any, mask: Any = None, *, is_causal: bool, scale: float | None
) -> tuple[Any, ...]:
    """With P the weights:  dV = Pᵀ·g  and  dS = P·(g·Vᵀ - Σ g·y), the sum being over features: Σ P·(g·Vᵀ) = Σ g·y.

    Where a value is shared by queries along leading axes that the weights lack, these are summed first.
    """
    optional = () if mask is None else (mask,)
    weights = attention_weights(query, key, *optional, is_causal=is_causal, scale=scale)
    p, v, given = _named(weights, "ls"), _named(value, "sd"), _named(g, "ld")
    share = sum_to(sum(g * y, axis=(y.ndim - 1,), keepdims=True), (*weights.shape[:-1], 1))
    d_scores = weights * (_cotangent_of(p, given, v) - share)
    d_query, d_key, *d_mask = _cotangents_of_scores(d_scores, query, key, mask, scale)
    return d_query, d_key, _cotangent_of(v, p, given), *d_mask


@composite(
    infer=_infer,
    vjp=cotangents_in_f32(_attention_vjp),
    samples=[
        sample(real(3, 4), real(3, 4), real(3, 2)),
        sample(real(2, 3, 4), real(2, 5, 4), real(2, 5, 2), is_causal=True),
        sample(real(2, 5, 4), real(2, 3, 4), real(2, 3, 4), booleans(5, 3), is_causal=True, scale=0.3),
        sample(real(2, 2, 3, 4), real(2, 1, 5, 4), real(2, 1, 5, 2), _NOWHERE),
        sample(real(2, 1, 3, 4), real(2, 1, 5, 4), real(2, 3, 5, 2)),
        sample(real(2, 3, 4), real(2, 5, 4), real(2, 5, 2), real(3, 5)),
        sample(real(2, 3, 4), real(2, 5, 4), real(2, 5, 2), _ADDED, differentiable=False),
        sample(real(2, 3, 4), real(2, 0, 4), real(2, 0, 2)),
        sample(real(0, 3, 4), real(0, 5, 4), real(0, 5, 2)),
    ],
)
@computed_in_f32
def scaled_dot_product_attention(
    query: Any, key: Any, value: Any, mask: Any = None, *, is_causal: bool = False, scale: float | None = None
) -> Any:
    """softmax(q·kᵀ·scale)·v: of every query the mean of the values, weighted by how well their keys fit.

        scaled_dot_product_attention(q, k, v)   q: f32[N,H,L,8], k: f32[N,H,S,8], v: f32[N,H,S,16]  ->  f32[N,H,L,16]

    Mask, `is_causal` and `scale` are those of `attention_weights`; 0 for a query that may look nowhere. Raises
    ShapeError and DTypeError where operands do not fit. Vaswani et al., 2017; the form of the gradient is that of Dao
    et al., FlashAttention, 2022. torch.nn.functional.scaled_dot_product_attention.
    """
    optional = () if mask is None else (mask,)
    weights = attention_weights(query, key, *optional, is_causal=is_causal, scale=scale)
    return _product(_named(weights, "ls"), _named(value, "sd"), "ld")
