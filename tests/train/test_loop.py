"""The loop, its metrics, and a classification as `graphc train` runs it."""

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from graphc.data import ArrayDataset, DataLoader
from graphc.errors import ArgumentError, BackendError, ShapeError
from graphc.train import accuracy, epochs
from graphc.train.classification import Classification
from graphc.train.digits import digits


def test_the_loss_of_an_epoch_is_the_mean_of_its_examples():
    calls = []

    def step(x):
        calls.append(x.tolist())
        return np.float32(x.mean())

    seen = []
    numbers = np.array([1, 2, 3, 4, 50], np.float32)
    results = list(epochs(step, DataLoader(numbers, batch_size=2), 2, on_step=seen.append))
    assert calls == 2 * [[1, 2], [3, 4], [50]]
    assert seen == 2 * [1.5, 3.5, 50.0]
    assert [(e.number, e.loss, e.steps) for e in results] == [(1, 12.0, 3), (2, 12.0, 3)]
    assert all(e.seconds >= 0 for e in results)


def test_the_loop_stops_when_the_caller_does():
    count = 0

    def step(x, y):
        nonlocal count
        count += 1
        return 0.0

    for epoch in epochs(step, [(np.ones(1), np.ones(1))], 100):
        if epoch.number == 3:
            break
    assert count == 3


def test_a_loss_that_is_no_number_stays_visible():
    (epoch,) = epochs(lambda x: np.nan if x[0] else 1.0, [np.zeros(1), np.ones(1)], 1)
    assert np.isnan(epoch.loss)


def test_an_epoch_without_batches_has_no_loss():
    (epoch,) = epochs(lambda x: 1.0, [], 1)
    assert (np.isnan(epoch.loss), epoch.steps) == (True, 0)


@pytest.mark.parametrize(
    ("scores", "labels", "wanted"),
    [
        ([[0.1, 0.9], [0.8, 0.2]], [1, 1], 0.5),
        ([[1, 1, 1]], [0], 1.0),
        ([[1, 1, 1]], [1], 0.0),
        ([[np.nan, 1], [0, 1]], [0, 1], 0.5),
        ([[-np.inf, np.inf]], [1], 1.0),
    ],
)
def test_accuracy(scores, labels, wanted):
    assert accuracy(scores, labels) == wanted


@pytest.mark.parametrize(
    ("scores", "labels"), [([1.0], [0]), ([[1.0]], [[0]]), ([[1.0]], [0, 0]), (np.ones((0, 2)), [])]
)
def test_accuracy_of_what_does_not_fit(scores, labels):
    with pytest.raises(ShapeError, match="accuracy takes scores"):
        accuracy(scores, labels)


# -- a classification -------------------------------------------------------------------------------------------------


def classification(count=20, **options):
    generator = np.random.default_rng(0)
    x = generator.standard_normal((count, 3)).astype("f4")
    dataset = ArrayDataset(x, (x[:, 0] > 0).astype(np.int64))
    gc.manual_seed(0)
    settings = {"epochs": 3, "batch_size": 8, **options}
    return Classification(nn.Linear(3, 2), dataset, dataset, optim.SGD(lr=1.0), inputs=gc.f32["N", 3], **settings)


def test_a_classification_learns_and_tells():
    job = classification(epochs=10)
    losses = []
    records = list(job.run(losses.append))
    assert len(losses) == job.steps == 30
    assert records[-1].loss < records[0].loss / 2
    summary = job.summary()
    assert summary["test_accuracy"] == records[-1].accuracy >= 0.9
    assert (summary["train_examples"], summary["test_examples"], summary["parameters"]) == (20, 20, 8)
    assert summary["nodes"] == {name: stage.graph.count() for name, stage in job.step.stages.items()}
    assert summary["history"][0] == {"epoch": 1, "loss": records[0].loss, "accuracy": records[0].accuracy}


def test_a_single_example_at_the_end_is_left_out():
    assert [len(y) for _, y in classification(count=17).loader] == [8, 8]
    assert [len(y) for _, y in classification(count=18).loader] == [8, 8, 2]


def test_a_summary_needs_a_run():
    with pytest.raises(ArgumentError, match="has not run"):
        classification().summary()


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"epochs": 0}, ArgumentError, "1 epoch or more, not 0"),
        ({"count": 0}, ArgumentError, "set of 0 makes no batch"),
        ({"count": 1}, ArgumentError, "set of 1 makes no batch"),
        ({"batch_size": 0}, ArgumentError, "batch_size is a positive integer"),
        ({"backend": "nix"}, BackendError, "no backend 'nix'"),
    ],
)
def test_settings_that_cannot_train(options, error, text):
    with pytest.raises(error, match=text):
        classification(**options)


def test_digits_are_split_the_same_for_every_seed():
    first, second = digits(seed=0), digits(seed=1)
    np.testing.assert_array_equal(first.test[1], second.test[1])
    assert not np.array_equal(first.model[0].weight, second.model[0].weight)
    images, labels = first.loader.dataset[:]
    assert (images.shape, images.dtype, images.min(), images.max()) == ((1438, 64), np.float32, 0, 1)
    assert (labels.dtype, set(labels.tolist())) == (np.int64, set(range(10)))


def test_errors_in_the_job_name_the_line_of_its_model():
    job = digits()
    with pytest.raises(ShapeError) as error:
        job.step(np.ones((1, 64), "f4"), np.zeros(1, "i8"))
    assert error.value.where.startswith("digits.py:")
    assert error.value.where.endswith("in Sequential.1")
