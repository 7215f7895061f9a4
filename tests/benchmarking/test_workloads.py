"""Arrays, work and floors of the workloads, and what graphc's contender makes of them, on the interpreter."""

import math

import numpy as np
import pytest


def mlp_loss(arrays):
    """The first loss of mlp_small, by hand, in f64."""
    a = {name: array.astype(np.float64) for name, array in arrays.items() if name != "y"}
    h = a["x"] @ a["0.weight"].T + a["0.bias"]
    h = (h - h.mean(0)) / np.sqrt(h.var(0) + 1e-5) * a["1.weight"] + a["1.bias"]
    logits = np.maximum(h, 0) @ a["3.weight"].T + a["3.bias"]
    picked = np.take_along_axis(logits, arrays["y"][:, None], 1)[:, 0]
    return (np.log(np.exp(logits).sum(1)) - picked).mean()


def test_first_loss_is_that_of_the_formulas(interpreted):
    from benchmarks.workloads import WORKLOADS

    arrays = WORKLOADS["mlp_small"].arrays(seed=3)
    runner = interpreted(WORKLOADS["mlp_small"], arrays)
    runner.run(1)
    (first,) = runner.witness()
    assert first == pytest.approx(mlp_loss(arrays), rel=1e-6)
    runner.run(4)
    assert runner.witness()[0] < first


def test_chain_has_the_gradients_of_its_value(interpreted):
    from benchmarks.workloads.chain import RMS_EPS, SCALE, Chain

    workload = Chain("small", 5, 8)
    arrays = workload.arrays(seed=1)
    runner = interpreted(workload, arrays)
    runner.run(1)
    value, *sums = runner.witness()

    def mean(x, residual, weight, g):
        normal = x / np.sqrt(np.square(x).mean(-1, keepdims=True) + RMS_EPS) * weight
        return ((residual + SCALE * normal / (1 + np.exp(-normal))) * g).mean()

    point = {name: array.astype(np.float64) for name, array in arrays.items()}
    assert value == pytest.approx(mean(**point), rel=1e-6)
    for name, found in zip(("x", "residual", "weight"), sums, strict=True):
        expected = 0.0
        for place in np.ndindex(point[name].shape):
            sides = []
            for step in (1e-5, -1e-5):
                moved = point[name].copy()
                moved[place] += step
                sides.append(mean(**{**point, name: moved}))
            expected += abs(sides[0] - sides[1]) / 2e-5
        assert found == pytest.approx(expected, rel=1e-5)


def test_every_row_comes_under_two_labels():
    from benchmarks.workloads import WORKLOADS

    arrays = WORKLOADS["mlp_bn"].arrays(seed=0)
    first, second = np.split(arrays["x"], 2)
    np.testing.assert_array_equal(first, second)
    assert (np.not_equal(*np.split(arrays["y"], 2))).all()
    assert arrays["x"].shape == (128, 784)
    assert arrays["y"].max() < 10


def test_work_of_an_mlp():
    from benchmarks.workloads import Training
    from benchmarks.workloads.mlp import Mlp

    workload = Training("tiny", Mlp((3, 5, 2)), batch=4)
    forward, weights, inputs = 3 * 5 + 5 * 2, 3 * 5 + 5 * 2, 5 * 2
    assert workload.flops == 2 * 4 * (forward + weights + inputs)
    parameters = (15 + 5) + (5 + 5) + (10 + 2)  # Linear, BatchNorm, Linear
    assert workload.bytes_moved == 4 * (6 * parameters + 4 * 3)


def test_work_of_a_resnet():
    from benchmarks.workloads import Training
    from benchmarks.workloads.resnet import ResNet

    network = ResNet(widths=(2, 4), blocks=1, image=6, classes=3)
    assert network.stages == ((2, 2, 1), (2, 4, 2))
    first = 6 * 6 * 9 * 3 * 2  # multiplications: pixels of the result, window, channels, filters
    others = 2 * (6 * 6 * 9 * 2 * 2) + 3 * 3 * 9 * 2 * 4 + 3 * 3 * 9 * 4 * 4 + 4 * 3
    workload = Training("tiny", network, batch=2)
    assert workload.flops == 2 * 2 * (2 * first + 3 * others)  # x needs no gradient
    convolutions = 9 * (3 * 2 + 2 * (2 * 2) + 2 * 4 + 4 * 4)
    norms = 2 * (2 + 2 + 2 + 4 + 4)
    assert workload.bytes_moved == 4 * (6 * (convolutions + norms + 4 * 3 + 3) + 2 * 3 * 6 * 6)


