"""A row times a matrix that is kept row by row: no sum along its columns, whatever follows, at every edge."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc

sys.path.insert(0, str(Path(__file__).parent))
from against_interpreter import same_on_both, same_results

from another_process import run_again


def arrays(dtype: Any, *shapes: tuple[int, ...]) -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype(dtype.numpy) for shape in shapes]


@pytest.mark.parametrize("dtype", [gc.f32, gc.f64], ids=str)
@pytest.mark.parametrize("columns", [8, 15, 16, 100, 255, 256, 257, 700, 1031, 2100])
def test_every_edge(columns: int, dtype: Any) -> None:
    for depth in (2, 37, 300):
        v, w = arrays(dtype, (depth,), (depth, columns))
        exe = same_on_both(gc.trace(lambda v, w: (v @ w, (v @ w) * 2 + 1), v, w), v, w)
        assert any("gemm_" in kernel.source for kernel in exe.kernels)


def softmax(x: Any) -> Any:
    e = gc.exp(x - gc.max(x))
    return e / gc.sum(e)


FORMS: dict[str, tuple[Any, list[tuple[int, ...]]]] = {
    "a column": (lambda w, v: gc.matmul(w.T, v), [(70, 300), (70,)]),
    "a column with an axis": (lambda w, v: gc.matmul(w.T, v), [(70, 300), (70, 1)]),
    "one row": (lambda x, w: x @ w, [(1, 70), (70, 300)]),
    "a batch of rows": (lambda x, w: x @ w, [(3, 4, 1, 70), (3, 4, 70, 48)]),
    "a batch of columns": (lambda w, x: gc.matmul(gc.permute_dims(w, (0, 2, 1)), x), [(3, 70, 48), (3, 70, 1)]),
    "heads within rows": (lambda p, x: gc.einsum("bhs,bshd->bhd", p, x), [(2, 3, 50), (2, 50, 3, 16)]),
    "softmax": (lambda v, w: softmax(v @ w), [(70,), (70, 300)]),
    "total": (lambda v, w: gc.sum(gc.tanh(v @ w)), [(70,), (70, 300)]),
    "beside another": (lambda v, w, u: (v @ w) * gc.sigmoid(v @ u), [(70,), (70, 300), (70, 300)]),
    "of computed rows": (lambda v, w: gc.exp(v) @ gc.tanh(w), [(70,), (70, 300)]),
    "deep": (lambda v, w: v @ w, [(30000,), (30000, 16)]),
    "two in a row": (lambda v, w, u: gc.tanh(v @ w) @ u, [(70,), (70, 90), (90, 40)]),
    "no depth": (lambda v, w: v @ w, [(0,), (0, 30)]),
    "no columns": (lambda v, w: v @ w, [(7,), (7, 0)]),
}


@pytest.mark.parametrize("dtype", [gc.f32, gc.f64], ids=str)
@pytest.mark.parametrize("name", FORMS)
def test_forms(name: str, dtype: Any) -> None:
    function, shapes = FORMS[name]
    given = arrays(dtype, *shapes)
    same_on_both(gc.trace(function, *given), *given)


def test_named_extents() -> None:
    exe = gc.compile(gc.trace(lambda v, w: v @ w + 1, gc.f32["K"], gc.f32["K", "M"]))
    for depth, columns in ((3, 5), (100, 1), (1, 100), (300, 1031), (0, 4), (4, 0)):
        same_results(exe, *arrays(gc.f32, (depth,), (depth, columns)))


def test_any_number_of_threads() -> None:
    v, w = arrays(gc.f32, (900,), (900, 1031))
    results = [gc.compile(gc.trace(lambda v, w: v @ w, v, w), threads=threads)(v, w) for threads in (1, 2, 3, 4, 8)]
    assert all(np.array_equal(results[0], each) for each in results)


def test_few_columns_are_sums() -> None:
    """A nest walks such a matrix as it lies."""
    v, w = arrays(gc.f32, (900,), (900, 3))
    exe = same_on_both(gc.trace(lambda v, w: v @ w, v, w), v, w)
    assert "gemm_" not in exe.kernels[-1].source


@pytest.mark.parametrize("bits", [128, 512])
def test_again_with_vectors_of(bits: int) -> None:
    run_again(__file__, GRAPHC_VECTOR_BITS=str(bits))
