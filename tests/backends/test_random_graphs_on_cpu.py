"""Random graphs compiled for the cpu backend give what the interpreter gives for the graph before any pass.

Their arithmetic is exact, so the results are the same to the last bit (but for the sign of zeros, which fast
arithmetic may drop); gradients of smooth functions agree to 1e-12 of the largest number.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import graphc as gc
from graphc.builder import Builder
from graphc.interpret import run
from graphc.ir import Graph, Value
from graphc.op import Kind, recording
from graphc.passes.dce import dce
from graphc.passes.decompose import replace_values, substitute
from pass_equivalence import compare
from random_programs import exact_graphs, smooth_graphs

turned: Any = import_module("graphc.passes.fuse.turned")

SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -2.0])
ROWS = (5, 1, 33)
# Passes that keep special values; the default ones know laws of real numbers, too.
EXACT = "decompose,canonicalize,fold,algebra,cse,dce"


def arrays(graph: Graph, rows: int, special: bool) -> list[Any]:
    """Small whole numbers, or special values among them, for the inputs of an exact graph."""
    generator = np.random.default_rng(rows)
    given: list[Any] = []
    for value in graph.inputs:
        shape = tuple(extent if isinstance(extent, int) else rows for extent in value.type.shape)
        if value.type.dtype.kind == "bool":
            given.append(generator.integers(0, 2, shape).astype(bool))
        elif value.type.dtype.is_integer:
            given.append(generator.choice([-128, 127, 0, 1, -1, 5], shape).astype(np.int8))
        else:
            numbers = generator.integers(-2, 3, shape).astype(np.float64)
            chosen = generator.random(shape) < 0.5 if special else np.zeros(shape, bool)
            given.append(np.where(chosen, generator.choice(SPECIAL, shape), numbers))
    return given


def assert_same(graph: Graph, special: bool = False, pipeline: str | None = None) -> None:
    executable = gc.compile(graph, backend="cpu", pipeline=pipeline)
    for rows in ROWS:
        inputs = arrays(graph, rows, special)
        with np.errstate(all="ignore"):
            expected, _ = run(graph, inputs)
        results = executable(*inputs)
        for got, want in zip(results if isinstance(results, tuple) else (results,), expected, strict=True):
            if want.dtype == np.float64:
                got, want = got + 0.0, want + 0.0  # -0.0 is 0.0
            compare(want, got, str(graph), rtol=1e-15)


@settings(max_examples=40)
@given(graph=exact_graphs())
def test_exact_graphs(graph: Graph) -> None:
    assert_same(graph)


@settings(max_examples=20)
@given(graph=exact_graphs())
def test_special_values(graph: Graph) -> None:
    assert_same(graph, special=True, pipeline=EXACT)


@settings(max_examples=40)
@given(graph=exact_graphs())
def test_views_of_few_elements_are_turned_first(graph: Graph) -> None:
    """As those of many are: with the axes of every second op reversed, and reversed again behind it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("LEAST_COLUMNS", "LEAST_TURNED", "LEAST_OF_NAMED"):
            patch.setattr(turned, name, 1)
        assert_same(with_axes_reversed(graph))


def with_axes_reversed(graph: Graph) -> Graph:
    """The same results, by elementwise ops on operands that are turned around."""
    builder = Builder.rewriting(graph)
    same: dict[Value, Value] = {}
    with recording(builder):
        for number, original in enumerate(graph.nodes):
            node = substitute(original, same)
            if node.op.kind is not Kind.ELEMENTWISE or number % 2 or node.result.type.rank < 2:
                builder.append(node)
                continue
            operands = [builder.tensor(operand) for operand in node.operands]
            made = node.op(*map(turned_around, operands), **node.attributes)
            same[original.result] = turned_around(made).value
    return dce(replace_values(graph.with_(nodes=tuple(builder.nodes)), tuple(builder.nodes), same))


def turned_around(x: Any) -> Any:
    return gc.permute_dims(x, tuple(reversed(range(x.ndim)))) if x.ndim else x


@pytest.mark.slow
@settings(max_examples=5)
@given(graph=smooth_graphs())
def test_gradients(graph: Graph) -> None:
    derivative = gc.value_and_grad(graph)
    executable = gc.compile(derivative, backend="cpu")
    for rows in ROWS:
        generator = np.random.default_rng(rows)
        inputs = [generator.normal(size=shape) for shape in [(rows, 3), (3,), (3, 3), ()]]
        for got, want in zip(executable(*inputs), run(derivative, inputs)[0], strict=True):
            largest = float(np.abs(want).max(initial=1.0))
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12 * largest, err_msg=str(graph))