def test_work_of_a_transformer_and_of_an_lstm():
    from benchmarks.workloads import Training
    from benchmarks.workloads.lstm import Lstm
    from benchmarks.workloads.transformer import Transformer

    transformer = Transformer(tokens=3, features=4, heads=2, blocks=1, widening=2, classes=5)
    projections = 3 * (4 * 12 + 4 * 4 + 4 * 8 + 8 * 4)  # of each token
    attention = 2 * 2 * (3 * 3 * 2)  # two products for each head
    assert Training("tiny", transformer, batch=2).flops == 2 * 2 * 3 * (projections + attention + 4 * 5)
    lstm = Lstm(inputs=2, hidden=3, steps=4, classes=5)
    assert Training("tiny", lstm, batch=2).flops == 2 * 2 * (2 * 4 * 2 * 12 + 3 * (4 * 3 * 12 + 3 * 5))


def test_convolutions_know_their_results():
    from benchmarks.workloads.contraction import Convolution

    assert Convolution("same", 3, 8, image=32, kernel=5).result == 32
    assert Convolution("half", 3, 8, image=33, kernel=7, stride=2).result == 17
    assert Convolution("dilated", 3, 8, image=9, dilation=2).result == 9
    assert Convolution("depthwise", 6, 6, image=4, groups=6).forward == 2 * 4 * 4 * 9 * 6


def tiny_networks():
    from benchmarks.workloads.resnet import ResNet
    from benchmarks.workloads.transformer import Transformer

    return [
        ResNet(widths=(2, 4), blocks=1, image=6, classes=3),
        Transformer(tokens=3, features=4, heads=2, blocks=1, widening=2, classes=3),
    ]


@pytest.mark.parametrize("which", [0, 1], ids=["resnet", "transformer"])
def test_networks_train_on_the_interpreter(which, interpreted):
    from benchmarks.workloads import Training

    workload = Training("tiny", tiny_networks()[which], batch=4)
    runner = interpreted(workload, workload.arrays(seed=3))
    runner.run(1)
    (first,) = runner.witness()
    assert first == pytest.approx(math.log(3), rel=0.5)
    runner.run(5)
    assert runner.witness()[0] < first
    runner.take(2)
    runner.run(1)
    assert math.isfinite(runner.witness()[0])


@pytest.mark.parametrize("which", [0, 1], ids=["resnet", "transformer"])
def test_a_prediction_does_not_depend_on_the_others_of_its_batch(which, interpreted):
    from benchmarks.workloads import Prediction

    workload = Prediction("tiny", tiny_networks()[which], batch=4)
    arrays = workload.arrays(seed=3)
    runner = interpreted(workload, arrays)
    runner.run(1)
    whole = np.reshape(runner.witness(), (4, 3))
    runner.take(1)
    runner.run(1)
    np.testing.assert_allclose(runner.witness(), whole[0], rtol=1e-5, atol=1e-6)


def test_a_network_without_a_layer_is_absent(monkeypatch, interpreted):
    from benchmarks.contenders.runner import AbsentError
    from benchmarks.workloads import WORKLOADS

    from graphc import nn

    monkeypatch.delattr(nn, "LSTM", raising=False)
    workload = WORKLOADS["lstm"]
    with pytest.raises(AbsentError, match=r"graphc.nn has no LSTM"):
        interpreted(workload, workload.arrays(seed=0))


def test_workloads_are_found_by_name_and_kind():
    from benchmarks.workloads import select

    assert [workload.name for workload in select(["lstm", "mlp_bn"])] == ["mlp_bn", "lstm"]
    assert [workload.name for workload in select(["convolutional"]) if "training" in workload.kinds] == ["resnet20"]
    with pytest.raises(ValueError, match=r"there is no workload alexnet; there are mlp_small, .*; kinds convolutional"):
        select(["alexnet", "chain"])
