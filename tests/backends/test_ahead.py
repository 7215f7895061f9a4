"""Sequences that a loop reads are computed some places ahead of it: which, how many places, and with the same bits."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn
from graphc.backends.cpu.ahead import ROWS_AHEAD
from graphc.ir import Graph

sys.path.insert(0, str(Path(__file__).parent))
from against_interpreter import as_tuple, same_on_both, same_results
from on_cpu import agree

FEATURES, HIDDEN = 5, 96  # more columns than a block: fewer would be cut by rows
LAYER = [gc.f32["T", "N", FEATURES], gc.f32[FEATURES, HIDDEN], gc.f32[HIDDEN], gc.f32[HIDDEN, HIDDEN]]


def elman(x: Any, w: Any, b: Any, u: Any, reverse: bool = False) -> Any:
    """A layer whose input's product is one for all places."""
    rows = gc.reshape(gc.reshape(x, (-1, FEATURES)) @ w + b, (x.shape[0], x.shape[1], HIDDEN))

    def step(h: Any, row: Any) -> tuple[Any, Any]:
        h = gc.tanh(row + h @ u)
        return h, h

    return gc.scan(step, gc.zeros((x.shape[1], HIDDEN), dtype=x.dtype), rows, reverse=reverse)


def arrays_of(places: int, examples: int, dtype: Any = np.float32) -> list[Any]:
    random = np.random.default_rng(places * 100 + examples)
    shapes = [(places, examples, FEATURES), (FEATURES, HIDDEN), (HIDDEN,), (HIDDEN, HIDDEN)]
    return [(random.standard_normal(shape) / 12).astype(dtype) for shape in shapes]


def entries(exe: Any) -> list[str]:
    """The kernels that a call runs, in order, after the last call; those of the loop by one name."""
    return [call.step.kernel.name for call in exe._memory.current.calls]


