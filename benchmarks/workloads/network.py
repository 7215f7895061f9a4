"""A network, its training step, and its prediction: arrays, and the work that cannot be avoided.

    Training("mlp_bn", Mlp((784, 512, 512, 10)), 128).flops
    Prediction("predict_mlp_bn", Mlp((784, 512, 512, 10)), 1).arrays(seed=3)["x"].shape      # (1, 784)

A training step is forward, cross-entropy, backward, BatchNorm's running statistics and Adam. Weights bear torch's
names, so that torch and graphc load them as a state dict. Each row of x comes twice, under two labels: the loss tends
to log 2 and gradients stay alive, where a batch learnt by heart would lead to denormal numbers and measure those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from benchmarks.workloads.constants import ITEM, Array
from benchmarks.workloads.contraction import Contraction

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


class Network(Protocol):
    """What contenders build: a classifier of examples."""

    @property
    def title(self) -> str: ...
    @property
    def example(self) -> tuple[int, ...]:
        """The shape of one example."""

    @property
    def classes(self) -> int: ...
    @property
    def contractions(self) -> Sequence[Contraction]: ...
    @property
    def convolutional(self) -> bool: ...
    def weights(self, rng: np.random.Generator) -> dict[str, Array]:
        """Initial parameters and buffers under torch's names."""


def is_statistic(name: str) -> bool:
    """Whether this is one of BatchNorm's buffers, which no optimizer updates."""
    return name.rpartition(".")[2] in STATISTICS


def parameter_count(network: Network) -> int:
    """How many numbers the optimizer updates."""
    weights = network.weights(np.random.default_rng(0))
    return sum(array.size for name, array in weights.items() if not is_statistic(name))


@dataclass(frozen=True)
class Training:
    """Steps of a network on one batch."""

    name: str
    network: Network
    batch: int
    checked: int = 5  # steps whose losses are compared
    kind: str = "training"

    jointly = False

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset({self.kind, *(["convolutional"] if self.network.convolutional else [])})

    @property
    def title(self) -> str:
        return f"{self.network.title}, cross-entropy, Adam, batch {self.batch}"

    @property
    def flops(self) -> int:
        """Multiplications and additions of all contractions, for values and gradients."""
        return self.batch * sum(contraction.training for contraction in self.network.contractions)

    @property
    def bytes_moved(self) -> int:
        """Parameters and Adam's two averages, read and written once, and the batch."""
        return ITEM * (6 * parameter_count(self.network) + self.batch * int(np.prod(self.network.example)))

    def arrays(self, seed: int) -> dict[str, Array]:
        """`x`, `y`, and the initial weights."""
        rng = np.random.default_rng(seed)
        rows = rng.standard_normal((self.batch // 2, *self.network.example), np.float32)
        labels = rng.integers(0, self.network.classes, self.batch // 2)
        return {
            "x": np.concatenate([rows, rows]),
            "y": np.concatenate([labels, (labels + 1) % self.network.classes]),
            **self.network.weights(rng),
        }


@dataclass(frozen=True)
class Prediction:
    """Logits of a batch by a network in eval mode."""

    name: str
    network: Network
    batch: int

    checked = 1  # nothing changes from call to call
    jointly = True  # differences of logits count by the largest one: some are next to 0

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset({"inference", *(["convolutional"] if self.network.convolutional else [])})

    @property
    def title(self) -> str:
        return f"prediction of {self.network.title}, batch {self.batch}"

    @property
    def flops(self) -> int:
        return self.batch * sum(contraction.forward for contraction in self.network.contractions)

    @property
    def bytes_moved(self) -> int:
        """Parameters, the batch and the logits, once each."""
        numbers = self.batch * (int(np.prod(self.network.example)) + self.network.classes)
        return ITEM * (parameter_count(self.network) + numbers)

    def arrays(self, seed: int) -> dict[str, Array]:
        """`x` and the weights, with running statistics as a training leaves them: neither 0 nor 1."""
        rng = np.random.default_rng(seed)
        found = {"x": rng.standard_normal((self.batch, *self.network.example), np.float32)}
        found |= self.network.weights(rng)
        for name, array in found.items():
            if name.endswith("running_mean"):
                found[name] = rng.normal(0, 0.1, array.shape).astype(np.float32)
            elif name.endswith("running_var"):
                found[name] = rng.uniform(0.5, 1.5, array.shape).astype(np.float32)
        return found
