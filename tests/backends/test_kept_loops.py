"""Steps with loops that another process has made: found with all that loops hold, and completed when somebody looks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from graphc.backends.cpu import kept, lower_graph
from graphc.errors import GraphcError
from graphc.nn import functional as F
from graphc.train.step import TrainingStep
from scan_cases import SCANS, draw

sys.path.insert(0, str(Path(__file__).parent))
from against_interpreter import as_tuple


@pytest.fixture(autouse=True)
def small_graphs_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kept, "LEAST_NODES", 0)
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path))


@pytest.fixture
def no_pass_runs(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """After it is called, lowering a graph fails."""

    def refuse(*arguments: Any) -> Any:
        raise AssertionError("lowers")

    return lambda: monkeypatch.setattr(lower_graph, "lower", refuse)


def is_kept(step: Any) -> bool:
    """Whether it was found, and nobody has looked at its stages yet."""
    executable = step._update if isinstance(step, TrainingStep) else step
    return executable._late.lowered is None


class Recurrent(nn.Module):
    """Two layers in both directions, whose last output is read."""

    def __init__(self) -> None:
        super().__init__()
        gc.manual_seed(4)
        self.lstm = nn.LSTM(5, 32, num_layers=2, bidirectional=True)
        self.fc = nn.Linear(64, 3)

    def forward(self, x: Any) -> Any:
        return self.fc(self.lstm(x)[0][-1])


def recurrent_step() -> Any:
    """The step, always declared on this line."""
    inputs, optimizer = gc.f32["T", "N", 5], optim.Adam(lr=0.01)
    return gc.training_step(Recurrent(), F.cross_entropy, optimizer, inputs, gc.i64["N"], seed=5)


def sequences(places: int, rows: int) -> tuple[Any, Any]:
    generator = np.random.default_rng(rows)
    return generator.standard_normal((places, rows, 5)).astype(np.float32), generator.integers(0, 3, rows)


def test_steps_with_loops_compute_the_same_bits(no_pass_runs: Callable[[], None]) -> None:
    """Of few rows and of many, for which places are computed ahead."""
    made = recurrent_step()
    batches = [sequences(5, 4), sequences(7, 50), sequences(1, 3)]
    losses = [made(*batch) for batch in batches]
    no_pass_runs()
    found = recurrent_step()
    assert [found(*batch) for batch in batches] == losses
    assert is_kept(found)
    plans = [str(step._update.memory_plan).splitlines()[0] for step in (made, found)]
    assert plans[0] == plans[1]


def test_steps_with_loops_are_completed() -> None:
    """A profile names the nodes of all entries, those that were bound before somebody looked."""
    made, found = recurrent_step(), recurrent_step()
    batch = sequences(7, 50)
    for step in (made, found):
        step(*batch)
    assert is_kept(found)
    assert any(loop.ahead for step in found._update.program.steps if (loop := step.loop) is not None)
    names = [[timing.name for timing in step.profile(*batch, repeats=1)] for step in (made, found)]
    assert names[0] == names[1]
    assert len(names[0]) == len(made._update._memory.current.calls)
    for mine, other in zip(found.kernels, made.kernels, strict=True):
        assert (mine.name, mine.source, str(mine.nest)) == (other.name, other.source, str(other.nest))


@pytest.mark.parametrize(
    ("name", "derived"),
    [
        ("reverse", gc.vjp),
        ("no place", gc.vjp),
        ("exchanged", gc.vjp),
        ("nested", gc.vjp),
        ("two carries", gc.jacobian),
    ],
)
def test_loops_of_all_kinds_are_found(name: str, derived: Any, no_pass_runs: Callable[[], None]) -> None:
    """Scans, their backward halves, and maps over them."""
    function, shapes = SCANS[name]
    arrays = draw(shapes)
    graph = derived(gc.trace(function, *arrays))
    arrays += draw([value.type.shape for value in graph.inputs[len(arrays) :]], 1)
    expected = as_tuple(gc.compile(graph)(*arrays))
    no_pass_runs()
    found = gc.compile(graph)
    for got, want in zip(as_tuple(found(*arrays)), expected, strict=True):
        np.testing.assert_array_equal(got, want)
    assert is_kept(found)


def test_extents_that_a_loop_refuses_are_refused_in_the_same_words() -> None:
    def compiled() -> Any:
        return gc.compile(
            lambda x: gc.scan(lambda h, v: (h + gc.max(v, axis=0), h), gc.zeros(2), x)[0], gc.f32["T", "N", 2]
        )

    words = []
    for exe in (compiled(), compiled()):
        with pytest.raises(GraphcError) as caught:
            exe(np.zeros((2, 0, 2), np.float32))
        words.append(str(caught.value))
    assert words[0] == words[1]
