"""Multilayer perceptrons: Linear, BatchNorm1d and ReLU for each hidden layer, Linear at the end.

Mlp((784, 512, 512, 10)).layers        # [("0", "1"), ("3", "4"), ("6", None)]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from benchmarks.workloads import layers
from benchmarks.workloads.constants import Array
from benchmarks.workloads.contraction import Product


@dataclass(frozen=True)
class Mlp:
    """`sizes` are the features from the input to the logits."""

    sizes: tuple[int, ...]

    convolutional = False

    @property
    def title(self) -> str:
        return f"{'-'.join(map(str, self.sizes))}, BatchNorm1d and ReLU"

    @property
    def example(self) -> tuple[int, ...]:
        return (self.sizes[0],)

    @property
    def classes(self) -> int:
        return self.sizes[-1]

    @property
    def layers(self) -> Sequence[tuple[str, str | None]]:
        """Names of each Linear and the BatchNorm after it, as torch's Sequential numbers them."""
        last = len(self.sizes) - 2
        return [(str(3 * i), None if i == last else str(3 * i + 1)) for i in range(last + 1)]

    @property
    def contractions(self) -> Sequence[Product]:
        return [
            Product(linear, inputs, outputs, data=i == 0)
            for i, ((linear, _), (inputs, outputs)) in enumerate(zip(self.layers, pairwise(self.sizes), strict=True))
        ]

    def weights(self, rng: np.random.Generator) -> dict[str, Array]:
        found: dict[str, Array] = {}
        for (linear, norm), (inputs, outputs) in zip(self.layers, pairwise(self.sizes), strict=True):
            found |= layers.linear(rng, linear, inputs, outputs)
            if norm is not None:
                found |= layers.batch_norm(norm, outputs)
        return found