def rows_at_once(exe: Any) -> list[int]:
    """The numbers of rows that the calls of the product's kernel are told."""
    (kernel,) = [each for each in exe.kernels if "reshape" in each.source.split('"""')[1] or "add" in each.name]
    rows = []
    for call in exe._memory.current.calls:
        if call.step.kernel is kernel:
            (word,) = [each for each in call.step.source.words if isinstance(each, int)]
            rows.append(word)
    return rows


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("places", "examples"), [(7, 32), (9, 50), (4, 200), (3, 128), (40, 4), (300, 1), (1, 8)])
def test_places_ahead(places: int, examples: int, reverse: bool) -> None:
    """Even parts of about `ROWS_AHEAD` rows, the last of what is left; results as the interpreter has them."""
    graph = gc.trace(lambda x, w, b, u: elman(x, w, b, u, reverse), *LAYER)
    exe = same_on_both(graph, *arrays_of(places, examples))
    parts = -(-places // -(-ROWS_AHEAD // examples))
    at_once = -(-places // parts)
    whole, rest = divmod(places, at_once)
    expected = [at_once * examples] * whole + [rest * examples] * (rest > 0)
    assert rows_at_once(exe) == expected


def test_no_places_and_no_examples() -> None:
    exe = same_on_both(gc.trace(elman, *LAYER), *arrays_of(7, 32))
    for places, examples in [(0, 4), (3, 0), (5, 1)]:
        same_results(exe, *arrays_of(places, examples))


def test_the_arena_has_some_places_alone() -> None:
    exe = gc.compile(gc.trace(lambda *a: elman(*a)[0], *LAYER))
    few, many = (exe.plan_memory(T=places, N=64).peak for places in (16, 256))
    assert many == few


def test_parts_give_the_bits_of_the_whole() -> None:
    """The product by itself is computed for all places at once."""
    x, w, b, _ = arrays_of(9, 48)
    graph = gc.trace(lambda x, w, b: gc.reshape(x, (-1, FEATURES)) @ w + b, *LAYER[:3])
    rows = gc.compile(graph)(x, w, b).reshape(9, 48, HIDDEN)
    largest = gc.trace(
        lambda x, w, b: gc.scan(
            lambda most, row: (gc.maximum(most, row), gc.maximum(most, row)),
            gc.full((x.shape[1], HIDDEN), -np.inf, dtype=gc.f32),
            gc.reshape(gc.reshape(x, (-1, FEATURES)) @ w + b, (x.shape[0], x.shape[1], HIDDEN)),
        )[1],
        *LAYER[:3],
    )
    exe = gc.compile(largest)
    np.testing.assert_array_equal(exe(x, w, b), np.maximum.accumulate(rows))
    assert len(rows_at_once(exe)) == 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_change_no_bit(dtype: Any) -> None:
    kinds = {np.float32: gc.f32, np.float64: gc.f64}[dtype]
    specs = [kinds["T", "N", FEATURES], kinds[FEATURES, HIDDEN], kinds[HIDDEN], kinds[HIDDEN, HIDDEN]]
    graph = gc.value_and_grad(gc.trace(lambda *a: gc.sum(elman(*a)[1]), *specs))
    arrays = arrays_of(7, 130, dtype)
    results = [as_tuple(gc.compile(graph, threads=count)(*arrays)) for count in (1, 2, 3, 4, 8)]
    for others in results[1:]:
        for given, expected in zip(others, results[0], strict=True):
            np.testing.assert_array_equal(given, expected)


# -- what is computed at once, as ever ----------------------------------------------------------------------------


def reads_twice(x: Any, w: Any, b: Any, u: Any) -> Any:
    """Somebody else reads all of it."""
    rows = gc.reshape(gc.reshape(x, (-1, FEATURES)) @ w + b, (x.shape[0], x.shape[1], HIDDEN))
    last, _ = gc.scan(lambda h, row: (gc.tanh(row + h @ u), h[0, 0]), gc.zeros((x.shape[1], HIDDEN)), rows)
    return last, gc.max(rows)


def sums_rows(x: Any, w: Any, b: Any, u: Any) -> Any:
    """Its rows depend on each other."""
    flat = gc.reshape(x, (-1, FEATURES)) @ w
    rows = gc.reshape(flat - gc.mean(flat, axis=0), (x.shape[0], x.shape[1], HIDDEN))
    return gc.scan(lambda h, row: (gc.tanh(row + h @ u), h[0, 0]), gc.zeros((x.shape[1], HIDDEN)), rows)[0] + b


def starts_with_it(x: Any, w: Any, b: Any, u: Any) -> Any:
    """The loop reads all of it, too."""
    rows = gc.reshape(gc.reshape(x, (-1, FEATURES)) @ w + b, (x.shape[0], x.shape[1], HIDDEN))
    step = lambda h, row: (gc.tanh(row + h @ u + rows[0]), h[0, 0])  # noqa: E731
    return gc.scan(step, gc.zeros((x.shape[1], HIDDEN)), rows)[0]


def reads_halves(x: Any, w: Any, b: Any, u: Any) -> Any:
    """A place is half a row."""
    rows = gc.reshape(gc.reshape(x, (-1, FEATURES)) @ w + b, (2 * x.shape[0] * x.shape[1], HIDDEN // 2))
    return gc.scan(lambda h, row: (gc.tanh(row + h @ u[: HIDDEN // 2, : HIDDEN // 2]), h[0]), rows[0], rows)[0]


def reads_columns(x: Any, w: Any, b: Any, u: Any) -> Any:
    """A place is a column."""
    rows = gc.permute_dims(gc.reshape(x, (-1, FEATURES)) @ w + b, (1, 0))
    return gc.scan(lambda h, row: (gc.tanh(row + h * u[0, 0]), h[0]), gc.zeros_like(rows[0]), rows)[0]


@pytest.mark.parametrize("function", [reads_twice, sums_rows, starts_with_it, reads_halves, reads_columns])
def test_what_others_read_is_computed_at_once(function: Any) -> None:
    exe = same_on_both(gc.trace(function, *LAYER), *arrays_of(7, 40))
    assert not any(step.loop.ahead for step in exe.program.steps if step.loop is not None)


def test_a_loop_within_a_loop() -> None:
    def outer(xs: Any, w: Any, b: Any, u: Any) -> Any:
        return gc.scan(lambda total, x: (total + elman(x, w, b, u)[0], gc.sum(x)), gc.zeros((40, HIDDEN)), xs)

    specs = [gc.f32[3, "T", 40, FEATURES], *LAYER[1:]]
    x, *others = arrays_of(21, 40)
    same_on_both(gc.trace(outer, *specs), x.reshape(3, 7, 40, FEATURES), *others)


@pytest.mark.parametrize("projected", [0, 16])
def test_layers(projected: int) -> None:
    """Both directions of two layers, with their derivatives."""
    gc.manual_seed(3)
    model = nn.LSTM(FEATURES, 32, num_layers=2, bidirectional=True, proj_size=projected)
    graph: Graph = gc.trace(lambda x: gc.sum(model(x)[0] ** 2), gc.f32["T", "N", FEATURES])
    x = arrays_of(6, 48)[0]
    for each in (graph, gc.value_and_grad(graph)):
        for got, want in zip(as_tuple(gc.compile(each)(x)), as_tuple(gc.evaluate(each, x)), strict=True):
            agree(np.asarray(got), np.asarray(want))
