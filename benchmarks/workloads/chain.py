"""A chain bound by memory: y = residual + scale · silu(rms_norm(x, weight)), mean(y · g), and its gradients.

    Chain("chain", 4096, 3072).bytes_moved        # 252 MB

Gradients are those for x, residual and weight. The mean keeps the gradient for residual (g / size) a result of its own,
which nobody can give by handing back g. Everything is positive in the mean, so that the sum does not cancel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.workloads.constants import ITEM, Array

SCALE = 0.5
RMS_EPS = 1e-6


@dataclass(frozen=True)
class Chain:
    """Forward and backward of residual + scale · silu(rms_norm(x, weight)), weighed by g."""

    name: str
    rows: int
    columns: int

    checked = 1  # nothing changes from step to step
    jointly = False
    flops = 0  # elementwise work hides behind memory
    kinds = frozenset({"gradients"})

    @property
    def title(self) -> str:
        return f"mean((residual + {SCALE}·silu(rms_norm(x)))·g) and its gradients, f32[{self.rows},{self.columns}]"

    @property
    def batch(self) -> int:
        return self.rows

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


def chain_witness(value: Any, gradients: Sequence[Any]) -> list[float]:
    """What contenders compare of a chain: the value, and the sum of magnitudes of each gradient, in f64."""
    return [float(value), *(float(np.abs(np.asarray(gradient, np.float64)).sum()) for gradient in gradients)]
