"""The first call: from `import graphc` to the end of the first step, with an empty cache and with a full one.

    python -m benchmarks cold [--workload mlp_bn] [--backend cpu] [--threads 2] [--json FILE]

Three processes share one temporary cache directory. The first finds it empty; the second, run `--repeats` times, finds
what the first left; the last calls one compiled step with several batch sizes and counts what is compiled for each.
Making the data is not counted. Files of the cache are counted by their endings, whatever the backend keeps there.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.workloads import WORKLOADS, Training

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("graphc", "passes", "backends", "frontends", "benchmarks")
PREDICTED = 1
BATCHES = (7, 32, 128, 129)
PARTS = ("import", "model", "trace", "load", "step")  # load: passes and kernels, or the cache
REPORTS = ("compile_report", "report_compile", "compiled", "kernels")  # what an executable may tell of its compilation


def first_step(options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of each part of the way to the end of the first step, and of a step after it."""
    seconds: dict[str, Any] = {}
    mark = time.perf_counter()

    def done(part: str) -> None:
        nonlocal mark
        now = time.perf_counter()
        seconds[part] = now - mark
        mark = now

    import graphc as gc

    gc.nn.Linear, gc.optim.Adam, gc.training_step, gc.backends  # noqa: B018 - the face loads on use
    done("import")

    from benchmarks.contenders import graphc_

    workload = WORKLOADS[options.workload]
    assert isinstance(workload, Training)
    arrays = workload.arrays(seed=0)
    batch = arrays.pop("x"), arrays.pop("y")
    mark = time.perf_counter()

    model = graphc_.build(workload.network)
    model.load_state_dict(arrays)
    done("model")
    build = gc.backends.build

    def timed_build(*arguments: Any) -> Any:
        done("trace")
        built = build(*arguments)
        done("load")
        return built

    gc.backends.build = timed_build
    step = graphc_.training_step(workload.network, model, vars(options))
    gc.backends.build = build
    step(*batch)
    done("step")
    total = sum(seconds.values())
    step(*batch)
    done("second step")
    return {"total": total, **seconds, "reports": reports(step), "files": cached()}


def batch_sizes(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Seconds of the first and the second call with each batch size, and what the cache holds after them."""
    import numpy as np

    from benchmarks.contenders import graphc_

    workload = WORKLOADS[options.workload]
    assert isinstance(workload, Training)
    rng = np.random.default_rng(0)
    model = graphc_.build(workload.network)
    rows = []

    def call(what: str, size: int, executable: Any, start: float) -> None:
        x = rng.standard_normal((size, *workload.network.example), np.float32)
        y = rng.integers(0, workload.network.classes, size)
        arguments = (x,) if what == "predict" else (x, y)
        executable(*arguments)
        first = time.perf_counter()
        executable(*arguments)
        again = time.perf_counter() - first
        found = {"what": what, "batch": size, "first": first - start, "second": again}
        rows.append({**found, "reports": reports(executable), "files": cached()})

    start = time.perf_counter()
    predict = graphc_.predictor(workload.network, model, vars(options))
    call("predict", PREDICTED, predict, start)
    start = time.perf_counter()
    step = graphc_.training_step(workload.network, model, vars(options))
    for size in BATCHES:
        call("train", size, step, start)
        start = time.perf_counter()
    call("predict", BATCHES[-1], predict, start)
    return rows


def reports(executable: Any) -> dict[str, str]:
    """What the executable tells of its compilation: a number for what can be counted, else its text."""
    found = {}
    for name in REPORTS:
        value = getattr(executable, name, None)
        if value is None:
            continue
        if callable(value):
            value = value()
        found[name] = str(len(value) if hasattr(value, "__len__") and not isinstance(value, str) else value)
    return found


def cached() -> dict[str, int]:
    """How many files of each ending the cache directory holds."""
    folder = Path(os.environ["GRAPHC_CACHE_DIR"])
    return dict(sorted(Counter(path.suffix for path in folder.rglob("*") if path.is_file() and path.suffix).items()))


PROCESSES: dict[str, Callable[[argparse.Namespace], Any]] = {"first-step": first_step, "batch-sizes": batch_sizes}


def main(arguments: list[str]) -> int:
    """Run the processes and print what they found; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks cold", description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--workload", choices=[name for name, each in WORKLOADS.items() if "training" in each.kinds], default="mlp_bn")
    add("--backend", default="cpu", help="graphc's backend (default: cpu)")
    add("--threads", type=int, default=2, help="(default: 2)")
    add("--repeats", type=int, default=5, help="processes that find a full cache; their median is shown (default: 5)")
    add("--json", type=Path, help="write all figures to this file")
    add("--process", choices=list(PROCESSES), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.process:
        print(json.dumps(PROCESSES[options.process](options)))
        return 0
    with tempfile.TemporaryDirectory(prefix="graphc-benchmark-") as cache:
        empty = run(arguments, "first-step", cache)
        full = [run(arguments, "first-step", cache) for _ in range(options.repeats)]
    with tempfile.TemporaryDirectory(prefix="graphc-benchmark-") as cache:
        sizes = run(arguments, "batch-sizes", cache)
    show_first_steps(options, empty, full)
    show_batch_sizes(sizes)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        report = {"workload": options.workload, "backend": options.backend, "threads": options.threads}
        report |= {"empty": empty, "full": full, "batch sizes": sizes}
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


def run(arguments: list[str], process: str, cache: str) -> Any:
    """What one of the processes found."""
    command = [sys.executable, "-m", "benchmarks", "cold", *arguments, "--process", process]
    for package in PACKAGES:  # Python's bytecode, which pip makes when it installs; kernels are another matter
        compileall.compile_dir(ROOT / package, quiet=2)
    environment = {**os.environ, "GRAPHC_CACHE_DIR": cache}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def show_first_steps(options: argparse.Namespace, empty: dict[str, Any], full: list[dict[str, Any]]) -> None:
    """One line for the empty cache, one for the median of the full ones."""
    print(f"first step of {options.workload} on {options.backend}, in seconds from just before `import graphc`")
    print(f"  {'cache':<14}{'total':>9}" + "".join(f"{part:>9}" for part in PARTS) + f"{'second step':>14}   files")
    median = {key: statistics.median(each[key] for each in full) for key in ("total", *PARTS, "second step")}
    for name, each in (("empty", empty), ("full", {**full[-1], **median})):
        parts = "".join(f"{each[part]:>9.3f}" for part in PARTS)
        print(f"  {name:<14}{each['total']:>9.3f}{parts}{each['second step']:>14.5f}   {_counts(each)}")


def show_batch_sizes(rows: list[dict[str, Any]]) -> None:
    """One line a batch size."""
    print("\nbatch sizes in one process, from an empty cache; the first calls of predict and train compile")
    print(f"  {'call':<10}{'batch':>7}{'first, s':>11}{'second, s':>11}   files and reports")
    for row in rows:
        print(f"  {row['what']:<10}{row['batch']:>7}{row['first']:>11.4f}{row['second']:>11.5f}   {_counts(row)}")


def _counts(found: dict[str, Any]) -> str:
    files = ", ".join(f"{count} {ending}" for ending, count in found["files"].items()) or "none"
    return files + "".join(f"; {name}: {text}" for name, text in found["reports"].items())
