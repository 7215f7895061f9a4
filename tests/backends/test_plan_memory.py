"""The plan of a call, before it runs: what is printed is what the process then holds."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from graphc.backends.cpu.binding import Binding
from graphc.errors import ArgumentError, BackendError
from graphc.nn import functional as F

IN_A_PROCESS = """
import json, sys
import numpy as np
import graphc as gc
from graphc import nn, optim
from graphc.nn import functional as F

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

def most():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))

def forget():
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")

model = nn.Sequential(nn.Linear(256, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 512), nn.GELU(),
                      nn.Linear(512, 10))
step = gc.training_step(model, F.cross_entropy, optim.SGD(lr=0.1), gc.f32["N", 256], gc.i64["N"])
def batch(rows):
    return np.ones((rows, 256), np.float32), np.zeros(rows, np.int64)
step(*batch(8))                      # the driver, the threads
large = batch(8192)
before = resident()
plan = step.plan_memory(N=8192)
planned = resident() - before
forget()
step(*large)
grown = most() - before
print(json.dumps({"planned": planned, "grown": grown, "peak": plan.peak, "arena": step.arena_bytes,
                  "same": str(plan) == str(step.memory_plan)}))
"""


def step_of(width: int = 64) -> Any:
    gc.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 5))
    return gc.training_step(model, F.cross_entropy, optim.Adam(lr=1e-3), gc.f32["N", 32], gc.i64["N"])


def batch(rows: int) -> tuple[Any, Any]:
    return np.ones((rows, 32), np.float32), np.zeros(rows, np.int64)


def test_the_plan_before_a_call_is_the_plan_of_the_call() -> None:
    step = step_of()
    with pytest.raises(BackendError, match="ask plan_memory"):
        step.memory_plan  # noqa: B018
    for rows in (16, 48, 16):
        plan = step.plan_memory(N=rows)
        step(*batch(rows))
        assert str(step.memory_plan) == str(plan)
        assert step.plan_memory(N=rows) is step.memory_plan
    assert step.arena_bytes == step.plan_memory(N=48).peak


def test_planning_allocates_and_compiles_nothing() -> None:
    step = step_of()
    assert step.plan_memory(N=1 << 20).peak > 1 << 28
    assert step.arena_bytes == 0


def test_the_plan_is_printed_with_what_lies_outside_of_the_arena() -> None:
    step = step_of()
    plan = step.plan_memory(N=48)
    text = str(plan)
    parameters = sum(np.asarray(p).nbytes for p in step.objective.model.parameters())
    assert plan.besides["parameters"] == parameters
    assert f"parameters {parameters:,}" in text
    assert plan.besides["optimizer slots"] == 2 * parameters + 8  # Adam's averages, and the number of steps
    assert plan.besides["results"] == 4
    assert plan.total == plan.peak + sum(plan.besides.values())
    assert f"arena {plan.peak:,} bytes" in text
    assert f"{plan.total:,} in all" in text
    assert f"most is alive at step {plan.busiest} of {len(step.program.steps)}" in text


def test_the_busiest_step_holds_the_lower_bound() -> None:
    plan = step_of(256).plan_memory(N=512)
    alive = plan.live(plan.busiest)
    replaced = {placement.took_over for placement in alive}
    sizes = [-(-p.request.size // 64) * 64 for p in alive if p.request.name not in replaced]
    assert sum(sizes) == plan.lower_bound


def test_extents_are_checked() -> None:
    step = step_of()
    with pytest.raises(ArgumentError, match="nothing says what N shall be"):
        step.plan_memory()
    with pytest.raises(ArgumentError, match="has no extent M; its named extents are N"):
        step.plan_memory(N=2, M=3)
    executable = gc.compile(gc.trace(lambda x: gc.tanh(x), gc.f32[3]))
    assert executable.plan_memory().besides == {"results": 12}
    with pytest.raises(ArgumentError, match="all its extents are known"):
        executable.plan_memory(N=2)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_process_grows_by_what_is_planned() -> None:
    done = subprocess.run([sys.executable, "-c", IN_A_PROCESS], stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["same"]
    assert found["planned"] < 1 << 20
    assert found["arena"] == found["peak"]
    assert found["peak"] > 50 << 20  # large beside what else a process does
    assert 0.95 * found["peak"] <= found["grown"] <= 1.02 * found["peak"] + (2 << 20)


def test_a_call_that_is_interrupted_leaves_the_arena_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A larger batch needs a larger arena; until its table is complete, tables for smaller ones stay as they are."""
    executable = gc.compile(gc.trace(lambda x, w: (x @ w) @ w + 1.0, gc.f32["N", 64], gc.f32[64, 64]))
    w, x = np.eye(64, dtype=np.float32), np.ones((60, 64), np.float32)
    executable(x, w)
    before = executable.arena_bytes

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Binding, "place", property(lambda _: interrupted))
        with pytest.raises(KeyboardInterrupt):
            executable(np.ones((6000, 64), np.float32), w)
    assert executable.arena_bytes == before
    np.testing.assert_array_equal(executable(x, w), x + 1)
    np.testing.assert_array_equal(executable(np.ones((6000, 64), np.float32), w), np.full((6000, 64), 2, np.float32))
    assert executable.arena_bytes > before
