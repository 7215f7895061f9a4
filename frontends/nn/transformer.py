"""The encoder of a transformer: layers of self-attention and two affine maps, with normalization and short cuts.

layer = nn.TransformerEncoderLayer(512, 8, batch_first=True, norm_first=True)       # f32[N,T,512] -> the same
nn.TransformerEncoder(layer, 6, norm=nn.LayerNorm(512))                             # six copies of it

Source: Vaswani et al., Attention is all you need, 2017; `norm_first` as in Xiong et al., On layer normalization in the
transformer architecture, 2020; torch's conventions.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from graphc.errors import OpAttributeError
from graphc.nn import functional as F
from graphc.nn.attention import MultiheadAttention
from graphc.nn.container import ModuleList
from graphc.nn.dropout import Dropout
from graphc.nn.linear import Linear
from graphc.nn.module import Module
from graphc.nn.normalization import LayerNorm
from graphc.types import f32

ACTIVATIONS: dict[str, Callable[..., Any]] = {"relu": F.relu, "gelu": F.gelu}


class TransformerEncoderLayer(Module):
    """x ← norm1(x + attention(x)), then x ← norm2(x + linear2(activation(linear1(x)))), with dropout on each sum.

    With `norm_first` x ← x + attention(norm1(x)), and so on. `activation` is "relu", "gelu", a function or a module.
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[..., Any] = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        dtype: object = f32,
    ) -> None:
        super().__init__()
        if isinstance(activation, str) and activation not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise OpAttributeError(
                f"TransformerEncoderLayer: activation is one of {known}, or a function, not {activation!r}"
            )
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype)
        self.linear1 = Linear(d_model, dim_feedforward, bias, dtype=dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, dtype=dtype)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.activation = ACTIVATIONS[activation] if isinstance(activation, str) else activation

    def forward(self, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False) -> Any:
        """f32[T,N,d_model], f32[N,T,d_model] with `batch_first`, or f32[T,d_model] -> the same.

        Masks are those of `MultiheadAttention`: `src_mask` is its `attn_mask`.
        """
        x = src
        if self.norm_first:
            x = x + self._attention(self.norm1(x), src_mask, src_key_padding_mask, is_causal)
            return x + self._feedforward(self.norm2(x))
        x = self.norm1(x + self._attention(x, src_mask, src_key_padding_mask, is_causal))
        return self.norm2(x + self._feedforward(x))

    def _attention(self, x: Any, mask: Any, padding: Any, is_causal: bool) -> Any:
        result, _ = self.self_attn(x, x, x, padding, False, mask, is_causal=is_causal)
        return self.dropout1(result)

    def _feedforward(self, x: Any) -> Any:
        return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerEncoder(Module):
    """`num_layers` copies of a layer, one after the other, then `norm`.

    The copies start with the same values, as in torch. `enable_nested_tensor` and `mask_check` have no effect: they
    choose between torch's kernels.
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = ModuleList([copy.deepcopy(encoder_layer) for _ in range(num_layers)])
        self.num_layers = num_layers
        self.norm = norm
        self.enable_nested_tensor = enable_nested_tensor
        self.mask_check = mask_check

    def forward(
        self, src: Any, mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool | None = None
    ) -> Any:
        """As the layer's; `is_causal=None` reads the mask, which gives the same."""
        for layer in self.layers:
            src = layer(src, src_mask=mask, src_key_padding_mask=src_key_padding_mask, is_causal=bool(is_causal))
        return src if self.norm is None else self.norm(src)
