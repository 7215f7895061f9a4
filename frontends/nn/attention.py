"""Multi-head attention: several attentions side by side, each over features of its own.

nn.MultiheadAttention(512, 8, batch_first=True)     # q: f32[N,L,512], k and v: f32[N,S,512] -> f32[N,L,512], f32[N,L,S]

Source: Vaswani et al., Attention is all you need, 2017; torch's conventions.
"""

from __future__ import annotations

import math
from typing import Any

from graphc import array as xp
from graphc.dim import Extent
from graphc.errors import DTypeError, OpAttributeError, ShapeError
from graphc.nn import functional as F
from graphc.nn import init
from graphc.nn.functional.attention import attend, attention_weights
from graphc.nn.functional.shape import as_tensor, fail, shape_text
from graphc.nn.linear import Linear, empty_parameter
from graphc.nn.module import Module
from graphc.tensor import Tensor
from graphc.types import bool_, f32


class MultiheadAttention(Module):
    """Concat(head₁ … head_h)·W_oᵀ + b_o, where head_i = softmax(q_i·k_iᵀ/√d)·v_i of projections with d = embed_dim/h.

    `kdim` and `vdim` are the features of keys and values where they are not `embed_dim`. `add_bias_kv` appends a
    learnt key and value, `add_zero_attn` a key and value of 0. Projections start with xavier_uniform, biases with 0.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        *,
        dtype: object = f32,
    ) -> None:
        super().__init__()
        if embed_dim <= 0 or num_heads <= 0:
            raise OpAttributeError(
                f"MultiheadAttention: embed_dim and num_heads are above 0, but they are {embed_dim} and {num_heads}"
            )
        if embed_dim % num_heads:
            raise OpAttributeError(
                f"MultiheadAttention: embed_dim {embed_dim} is not divisible by num_heads {num_heads}"
            )
        if not 0 <= dropout <= 1:
            raise OpAttributeError(f"MultiheadAttention: dropout is a probability from 0 to 1, not {dropout}")
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.add_zero_attn = add_zero_attn
        packed = self.kdim == self.vdim == embed_dim
        for letter, features in (("q", embed_dim), ("k", self.kdim), ("v", self.vdim)):
            weight = None if packed else empty_parameter((embed_dim, features), dtype)
            self.register_parameter(f"{letter}_proj_weight", weight)
        self.register_parameter(
            "in_proj_weight", empty_parameter((3 * embed_dim, embed_dim), dtype) if packed else None
        )
        self.register_parameter("in_proj_bias", empty_parameter((3 * embed_dim,), dtype) if bias else None)
        for name in ("bias_k", "bias_v"):
            self.register_parameter(name, empty_parameter((1, 1, embed_dim), dtype) if add_bias_kv else None)
        self.out_proj = Linear(embed_dim, embed_dim, bias, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the projections anew; all biases but the appended key and value become 0."""
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        self.out_proj.reset_parameters()
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        for appended in (self.bias_k, self.bias_v):
            if appended is not None:
                init.xavier_normal_(appended)

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Any, Any]:
        """f32[L,N,E], f32[S,N,kdim], f32[S,N,vdim] -> f32[L,N,E] and the weights f32[N,L,S], or None.

        With `batch_first` N comes before L and S; without N all are one axis shorter. `need_weights` gives the weights
        besides, as the mean over the heads or, without `average_attn_weights`, as f32[N,H,L,S].

        Masks: `key_padding_mask` [N,S] and `attn_mask` [L,S] or [N·H,L,S], boolean and True where a query may *not*
        look, or floats that are added to the scores. `is_causal` says that the mask is the causal one, query i seeing
        the keys 0 to i; then `attn_mask` need not be given, and is not read. A query that may look nowhere gets 0.
        """
        shared = query is key and key is value
        q, k, v = (as_tensor(x, "MultiheadAttention") for x in (query, key, value))
        self._check_inputs(q, k, v)
        mask = self._merged_mask(q, k, attn_mask, key_padding_mask, is_causal)
        causal = is_causal and self._appended == 0
        q, k, v = self._packed_projection(q) if shared and self.in_proj_weight is not None else self._projected(q, k, v)
        k, v = self._with_appended(k, self.bias_k), self._with_appended(v, self.bias_v)
        q, k, v = self._heads(q), self._heads(k), self._heads(v)
        dropout = self.dropout if self.training else 0.0
        if not need_weights:
            return self.out_proj(self._joined(attend(q, k, v, mask, dropout, causal, None))), None
        weights = F.dropout(attention_weights(q, k, mask, causal), dropout)
        result = self.out_proj(self._joined(xp.matmul(weights, v)))
        return result, xp.mean(weights, axis=-3) if average_attn_weights else weights

    # -- projections --------------------------------------------------------------------------------------------------

    def _packed_projection(self, x: Tensor) -> tuple[Tensor, ...]:
        """Query, key and value of one input, by one product."""
        return self._thirds(F.linear(x, self.in_proj_weight, self.in_proj_bias), axis=-1)

    def _projected(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        if self.in_proj_weight is None:
            weights: tuple[Any, ...] = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        else:
            weights = self._thirds(self.in_proj_weight, axis=0)
        biases = (None,) * 3 if self.in_proj_bias is None else self._thirds(self.in_proj_bias, axis=0)
        return tuple(F.linear(x, w, b) for x, w, b in zip(inputs, weights, biases, strict=True))

    def _thirds(self, x: Any, axis: int) -> tuple[Tensor, ...]:
        tensor, size = as_tensor(x, "MultiheadAttention"), self.embed_dim
        parts = [slice(i * size, (i + 1) * size) for i in range(3)]
        return tuple(tensor[(..., part) if axis == -1 else part] for part in parts)

    @property
    def _appended(self) -> int:
        """How many keys and values are appended to those given."""
        return (self.bias_k is not None) + self.add_zero_attn

    def _with_appended(self, x: Tensor, bias: Any) -> Tensor:
        """Keys or values with those that the layer appends: the learnt one, then 0."""
        axis = self._position_axis(x)
        one = tuple(1 if i == axis else extent for i, extent in enumerate(x.shape))
        parts = [x]
        if bias is not None:
            parts.append(xp.broadcast_to(xp.reshape(bias, (self.embed_dim,)), one))
        if self.add_zero_attn:
            parts.append(xp.zeros(one, dtype=x.dtype))
        return parts[0] if len(parts) == 1 else xp.concat(parts, axis=axis)

    def _position_axis(self, x: Tensor) -> int:
        return 1 if x.ndim == 3 and self.batch_first else 0

    def _heads(self, x: Tensor) -> Tensor:
        """[N,L,E], [L,N,E] or [L,E] as [N,H,L,d] or [H,L,d]."""
        split = xp.reshape(x, (*x.shape[:-1], self.num_heads, self.head_dim))
        axes = (1, 0, 2) if x.ndim == 2 else (0, 2, 1, 3) if self.batch_first else (1, 2, 0, 3)
        return xp.permute_dims(split, axes)

    def _joined(self, x: Tensor) -> Tensor:
        """The way back from `_heads`."""
        axes = (1, 0, 2) if x.ndim == 3 else (0, 2, 1, 3) if self.batch_first else (2, 0, 1, 3)
        rows = xp.permute_dims(x, axes)
        return xp.reshape(rows, (*rows.shape[:-2], self.embed_dim))

    # -- checks and masks ---------------------------------------------------------------------------------------------

    def _check_inputs(self, q: Tensor, k: Tensor, v: Tensor) -> None:
        if q.ndim not in (2, 3) or not q.ndim == k.ndim == v.ndim:
            axes = f"{q.type}, {k.type} and {v.type}"
            fail(ShapeError(f"MultiheadAttention: query, key and value have 3 axes, or 2 without a batch, not {axes}"))
        sizes = (
            ("query", q, "embed_dim", self.embed_dim),
            ("key", k, "kdim", self.kdim),
            ("value", v, "vdim", self.vdim),
        )
        for name, tensor, size, features in sizes:
            if tensor.shape[-1] != features:
                fail(
                    ShapeError(f"MultiheadAttention: {size} is {features}, but {name} has {tensor.shape[-1]} features")
                )
        if k.shape[:-1] != v.shape[:-1]:
            fail(ShapeError(f"MultiheadAttention: key is {k.type}, but value is {v.type}: they differ before features"))
        if self._batch(q) != self._batch(k):
            fail(
                ShapeError(f"MultiheadAttention: query has batch {self._batch(q)[0]}, but key has {self._batch(k)[0]}")
            )

    def _batch(self, x: Tensor) -> tuple[Extent, ...]:
        """(N,), or () without a batch."""
        return () if x.ndim == 2 else (x.shape[1 - self._position_axis(x)],)

    def _merged_mask(self, q: Tensor, k: Tensor, attn_mask: Any, padding: Any, is_causal: bool) -> Tensor | None:
        """Both masks as one that broadcasts to [N,H,L,S]: True where a query may look, or floats to be added."""
        batch, queries = self._batch(q), q.shape[self._position_axis(q)]
        keys = k.shape[self._position_axis(k)]
        masks = []
        if attn_mask is not None:
            mask = self._checked_mask("attn_mask", attn_mask, *self._attn_mask_shapes(batch, queries, keys))
            if not is_causal:
                each = mask.ndim == 3 and batch
                masks.append(xp.reshape(mask, (*batch, self.num_heads, queries, keys)) if each else mask)
        if is_causal and self._appended:
            masks.append(xp.expand_dims(xp.arange(queries), axis=1) < xp.expand_dims(xp.arange(keys), axis=0))
        if padding is not None:
            mask = self._checked_mask("key_padding_mask", padding, (*batch, keys))
            masks.append(xp.reshape(mask, (*batch, 1, 1, keys)) if batch else mask)
        masks = [self._seeing_appended(mask) for mask in masks]
        if all(mask.dtype is bool_ for mask in masks):
            hidden = masks[:1] if len(masks) < 2 else [xp.logical_or(*masks)]
            return xp.logical_not(hidden[0]) if hidden else None
        added = [xp.where(m, -math.inf, xp.zeros((), dtype=q.dtype)) if m.dtype is bool_ else m for m in masks]
        return added[0] if len(added) == 1 else added[0] + added[1]

    def _attn_mask_shapes(self, batch: tuple[Extent, ...], queries: Extent, keys: Extent) -> list[tuple[Extent, ...]]:
        every = batch[0] * self.num_heads if batch else self.num_heads
        return [(queries, keys), (every, queries, keys)]

    def _checked_mask(self, name: str, mask: Any, *shapes: tuple[Extent, ...]) -> Tensor:
        tensor = as_tensor(mask, "MultiheadAttention")
        if tensor.dtype is not bool_ and not tensor.dtype.is_float:
            fail(DTypeError(f"MultiheadAttention: {name} is boolean or of floats, but it is {tensor.type}"))
        if tensor.shape not in shapes:
            allowed = " or ".join(map(shape_text, shapes))
            fail(
                ShapeError(
                    f"MultiheadAttention: {name} has shape {allowed}, but this one has {shape_text(tensor.shape)}"
                )
            )
        return tensor

    def _seeing_appended(self, mask: Tensor) -> Tensor:
        """The mask with columns for the appended keys, which all queries may see."""
        if self._appended == 0:
            return mask
        return xp.concat([mask, xp.zeros((*mask.shape[:-1], self._appended), dtype=mask.dtype)], axis=-1)
