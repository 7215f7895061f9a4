"""Rows that are written at indices: in slices of rows or of columns, into an array or one that the kernel fills."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import IndexRangeError
from graphc.nn import functional as F
from graphc.ops.scattering import index_add, index_max, index_set

sys.path.insert(0, str(Path(__file__).parent))
from against_interpreter import same_on_both

SHAPES = {  # of the array and its axis; the number of indices
    "many long rows": ((300, 40), 0, 500),
    "long rows in several places": ((3, 70, 64), 1, 90),
    "wide rows": ((65, 1000), 0, 2000),
    "few rows": ((5, 1000), 0, 700),
    "short rows": ((300, 5), 0, 500),
    "no index": ((300, 40), 0, 0),
}


def given(name: str, dtype: Any) -> tuple[Any, Any, Any, int]:
    shape, axis, count = SHAPES[name]
    rng = np.random.default_rng(0)
    x, u = (
        rng.integers(0, 9, (*shape[:axis], n, *shape[axis + 1 :])).astype(dtype.numpy) for n in (shape[axis], count)
    )
    return x, rng.integers(0, shape[axis], count), u, axis


@pytest.mark.parametrize("dtype", [gc.f32, gc.f64, gc.f16, gc.i32], ids=str)
@pytest.mark.parametrize("name", SHAPES)
def test_whole_rows(name: str, dtype: Any) -> None:
    x, i, u, axis = given(name, dtype)
    for write in (index_add, index_max, index_set):
        same_on_both(gc.trace(lambda x, i, u, write=write: write(x, i, u, axis=axis), x, i, u), x, i, u)


@pytest.mark.parametrize("name", SHAPES)
def test_an_array_that_is_one_number(name: str) -> None:
    x, i, u, axis = given(name, gc.f32)
    graph = gc.trace(lambda i, u: gc.index_add(gc.full(x.shape, 1.5, dtype=gc.f32), axis, i, u), i, u)
    exe = same_on_both(graph, i, u)
    assert [kernel.name for kernel in exe.kernels] == ["check_indices", "index_add"]


@pytest.mark.parametrize("what", ["scatter_add", "scatter"])
def test_elements_of_an_array_that_is_one_number(what: str) -> None:
    rng = np.random.default_rng(0)
    i, u = rng.integers(0, 9, (20, 4)), rng.standard_normal((20, 4)).astype(np.float32)
    for shape, axis in (((20, 9), 1), ((9, 4), 0), ((30, 9), 1)):
        write = getattr(gc, what)
        graph = gc.trace(lambda i, u, s=shape, a=axis, w=write: w(gc.zeros(s, dtype=gc.f32), a, i, u), i, u)
        same_on_both(graph, i, u)


def test_any_number_of_threads() -> None:
    """Sums of one row come in the order of the indices."""
    rng = np.random.default_rng(0)
    i, u = rng.integers(0, 700, 5000), rng.standard_normal((5000, 128)).astype(np.float32)
    graph = gc.trace(lambda i, u: gc.index_add(gc.zeros((700, 128), dtype=gc.f32), 0, i, u), i, u)
    expected = np.zeros((700, 128), np.float32)
    np.add.at(expected, i, u)
    for threads in (1, 2, 3, 4, 8):
        assert np.array_equal(gc.compile(graph, threads=threads)(i, u), expected)


def test_an_embedding() -> None:
    def loss(table: Any, tokens: Any) -> Any:
        return gc.sum(gc.square(F.embedding(tokens, table)))

    graph = gc.grad(gc.trace(loss, gc.f32["V", 64], gc.i64["N", 7]), wrt=["table"])
    rng = np.random.default_rng(0)
    for rows in (100, 3):
        same_on_both(graph, rng.integers(-9, 9, (rows, 64)).astype(np.float32), rng.integers(0, rows, (5, 7)))


def test_a_bad_index() -> None:
    graph = gc.trace(lambda i, u: gc.index_add(gc.zeros((90, 64), dtype=gc.f32), 0, i, u), gc.i64["N"], gc.f32["N", 64])
    exe = gc.compile(graph)
    with pytest.raises(IndexRangeError):
        exe(np.array([1, 90]), np.zeros((2, 64), np.float32))
