"""A call that is like the one before, as one native function: the same results, and None where anything changed."""

from __future__ import annotations

import copy
import ctypes
import gc as collector
import sys
import threading
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from graphc.backends.cpu import atomics
from graphc.backends.cpu.array_address import structs_are_readable
from graphc.backends.cpu.kernels import interpreted
from graphc.errors import IndexRangeError
from graphc.nn import functional as F

pytestmark = pytest.mark.skipif(interpreted() or not structs_are_readable, reason="Python walks the tables here")

X, Y = np.random.default_rng(0).standard_normal((6, 5)).astype(np.float32), np.arange(6) % 3


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


def training(model: Any, **options: Any) -> Any:
    adam = optim.Adam(lr=0.01)
    return gc.training_step(model, F.cross_entropy, adam, gc.f32["N", 5], gc.i64["N"], **options)


def quick(call: Any, *arrays: Any) -> Any:
    """The quick call, after as many ordinary ones as it takes to have one."""
    for _ in range(3):
        call(*arrays)
    return getattr(call, "_update", call).quick


def test_training_is_the_same_bit_for_bit() -> None:
    first = network()
    second = copy.deepcopy(first)
    slow, fast = training(first), training(second)
    versions = [model[0].weight.version for model in (first, second)]
    losses = []
    for _ in range(12):
        slow._update.forget()
        losses.append((float(slow(X, Y)), float(fast(X, Y))))
    assert fast._update.quick((X, Y)) is not None
    slow(X, Y)
    assert len({a for a, _ in losses}) == 12
    assert all(a == b for a, b in losses)
    for (name, a), (_, b) in zip(first.state_dict().items(), second.state_dict().items(), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)
    assert [model[0].weight.version - before for model, before in zip((first, second), versions, strict=True)] == [
        13,
        13,
    ]


def test_results_are_arrays_of_their_own() -> None:
    exe = gc.compile(lambda x: gc.sum(x * 2.0, axis=0), inputs=gc.f32["N", 4])
    call = quick(exe, X[:, :4].copy())
    kept = [call((np.full((6, 4), k, np.float32),)) for k in range(5)]
    for k, result in enumerate(kept):
        assert (type(result), result.dtype, result.flags.owndata) == (np.ndarray, np.float32, True)
        np.testing.assert_array_equal(result, [12.0 * k] * 4)


@pytest.mark.parametrize("dtype", [gc.bool, gc.u8, gc.f16, gc.i32, gc.f64])
def test_results_of_any_size_in_bytes(dtype: Any) -> None:
    exe = gc.compile(lambda x: gc.astype(x > 0, dtype), inputs=gc.f32[7])
    call = quick(exe, np.zeros(7, np.float32))
    given = np.array([1, -1, 2, -2, 3, -3, 4], np.float32)
    np.testing.assert_array_equal(call((given,)), (given > 0).astype(dtype.numpy))


@pytest.mark.parametrize(
    "arguments",
    [(), (X,), (X, Y, Y), (X[:5], Y[:5]), (X, Y.astype(np.int32)), (X.T.copy().T, Y), [X, Y], X, None, (X.tolist(), Y)],
)
def test_what_does_not_fit(arguments: Any) -> None:
    step = training(network())
    call, version = quick(step, X, Y), step.objective.model[0].weight.version
    assert call(arguments) is None
    assert step.objective.model[0].weight.version == version
    assert call((X, Y)) is not None
    assert step.objective.model[0].weight.version == version + 1


def test_state_that_is_read_or_written() -> None:
    step = training(network())
    weight = step.objective.model[0].weight
    for change in (
        lambda: np.asarray(weight),
        lambda: weight.assign(np.ones((8, 5))),
        lambda: weight.__setitem__(0, 3),
    ):
        call = quick(step, X, Y)
        assert call((X, Y)) is not None
        change()
        assert call((X, Y)) is None
    held = np.asarray(weight)
    before = held.copy()
    for _ in range(5):
        step(X, Y)
    np.testing.assert_array_equal(held, before)


def test_a_prediction_whose_weights_are_prepared() -> None:
    model = network()
    step, predict = training(model), gc.compile(model.eval(), inputs=gc.f32["N", 5])
    assert predict._memory.preparation is not None
    call = quick(predict, X)
    first = call((X,))
    np.testing.assert_array_equal(first, predict(X))
    quick(step, X, Y)((X, Y))  # writes the cells, whose arrays stay
    assert call((X,)) is None
    assert not np.array_equal(predict(X), first)
    np.testing.assert_allclose(predict(X), gc.evaluate(predict.graph, X), rtol=1e-5, atol=1e-6)


def test_what_is_trained_changes() -> None:
    step = training(network())
    model = step.objective.model
    call = quick(step, X, Y)
    model[0].weight.requires_grad_(False)
    assert call((X, Y)) is None
    before = model[0].weight.array.copy()
    quick(step, X, Y)((X, Y))
    np.testing.assert_array_equal(model[0].weight, before)
    training(network())  # a change elsewhere
    for _ in range(3):
        step(X, Y)
    assert step._update.quick((X, Y)) is not None


def test_it_is_closed_for_whoever_has_it() -> None:
    step = training(network())
    call = quick(step, X, Y)
    step(np.zeros((90, 5), np.float32), np.zeros(90, np.int64))  # another table, and perhaps another arena
    assert call((X, Y)) is None
    other = quick(step, X, Y)
    step.state_dict()
    assert other((X, Y)) is None
    assert call((X, Y)) is None


