"""Training on the cpu backend is training on the interpreter: losses, random numbers, state that a model shares.

The model has what makes a step hard: batch norm with running statistics, dropout, labels that may be out of range.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from graphc.errors import IndexRangeError
from graphc.nn import functional as F

Array = np.ndarray[Any, Any]


def classifier() -> nn.Module:
    gc.manual_seed(5)
    return nn.Sequential(
        nn.Linear(24, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Dropout(0.2), nn.Linear(24, 24), nn.BatchNorm1d(24),
        nn.ReLU(), nn.Linear(24, 5),
    )  # fmt: skip


def step_of(model: Any, optimizer: Any = None, **options: Any) -> Any:
    optimizer = optim.Adam(lr=0.01) if optimizer is None else optimizer
    return gc.training_step(model, F.cross_entropy, optimizer, gc.f32["N", 24], gc.i64["N"], seed=9, **options)


def batch(number: int, rows: int = 33) -> tuple[Array, Array]:
    generator = np.random.default_rng(number)
    x = generator.standard_normal((rows, 24)).astype(np.float32)
    return x, np.argmax(x[:, :5] + 0.1, axis=1)


def everything(step: Any) -> dict[str, Array]:
    """All state that a step reads or writes, copied without being lent."""
    return {state.value.name: np.array(state.cell.storage) for state in step.graph.state}


def assert_equal(given: dict[str, Array], expected: dict[str, Array]) -> None:
    assert given.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(given[name], array, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"accumulate": 3, "clip_norm": 0.5}], ids=["plain", "accumulate,clip_norm"])
def test_fifty_steps_have_the_interpreters_losses(options: dict[str, Any]) -> None:
    curves, rngs = [], []
    for backend in ("cpu", "interpreter"):
        step = step_of(classifier(), backend=backend, **options)
        curves.append([float(step(*batch(number % 7, 20 + number % 3))) for number in range(50)])
        rngs.append(np.array(step.rng))
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-5)
    np.testing.assert_array_equal(rngs[0], rngs[1])
    assert curves[0][-1] < 0.8 * curves[0][0]


def test_random_numbers_are_the_interpreters() -> None:
    def draws(x: Any) -> Any:
        shape = x.shape[0], 3
        return gc.random.uniform(shape), gc.random.normal(shape), gc.random.bernoulli(0.3, shape), gc.random.randint(9)

    graphs = [gc.trace(draws, gc.f32["N"]) for _ in range(2)]
    ours, reference = gc.compile(graphs[0]), gc.compile(graphs[1], backend="interpreter")
    for rows in (1, 5, 1000, 5):
        x = np.zeros(rows, np.float32)
        for got, want in zip(ours(x), reference(x), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(graphs[0].state[0].cell.storage, graphs[1].state[0].cell.storage)


def test_a_learning_rate_changes_without_a_compile() -> None:
    model, optimizer = classifier(), optim.SGD(lr=0.1, momentum=0.9)
    step = step_of(model, optimizer)
    step(*batch(0))
    graph, report = step.graph, step.compile_report
    optimizer.param_groups[0]["lr"] = 0.0
    before = np.array(model[0].weight)
    step(*batch(0))
    np.testing.assert_array_equal(model[0].weight, before)
    optimizer.param_groups[0]["lr"] = 0.1
    step(*batch(0))
    assert not np.array_equal(model[0].weight, before)
    assert step.graph is graph
    assert step.compile_report is report


def test_arrays_that_a_user_holds_keep_their_values() -> None:
    model, twin = classifier(), classifier()
    step, other = step_of(model), step_of(twin)
    held: list[tuple[Array, Array]] = []
    for number in range(4):
        for parameter in (*model.parameters(), *model.buffers()):
            array = np.asarray(parameter)
            assert not array.flags.writeable
            held.append((array, array.copy()))
        held.append((model[4].weight[1:3], np.array(model[4].weight)[1:3]))
        assert step(*batch(number)) == other(*batch(number))
    for array, copy in held:
        np.testing.assert_array_equal(array, copy)
    assert_equal(everything(step), everything(other))  # where nobody has looked, it is written in place


def test_predictions_see_the_weights_as_they_are() -> None:
    model = classifier()
    step = step_of(model)
    predict = gc.compile(model.eval(), inputs=gc.f32["N", 24])
    model.train()
    x, y = batch(1)
    seen = []
    for _ in range(3):
        seen.append(predict(x))
        expected = gc.evaluate(predict.stages["trace"].graph, x)
        np.testing.assert_allclose(seen[-1], expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
        step(x, y)
    assert not np.allclose(seen[0], seen[2])
    model[7].bias.assign(np.full(5, 100.0))
    assert predict(x).min() > 50


def test_two_steps_share_a_model() -> None:
    model, twin = classifier(), classifier()
    optimizers = [optim.SGD(lr=0.1) for _ in range(3)]
    first, second = step_of(model, optimizers[0]), step_of(model, optimizers[1])
    alone = step_of(twin, optimizers[2])
    for number in range(4):
        (first, second)[number % 2](*batch(number))
        # Each step counts its own random draws: the twin's counter is set to theirs.
        alone.rng.assign(np.array([9, number // 2], np.uint64))
        alone(*batch(number))
    for name, array in twin.state_dict().items():
        np.testing.assert_array_equal(model.state_dict()[name], array, err_msg=name)


def test_versions_count_the_writes() -> None:
    model = classifier()
    step = step_of(model)
    cells = [*model.parameters(), model[1].running_mean, model[1].num_batches_tracked, step.rng]
    start = [cell.version for cell in cells]
    for number in range(3):
        step(*batch(number))
    assert [cell.version for cell in cells] == [version + 3 for version in start]
    np.asarray(model[0].weight)  # lent: the next value lies elsewhere
    step(*batch(3))
    model[0].weight.assign(np.array(model[0].weight))
    step(*batch(4, rows=20))
    assert [cell.version for cell in cells[1:]] == [version + 5 for version in start[1:]]
    assert model[0].weight.version == start[0] + 6


def test_versions_count_the_writes_of_all_steps_of_a_model() -> None:
    model = classifier()
    first, second = step_of(model), step_of(model)
    for number in range(3):
        first(*batch(number))
        second(*batch(number))
    assert {cell.version - 6 for cell in model.buffers()} == {0}


def test_a_failed_call_leaves_everything_as_it_was() -> None:
    model, twin = classifier(), classifier()
    step, other = step_of(model), step_of(twin)
    for number in range(2):
        step(*batch(number))
        other(*batch(number))
    before = everything(step)
    versions = [state.cell.version for state in step.graph.state]
    x, y = batch(2)
    for label in (5, -1, 2**40):
        bad = y.copy()
        bad[17] = label
        for _ in range(2):
            with pytest.raises(IndexRangeError, match=str(label)):
                step(x, bad)
        assert_equal(everything(step), before)
    assert [state.cell.version for state in step.graph.state] == versions
    for number in range(2, 5):
        assert step(*batch(number)) == other(*batch(number))
    assert_equal(everything(step), everything(other))


def test_a_failure_while_collecting_gradients() -> None:
    step, other = (step_of(classifier(), accumulate=2) for _ in range(2))
    step(*batch(0))
    other(*batch(0))
    x, y = batch(1)
    with pytest.raises(IndexRangeError):
        step(x, np.where(y == 3, 7, y))
    for number in range(1, 4):
        assert step(*batch(number)) == other(*batch(number))
    assert_equal(everything(step), everything(other))
