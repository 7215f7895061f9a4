"""Kernels over a few rows, whose loops over columns are unrolled as vectors: which they are, and the same numbers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.backends.cpu.blocks import FEW_ROWS, Block, has_few_rows
from graphc.backends.nests.nest import Nest
from graphc.passes.fuse.place import Cut

sys.path.insert(0, str(Path(__file__).parent))
from against_interpreter import same_on_both, same_results

from another_process import run_again

ROWS = [2, 1, 3, 7, 8, 33, FEW_ROWS + 1, 300]


def centred(x: Any) -> Any:
    """Sums of columns, each after what depends on the one before."""
    y = x - gc.mean(x, axis=0)
    return y, gc.rsqrt(gc.mean(y * y, axis=0) + 1e-3), gc.max(y, axis=0), gc.sum(y * y)


@pytest.mark.parametrize("dtype", [gc.f32, gc.f64])
@pytest.mark.parametrize("columns", [32, 48, 64, 128])
def test_sums_of_columns(columns: int, dtype: Any) -> None:
    draw = np.random.default_rng(columns)
    executable = same_on_both(gc.trace(centred, dtype["N", columns]), draw.standard_normal((5, columns), dtype.numpy))
    for rows in ROWS:
        same_results(executable, draw.standard_normal((rows, columns), dtype.numpy))


@pytest.mark.parametrize("dtype", [gc.f32, gc.f64])
def test_a_product_before_and_an_update_behind(dtype: Any) -> None:
    def f(x: Any, w: Any, m: Any) -> Any:
        y = gc.matmul(x, w)
        m = m * 0.9 + gc.sum(y, axis=0) * 0.1
        return m, y / (gc.sqrt(m * m) + 1.0)

    draw = np.random.default_rng(1)
    w, m = (draw.standard_normal(shape).astype(dtype.numpy) for shape in ((9, 32), (32,)))
    graph = gc.trace(f, dtype["N", 9], dtype[9, 32], dtype[32])
    executable = same_on_both(graph, draw.standard_normal((32, 9)).astype(dtype.numpy), w, m)
    for rows in ROWS:
        same_results(executable, draw.standard_normal((rows, 9)).astype(dtype.numpy), w, m)


def test_kernels_are_of_the_kind_that_is_meant() -> None:
    def is_unrolled(*shape: Any) -> bool:
        kernels = gc.compile(gc.trace(centred, gc.f32[shape])).kernels
        return any('UNROLL = "vectors"' in kernel.source for kernel in kernels)

    assert is_unrolled("N", 64)
    assert is_unrolled("N", 128)
    assert not is_unrolled("N", 100)  # the last block is not a whole one
    assert not is_unrolled("N", "M")
    assert not is_unrolled("N", 4)  # by rows


def test_how_many_rows_are_few() -> None:
    n: Any = gc.f32["N"].shape[0]
    for rows, few in ((n, True), (FEW_ROWS, True), (FEW_ROWS + 1, False), (64 * n, True), (256 * n, False)):
        nest = Nest("sums", (rows, 64), Cut.COLUMNS, 1)
        assert has_few_rows(nest, Block(64, is_exact=True)) is few
        assert not has_few_rows(nest, Block(64, is_exact=False))
        assert not has_few_rows(nest, None)


@pytest.mark.parametrize("bits", [128, 512])
def test_again_with_vectors_of(bits: int) -> None:
    run_again(__file__, GRAPHC_VECTOR_BITS=str(bits))
