"""Which parameters and buffers a step updates, and which it leaves alone."""

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from train.line import Averaging, Line, X, data, gradients_of_line, step_of


def test_frozen_parameters_have_no_slots_and_no_gradient():
    model, optimizer = Line(), optim.Adam(lr=0.1)
    model.b.requires_grad_(False)
    step = step_of(model, optimizer)
    b, w = np.asarray(model.b).copy(), np.asarray(model.w).copy()
    step(*data())
    np.testing.assert_array_equal(model.b, b)
    assert not np.array_equal(model.w, w)
    assert [v.name for v in step.stages["autodiff"].graph.outputs] == ["loss", "d_w"]
    assert set(optimizer.state_dict()["state"]) == {"w"}


def test_freezing_and_unfreezing_takes_effect_at_the_next_call():
    model = Line()
    step = step_of(model, optim.SGD(lr=0.1))
    step(*data())
    model.w.requires_grad_(False)
    w, b = np.asarray(model.w).copy(), np.asarray(model.b).copy()
    step(*data())
    np.testing.assert_array_equal(model.w, w)
    assert not np.array_equal(model.b, b)
    model.w.requires_grad_(True)
    step(*data())
    assert not np.array_equal(model.w, w)


@pytest.mark.parametrize("subset", [lambda m: [m.b], lambda m: ["b"], lambda m: iter([m.b])])
def test_a_subset_of_the_parameters(subset):
    model = Line()
    step = step_of(model, optim.SGD(lr=0.1), parameters=subset(model))
    w, b = np.asarray(model.w).copy(), np.asarray(model.b).copy()
    step(*data())
    np.testing.assert_array_equal(model.w, w)
    assert not np.array_equal(model.b, b)


def test_an_optimizer_made_with_parameters_updates_those():
    model = Line()
    step = step_of(model, optim.SGD([model.b], lr=0.1))
    w, b = np.asarray(model.w).copy(), np.asarray(model.b).copy()
    step(*data())
    np.testing.assert_array_equal(model.w, w)
    assert not np.array_equal(model.b, b)


def test_groups_have_rates_of_their_own():
    model = Line()
    x, y = data()
    dw, db = gradients_of_line(model, x, y)
    w, b = np.asarray(model.w).copy(), np.asarray(model.b).copy()
    optimizer = optim.SGD([{"params": model.w}, {"params": [model.b], "lr": 1.0}], lr=0.01)
    step = step_of(model, optimizer)
    assert "hyperparameter %group1.lr" in str(step.graph)
    step(x, y)
    np.testing.assert_allclose(model.w, w - 0.01 * dw, rtol=1e-13)
    np.testing.assert_allclose(model.b, b - 1.0 * db, rtol=1e-13)


def test_parameters_that_the_loss_does_not_reach_are_skipped():
    """torch leaves their gradient None: weight decay does not shrink them, and they have no slots."""

    class Unused(Line):
        def __init__(self):
            super().__init__()
            self.extra = nn.Parameter(np.ones(4))

    model, optimizer = Unused(), optim.AdamW(lr=0.1, weight_decay=0.5)
    step_of(model, optimizer)(*data())
    np.testing.assert_array_equal(model.extra, np.ones(4))
    assert set(optimizer.state_dict()["state"]) == {"w", "b"}


def test_tied_weights_are_updated_once_with_the_sum_of_their_gradients():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = Line()
            self.second = Line()
            self.second.w = self.first.w

        def forward(self, x):
            return self.first(x) + self.second(x)

    model = Tied()
    x, y = data()
    w, b = np.asarray(model.first.w).copy(), np.asarray(model.first.b).copy()
    residual = 2 * (2 * x @ w + 2 * b - y) / len(x)
    step_of(model, optim.SGD(lr=0.1))(x, y)
    np.testing.assert_allclose(model.first.w, w - 0.1 * 2 * residual @ x, rtol=1e-12)
    assert model.second.w is model.first.w


def test_running_statistics_are_part_of_the_step_and_shared_with_predict():
    model = Averaging()
    predict = gc.compile(model.eval(), inputs=X)
    assert not model.training
    step = step_of(model, optim.SGD(lr=0.0))
    assert model.training
    x, y = data()
    before = predict(x)
    step(x, y)
    np.testing.assert_allclose(model.mean, 0.5 * x.mean(axis=0), rtol=1e-13)
    line = x - np.asarray(model.mean)
    np.testing.assert_allclose(predict(x), line @ np.asarray(model.line.w) + np.asarray(model.line.b), rtol=1e-12)
    assert not np.array_equal(predict(x), before)


def test_a_step_trains_in_train_mode_whatever_the_mode_is_later():
    model = Averaging()
    step = step_of(model, optim.SGD(lr=0.1))
    model.eval()
    model.line.b.requires_grad_(False)  # traces the step again
    step(*data())
    assert np.any(np.asarray(model.mean))
    assert not model.training


def test_steps_with_losses_of_their_own_share_the_model():
    """The two steps of a GAN: one network each, through functions over both."""
    generator, critic = Line(), Line()

    def critique(x):
        return critic(gc.reshape(generator(x), (-1, 1)) * gc.ones((1, 3), dtype=gc.f64))

    make = gc.training_step(critique, gc.mean, optim.SGD(generator.parameters(), lr=0.1), X)
    judge = gc.training_step(critique, lambda y: -gc.mean(y), optim.SGD(critic.parameters(), lr=0.1), X)
    x, _ = data()
    w, v = np.asarray(generator.w).copy(), np.asarray(critic.w).copy()
    make(x)
    assert not np.array_equal(generator.w, w)
    np.testing.assert_array_equal(critic.w, v)
    w = np.asarray(generator.w).copy()
    judge(x)
    np.testing.assert_array_equal(generator.w, w)
    assert not np.array_equal(critic.w, v)
