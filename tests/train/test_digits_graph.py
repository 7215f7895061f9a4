"""The graphs of the digits step, as users see them: declared, with gradients, after the last pass."""

import pytest

import graphc as gc
from graphc import nn, optim
from graphc.nn import functional as F


@pytest.fixture(scope="module")
def step():
    model = nn.Sequential(
        nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(),
        nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(),
        nn.Linear(32, 10),
    )  # fmt: skip
    return gc.training_step(model, F.cross_entropy, optim.Adam(lr=2e-3), gc.f32["N", 64], gc.i64["N"])


@pytest.mark.parametrize("stage", ["trace", "autodiff", "dce"])
def test_the_graph_is_the_golden_one(step, stage, golden):
    text = str(step.stages[stage].graph)
    golden(f"train/digits_{stage}.ir", text + "\n")
    assert str(gc.parse(text)) == text
