"""What is measured: the same weights and data for every contender, made by NumPy from a seed and handed over.

    WORKLOADS["mlp_bn"].arrays(seed=0)["x"].shape        # (128, 784)

An MLP step is forward, cross-entropy, backward, BatchNorm's running statistics and Adam. Weights bear torch's names,
so that torch and graphc load them as a state dict. Each row of x comes twice, under two labels: the loss tends to
log 2 and gradients stay alive, where a batch learnt by heart would lead to denormal numbers and measure those.

The chain is bound by memory: y = residual + scale · silu(rms_norm(x, weight)), its value mean(y · g), and the gradients
for x, residual and weight. The mean keeps the gradient for residual (g / size) a result of its own, which nobody can
give by handing back g. Everything is positive in the mean, so that the sum does not cancel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

LEARNING_RATE = 1e-3
BETAS = (0.9, 0.999)
ADAM_EPS = 1e-8
BATCH_NORM_EPS = 1e-5
MOMENTUM = 0.1
SCALE = 0.5
RMS_EPS = 1e-6
ITEM = 4  # bytes of an f32


@dataclass(frozen=True)
class Mlp:
    """Linear, BatchNorm1d and ReLU for each hidden layer, Linear at the end; sizes (784, 512, 512, 10), say."""

    name: str
    sizes: tuple[int, ...]
    batch: int

    checked = 5  # steps whose losses are compared

    @property
    def title(self) -> str:
        return f"{'-'.join(map(str, self.sizes))}, BatchNorm1d and ReLU, cross-entropy, Adam, batch {self.batch}"

    @property
    def layers(self) -> Sequence[tuple[str, str | None]]:
        """Names of each Linear and the BatchNorm after it, as torch's Sequential numbers them."""
        last = len(self.sizes) - 2
        return [(str(3 * i), None if i == last else str(3 * i + 1)) for i in range(last + 1)]

    @property
    def flops(self) -> int:
        """Multiplications and additions of all contractions; x itself needs no gradient."""
        products = [inputs * outputs for inputs, outputs in pairwise(self.sizes)]
        return 2 * self.batch * (3 * sum(products) - products[0])

    @property
    def bytes_moved(self) -> int:
        """Parameters and Adam's two averages, read and written once, and the batch."""
        weights = sum(inputs * outputs + outputs for inputs, outputs in pairwise(self.sizes))
        return ITEM * (6 * (weights + 2 * sum(self.sizes[1:-1])) + self.batch * self.sizes[0])

    def arrays(self, seed: int) -> dict[str, Array]:
        """`x`, `y`, and the initial weights under torch's names."""
        rng = np.random.default_rng(seed)
        rows = rng.standard_normal((self.batch // 2, self.sizes[0]), np.float32)
        labels = rng.integers(0, self.sizes[-1], self.batch // 2)
        found = {
            "x": np.concatenate([rows, rows]),
            "y": np.concatenate([labels, (labels + 1) % self.sizes[-1]]),
        }
        for (linear, norm), (inputs, outputs) in zip(self.layers, pairwise(self.sizes), strict=True):
            bound = inputs**-0.5
            found[f"{linear}.weight"] = rng.uniform(-bound, bound, (outputs, inputs)).astype(np.float32)
            found[f"{linear}.bias"] = rng.uniform(-bound, bound, outputs).astype(np.float32)
            if norm is not None:
                found[f"{norm}.weight"] = np.ones(outputs, np.float32)
                found[f"{norm}.bias"] = np.zeros(outputs, np.float32)
                found[f"{norm}.running_mean"] = np.zeros(outputs, np.float32)
                found[f"{norm}.running_var"] = np.ones(outputs, np.float32)
                found[f"{norm}.num_batches_tracked"] = np.zeros((), np.int64)
        return found


@dataclass(frozen=True)
class Chain:
    """Forward and backward of residual + scale · silu(rms_norm(x, weight)), weighed by g."""

    name: str
    rows: int
    columns: int

    checked = 1  # nothing changes from step to step
    flops = 0  # elementwise work hides behind memory

    @property
    def title(self) -> str:
        return f"mean((residual + {SCALE}·silu(rms_norm(x)))·g) and its gradients, f32[{self.rows},{self.columns}]"

    @property
    def bytes_moved(self) -> int:
        """x, residual and g read once, two gradients of their size written once, weight and its gradient."""
        return ITEM * (5 * self.rows * self.columns + 2 * self.columns)

    def arrays(self, seed: int) -> dict[str, Array]:
        """`x`, `residual`, `weight`, `g`."""
        rng = np.random.default_rng(seed)
        shape = self.rows, self.columns
        return {
            "x": rng.standard_normal(shape, np.float32),
            "residual": rng.random(shape, np.float32),
            "weight": rng.uniform(0.5, 1.5, self.columns).astype(np.float32),
            "g": rng.random(shape, np.float32),
        }


Workload = Mlp | Chain

WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        Mlp("mlp_small", (64, 32, 10), 32),
        Mlp("mlp_bn", (784, 512, 512, 10), 128),
        Mlp("mlp_wide", (1024, 2048, 2048, 10), 512),
        Chain("chain", 4096, 3072),
    )
}


def chain_witness(value: Any, gradients: Sequence[Any]) -> list[float]:
    """What contenders compare of a chain: the value, and the sum of magnitudes of each gradient, in f64."""
    return [float(value), *(float(np.abs(np.asarray(gradient, np.float64)).sum()) for gradient in gradients)]
