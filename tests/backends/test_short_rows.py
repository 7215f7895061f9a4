"""Rows that are short: walked in blocks, or unrolled, and the same numbers as the interpreter's in any case."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.backends.cpu.emit_reductions import WIDEST
from graphc.backends.cpu.emit_short_rows import LONGEST, MOST_ROWS, TINY
from graphc.errors import IndexRangeError
from graphc.nn import functional as F

sys.path.insert(0, str(Path(__file__).parent))
from against_interpreter import same_on_both, same_results

COLUMNS = [1, 2, TINY, TINY + 1, 10, 16, 31, LONGEST, LONGEST + 1]
ROWS = [1, 0, 7, MOST_ROWS - 1, MOST_ROWS, 2 * MOST_ROWS + 1, 300]


def softmax(x: Any) -> Any:
    return F.softmax(x, -1), F.log_softmax(x, -1)


def layer_norm(x: Any) -> Any:
    return F.layer_norm(x, (x.shape[-1],))


def row_and_whole(x: Any) -> Any:
    """Numbers of rows that are results, that a total takes, and that decide about elements."""
    top = gc.max(x, axis=1, keepdims=True)
    spread = gc.sum(gc.square(x - top), axis=1)
    lively = gc.reshape(spread > 1.0, (-1, 1))
    return top, gc.mean(spread), gc.where(lively, x / gc.reshape(spread, (-1, 1)), 0.0), gc.sum(x * top, axis=0)


def where_the_extrema_are(x: Any) -> Any:
    high, low = gc.argmax(x, axis=1), gc.argmin(x, axis=1)
    at = gc.take_along_axis(x, gc.reshape(high, (-1, 1)), axis=1)
    return high, low, x - at, gc.any(x > at, axis=1)


def cross_entropy_gradient(x: Any) -> Any:
    labels = gc.astype(gc.arange(x.shape[0]), gc.i64) % x.shape[1]
    return F.cross_entropy(x, labels)


@pytest.mark.parametrize("function", [softmax, layer_norm, row_and_whole, where_the_extrema_are])
@pytest.mark.parametrize("columns", COLUMNS)
def test_functions_of_rows(function: Any, columns: int) -> None:
    draw = np.random.default_rng(columns)
    executable = same_on_both(gc.trace(function, gc.f32["N", columns]), draw.standard_normal((3, columns), np.float32))
    for rows in ROWS:
        if rows or function is not row_and_whole:  # the mean of no rows
            same_results(executable, draw.standard_normal((rows, columns), np.float32))


@pytest.mark.parametrize("dtype", [gc.f64, gc.bf16])
def test_other_dtypes(dtype: Any) -> None:
    x = np.random.default_rng(1).standard_normal((70, 10)).astype(dtype.numpy)
    same_on_both(gc.trace(softmax, dtype["N", 10]), x)


@pytest.mark.parametrize("columns", [10, 40])
def test_a_product_before_and_a_gradient_behind(columns: int) -> None:
    def loss(x: Any, w: Any) -> Any:
        return cross_entropy_gradient(x @ w)

    draw = np.random.default_rng(3)
    graph = gc.value_and_grad(gc.trace(loss, gc.f32["N", 24], gc.f32[24, columns]), wrt=["x", "w"])
    w = draw.standard_normal((24, columns)).astype(np.float32)
    executable = same_on_both(graph, draw.standard_normal((65, 24)).astype(np.float32), w)
    same_results(executable, draw.standard_normal((130, 24)).astype(np.float32), w)


def test_what_is_not_finite_stays_in_its_row() -> None:
    x = np.random.default_rng(5).standard_normal((100, 12)).astype(np.float32)
    x[3, 4], x[40, 0], x[41, 11], x[99, 5] = np.nan, np.inf, -np.inf, 88.0
    same_on_both(gc.trace(softmax, gc.f32["N", 12]), x)
    same_on_both(gc.trace(where_the_extrema_are, gc.f32["N", 12]), x)


def test_values_may_be_named_like_what_stands_between_loops() -> None:
    def f(x: Any, max_1_lanes: Any, max_lanes: Any) -> Any:
        shifted = gc.exp(x - gc.max(x, axis=1, keepdims=True))
        return shifted * gc.reshape(max_1_lanes, (-1, 1)) + gc.reshape(max_lanes, (-1, 1))

    draw = np.random.default_rng(6)
    arrays = [draw.standard_normal(shape).astype(np.float32) for shape in ((70, 10), (70,), (70,))]
    same_on_both(gc.trace(f, gc.f32["N", 10], gc.f32["N"], gc.f32["N"]), *arrays)


def test_kernels_are_of_the_kind_that_is_meant() -> None:
    def source(columns: int) -> str:
        return gc.compile(gc.trace(layer_norm, gc.f32["N", columns])).kernels[0].source

    assert "UNROLL = True" in source(TINY)
    assert "_lanes" in source(TINY + 1)
    assert "UNROLL" not in source(LONGEST)
    assert "_lanes" not in source(LONGEST + 1)
    assert "_lanes" in gc.compile(gc.trace(layer_norm, gc.f32["N", 12])).kernels[0].source


@pytest.mark.parametrize("columns", [2, 3, TINY])
def test_tiny_rows_that_check_an_index_go_by_blocks(columns: int) -> None:
    def loss(x: Any, labels: Any) -> Any:
        return F.cross_entropy(x, labels)

    graph = gc.value_and_grad(gc.trace(loss, gc.f32["N", columns], gc.i64["N"]), wrt=["x"])
    draw = np.random.default_rng(columns)

    def arrays(rows: int) -> tuple[Any, Any]:
        return draw.standard_normal((rows, columns), np.float32), draw.integers(0, columns, rows)

    executable = same_on_both(graph, *arrays(5))
    for rows in (1, 7, MOST_ROWS, 2 * MOST_ROWS + 1):
        same_results(executable, *arrays(rows))
    checking = [kernel.source for kernel in executable.kernels if "take_along_axis =" in kernel.source]
    assert checking
    assert all("_lanes" in source and "UNROLL" not in source for source in checking)
    x, labels = arrays(9)
    labels[4] = columns
    with pytest.raises(IndexRangeError):
        executable(x, labels)


def totals(x: Any) -> Any:
    """Sums, extrema and products down the columns of rows that are normalised first, so that rows are walked."""
    y = x - gc.mean(x, axis=1, keepdims=True)
    return y, gc.sum(y, axis=0), gc.max(y, axis=0), gc.min(x * y, axis=0), gc.prod(y * 0.5 + 1.0, axis=0)


@pytest.mark.parametrize("dtype", [gc.f32, gc.f64])
@pytest.mark.parametrize("columns", [TINY, TINY + 1, 10, 16, 33, WIDEST, WIDEST + 1])
def test_totals_of_columns_are_gathered_in_parts_that_take_turns(columns: int, dtype: Any) -> None:
    draw = np.random.default_rng(columns)
    graph = gc.trace(totals, dtype["N", columns])
    executable = same_on_both(graph, draw.standard_normal((3, columns)).astype(dtype.numpy))
    assert ("(i & 3)" in executable.kernels[0].source) == (TINY < columns <= WIDEST)
    for rows in (1, 2, 7, MOST_ROWS + 1, 300):
        same_results(executable, draw.standard_normal((rows, columns)).astype(dtype.numpy))
    x = draw.standard_normal((257, columns)).astype(dtype.numpy)
    alone = executable(x)
    for threads in (2, 3, 8):
        for first, second in zip(alone, gc.compile(graph, threads=threads)(x), strict=True):
            np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(("columns", "apart"), [(10, True), (16, False), (20, True), (32, False)])
def test_rows_that_end_within_a_vector_are_not_rewritten_in_place(columns: int, apart: bool) -> None:
    def affine_and_softmax(x: Any, w: Any, b: Any) -> Any:
        y = x @ w + b
        return y, F.softmax(y, -1)

    draw = np.random.default_rng(9)
    arrays = [draw.standard_normal(shape).astype(np.float32) for shape in ((70, 24), (24, columns), (columns,))]
    executable = same_on_both(gc.trace(affine_and_softmax, *(gc.f32[array.shape] for array in arrays)), *arrays)
    (kernel,) = (kernel for kernel in executable.kernels if kernel.nest.product is not None)
    assert (kernel.nest.product_home is None) == apart


@pytest.mark.parametrize("dtype", [gc.f32, gc.f64, gc.i64, gc.bool])
def test_tiny_rows_under_several_axes_have_loops_of_their_own(dtype: Any) -> None:
    """Windows laid out side by side: the indices of their lines are not taken apart for each line."""

    def windows(x: Any) -> Any:
        taken = [x[:, i : i + 4, j : j + 6] for i in range(2) for j in range(3)]
        return gc.permute_dims(gc.reshape(gc.stack(taken, axis=1), (-1, 2, 3, 4, 6)), (0, 3, 4, 1, 2))

    draw = np.random.default_rng(0)
    graph = gc.trace(lambda x: gc.permute_dims(x, (0, 3, 1, 4, 2)), dtype["N", 5, 3, 4, 7])
    made = [(draw.standard_normal((n, 5, 3, 4, 7)) * 9).astype(dtype.numpy) for n in (2, 1, 0, 40)]
    executable = same_on_both(graph, made[0])
    (kernel,) = executable.kernels
    assert "for i3 in range(7):" in kernel.source
    for x in made[1:]:
        same_results(executable, x)
        for threads in (2, 3):
            np.testing.assert_array_equal(executable(x), gc.compile(graph, threads=threads)(x))
    for n in (1, 9):
        x = (draw.standard_normal((n, 5, 8)) * 9).astype(dtype.numpy)
        same_on_both(gc.trace(windows, dtype["N", 5, 8]), x)
