"""What a step refuses: a call that fails changes nothing, a step that cannot be made says why."""

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from graphc.errors import ArgumentError, BackendError, DTypeError, GradientError, IndexRangeError, ShapeError
from train.line import Averaging, Line, X, Y, assert_same, data, squared_error, state_of, step_of


def test_a_failed_call_changes_nothing():
    table = nn.Parameter(np.random.default_rng(0).normal(size=(4, 3)))

    class Lookup(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = table
            self.register_buffer("count", np.zeros(()))

        def forward(self, i):
            self.count = self.count + 1
            return gc.take(self.table, i, axis=0)

    model, optimizer = Lookup(), optim.Adam(lr=0.1)
    step = gc.training_step(model, lambda h: gc.mean(h * h), optimizer, gc.i64["N"], accumulate=2)
    step(np.array([0, 1]))
    before = state_of(model, optimizer)
    sums = step.state_dict()["gradient_sums"]
    with pytest.raises(IndexRangeError):
        step(np.array([0, 7]))
    assert_same(before, state_of(model, optimizer))
    for name, array in step.state_dict()["gradient_sums"].items():
        np.testing.assert_array_equal(array, sums[name])
    assert step.position == 1
    step(np.array([0, 1]))
    assert step.position == 0


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (lambda x, y: (x[:, :2], y), ShapeError),
        (lambda x, y: (x, y[:-1]), ShapeError),
        (lambda x, y: (x.astype(np.float32), y), DTypeError),
        (lambda x, y: (x,), ArgumentError),
        (lambda x, y: (x, y, y), ArgumentError),
        (lambda x, y: (x[:0], y[:0]), ShapeError),
    ],
)
def test_arrays_that_do_not_fit_change_nothing(arguments, error):
    model, optimizer = Averaging(), optim.Adam(lr=0.1)
    step = step_of(model, optimizer)
    before = state_of(model, optimizer)
    with pytest.raises(error):
        step(*arguments(*data()))
    assert_same(before, state_of(model, optimizer))


def test_an_empty_batch_says_so():
    step = step_of(Line(), optim.SGD(lr=0.1))
    with pytest.raises(ShapeError, match=r"a training step on an empty batch: %x has shape \(0, 3\)"):
        step(np.zeros((0, 3)), np.zeros(0))


def test_nan_stays_visible():
    model = Line()
    x, y = data()
    x[3, 1] = np.nan
    assert np.isnan(step_of(model, optim.SGD(lr=0.1))(x, y))
    assert np.isnan(np.asarray(model.w)).all()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"backend": "tpu"}, BackendError, "tpu"),
        ({"backend": "cuda"}, BackendError, "cuda"),
        ({"optimizer": "adam"}, ArgumentError, "optimizer is one of graphc.optim, not 'adam'"),
        ({"accumulate": 0}, ArgumentError, "accumulate is a positive integer, not 0"),
        ({"accumulate": True}, ArgumentError, "accumulate is a positive integer, not True"),
        ({"seed": -1}, ArgumentError, "seed is an integer from 0"),
        ({"threads": 0}, ArgumentError, "threads is a positive integer, not 0"),
        ({"clip_norm": 0.0}, ArgumentError, "clip_norm is a positive number, not 0.0"),
        ({"clip_value": -1}, ArgumentError, "clip_value is a positive number, not -1"),
        ({"clip_norm": True}, ArgumentError, "clip_norm is a positive number, not True"),
        ({"clip_value": "1"}, ArgumentError, "clip_value is a positive number, not '1'"),
        ({"parameters": ["v"]}, ArgumentError, "'v' in parameters is no parameter of the model"),
        ({"parameters": []}, GradientError, "there is nothing to train"),
        ({"loss": lambda p, y: p - y}, GradientError, r"the loss gives \(f64\[N\]\); a training step needs one"),
        ({"loss": lambda p, y: gc.mean(y)}, GradientError, "depends on none of the parameters"),
        ({"inputs": (X, X)}, ArgumentError, "takes"),
        ({"inputs": "N"}, ArgumentError, "neither a tensor type nor an array"),
    ],
)
def test_a_step_that_cannot_be_made(change, error, message):
    arguments = {"loss": squared_error, "optimizer": optim.SGD(lr=0.1), "inputs": X, "targets": Y} | change
    with pytest.raises(error, match=message):
        gc.training_step(Line(), **arguments)


def test_passes_of_the_users_own_run_after_the_optimizer():
    seen = []

    def look(graph):
        seen.append([old.name for old, _ in graph.updates])
        return graph

    step = step_of(Line(), optim.SGD(lr=0.1), pipeline=["decompose", look, "dce"])
    own = ["trace", "autodiff", "optimizer", "decompose", "look", "dce"]
    assert list(step.stages) == [*own, "stored", "prepare", "rematerialize", "fuse"]
    assert seen == [["w", "b"]]
