"""Sums over axes in the middle: what lies behind them is read side by side, in blocks of columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc

SHAPES = [
    ((3, 5, 64), 1), ((16, 128, 256), 1), ((2, 7, 3, 64), (1, 2)), ((4, 9, 16, 16), 1), ((3, 70, 2, 96), 1),
    ((2, 3, 5, 64), (0, 2)), ((5, 6, 65), 1), ((5, 6, 32), 1), ((0, 4, 64), 1), ((4, 0, 64), 1),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("shape", "axis"), SHAPES)
def test_sums_and_what_is_made_of_them(shape: tuple[int, ...], axis: Any, dtype: Any) -> None:
    x = np.random.default_rng(7).integers(-8, 9, shape).astype(dtype)  # sums of any order are exact

    def function(a: Any) -> Any:
        total = gc.sum(a, axis=axis, keepdims=True)
        return total, a * total, gc.sum(a * a, axis=axis)

    total = x.sum(axis, keepdims=True)
    for threads in (1, 2, 3):
        results = gc.compile(function, x, threads=threads)(x)
        for result, expected in zip(results, (total, x * total, (x * x).sum(axis)), strict=True):
            np.testing.assert_array_equal(result, expected, strict=True)


def test_a_named_batch_and_the_maximum() -> None:
    exe = gc.compile(lambda a: gc.max(gc.exp(a), axis=1), gc.f32["N", 6, 128])
    for batch in (1, 2, 5):
        x = np.random.default_rng(batch).standard_normal((batch, 6, 128)).astype(np.float32)
        np.testing.assert_allclose(exe(x), np.exp(x).max(1), rtol=3e-7)


def test_neighbours_are_read_as_neighbours() -> None:
    """An index that is a remainder of every number would have each element loaded by itself."""
    (kernel,) = gc.compile(lambda a: gc.sum(a, axis=1), gc.f32["N", 100, 256]).kernels
    assert "j1 = block % 256 + (j - block)" in kernel.source
    turned, kernel = gc.compile(lambda a: gc.sum(a, axis=1), gc.f32["N", 100, 72]).kernels
    assert "transpose_f32(100, 72," in turned.source or "transpose_f32(72, 100," in turned.source
    assert "cut by rows" in kernel.source