def test_it_outlives_its_executable() -> None:
    model = network()
    predict = gc.compile(model.eval(), inputs=gc.f32["N", 5])
    call, expected = quick(predict, X), predict(X)
    del predict, model
    collector.collect()
    [np.ones(size) for size in range(1, 4000, 7)]
    np.testing.assert_array_equal(call((X,)), expected)


def test_a_turn_that_another_thread_has() -> None:
    model = network()
    gc.compile(model.eval(), inputs=gc.f32["N", 5])  # so that the step takes the turns of two families of cells
    step = training(model)
    call = quick(step, X, Y)
    assert call((X, Y)) is not None
    taken, leave = threading.Event(), threading.Event()

    def hold(turn: Any) -> None:
        with turn:
            taken.set()
            leave.wait(20)

    turns = list({id(state.cell.turn): state.cell.turn for state in step.graph.state}.values())
    assert len(turns) == 2
    for turn in turns:
        taken.clear()
        leave.clear()
        thread = threading.Thread(target=hold, args=(turn,))
        thread.start()
        assert taken.wait(20)
        assert call((X, Y)) is None
        leave.set()
        thread.join()
        assert call((X, Y)) is not None
    for _ in range(3):
        step(X, Y)


def test_trouble_is_raised_and_changes_nothing() -> None:
    step = training(network())
    model = step.objective.model
    call = quick(step, X, Y)
    before = {name: np.array(cell, copy=True) for name, cell in model.named_parameters()}
    wrong = Y.copy()
    wrong[3] = 3
    for _ in range(2):
        assert call((X, wrong)) is None
        with pytest.raises(IndexRangeError):
            step(X, wrong)
    for name, cell in model.named_parameters():
        np.testing.assert_array_equal(np.array(cell, copy=True), before[name])
    assert quick(step, X, Y)((X, Y)) is not None


def test_results_of_up_to_32_kilobytes_are_copied() -> None:
    exe = gc.compile(lambda x: -x, inputs=gc.f32["N"])
    for size in (300, 8192):
        x = np.arange(size, dtype=np.float32)
        call = quick(exe, x)
        first, second = call((x,)), call((x + 1,))
        np.testing.assert_array_equal(first, -x)
        np.testing.assert_array_equal(second, -x - 1)


def test_others_go_the_ordinary_way() -> None:
    """Results that kernels write to arrays of the caller's, several results, sums of gradients."""
    several = gc.compile(lambda x: (gc.sum(x), gc.max(x)), inputs=gc.f32["N"])
    large = gc.compile(lambda x: gc.exp(x), inputs=gc.f32["N"])
    for exe, size in ((several, 4), (large, 8193)):
        x = np.ones(size, np.float32)
        assert quick(exe, x)((x,)) is None
    step = training(network(), accumulate=3)
    for _ in range(7):
        step(X, Y)
    assert step.position == 1


def test_out_is_written() -> None:
    exe = gc.compile(lambda x: gc.sum(x, axis=0), inputs=gc.f32["N", 5])
    quick(exe, X)
    out = np.zeros(5, np.float32)
    assert exe(X, out=out) is out
    np.testing.assert_allclose(out, X.sum(0), rtol=1e-6)


def test_no_reference_is_lost_or_kept() -> None:
    exe = gc.compile(lambda x: gc.sum(x, axis=0), inputs=gc.f32["N", 5])
    call, other = quick(exe, X), X[:4].copy()

    def counts() -> list[int]:
        return [sys.getrefcount(each) for each in (X, other, True, False, None, call)]

    before = counts()
    for _ in range(1000):
        call((X,))
        call((other,))
        call(None)
    assert all(abs(a - b) < 100 for a, b in zip(counts(), before, strict=True))


def test_threads_that_train_and_predict_and_save() -> None:
    """Every call is a step, and what is saved is the state between two of them."""

    class Twins(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Parameter(np.zeros(50, np.float32)), nn.Parameter(np.zeros(50, np.float32))

        def forward(self, x: Any) -> Any:
            return gc.sum((self.a + self.b) * x)

    model = Twins()
    step = gc.training_step(model, lambda y: y, optim.SGD(lr=1.0), inputs=gc.f32[50], targets=())
    predict = gc.compile(lambda x: gc.max(model.a * x) - gc.min(model.b * x), inputs=gc.f32[50])
    x, steps, failures = np.ones(50, np.float32), 400, []

    def work(number: int) -> None:
        try:
            for _ in range(steps):
                if number < 2:
                    step(x)
                elif number == 2:
                    assert predict(x) == 0
                else:
                    saved = step.state_dict()["model"]
                    assert len(np.unique([saved["a"], saved["b"]])) == 1
        except BaseException as error:
            failures.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not failures, failures[0]
    np.testing.assert_array_equal(np.asarray(model.a), -2.0 * steps)
    assert model.a.version == 2 * steps


def test_what_native_code_asks_of_python_has_twins() -> None:
    def address(name: str) -> int:
        return ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value or 0

    items: list[int] = []
    append, clear = items.append, items.clear
    drop = address("Py_DecRef")
    none = atomics.ask_with(address("PyObject_CallOneArg"), id(append), id(Y))
    assert none == id(None)
    assert items[0] is Y
    atomics.ask(drop, none)
    atomics.ask(drop, atomics.ask(address("PyObject_CallNoArgs"), id(clear)))
    assert not items
    to = np.zeros(4, np.uint8)
    atomics.copy(to.ctypes.data, np.arange(1, 5, dtype=np.uint8).ctypes.data, 3)
    assert to.tolist() == [1, 2, 3, 0]
