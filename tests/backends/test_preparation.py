"""What depends on the model's state alone: computed when the state has changed, and only then."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from graphc.nn import functional as F


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(24, 40), nn.BatchNorm1d(40), nn.ReLU(), nn.Linear(40, 5))


def images() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 5)
    )


def runs_of(exe, monkeypatch):
    """Counts the runs of an executable's preparation."""
    counted = []
    run = exe._memory.preparation.run
    monkeypatch.setattr(exe._memory.preparation, "run", lambda native: (counted.append(1), run(native)))
    return counted


def agrees(exe, x):
    got, expected = exe(x), gc.evaluate(exe.graph, x)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    return got


def data(model, rows=6):
    rng = np.random.default_rng(rows)
    shape = (rows, 3, 6, 6) if isinstance(model[0], nn.Conv2d) else (rows, 24)
    return rng.standard_normal(shape).astype(np.float32), rng.integers(0, 5, rows)


@pytest.mark.parametrize("make", [network, images])
def test_a_prediction_follows_every_kind_of_write(make, monkeypatch):
    model = make()
    x, y = data(model)
    spec = gc.f32["N", *x.shape[1:]]
    step = gc.training_step(model, loss=F.cross_entropy, optimizer=optim.SGD(lr=0.1), inputs=spec, targets=gc.i64["N"])
    predict = gc.compile(model.eval(), inputs=spec)
    counted = runs_of(predict, monkeypatch)
    seen = [agrees(predict, x)]
    assert len(counted) == 1
    agrees(predict, x)
    agrees(predict, data(model, rows=9)[0])  # another table, the same state
    assert len(counted) == 1

    def changes(write):
        before = len(counted)
        write()
        seen.append(agrees(predict, x))
        assert len(counted) == before + 1
        assert not np.allclose(seen[-1], seen[-2])

    changes(lambda: step(x, y))
    changes(lambda: step(x, y))  # the second one writes in place, and only a clock tells
    changes(lambda: model[0].weight.assign(np.asarray(model[0].weight) * 2))
    changes(lambda: step(x, y))
    saved = {name: np.array(value) for name, value in model.state_dict().items()}
    changes(lambda: step(x, y))
    model.load_state_dict(saved)
    agrees(predict, x)


def test_two_executables_of_one_model_know_of_each_other(monkeypatch):
    model = network()
    x, y = data(model)
    steps = [
        gc.training_step(
            model, loss=F.cross_entropy, optimizer=optim.SGD(lr=rate), inputs=gc.f32["N", 24], targets=gc.i64["N"]
        )
        for rate in (0.1, 0.3)
    ]
    predict = gc.compile(model.eval(), inputs=gc.f32["N", 24])
    for number in range(6):
        steps[number % 2](x, y)
        agrees(predict, x)


def test_what_a_step_updates_is_computed_in_the_step():
    """Weights that are trained are read anew; those that are frozen are prepared."""
    model = network()
    x, y = data(model)
    expected = []
    for frozen in (False, True):
        model = network()
        model.load_state_dict({name: np.full_like(value, 0.1) for name, value in model.state_dict().items()})
        if frozen:
            model[0].requires_grad_(False)
        step = gc.training_step(
            model, loss=F.cross_entropy, optimizer=optim.SGD(lr=0.1), inputs=gc.f32["N", 24], targets=gc.i64["N"]
        )
        weight = np.array(model[0].weight)
        losses = [step(x, y) for _ in range(3)]
        assert losses[2] < losses[0]
        assert np.array_equal(weight, model[0].weight) == frozen
        expected.append(losses[0])
    assert expected[0] == pytest.approx(expected[1], rel=1e-6)


def test_an_operand_is_packed_once_for_all_slices():
    """A product that is cut by rows, since sums over its rows follow."""

    def f(x, w):
        return F.softmax(x @ w.T, dim=1)

    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(shape).astype(np.float32) for shape in ((4000, 128), (96, 128)))
    x *= 128**-0.5  # as attention does: numbers of 50 in the exponent would show how NumPy rounds its own sums
    exe = gc.compile(gc.trace(f, gc.f32["N", 128], gc.f32[96, 128]))
    assert [kernel.name for kernel in exe.kernels].count("pack") == 1
    np.testing.assert_allclose(exe(x, w), gc.evaluate(exe.graph, x, w), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("bits", [256, 512])
@pytest.mark.parametrize(("length", "columns"), [(128, 512), (128, 528), (1, 512)], ids=["near", "spread", "one row"])
def test_rows_that_crowd_the_caches_are_packed_once(length, columns, bits, monkeypatch):
    """The right operand lies row by row, and slices share the left one's rows, if these are many in any batch.

    Where a panel has a line of the cache to each row, it is packed wherever its rows lie.
    """
    monkeypatch.setenv("GRAPHC_VECTOR_BITS", str(bits))
    packs = length > 1 and (bits == 256 or columns == 512)

    def f(x, w):
        return F.softmax(gc.reshape(x, (-1, 96)) @ w, dim=1)

    exe = gc.compile(gc.trace(f, gc.f32["N", length, 96], gc.f32[96, columns]), threads=2)
    assert [kernel.name for kernel in exe.kernels].count("pack") == packs
    rng = np.random.default_rng(0)
    w = rng.standard_normal((96, columns)).astype(np.float32)
    for count in (1, 3):
        x = rng.standard_normal((count, length, 96)).astype(np.float32)
        np.testing.assert_allclose(exe(x, w), gc.evaluate(exe.graph, x, w), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kernel", [(1024, 32), (1024, 512)], ids=str)
def test_matrices_of_groups_are_read_as_they_lie(kernel):
    """Each group has a matrix of its own, whatever the distance of its rows: panels of one would not do for all."""
    graph = gc.trace(lambda x, w: F.conv2d(x, w, groups=2), gc.f32["N", 2 * kernel[1], 12, 12], gc.f32[(*kernel, 1, 1)])
    exe = gc.compile(graph, threads=2)
    assert "pack" not in [each.name for each in exe.kernels]
    rng = np.random.default_rng(0)
    w = rng.standard_normal((*kernel, 1, 1)).astype(np.float32)
    for count in (1, 2):
        x = rng.standard_normal((count, 2 * kernel[1], 12, 12)).astype(np.float32)
        expected = gc.evaluate(graph, x, w)
        np.testing.assert_allclose(exe(x, w), expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())
