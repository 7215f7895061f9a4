"""A Transformer encoder with the norms first: x + attention(norm(x)), then x + feed-forward(norm(x)), with GELU.

    Transformer().example        # (128, 256): tokens, features

The mean over the tokens goes to a Linear. There is no dropout, so that contenders can be compared. Names are those of
torch's TransformerEncoderLayer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.workloads import layers
from benchmarks.workloads.constants import Array
from benchmarks.workloads.contraction import Product


@dataclass(frozen=True)
class Transformer:
    """`features` are shared out among `heads`; the feed-forward has `widening` times as many."""

    tokens: int = 128
    features: int = 256
    heads: int = 4
    blocks: int = 2
    widening: int = 4
    classes: int = 10

    convolutional = False

    @property
    def title(self) -> str:
        return f"Transformer of {self.blocks} blocks, {self.heads} heads, f32[{self.tokens},{self.features}]"

    @property
    def example(self) -> tuple[int, ...]:
        return (self.tokens, self.features)

    @property
    def hidden(self) -> int:
        """Features inside the feed-forward."""
        return self.features * self.widening

    @property
    def contractions(self) -> Sequence[Product]:
        features, tokens, width = self.features, self.tokens, self.features // self.heads
        found: list[Product] = []
        for i in range(self.blocks):
            found += [
                Product(f"layers.{i}.self_attn.in_proj", features, 3 * features, tokens),
                Product(f"layers.{i}.self_attn q·kᵀ", width, tokens, tokens, groups=self.heads),
                Product(f"layers.{i}.self_attn p·v", tokens, width, tokens, groups=self.heads, plain=True),
                Product(f"layers.{i}.self_attn.out_proj", features, features, tokens),
                Product(f"layers.{i}.linear1", features, self.hidden, tokens),
                Product(f"layers.{i}.linear2", self.hidden, features, tokens),
            ]
        return [*found, Product("fc", features, self.classes)]

    def weights(self, rng: np.random.Generator) -> dict[str, Array]:
        found: dict[str, Array] = {}
        for i in range(self.blocks):
            layer = f"layers.{i}"
            found |= layers.layer_norm(f"{layer}.norm1", self.features)
            found[f"{layer}.self_attn.in_proj_weight"] = layers.uniform(
                rng, self.features, (3 * self.features, self.features)
            )
            found[f"{layer}.self_attn.in_proj_bias"] = layers.uniform(rng, self.features, (3 * self.features,))
            found |= layers.linear(rng, f"{layer}.self_attn.out_proj", self.features, self.features)
            found |= layers.layer_norm(f"{layer}.norm2", self.features)
            found |= layers.linear(rng, f"{layer}.linear1", self.features, self.hidden)
            found |= layers.linear(rng, f"{layer}.linear2", self.hidden, self.features)
        return found | layers.linear(rng, "fc", self.features, self.classes)
