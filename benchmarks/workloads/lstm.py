"""A recurrent network: one LSTM over a sequence, its last state to a Linear.

Lstm().example        # (64, 64): steps, features
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.workloads import layers
from benchmarks.workloads.constants import Array
from benchmarks.workloads.contraction import Product


@dataclass(frozen=True)
class Lstm:
    """`hidden` numbers of state, with the gates in torch's order: input, forget, cell, output."""

    inputs: int = 64
    hidden: int = 256
    steps: int = 64
    classes: int = 10

    convolutional = False

    @property
    def title(self) -> str:
        return f"LSTM({self.inputs}, {self.hidden}) over {self.steps} steps"

    @property
    def example(self) -> tuple[int, ...]:
        return (self.steps, self.inputs)

    @property
    def contractions(self) -> Sequence[Product]:
        """The first step's state is 0 but multiplied all the same, as everyone does."""
        return [
            Product("lstm.weight_ih", self.inputs, 4 * self.hidden, self.steps, data=True),
            Product("lstm.weight_hh", self.hidden, 4 * self.hidden, times=self.steps),
            Product("fc", self.hidden, self.classes),
        ]

    def weights(self, rng: np.random.Generator) -> dict[str, Array]:
        gates = 4 * self.hidden
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih_l0": (gates, self.inputs),
            "weight_hh_l0": (gates, self.hidden),
        }
        shapes |= {"bias_ih_l0": (gates,), "bias_hh_l0": (gates,)}
        found = {f"lstm.{name}": layers.uniform(rng, self.hidden, shape) for name, shape in shapes.items()}
        return found | layers.linear(rng, "fc", self.hidden, self.classes)
