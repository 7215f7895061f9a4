"""A training step: what it computes, what it updates, what it leaves alone, and when it raises."""

import time

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from graphc.errors import ArgumentError, BackendError, DTypeError, GradientError, IndexRangeError, ShapeError
from train.line import Averaging, Line, X, Y, data, gradients_of_line, squared_error, step_of


def state_of(model, optimizer):
    slots = {f"{p}.{s}": a for p, entry in optimizer.state_dict()["state"].items() for s, a in entry.items()}
    return {name: array.copy() for name, array in (model.state_dict() | slots).items()}


def assert_same(before, after):
    assert before.keys() == after.keys()
    for name in before:
        np.testing.assert_array_equal(before[name], after[name], err_msg=name)


def test_it_returns_the_loss_before_the_update_and_updates():
    model = Line()
    x, y = data()
    step = step_of(model, optim.SGD(lr=0.1))
    expected = np.mean((x @ np.asarray(model.w) + np.asarray(model.b) - y) ** 2)
    dw, db = gradients_of_line(model, x, y)
    w, b = np.asarray(model.w).copy(), np.asarray(model.b).copy()
    loss = step(x, y)
    assert loss.shape == ()
    np.testing.assert_allclose(loss, expected, rtol=1e-13)
    np.testing.assert_allclose(model.w, w - 0.1 * dw, rtol=1e-13)
    np.testing.assert_allclose(model.b, b - 0.1 * db, rtol=1e-13)


def test_one_step_serves_every_batch_size():
    model = Line()
    step = step_of(model, optim.SGD(lr=0.01))
    graph = step.graph
    for count in (1, 5, 12):
        assert np.isfinite(step(*data(count)))
    assert step.graph is graph


def test_the_loss_falls():
    model = Line()
    step = step_of(model, optim.Adam(lr=0.1))
    losses = [step(*data()) for _ in range(200)]
    assert losses[-1] < 1e-2 * losses[0]


def test_the_stages_are_there_to_see():
    step = step_of(Line(), optim.SGD(lr=0.1))
    assert list(step.stages)[:3] == ["trace", "autodiff", "optimizer"]
    assert [v.name for v in step.stages["trace"].graph.outputs] == ["loss"]
    assert [v.name for v in step.stages["autodiff"].graph.outputs] == ["loss", "d_w", "d_b"]
    assert not step.stages["autodiff"].graph.updates
    assert [old.name for old, _ in step.stages["optimizer"].graph.updates] == ["w", "b"]
    assert [v.name for v in step.graph.inputs] == ["x", "y"]
    assert str(step) == str(step.graph)


def test_it_has_what_an_executable_has():
    model = Line()
    step = step_of(model, optim.SGD(lr=0.1))
    x, y = data()
    w = np.asarray(model.w).copy()
    step.check_numerics(x, y)
    assert step.bisect(x, y) is None
    assert step.diff("optimizer")
    np.testing.assert_array_equal(model.w, w)
    assert {"graph", "stages", "diff", "check_numerics", "bisect", "backend"} <= set(dir(step))
    with pytest.raises(AttributeError, match="no_such_thing"):
        step.no_such_thing  # noqa: B018
    with pytest.raises(gc.errors.NumericsError):
        step.check_numerics(np.full_like(x, np.nan), y)


def test_out_takes_the_loss():
    step = step_of(Line(), optim.SGD(lr=0.1))
    out = np.empty(())
    assert step(*data(), out=out) is out
    assert out > 0


def test_the_rate_changes_without_a_compile():
    model, optimizer = Line(), optim.SGD(lr=0.1)
    step = step_of(model, optimizer)
    graph = step.graph
    optimizer.param_groups[0]["lr"] = 0.0
    w = np.asarray(model.w).copy()
    step(*data())
    np.testing.assert_array_equal(model.w, w)
    optimizer.param_groups[0]["lr"] = 0.1
    step(*data())
    assert not np.array_equal(model.w, w)
    assert step.graph is graph


# -- what is updated ---------------------------------------------------------------------------------------------------


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


# -- losses, inputs and targets ----------------------------------------------------------------------------------------


def test_no_targets_several_inputs_and_several_results():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(np.ones(3))

        def forward(self, x, scale):
            h = x * self.w
            return h, h * scale

    def loss(result, target, weight):
        h, scaled = result
        return gc.mean(weight * (gc.sum(h + scaled, axis=1) - target) ** 2)

    x, y = data()
    step = gc.training_step(Two(), loss, optim.SGD(lr=0.1), (X, gc.f64[3]), (Y, Y))
    assert [v.name for v in step.graph.inputs] == ["x", "scale", "target", "weight"]
    first = step(x, np.ones(3), y, np.ones(12))
    assert step(x, np.ones(3), y, np.ones(12)) < first

    alone = gc.training_step(Two(), lambda result: gc.mean(result[0] ** 2), optim.SGD(lr=0.1), (X, gc.f64[3]))
    assert alone(x, np.ones(3)) > alone(x, np.ones(3))


