"""Results do not depend on threads, forks or on whether kernels are compiled at all.

A kernel is cut by the shapes it works on, so every sum is added in the same order by 1 thread or by 8: the same bits.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from graphc.errors import ArgumentError
from graphc.nn import functional as F

Array = np.ndarray[Any, Any]
Results = dict[str, Array]

WIDTH = 48  # of one network for all tests: few kernels are compiled

NEEDS_FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def training(rows: int, width: int, threads: int | None) -> Results:
    """Three steps with all their state, and a prediction."""
    gc.manual_seed(8)
    model = nn.Sequential(
        nn.Linear(width, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.25),
        nn.Linear(width, width), nn.LayerNorm(width), nn.GELU(), nn.Linear(width, 3),
    )  # fmt: skip
    step = gc.training_step(
        model, F.cross_entropy, optim.Adam(lr=0.01), gc.f32["N", width], gc.i64["N"], clip_norm=1.0, threads=threads
    )
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((rows, width)).astype(np.float32), generator.integers(0, 3, rows)
    results = {f"loss{number}": step(x, y) for number in range(3)}
    results |= {state.value.name: np.array(state.cell.storage) for state in step.graph.state}
    predict = gc.compile(model.eval(), inputs=gc.f32["N", width], threads=threads)
    return {**results, "prediction": predict(x)}


def images(threads: int) -> Results:
    """Two steps of a convolutional network: strides, groups, sums over all places of a kernel's gradient."""
    gc.manual_seed(8)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.Conv2d(16, 24, 3, stride=2, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 3),
    )  # fmt: skip
    step = gc.training_step(
        model, F.cross_entropy, optim.SGD(lr=0.01), gc.f32["N", 3, 20, 20], gc.i64["N"], threads=threads
    )
    generator = np.random.default_rng(0)
    x, y = generator.standard_normal((10, 3, 20, 20)).astype(np.float32), generator.integers(0, 3, 10)
    results = {f"loss{number}": step(x, y) for number in range(2)}
    return results | {state.value.name: np.array(state.cell.storage) for state in step.graph.state}


def sequences(threads: int) -> Results:
    """The gradients of attention and of an LSTM."""
    generator = np.random.default_rng(0)
    q, k, v = (generator.standard_normal((6, 4, 40, 16)).astype(np.float32) for _ in range(3))
    attended = gc.grad(gc.trace(lambda q, k, v: gc.sum(F.scaled_dot_product_attention(q, k, v) ** 2), q, k, v))
    gc.manual_seed(8)
    lstm = nn.LSTM(24, 48)
    x = generator.standard_normal((9, 40, 24)).astype(np.float32)
    recurrent = gc.grad(gc.trace(lambda x: gc.sum(lstm(x)[0] ** 2), x))
    given = gc.compile(attended, threads=threads)(q, k, v)
    return {**dict(zip("qkv", given, strict=True)), "x": gc.compile(recurrent, threads=threads)(x)}


def folds(x: Any, w: Any) -> Any:
    scaled = x * 1e3 + 0.1
    return (
        F.softmax(x, 1), F.layer_norm(x, (x.shape[1],)), gc.sum(scaled), gc.sum(scaled, axis=0), gc.sum(scaled, axis=1),
        gc.max(x), gc.argmax(x, axis=0), gc.cumulative_sum(x[0]), x @ w, x.T @ x, gc.relu(x @ w) @ w.T,
        gc.sum(gc.tanh(x @ w), axis=0), gc.sort(x, axis=1),
    )  # fmt: skip


def assert_same_bits(given: Results, expected: Results) -> None:
    assert given.keys() == expected.keys()
    for name, array in expected.items():
        assert given[name].dtype == array.dtype
        assert given[name].tobytes() == array.tobytes(), name


@pytest.mark.slow
def test_training_steps_are_the_same_for_any_number_of_threads() -> None:
    expected = training(2000, WIDTH, 1)
    for threads in (2, 3, 4, 8):
        assert_same_bits(training(2000, WIDTH, threads), expected)


@pytest.mark.slow
def test_folds_and_products_are_the_same_for_any_number_of_threads() -> None:
    graph = gc.trace(folds, gc.f32["N", "M"], gc.f32["M", "K"])
    executables = {threads: gc.compile(graph, threads=threads) for threads in (1, 2, 3, 4, 8)}
    generator = np.random.default_rng(1)
    for n, m, k in [(400, 127, 33), (3, 5000, 2), (9000, 3, 5), (1, 1, 1)]:
        x, w = (generator.standard_normal(shape).astype(np.float32) for shape in ((n, m), (m, k)))
        expected = dict(zip(map(str, range(99)), executables[1](x, w), strict=False))
        for executable in executables.values():
            assert_same_bits(dict(zip(map(str, range(99)), executable(x, w), strict=False)), expected)


