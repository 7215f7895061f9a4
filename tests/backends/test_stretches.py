"""Products that are computed some rows at a time: what follows a stretch sees its rows, whatever else is computed."""

from typing import Any

import numpy as np
import pytest

import graphc as gc
from another_process import run_again
from graphc.backends.cpu.blocks import STRETCH
from graphc.backends.cpu.machine import machine

ROWS = (1, 4, 5, STRETCH - 1, STRETCH, STRETCH + 1, 3 * STRETCH + 5)


def integers(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> Any:
    """Every sum of their products is exact in whatever order."""
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(dtype.numpy)


@pytest.mark.parametrize("columns", [3, 16, 64, 70, 130])
@pytest.mark.parametrize("dtype", [gc.f32, gc.f64])
def test_a_pass_over_each_stretch(dtype: Any, columns: int) -> None:
    graph = gc.trace(lambda x, w, b: gc.maximum(x @ w.T + b, 0.0), dtype["N", 37], dtype[columns, 37], dtype[columns])
    exe = gc.compile(graph)
    assert any("for top in" in kernel.source for kernel in exe.kernels) or columns < 32
    w, b = integers((columns, 37), dtype), integers((columns,), dtype, 1)
    for rows in ROWS:
        x = integers((rows, 37), dtype, rows)
        np.testing.assert_array_equal(exe(x, w, b), np.maximum(x @ w.T + b, 0))


def test_rows_that_are_known() -> None:
    for rows in (3, 50, 100):
        exe = gc.compile(gc.trace(lambda x, w: gc.abs(x @ w.T) * 2.0, gc.f32[rows, 21], gc.f32[40, 21]))
        x, w = integers((rows, 21), gc.f32), integers((40, 21), gc.f32, 1)
        np.testing.assert_array_equal(exe(x, w), np.abs(x @ w.T) * 2)


@pytest.mark.parametrize("columns", [300, 512])
def test_a_product_of_many_rows(columns: int) -> None:
    """All rows of a block would not fit the caches. A matrix whose rows crowd them is packed, else read in place."""
    rows = machine().caches[1] // 256
    exe = gc.compile(gc.trace(lambda x, g: gc.abs(x.T @ g) * 2.0, gc.f32["N", rows], gc.f32["N", columns]), threads=2)
    (kernel,) = (kernel for kernel in exe.kernels if "gemm_" in kernel.source)
    assert "for top in" in kernel.source
    assert ("pack" in [each.name for each in exe.kernels]) == machine().crowds(4 * columns)
    for count in (1, 7, 40):
        x, g = integers((count, rows), gc.f32), integers((count, columns), gc.f32, 1)
        np.testing.assert_array_equal(exe(x, g), np.abs(x.T @ g) * 2)


def test_a_product_that_is_a_result_too() -> None:
    def f(x: Any, w: Any) -> Any:
        product = x @ w.T
        return product, gc.abs(product)

    exe = gc.compile(gc.trace(f, gc.f32["N", 20], gc.f32[80, 20]))
    w = integers((80, 20), gc.f32)
    for rows in ROWS:
        x = integers((rows, 20), gc.f32, rows)
        product, size = exe(x, w)
        np.testing.assert_array_equal(product, x @ w.T)
        np.testing.assert_array_equal(size, np.abs(product))


def test_columns_are_summed_over_all_stretches() -> None:
    def f(x: Any, w: Any) -> Any:
        y = gc.abs(x @ w.T)
        return y, gc.sum(y, axis=0)

    exe = gc.compile(gc.trace(f, gc.f32["N", 20], gc.f32[80, 20]))
    w = integers((80, 20), gc.f32)
    for rows in ROWS:
        x = integers((rows, 20), gc.f32, rows)
        y, total = exe(x, w)
        np.testing.assert_array_equal(y, np.abs(x @ w.T))
        np.testing.assert_array_equal(total, y.sum(axis=0))


@pytest.mark.parametrize("transposed", [False, True])
def test_a_matrix_that_a_loop_has_packed(transposed: bool) -> None:
    """Row by row it would be read as it is, were it not the same at all places."""

    def f(h: Any, xs: Any, u: Any) -> Any:
        return gc.scan(
            lambda h, x: ((after := gc.minimum(gc.abs(x + h @ (u.T if transposed else u)), 3.0)), after), h, xs
        )

    graph = gc.trace(f, gc.f32["N", 48], gc.f32[3, "N", 48], gc.f32[48, 48])
    for rows in (2, 7, STRETCH + 9):
        arrays = integers((rows, 48), gc.f32), integers((3, rows, 48), gc.f32, 1), integers((48, 48), gc.f32, 2)
        expected = gc.evaluate(graph, *arrays)
        for threads in (1, 2, 3):
            for given, wanted in zip(gc.compile(graph, threads=threads)(*arrays), expected, strict=True):
                np.testing.assert_array_equal(given, wanted)


@pytest.mark.parametrize("bits", [128, 256, 512])
def test_again_with_vectors_of(bits: int) -> None:
    if bits == 8 * machine().vector_bytes:
        pytest.skip("the machine's own vectors")
    run_again(__file__, GRAPHC_VECTOR_BITS=str(bits))
