"""A budget is kept by plan, or refused with what it would take; results stay what they are."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from graphc.errors import ArgumentError, BackendError, MemoryBudgetError
from graphc.nn import functional as F

sys.path.insert(0, str(Path(__file__).parent))
from against_interpreter import same_results

ROWS, WIDTH, LAYERS = 256, 64, 12


def chain(x: Any, *weights: Any) -> Any:
    for w in weights:
        x = gc.tanh(x @ w)
    return gc.sum(x * x)


def chain_graph(rows: int | str = ROWS) -> gc.Graph:
    return gc.grad(gc.trace(chain, gc.f32[rows, WIDTH], *[gc.f32[WIDTH, WIDTH]] * LAYERS))


def chain_arrays(rows: int = ROWS) -> list[Any]:
    generator = np.random.default_rng(3)
    weights = [generator.standard_normal((WIDTH, WIDTH), np.float32) / 8 for _ in range(LAYERS)]
    return [generator.standard_normal((rows, WIDTH), np.float32), *weights]


@pytest.fixture(scope="module")
def without() -> Any:
    return gc.compile(chain_graph())


@pytest.mark.parametrize("part", [0.9, 0.7, 0.55])
def test_the_arena_is_within_the_budget_and_the_results_are_the_same(without: Any, part: float) -> None:
    budget = int(part * without.plan_memory().peak)
    executable = gc.compile(chain_graph(), memory_budget=budget)
    assert executable.plan_memory().peak <= budget
    expected = without(*chain_arrays())
    given = same_results(executable, *chain_arrays())
    for array, again in zip(expected, executable(*chain_arrays()), strict=True):
        np.testing.assert_array_equal(again, array)
    assert executable.arena_bytes <= budget
    assert given is None or given


def test_smaller_budgets_compute_more_again(without: Any) -> None:
    peak = without.plan_memory().peak
    products = [
        gc.compile(chain_graph(), memory_budget=int(part * peak)).stages["rematerialize"].graph.count("dot_general")
        for part in (1.0, 0.6, 0.45)
    ]
    assert products == sorted(products)
    assert products[0] == chain_graph().count("dot_general")
    assert products[-1] > products[0]


def test_nothing_is_computed_again_where_all_fits() -> None:
    executable = gc.compile(chain_graph(), memory_budget="1GB")
    assert executable.stages["rematerialize"].counts["computed again"] == 0


def test_a_budget_that_no_plan_keeps_names_the_least() -> None:
    with pytest.raises(MemoryBudgetError, match="bytes at least") as caught:
        gc.compile(chain_graph(), memory_budget=1000)
    least = int(str(caught.value).split("needs ")[1].split(" bytes")[0].replace(",", ""))
    assert gc.compile(chain_graph(), memory_budget=least).plan_memory().peak == least
    with pytest.raises(MemoryBudgetError):
        gc.compile(chain_graph(), memory_budget=least - 1)


def test_named_extents_are_part_of_the_budget() -> None:
    graph = chain_graph("N")
    arena = gc.compile(graph).plan_memory(N=ROWS).peak
    budget = int(0.7 * arena)
    executable = gc.compile(graph, memory_budget=(budget, {"N": ROWS}))
    executable(*chain_arrays(ROWS))
    executable(*chain_arrays(ROWS // 2))
    with pytest.raises(MemoryBudgetError, match="a call for N=1024 needs an arena of"):
        executable(*chain_arrays(4 * ROWS))
    executable(*chain_arrays(ROWS))
    assert executable.arena_bytes <= budget


def test_a_call_beyond_the_budget_leaves_the_model_as_it_was() -> None:
    gc.manual_seed(1)
    model = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 5))
    step = gc.training_step(
        model, F.cross_entropy, optim.Adam(lr=1e-3), gc.f32["N", WIDTH], gc.i64["N"], memory_budget=("300KB", {"N": 64})
    )
    step(np.ones((64, WIDTH), np.float32), np.zeros(64, np.int64))
    before = {name: np.array(array) for name, array in step.state_dict().items() if isinstance(array, np.ndarray)}
    with pytest.raises(MemoryBudgetError):
        step(np.ones((4096, WIDTH), np.float32), np.zeros(4096, np.int64))
    after = step.state_dict()
    assert before
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array)


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ("64 megs", "a number of bytes or such as"),
        (-1, "a number of bytes or such as"),
        (True, "a number of bytes or such as"),
        ((1000, 2), "a size, or such as"),
        ((1000, {"N": "many"}), "N is an extent"),
        ((1000, {"N": 3, "T": 3}), "has no extent T"),
        (1000, "nothing says what N shall be"),
    ],
)
def test_what_is_no_budget_is_refused(budget: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        gc.compile(gc.trace(lambda x: gc.tanh(x), gc.f32["N", 3]), memory_budget=budget)


def test_the_interpreter_plans_no_memory() -> None:
    with pytest.raises(BackendError, match="memory_budget is for the backend 'cpu'"):
        gc.compile(gc.trace(lambda x: gc.tanh(x), gc.f32[3]), backend="interpreter", memory_budget="1MB")
