"""What is compiled, and how often: once for all batch sizes, once for equal layers, once for all processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from graphc.backends.cpu import kernels
from graphc.nn import functional as F

sys.path.insert(0, str(Path(__file__).parent))
from against_interpreter import same_results


def perceptron(layers: int) -> nn.Module:
    gc.manual_seed(2)
    hidden = [part for _ in range(layers - 1) for part in (nn.Linear(8, 8), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(8, 3))


def step_of(model: Any) -> Any:
    return gc.training_step(model, F.cross_entropy, optim.SGD(lr=0.1, momentum=0.9), gc.f32["N", 8], gc.i64["N"])


@pytest.fixture
def nothing_more_to_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> Any:
        raise AssertionError(f"compiles {arguments}")

    monkeypatch.setattr(kernels, "compile_jobs", refuse)


def batch(rows: int) -> tuple[Any, Any]:
    generator = np.random.default_rng(rows)
    return generator.standard_normal((rows, 8)).astype(np.float32), generator.integers(0, 3, rows)


def test_one_compile_serves_every_batch_size(request: pytest.FixtureRequest) -> None:
    gc.manual_seed(2)
    model = nn.Sequential(nn.Linear(8, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    step = step_of(model)
    predict = gc.compile(model.eval(), inputs=gc.f32["N", 8])
    steps = [(each.kernel, each.kernel.address) for each in step.program.steps]
    request.getfixturevalue("nothing_more_to_compile")
    for rows in (7, 32, 128, 129, 7):
        same_results(step, *batch(rows))
        same_results(predict, batch(1)[0])
        same_results(predict, batch(rows)[0])
    assert [(each.kernel, each.kernel.address) for each in step.program.steps] == steps


@pytest.mark.slow
def test_depth_needs_no_more_kernels() -> None:
    """The same layers, 3 of them or 300: as many kernels, called more often."""
    shallow, deep = step_of(perceptron(3)), step_of(perceptron(300))
    assert len(deep.kernels) == len(shallow.kernels)
    assert deep.compile_report.compiled == deep.compile_report.loaded == 0
    assert len(deep.program.steps) > 50 * len(shallow.program.steps)
    assert sum(kernel.calls for kernel in deep.kernels) == len(deep.program.steps)
    same_results(deep, *batch(16))


def normalized(layers: int, optimizer: Any, **options: Any) -> Any:
    """A training step of blocks with BatchNorm."""
    gc.manual_seed(2)
    block = (lambda: nn.Linear(8, 8, bias=False), lambda: nn.BatchNorm1d(8), nn.ReLU)
    model = nn.Sequential(*(part() for _ in range(layers - 1) for part in block), nn.Linear(8, 3))
    return gc.training_step(model, F.cross_entropy, optimizer, gc.f32["N", 8], gc.i64["N"], **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        (lambda: optim.Adam(), {}),
        (lambda: optim.SGD(lr=0.1, momentum=0.9), {}),
        (lambda: optim.AdamW(), {"clip_norm": 1.0}),
        (lambda: optim.Adam(), {"accumulate": 2}),
    ],
    ids=["Adam", "SGD", "AdamW and a norm", "accumulated"],
)
def test_depth_needs_no_other_kernels(optimizer: Any, options: dict[str, Any]) -> None:
    """What each layer has one of, a counter or a term of the norm, is not gathered in an ever longer kernel."""
    steps = [normalized(layers, optimizer(), **options) for layers in (3, 10, 40)]
    keys = [{kernel.key for kernel in step.kernels} for step in steps]
    assert keys[0] == keys[1] == keys[2]
    assert len(steps[0].kernels) == len(steps[1].kernels) == len(steps[2].kernels)
    shallow = steps[0]
    for _ in range(2):
        if options.get("accumulate", 1) == 1:
            same_results(shallow, *batch(16))
        else:
            shallow(*batch(16))
    assert all(shallow._update._memory.current.in_place.values())
    counters = [cell.array for name, cell in shallow.objective.model.named_buffers() if name.endswith("tracked")]
    assert [int(counter) for counter in counters] == [2, 2]


PROCESS = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("work", sys.argv[1])
work = importlib.util.module_from_spec(spec)
spec.loader.exec_module(work)
step = work.step_of(work.perceptron(3))
losses = [float(step(*work.batch(rows))) for rows in (7, 32)]
report = step.compile_report
heavy = sorted({name.partition(".")[0] for name in sys.modules} & {"numba", "networkx", "rich"})
print(json.dumps([report.compiled, report.loaded, report.reused, heavy, losses]))
"""


def in_a_process(cache: Path) -> Any:
    environment = {**os.environ, "GRAPHC_CACHE_DIR": str(cache), "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-c", PROCESS, __file__]
    run = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return json.loads(run.stdout)


@pytest.mark.slow
def test_the_second_process_loads_everything_without_numba(tmp_path: Path) -> None:
    compiled, loaded, reused, _, losses = in_a_process(tmp_path)
    assert compiled > 5
    assert loaded == reused == 0
    again = in_a_process(tmp_path)
    assert again == [0, compiled, 0, [], losses]


def test_equal_kernels_of_two_executables_are_one() -> None:
    first = gc.compile(lambda x: gc.relu(x) * 3.0, inputs=gc.f32["N", 5])
    second = gc.compile(lambda y: gc.relu(y) * 3.0, inputs=gc.f32["M", 5])
    assert [kernel.address for kernel in first.kernels] == [kernel.address for kernel in second.kernels]
    assert second.compile_report.compiled == second.compile_report.loaded == 0
