"""Attention: queries take the values of the keys that fit them.

scaled_dot_product_attention(q, k, v, is_causal=True)      q: f32[N,H,L,8], k: f32[N,H,S,8], v: f32[N,H,S,16]
                                                           -> f32[N,H,L,16]

A boolean mask is True where a query may look; a float mask is added to the scores.
"""

from __future__ import annotations

from typing import Any

from graphc import array as xp
from graphc.errors import ArgumentError, OpAttributeError, ShapeError
from graphc.nn.functional.dropout import dropout
from graphc.nn.functional.shape import as_tensor, call, fail, floating
from graphc.tensor import Tensor

WHAT = "scaled_dot_product_attention"


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(q·kᵀ·scale)·v over the last two axes, positions and features; leading axes broadcast.

        q: f32[N,H,L,8], k: f32[N,H,S,8], v: f32[N,H,S,16], attn_mask: bool[L,S]   ->   f32[N,H,L,16]

    `is_causal` lets query i see the keys 0 to i, and goes without `attn_mask`. `scale` is 1/√E when None. `dropout_p`
    drops weights wherever it is above 0, so give 0 in eval. With `enable_gqa` the third axis from the end counts
    heads, and each head of keys and values serves a group of query heads. A query that may look nowhere gets 0.
    Raises ShapeError and DTypeError where operands do not fit. Source: Vaswani et al., Attention is all you need, 2017.
    """
    q, k, v = floating(WHAT, query=query, key=key, value=value)
    mask = None if attn_mask is None else as_tensor(attn_mask, WHAT)
    if mask is not None and is_causal:
        fail(ArgumentError(f"{WHAT}: takes attn_mask or is_causal, not both: attn_mask is {mask.type}"))
    if not 0 <= dropout_p <= 1:
        fail(OpAttributeError(f"{WHAT}: dropout_p is a probability from 0 to 1, not {dropout_p}"))
    if not enable_gqa:
        return attend(q, k, v, mask, dropout_p, is_causal, scale)
    grouped = _in_groups(q, k, v, mask)
    result = attend(*grouped, dropout_p, is_causal, scale)
    return xp.reshape(result, (*result.shape[:-4], q.shape[-3], *result.shape[-2:]))


def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout_p: float, is_causal: bool, scale: Any
) -> Tensor:
    """Attention as one op; with dropout as weights, dropout, product."""
    if dropout_p == 0:
        return call(WHAT, query, key, value, mask, is_causal=is_causal, scale=scale)
    weights = attention_weights(query, key, mask, is_causal, scale)
    return xp.matmul(dropout(weights, dropout_p), value)


def attention_weights(
    query: Any, key: Any, attn_mask: Any = None, is_causal: bool = False, scale: float | None = None
) -> Tensor:
    """softmax(q·kᵀ·scale), the shares that `scaled_dot_product_attention` gives to the values: f32[…,L,S]."""
    return call("attention_weights", query, key, attn_mask, is_causal=is_causal, scale=scale)


def _in_groups(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """The axis of heads as two, (heads of keys, queries for each): one of the queries' heads meets its own key's."""
    for name, tensor in (("query", q), ("key", k), ("value", v)):
        if tensor.ndim < 3:
            fail(ShapeError(f"{WHAT}: with enable_gqa {name} has 3 axes or more, but this one is {tensor.type}"))
    heads, shared = q.shape[-3], k.shape[-3]
    if v.shape[-3] != shared:
        fail(ShapeError(f"{WHAT}: with enable_gqa key and value have as many heads, but {shared} and {v.shape[-3]}"))
    if not isinstance(heads, int) or not isinstance(shared, int) or shared == 0 or heads % shared:
        fail(ShapeError(f"{WHAT}: with enable_gqa query has a multiple of key's {shared} heads, but it has {heads}"))
    group = heads // shared
    q = xp.reshape(q, (*q.shape[:-3], shared, group, *q.shape[-2:]))
    k, v = (xp.expand_dims(x, axis=-3) for x in (k, v))
    if mask is None or mask.ndim < 3:
        return q, k, v, mask
    if mask.shape[-3] not in (1, heads):
        fail(ShapeError(f"{WHAT}: query has {heads} heads, but attn_mask has {mask.shape[-3]}"))
    split = (1, 1) if mask.shape[-3] == 1 else (shared, group)
    return q, k, v, xp.reshape(mask, (*mask.shape[:-3], *split, *mask.shape[-2:]))
