"""Every optimizer, with each of its flags, on the cpu backend: five steps, and after each all state is right.

Each step is compared with the interpreter's from the same state: f64 to 1e-12, f32 to 1e-5 of the largest number. One
step trains a parameter for each set of flags, in groups of their own.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim

sys.path.insert(0, str(Path(__file__).parent))
from against_interpreter import same_results

FLAGS: dict[str, list[dict[str, Any]]] = {
    "SGD": [
        {}, {"momentum": 0.9, "dampening": 0.1, "weight_decay": 0.01}, {"momentum": 0.9, "nesterov": True},
        {"maximize": True},
    ],
    "Adam": [
        {}, {"amsgrad": True, "weight_decay": 0.01}, {"weight_decay": 0.1, "decoupled_weight_decay": True},
        {"amsgrad": True, "maximize": True},
    ],
    "AdamW": [{}, {"amsgrad": True, "betas": (0.8, 0.95)}],
    "Adamax": [{}, {"weight_decay": 0.01}],
    "NAdam": [{}, {"weight_decay": 0.1, "decoupled_weight_decay": True}],
    "RAdam": [{"betas": (0.5, 0.6)}, {"weight_decay": 0.1, "decoupled_weight_decay": True}],
    "Adadelta": [{}, {"weight_decay": 0.01}],
    "Adagrad": [{}, {"lr_decay": 0.1, "initial_accumulator_value": 0.2}],
    "RMSprop": [{}, {"momentum": 0.9, "centered": True, "weight_decay": 0.01}],
}  # fmt: skip


class Units(nn.Module):
    """Several tanh units apart from each other, so that no gradient is of rounding alone."""

    def __init__(self, count: int, dtype: Any) -> None:
        super().__init__()
        generator = np.random.default_rng(6)
        drawn = [generator.standard_normal((3, 5)).astype(dtype.numpy) for _ in range(count)]
        self.weights = nn.ParameterList([nn.Parameter(weight) for weight in drawn])

    def forward(self, x: Any) -> Any:
        return [gc.tanh(x @ weight.T) for weight in self.weights]


def distance(outputs: Any, y: Any) -> Any:
    total = gc.sum(gc.square(outputs[0] - y))
    for output in outputs[1:]:
        total = total + gc.sum(gc.square(output - y))
    return total


def train(name: str, flags: list[dict[str, Any]], dtype: Any, **options: Any) -> None:
    model = Units(len(flags), dtype)
    groups = [{"params": [p], **each} for p, each in zip(model.parameters(), flags, strict=True)]
    step = gc.training_step(
        model, distance, getattr(optim, name)(groups, lr=0.05), dtype["N", 5], dtype["N", 3], **options
    )
    generator = np.random.default_rng(3)
    for _ in range(5):
        same_results(step, *(generator.standard_normal((6, n)).astype(dtype.numpy) for n in (5, 3)))


@pytest.mark.parametrize("name", FLAGS)
def test_five_steps(name: str) -> None:
    train(name, FLAGS[name], gc.f64)


@pytest.mark.parametrize("name", ["SGD", "Adam", "RAdam"])
def test_five_steps_in_f32(name: str) -> None:
    train(name, FLAGS[name][:1], gc.f32)


@pytest.mark.parametrize("limit", ["clip_norm", "clip_value"])
def test_clipping(limit: str) -> None:
    train("SGD", [{}, {"momentum": 0.5}], gc.f64, **{limit: 0.1})


def test_every_optimizer_is_here() -> None:
    assert set(FLAGS) == set(optim.__all__) - {"Optimizer", "ParamGroup"}
