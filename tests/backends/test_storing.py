"""Outputs are stored in the pass that computes them anyhow; their values stay what they are."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.backends.nests.nest import Store

sys.path.insert(0, str(Path(__file__).parent))
from against_interpreter import same_on_both, same_results


def scaled(x: Any, g: Any) -> Any:
    """`twice` is asked for by nothing until the norm of the row is known."""
    twice = g * 2.0
    return twice, twice * gc.rsqrt(gc.sum(x * x, axis=1, keepdims=True))


def costly(x: Any, g: Any) -> Any:
    """To compute the exponential in a later pass would be no gain."""
    twice = gc.exp(g)
    return twice, twice * gc.rsqrt(gc.sum(x * x, axis=1, keepdims=True))


def summed_as_well(x: Any, g: Any) -> Any:
    """The first pass needs the value itself."""
    twice = gc.where(g > 0.0, g, x)
    return twice, twice * gc.rsqrt(gc.sum(x * twice, axis=1, keepdims=True))


def read_at_an_index(x: Any, g: Any) -> Any:
    """Its array is read between the passes."""
    twice = g * 2.0
    top = gc.argmax(x, axis=1, keepdims=True)
    return twice, twice - gc.take_along_axis(twice, top, axis=1)


def only_given(x: Any, g: Any) -> Any:
    """No later pass asks for it."""
    return g * 2.0, x * gc.rsqrt(gc.sum(x * x, axis=1, keepdims=True))


def down_the_columns(x: Any, g: Any) -> Any:
    twice = g * 2.0
    return twice, twice - gc.mean(x, axis=0)


@pytest.mark.parametrize(
    ("function", "stored_in"),
    [(scaled, 1), (costly, 0), (summed_as_well, 0), (read_at_an_index, 0), (only_given, 0), (down_the_columns, 1)],
)
@pytest.mark.parametrize("columns", [40, 200])
def test_the_pass_that_stores(function: Callable[..., Any], stored_in: int, columns: int) -> None:
    graph = gc.trace(function, gc.f32["N", columns], gc.f32["N", columns])
    draw = np.random.default_rng(0)
    x, g = (draw.standard_normal((65, columns)).astype(np.float32) for _ in range(2))
    executable = same_on_both(graph, x, g)
    same_results(executable, x[:1], g[:1])
    first = executable.graph.outputs[0]
    stores = [
        number
        for kernel in executable.kernels
        for number, walk in enumerate(kernel.nest.passes)
        for statement in walk.elements
        if isinstance(statement, Store) and statement.buffer.value is not None
        and statement.buffer.value.name == first.name
    ]  # fmt: skip
    assert stores == [stored_in]


def test_what_is_stored_over_an_input_is_stored_after_its_last_reading() -> None:
    """The new state may lie over the old one, which a later pass still reads."""
    a = gc.Cell(np.random.default_rng(1).standard_normal((90, 40)).astype(np.float32))

    def step(x: Any) -> Any:
        new = a * 0.5
        a.assign(new)
        return new * gc.rsqrt(gc.sum(x * x, axis=1, keepdims=True)), gc.sum(a, axis=1)

    executable = same_on_both(gc.trace(step, gc.f32[90, 40]), np.ones((90, 40), np.float32))
    for seed in range(3):
        same_results(executable, np.random.default_rng(seed).standard_normal((90, 40)).astype(np.float32))
