"""Training steps and predictions of small networks give the same before and after all passes, with fewer nodes."""

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from graphc.interpret import run
from graphc.nn import functional as F
from graphc.passes import Pipeline, default_pipeline

NETWORKS = {
    "batch_norm": lambda: nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3)),
    "layer_norm": lambda: nn.Sequential(nn.Linear(8, 6), nn.LayerNorm(6), nn.GELU(), nn.Linear(6, 3)),
    "dropout": lambda: nn.Sequential(nn.Linear(8, 6), nn.Tanh(), nn.Dropout(0.3), nn.Linear(6, 3), nn.Softplus()),
}


def inputs():
    generator = np.random.default_rng(0)
    return generator.normal(size=(16, 8)).astype(np.float32), generator.integers(0, 3, 16)


def results(graph, arrays):
    outputs, updates = run(graph, arrays)
    return [*outputs, *updates]


@pytest.mark.parametrize("network", NETWORKS)
def test_a_training_step(network):
    step = gc.training_step(
        NETWORKS[network](),
        loss=F.cross_entropy,
        optimizer=optim.SGD(lr=0.1, momentum=0.9, weight_decay=1e-3),
        inputs=gc.f32["N", 8],
        targets=gc.i64["N"],
        backend="interpreter",
    )
    before = step.stages["optimizer"].graph
    after = default_pipeline().run(before).last.graph
    for expected, given in zip(results(before, inputs()), results(after, inputs()), strict=True):
        np.testing.assert_allclose(given, expected, rtol=1e-5, atol=1e-6)
    plain = Pipeline(["decompose", "dce"]).run(before).last.graph
    assert after.count() < plain.count()


@pytest.mark.parametrize("network", NETWORKS)
def test_a_prediction(network):
    before = gc.trace(NETWORKS[network]().eval(), gc.f32["N", 8])
    after = default_pipeline().run(before).last.graph
    expected, given = results(before, inputs()[:1]), results(after, inputs()[:1])
    np.testing.assert_allclose(given[0], expected[0], rtol=1e-5, atol=1e-6)


def test_the_sums_of_a_batch_norms_gradient_share_their_terms():
    """Written out, γ's gradient and σ's each sum g times x - m: after the passes it is one sum."""

    def loss(x, gamma):
        n = x.shape[0]
        centred = x - gc.sum(x, axis=0) / n
        scale = gc.rsqrt(gc.sum(centred * centred, axis=0) / n + 1e-5)
        return gc.sum(gc.sin(centred * scale * gamma))

    graph = gc.grad(gc.trace(loss, gc.f32["N", 4], gc.f32[4]))
    plain = Pipeline(["decompose", "cse", "dce"]).run(graph).last.graph
    after = default_pipeline().run(graph).last.graph
    assert (plain.count("sum"), after.count("sum")) == (5, 4)