# -- fork -------------------------------------------------------------------------------------------------------------


def shared_work() -> tuple[Any, Array, Array]:
    """An executable whose helpers have been at work, an input and the result."""
    executable = gc.compile(lambda x: F.softmax(gc.tanh(x @ x.T), 1), inputs=gc.f32["N", 64], threads=3)
    x = np.random.default_rng(2).standard_normal((300, 64)).astype(np.float32)
    return executable, x, executable(x)


@NEEDS_FORK
@pytest.mark.filterwarnings("ignore:This process")  # newer Pythons warn of forks beside threads
def test_a_forked_child_goes_on() -> None:
    executable, x, expected = shared_work()
    child = os.fork()
    if child == 0:  # no test code may run on in the child
        code = 1
        try:
            same = all(np.array_equal(executable(x), expected) for _ in range(5))
            other = gc.compile(lambda x: gc.sum(x * 2.0), inputs=gc.f32["N", 64])
            code = 0 if same and np.isclose(other(x), 2 * x.sum(), rtol=1e-3) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    np.testing.assert_array_equal(executable(x), expected)


_inherited: dict[str, Any] = {}


def _call_inherited(rows: int) -> Array:
    result: Array = _inherited["executable"](_inherited["x"][:rows])
    return result


@NEEDS_FORK
@pytest.mark.filterwarnings("ignore:This process")
def test_a_pool_of_forked_processes() -> None:
    executable, x, _ = shared_work()
    _inherited.update(executable=executable, x=x)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        results = pool.map(_call_inherited, [300, 7, 129, 300])
    for rows, result in zip([300, 7, 129, 300], results, strict=True):
        np.testing.assert_array_equal(result, executable(x[:rows]))


# -- the number of threads --------------------------------------------------------------------------------------------


def test_the_number_of_threads_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_NUM_THREADS", "3")
    assert gc.compile(lambda x: x * 2.0, inputs=gc.f32["N"]).thread_count == 3
    assert gc.compile(lambda x: x * 2.0, inputs=gc.f32["N"], threads=2).thread_count == 2
    monkeypatch.setenv("GRAPHC_NUM_THREADS", "many")
    with pytest.raises(ArgumentError, match="GRAPHC_NUM_THREADS is a positive number of threads, not 'many'"):
        gc.compile(lambda x: x * 2.0, inputs=gc.f32["N"])


# -- without a compiler -----------------------------------------------------------------------------------------------


def small_work() -> Results:
    """A small training step, and ops with kernels of their own."""

    def special(x: Any, i: Any) -> Any:
        return (
            gc.argmax(x, axis=1), gc.take(x, i, axis=0), gc.sort(x, axis=1), gc.argsort(x, axis=0),
            gc.cumulative_sum(x, axis=1), gc.take_along_axis(x, i[:, None], axis=1), gc.max(x, axis=0), x @ x.T,
        )  # fmt: skip

    executable = gc.compile(special, inputs=(gc.f32["N", 5], gc.i64["N"]))
    generator = np.random.default_rng(3)
    results = executable(generator.standard_normal((4, 5)).astype(np.float32), generator.integers(0, 4, 4))
    return {**training(6, WIDTH, 2), **{f"special{number}": array for number, array in enumerate(results)}}


SCRIPT = """
import importlib.util, sys, numpy as np
spec = importlib.util.spec_from_file_location("work", sys.argv[1])
work = importlib.util.module_from_spec(spec)
spec.loader.exec_module(work)
np.savez(sys.argv[2], **work.small_work())
"""


@pytest.mark.slow
def test_uncompiled_kernels_give_the_same(tmp_path: Path) -> None:
    target = tmp_path / "results.npz"
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    subprocess.run([sys.executable, "-c", SCRIPT, __file__, str(target)], env=environment, check=True)
    expected = small_work()
    with np.load(target) as given:
        assert set(given.files) == set(expected)
        for name, array in expected.items():
            if array.dtype.kind != "f":
                np.testing.assert_array_equal(given[name], array, err_msg=name)
            else:
                np.testing.assert_allclose(given[name], array, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("network", [images, sequences])
def test_convolutions_attention_and_loops(network):
    expected = network(1)
    for threads in (2, 3, 4, 8):
        assert_same_bits(network(threads), expected)
