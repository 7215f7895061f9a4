"""Passes that wait until somebody looks at what they give."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

import graphc as gc
from graphc.passes import Pipeline, Stage, Stages, default_pipeline


def graph() -> gc.Graph:
    return gc.trace(lambda x: gc.sum(x * 2.0, axis=0), gc.f32["N", 3])


def test_what_waits_gives_what_it_would_have_given() -> None:
    at_once, waiting = (run(graph()) for run in (default_pipeline().run, default_pipeline().run_later))
    assert [*waiting.known] == ["trace"]
    assert waiting.first.graph.count() == 2
    assert [*waiting.known] == ["trace"]
    assert [*at_once] == [*waiting]
    assert [str(stage.graph) for stage in at_once.values()] == [str(stage.graph) for stage in waiting.values()]


@pytest.mark.parametrize(
    "look",
    [len, list, str, lambda stages: stages["pass"], lambda stages: stages.last, lambda stages: stages.before("pass")],
)
def test_every_look_runs_it_once(look: Any) -> None:
    runs = []

    def counted(graph: gc.Graph) -> gc.Graph:
        runs.append(graph)
        return graph

    stages = Pipeline([gc.passes.Pass("pass", counted)]).run_later(graph())
    assert runs == []
    look(stages)
    look(stages)
    assert len(runs) == 1
    assert [*stages] == ["trace", "pass"]


def test_what_waits_longer_sees_what_came_before() -> None:
    stages = Pipeline(["dce"]).run_later(graph())
    stages.later(lambda stages: stages.append(Stage(f"after_{stages.last.name}", stages.last.graph)))
    stages.later(lambda stages: stages.append(Stage(f"after_{stages.last.name}", stages.last.graph)))
    assert [*stages] == ["trace", "dce", "after_dce", "after_after_dce"]


def test_a_pass_that_is_interrupted_runs_again() -> None:
    problems = [KeyboardInterrupt(), gc.errors.ArgumentError("no")]

    def interrupted(graph: gc.Graph) -> gc.Graph:
        if problems:
            raise problems.pop()
        return graph

    stages = Pipeline(["dce", interrupted]).run_later(graph())
    with pytest.raises(gc.errors.ArgumentError, match="no"):
        len(stages)
    with pytest.raises(KeyboardInterrupt):
        len(stages)
    assert [*stages.known] == ["trace"]
    assert [*stages] == ["trace", "dce", "interrupted"]


def test_threads_that_look_at_once_see_all_of_it() -> None:
    def slow(graph: gc.Graph) -> gc.Graph:
        time.sleep(0.05)
        return graph

    stages: Stages = Pipeline([slow, "dce"]).run_later(graph())
    seen: list[list[str]] = []
    threads = [threading.Thread(target=lambda: seen.append([*stages])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [["trace", "slow", "dce"]] * 4


def test_rules_that_are_added_later_do_not_count() -> None:
    @gc.passes.rule
    def no_scale(x, s):  # type: ignore[no-untyped-def]
        """x·s  →  x"""
        return x * s, lambda: x

    mine = gc.passes.RewritePass("mine", [])
    stages = Pipeline([mine]).run_later(graph())
    mine.rules.append(no_scale)
    assert stages.last.graph.count("mul") == 1
    assert Pipeline([mine]).run_later(graph()).last.graph.count("mul") == 0


def test_errors_come_when_the_interpreter_compiles() -> None:
    def fails(graph: gc.Graph) -> gc.Graph:
        raise RuntimeError("a pass of mine")

    for backend in ("interpreter", "cpu"):
        with pytest.raises(RuntimeError, match="a pass of mine"):
            gc.compile(graph(), pipeline=[fails], backend=backend)
