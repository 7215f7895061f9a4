"""A classifier trained and measured: what `graphc train` runs, and what its summary says.

    job = Classification(model, train, test, optim.Adam(lr=2e-3), inputs=gc.f32["N", 64], epochs=20, batch_size=64)
    for record in job.run():
        print(record.epoch, record.loss, record.accuracy)
    job.summary()["test_accuracy"]

Everything random follows the seed: two runs of one seed give the same numbers, bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from graphc.data import DataLoader, Dataset
from graphc.dsl import compile
from graphc.errors import ArgumentError
from graphc.nn import Module
from graphc.nn.functional import cross_entropy
from graphc.optim import Optimizer
from graphc.train.loop import epochs
from graphc.train.metrics import accuracy
from graphc.train.step import training_step
from graphc.types import TensorType, i64


@dataclass(frozen=True)
class Record:
    """After an epoch: the mean loss of its steps, and the accuracy on the test set."""

    epoch: int
    loss: float
    accuracy: float


class Classification:
    """Compiles a model's training step (cross-entropy) and its prediction; `run` trains, `summary` tells.

    `train` and `test` are datasets of (input, label). The last batch of an epoch may be smaller than the others, and is
    left out where one example remains, for batch norm has no variance of one. Raises ArgumentError where there is
    nothing to train on, BackendError for an unknown backend.
    """

    def __init__(
        self,
        model: Module,
        train: Dataset,
        test: Dataset,
        optimizer: Optimizer,
        *,
        inputs: TensorType,
        epochs: int,
        batch_size: int,
        seed: int = 0,
        backend: str = "cpu",
    ) -> None:
        if epochs < 1:
            raise ArgumentError(f"training takes 1 epoch or more, not {epochs}")
        self.model = model
        self.epochs = epochs
        self.seed = seed
        self.backend = backend
        self.loader = DataLoader(train, batch_size, shuffle=True, seed=seed)
        self.loader.drop_last = len(train) % batch_size == 1
        if not len(self.loader):
            raise ArgumentError(f"a training set of {len(train)} makes no batch to train on")
        self.history: list[Record] = []
        self.seconds_in_steps = 0.0
        self.seconds_total = 0.0
        start = time.perf_counter()
        self.step = training_step(
            model, cross_entropy, optimizer, inputs, i64[inputs.shape[0]], backend=backend, seed=seed
        )
        self.predict = compile(model.eval(), inputs=inputs, backend=backend)
        self.seconds_compile = time.perf_counter() - start
        self.test: tuple[Any, Any] = test.batch(np.arange(len(test)))

    @property
    def steps(self) -> int:
        """The number of steps of the whole training."""
        return self.epochs * len(self.loader)

    def run(self, on_step: Callable[[float], object] | None = None) -> Iterator[Record]:
        """Train, and give a record after each epoch; `on_step` is called with the loss of each step."""
        start = time.perf_counter()
        images, labels = self.test
        for epoch in epochs(self.step, self.loader, self.epochs, on_step=on_step):
            self.seconds_in_steps += epoch.seconds
            record = Record(epoch.number, epoch.loss, accuracy(self.predict(images), labels))
            self.history.append(record)
            self.seconds_total = self.seconds_compile + time.perf_counter() - start
            yield record

    def summary(self) -> dict[str, Any]:
        """What the run was and gave, as plain values: settings, accuracy, seconds, nodes of each stage, history."""
        if not self.history:
            raise ArgumentError("the summary of a training that has not run")
        steps = len(self.history) * len(self.loader)
        return {
            "test_accuracy": self.history[-1].accuracy,
            "parameters": sum(parameter.size for parameter in self.model.parameters()),
            "train_examples": len(self.loader.dataset),
            "test_examples": len(self.test[1]),
            "backend": self.backend,
            "epochs": self.epochs,
            "batch_size": self.loader.batch_size,
            "seed": self.seed,
            "steps": steps,
            "seconds_compile": self.seconds_compile,
            "seconds_per_step": self.seconds_in_steps / steps,
            "seconds_total": self.seconds_total,
            "nodes": {name: stage.graph.count() for name, stage in self.step.stages.items()},
            **self._native(),
            "history": [asdict(record) for record in self.history],
        }

    def _native(self) -> dict[str, Any]:
        """What a backend with kernels says of itself."""
        if not hasattr(self.step, "kernels"):
            return {}
        reports = (self.step.compile_report, self.predict.compile_report)
        return {
            "kernels": len(self.step.kernels),
            "kernels_compiled": sum(report.compiled for report in reports),
            "kernels_from_cache": sum(report.loaded for report in reports),
            "arena_bytes": self.step.memory_plan.peak,
        }
