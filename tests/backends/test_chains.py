"""Chains: several products in one kernel, a block of rows at a time. The same bits, and no array between them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.backends.cpu import emit_chain
from graphc.backends.nests.chain import Chain
from graphc.nn import functional as F

sys.path.insert(0, str(Path(__file__).parent))
from against_interpreter import as_tuple, cotangents, normal, same_on_both, same_results


def chains(executable: Any) -> list[Chain]:
    return [kernel.nest for kernel in executable.kernels if isinstance(kernel.nest, Chain)]


def gradients(g: Any, v: Any, weights: Any, share: Any, k: Any, q: Any) -> tuple[Any, ...]:
    """The backward half of attention: two products read what the first one gives, one of them by columns."""
    d_scores = weights * (gc.matmul(g, gc.matrix_transpose(v)) - share)
    return gc.matmul(d_scores, k), gc.matmul(gc.matrix_transpose(d_scores), q)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 24 rows, the least, so that lines have several."""
    monkeypatch.setattr(emit_chain, "BLOCK_BYTES", 1)


@pytest.mark.parametrize("dtype", [gc.f32, gc.f64], ids=str)
@pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])
@pytest.mark.usefixtures("small_blocks")
def test_blocks_of_rows(dtype: Any, causal: bool) -> None:
    generator = np.random.default_rng(0)
    arrays = [normal(generator, dtype, 2, 3, length, width) for length, width in ((29, 5), (37, 5), (37, 7))]
    graph = gc.trace(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=causal), *arrays)
    executable = same_on_both(graph, *arrays)
    (chain,) = chains(executable)
    assert [stage.over_rows for stage in chain.stages] == [False, False]
    assert "unit % 2 * 24" in executable.kernels[0].source
    derivative = gc.vjp(graph)
    same_on_both(derivative, *arrays, *cotangents(derivative, 3, {}))


@pytest.mark.parametrize("dtype", [gc.f32, gc.f64], ids=str)
@pytest.mark.usefixtures("small_blocks")
def test_sums_over_rows(dtype: Any) -> None:
    generator = np.random.default_rng(0)
    shapes = (2, 3, 29, 7), (2, 3, 37, 7), (2, 3, 29, 37), (2, 3, 29, 1), (2, 3, 37, 5), (2, 3, 29, 5)
    arrays = [normal(generator, dtype, *shape) for shape in shapes]
    executable = same_on_both(gc.trace(gradients, *arrays), *arrays)
    (chain,) = chains(executable)
    assert [stage.over_rows for stage in chain.stages] == [False, False, True]


def test_rows_and_columns_of_any_length() -> None:
    specs = gc.f32["N", "T", 7], gc.f32["N", "S", 7], gc.f32["N", "T", "S"], gc.f32["N", "T", 1], gc.f32["N", "S", 5]
    graph = gc.trace(gradients, *specs, gc.f32["N", "T", 5])
    executable = gc.compile(graph)
    assert len(chains(executable)) == 1
    generator = np.random.default_rng(0)
    for n, t, s in ((2, 3, 4), (3, 100, 50), (1, 1, 1), (0, 2, 2), (2, 0, 3), (2, 3, 0)):
        shapes = (n, t, 7), (n, s, 7), (n, t, s), (n, t, 1), (n, s, 5), (n, t, 5)
        same_results(executable, *(normal(generator, gc.f32, *shape) for shape in shapes))


@pytest.mark.usefixtures("small_blocks")
def test_passes_over_rows_and_after_them() -> None:
    """Epilogues of every stage: a residual, a total over everything, and a scale on what is summed over rows."""

    def function(q: Any, k: Any, v: Any, x: Any, y: Any) -> tuple[Any, ...]:
        weights = gc.tanh(gc.matmul(q, gc.matrix_transpose(k)))
        mixed = gc.matmul(weights, v) + x
        turned = gc.relu(gc.matmul(gc.matrix_transpose(weights), x)) * y
        return mixed, gc.sum(mixed * mixed), turned, gc.sum(turned, axis=-1)

    generator = np.random.default_rng(0)
    shapes = (2, 29, 5), (2, 37, 5), (2, 37, 6), (2, 29, 6), (2, 37, 6)
    arrays = [normal(generator, gc.f32, *shape) for shape in shapes]
    executable = same_on_both(gc.trace(function, *arrays), *arrays)
    (chain,) = chains(executable)
    assert [stage.over_rows for stage in chain.stages] == [False, False, True]


@pytest.mark.usefixtures("small_blocks")
def test_the_same_bits_for_any_number_of_threads() -> None:
    generator = np.random.default_rng(0)
    arrays = [normal(generator, gc.f32, 2, 3, 70, 16) for _ in range(3)]
    graph = gc.trace(F.scaled_dot_product_attention, *arrays[:3])
    derivative = gc.vjp(graph)
    given = cotangents(derivative, 3, {})
    results = [as_tuple(gc.compile(derivative, threads=n)(*arrays, *given)) for n in (1, 2, 3, 4, 8)]
    for others in results[1:]:
        for one, other in zip(results[0], others, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", [gc.f32, gc.f64], ids=str)
def test_rows_up_to_the_diagonal(dtype: Any) -> None:
    """Causal attention computes nothing beyond the diagonal, forwards and backwards."""

    def function(q: Any, k: Any, v: Any, w: Any) -> tuple[Any, Any]:
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return y, gc.sum(gc.tanh(gc.matmul(y, w)))

    generator = np.random.default_rng(0)
    long = normal(generator, dtype, 1, 2, 1031, 16), normal(generator, dtype, 16, 16)
    arrays = [long[0] * scale for scale in (1.0, -0.5, 2.0)] + [long[1]]
    graph = gc.trace(function, *arrays)
    executable = same_on_both(graph, *arrays)
    assert "range(reach)" in executable.kernels[0].source
    derivative = gc.vjp(graph)
    executable = same_on_both(derivative, *arrays, *cotangents(derivative, 4, {}), scale=100.0)
    assert [sum(stage.limited for stage in chain.stages) for chain in chains(executable)] == [1, 2]


def test_scores_are_no_array() -> None:
    """f32[N,4,4096,4096] would be 268 MB."""
    spec = gc.f32["N", 4, 4096, 64]
    executable = gc.compile(gc.trace(F.scaled_dot_product_attention, spec, spec, spec))
    assert executable.plan_memory(N=1).peak < 32 << 20


def test_scores_are_computed_again() -> None:
    """Over long sequences the backward half computes them anew, block by block: neither half has an array of them."""

    def function(q: Any, k: Any, v: Any, w: Any) -> Any:
        return gc.sum(gc.tanh(gc.matmul(F.scaled_dot_product_attention(q, k, v), w)))

    q = gc.f32[1, 2, 1100, 16]
    graph = gc.value_and_grad(gc.trace(function, q, q, q, gc.f32[16, 16]), wrt=["q", "k", "v"])
    generator = np.random.default_rng(0)
    arrays = [normal(generator, gc.f32, *value.type.shape) for value in graph.inputs]
    executable = same_on_both(graph, *arrays, scale=20.0)
    assert [len(chain.stages) for chain in chains(executable)] == [2, 5]
    assert executable.memory_plan.peak < 2 * 1100 * 1100 * 4
