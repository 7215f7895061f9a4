"""Steps over models of layers: training, batches that are refused, resuming, cost of depth."""

import time

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from graphc.errors import IndexRangeError, ShapeError
from train.line import assert_same, state_of


def classifier():
    gc.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.25), nn.Linear(8, 3))


def classifier_step(model, optimizer, **options):
    return gc.training_step(
        model, nn.functional.cross_entropy, optimizer, gc.f32["N", 4], gc.i64["N"], seed=3, **options
    )


def flowers(count=30, seed=0):
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, count)
    return (random.normal(size=(count, 4)) + 2 * np.eye(4)[y]).astype(np.float32), y


def test_a_classifier_learns_and_predicts_with_the_trained_weights():
    model = classifier()
    step = classifier_step(model, optim.Adam(lr=0.05))
    x, y = flowers()
    first = step(x, y)
    for _ in range(60):
        last = step(x, y)
    assert last < first / 2
    predict = gc.compile(model.eval(), inputs=gc.f32["N", 4])
    assert (predict(x).argmax(axis=1) == y).mean() > 0.9
    assert np.asarray(model[1].num_batches_tracked) == 61


@pytest.mark.parametrize("label", [3, -1, 10**12])
def test_a_label_out_of_range_changes_nothing(label):
    model, optimizer = classifier(), optim.Adam(lr=0.05)
    step = classifier_step(model, optimizer)
    x, y = flowers()
    step(x, y)
    before, rng = state_of(model, optimizer), step.state_dict()["rng"].copy()
    wrong = y.copy()
    wrong[7] = label
    with pytest.raises(IndexRangeError, match=str(label)):
        step(x, wrong)
    assert_same(before, state_of(model, optimizer))
    np.testing.assert_array_equal(step.state_dict()["rng"], rng)


def test_batch_norm_refuses_one_value_a_channel():
    model, optimizer = classifier(), optim.Adam(lr=0.05)
    step = classifier_step(model, optimizer)
    before = state_of(model, optimizer)
    x, y = flowers(1)
    with pytest.raises(ShapeError) as error:
        step(x, y)
    assert "training needs more than 1 value per channel, but the input is (1,8)" in str(error.value)
    assert "batch_norm(%" in str(error.value)
    assert "in Sequential.1" in str(error.value)
    assert_same(before, state_of(model, optimizer))


def test_a_classifier_resumes_bit_for_bit(tmp_path):
    model = classifier()
    step = classifier_step(model, optim.NAdam(lr=0.05), accumulate=2)
    x, y = flowers()
    for _ in range(3):
        step(x, y)
    gc.save(tmp_path / "run.safetensors", step)
    other = classifier()
    resumed = gc.load(tmp_path / "run.safetensors", classifier_step(other, optim.NAdam(lr=0.1), accumulate=2))
    assert [float(step(x, y)) for _ in range(4)] == [float(resumed(x, y)) for _ in range(4)]
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, other.state_dict()[name], err_msg=name)


def test_depth_costs_in_proportion():
    def seconds(depth):
        layers = [layer for _ in range(depth) for layer in (nn.Linear(4, 4), nn.Tanh())]
        start = time.perf_counter()
        gc.training_step(nn.Sequential(*layers), nn.functional.mse_loss, optim.Adam(), X32, X32)
        return time.perf_counter() - start

    seconds(10)
    assert seconds(200) < 60 * seconds(20), "ten times the layers take about ten times the time"


X32 = gc.f32["N", 4]
