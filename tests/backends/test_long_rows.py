"""Long rows: the next one is asked for while one is computed, which changes no number."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.backends.cpu.emit_ahead import SHORTEST, TILE
from graphc.nn import functional as F

sys.path.insert(0, str(Path(__file__).parent))
from against_interpreter import same_on_both, same_results

TWIN = """
import numpy as np, graphc as gc
from graphc.nn import functional as F
x = np.random.default_rng(0).standard_normal((2, 2100)).astype(np.float32)
exe = gc.compile(lambda x: F.softmax(x, -1), inputs=gc.f32["N", 2100])
assert "fetch(" in exe.kernels[0].source
np.testing.assert_allclose(exe(x), gc.evaluate(exe.stages["trace"].graph, x), rtol=1e-5)
"""


def loss(x: Any, w: Any, g: Any) -> Any:
    return gc.sum(F.layer_norm(F.silu(x), (x.shape[-1],), w) * g)


@pytest.mark.parametrize("columns", [SHORTEST - 1, SHORTEST, SHORTEST + 1, SHORTEST + TILE - 1, 3 * TILE + SHORTEST])
def test_values_and_gradients(columns: int) -> None:
    graph = gc.value_and_grad(
        gc.trace(loss, gc.f32["N", columns], gc.f32[columns], gc.f32["N", columns]), wrt=["x", "w"]
    )
    draw = np.random.default_rng(columns)
    w = draw.standard_normal(columns).astype(np.float32)
    arrays = [draw.standard_normal((5, columns)).astype(np.float32) for _ in range(2)]
    executable = same_on_both(graph, arrays[0], w, arrays[1], scale=30.0)
    same_results(executable, arrays[0][:1], w, arrays[1][:1], scale=30.0)
    same_results(executable, arrays[0][:0], w, arrays[1][:0])
    fetches = "fetch(" in "".join(kernel.source for kernel in executable.kernels)
    assert fetches == (columns >= SHORTEST)


def test_masks_and_gradients_are_fetched_by_their_own_size() -> None:
    def f(x: Any, keep: Any) -> Any:
        return gc.where(keep, x - gc.max(x, axis=1, keepdims=True), 0.0) / gc.sum(gc.exp(x), axis=1, keepdims=True)

    graph = gc.trace(f, gc.f64["N", SHORTEST], gc.bool["N", SHORTEST])
    draw = np.random.default_rng(1)
    executable = same_on_both(graph, draw.standard_normal((3, SHORTEST)), draw.random((3, SHORTEST)) < 0.5)
    source = executable.kernels[0].source
    assert f"fetch(address(x_in, {SHORTEST} * (i + 1) + tile), {8 * TILE})" in source
    assert f"fetch(address(keep_in, {SHORTEST} * (i + 1) + tile), {TILE})" in source


def test_a_value_may_be_named_like_the_loops_own() -> None:
    def f(tile: Any, fetch: Any) -> Any:
        return gc.exp(tile - gc.max(tile, axis=1, keepdims=True)) * fetch

    graph = gc.trace(f, gc.f32["N", SHORTEST], gc.f32["N", SHORTEST])
    same_on_both(graph, *np.random.default_rng(2).standard_normal((2, 3, SHORTEST)).astype(np.float32))


def test_as_plain_python() -> None:
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    subprocess.run([sys.executable, "-c", TWIN], env=environment, check=True)