def test_the_batch_size_is_an_extent_in_arithmetic():
    model = Line()
    step = gc.training_step(
        model, lambda p, y: gc.sum((p - y).reshape(y.shape[0], 1) ** 2) / y.shape[0], optim.SGD(lr=0.1), X, Y
    )
    other = Line()
    x, y = data()
    np.testing.assert_allclose(step(x, y), step_of(other, optim.SGD(lr=0.1))(x, y), rtol=1e-13)
    np.testing.assert_allclose(model.w, other.w, rtol=1e-13)


def test_a_loss_module_may_have_parameters():
    class Weighted(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(np.array([3.0]))

        def forward(self, prediction, y):
            return gc.mean(self.scale * (prediction - y) ** 2)

    model, loss = Line(), Weighted()
    gc.training_step(model, loss, optim.SGD(lr=0.1), X, Y)(*data())
    assert np.asarray(loss.scale) == 3.0, "an optimizer made without parameters updates the model's"
    step = gc.training_step(model, loss, optim.SGD([*model.parameters(), *loss.parameters()], lr=0.01), X, Y)
    assert "parameter %loss.scale" in str(step.graph)
    step(*data())
    assert np.asarray(loss.scale) != 3.0


# -- accumulation and clipping -----------------------------------------------------------------------------------------


def test_accumulation_over_parts_is_one_step_over_the_whole():
    x, y = data(12)
    whole, parts = Line(), Line()
    step = step_of(whole, optim.Adam(lr=0.1))
    small = step_of(parts, optim.Adam(lr=0.1), accumulate=3)
    for _ in range(4):
        step(x, y)
        for start in (0, 4, 8):
            before = np.asarray(parts.w).copy()
            small(x[start : start + 4], y[start : start + 4])
            assert np.array_equal(before, parts.w) == (start < 8), "only the third call updates"
    np.testing.assert_allclose(parts.w, whole.w, rtol=1e-11)
    np.testing.assert_allclose(parts.b, whole.b, rtol=1e-11)


def test_running_statistics_move_with_every_call():
    model = Averaging()
    step = step_of(model, optim.SGD(lr=0.1), accumulate=2)
    x, y = data()
    step(x, y)
    assert np.any(np.asarray(model.mean))


def test_clipping_stands_between_averages_and_optimizer():
    model = Line()
    x, y = data()
    step = step_of(model, optim.SGD(lr=1.0), accumulate=2, clip_norm=0.5)
    dw, db = gradients_of_line(model, x, y)
    norm = np.sqrt((dw**2).sum() + (db**2).sum())
    w = np.asarray(model.w).copy()
    step(x, y)
    step(x, y)
    np.testing.assert_allclose(model.w, w - dw * 0.5 / (norm + 1e-6), rtol=1e-12)


# -- random numbers ----------------------------------------------------------------------------------------------------


class Noisy(Line):
    def forward(self, x):
        return super().forward(x + gc.random.normal(x.shape, dtype=gc.f64))


def losses_of(steps, **options):
    step = step_of(Noisy(), optim.SGD(lr=0.0), **options)
    return [float(step(*data())) for _ in range(steps)]


def test_the_seed_fixes_the_random_numbers():
    first = losses_of(3, seed=7)
    assert len(set(first)) == 3, "every call draws anew"
    assert losses_of(3, seed=7) == first
    assert losses_of(3, seed=8) != first
    gc.manual_seed(7)
    try:
        assert losses_of(3) == first
    finally:
        gc.manual_seed(0)


def test_a_failed_call_draws_the_same_numbers_again():
    expected = losses_of(2, seed=7)
    step = step_of(Noisy(), optim.SGD(lr=0.0), seed=7)
    x, y = data()
    first = float(step(x, y))
    with pytest.raises(ShapeError):
        step(x, y[:-1])
    assert [first, float(step(x, y))] == expected


# -- errors ------------------------------------------------------------------------------------------------------------


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
    assert list(step.stages) == ["trace", "autodiff", "optimizer", "decompose", "look", "dce"]
    assert seen == [["w", "b"]]


# -- with layers -------------------------------------------------------------------------------------------------------


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
