"""How compile and step time grow: depth 10 to 1,000, width, batch, threads 1 to 2.

    python -m benchmarks scaling [--only depth,threads] [--quick] [--json benchmarks/results/scaling.json]

    depth      an MLP of so many hidden layers of 64, BatchNorm and ReLU, Adam, batch 64: seconds to build the step
               (trace, derivatives, passes, kernels; from an empty cache), seconds of the first call, and of a step
    width      2 hidden layers of 64 to 2,048, batch 128
    batch      784-512-512-10, batch 8 to 2,048, one compiled step for all
    threads    training steps of workloads on one thread and on two

Depth shall cost no more than in proportion: the last columns of its table are what each layer beyond the first row's
adds. Every depth and width compiles in a process of its own; batches and threads are measured in turns in each round.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.processes import ROOT

DEPTHS, WIDTHS, BATCHES = (10, 30, 100, 300, 1000), (64, 128, 256, 512, 1024, 2048), (8, 32, 128, 512, 2048)
WORKLOADS = ("mlp_bn", "mlp_wide", "resnet20", "transformer", "lstm")
QUICK_DEPTHS, QUICK_WIDTHS, QUICK_BATCHES = (10, 30, 100), (64, 256, 1024), (8, 128, 2048)

Row = dict[str, Any]


def step_of(sizes: Sequence[int], batch: int, threads: int) -> tuple[Callable[[], object], dict[str, Any]]:
    """A step of an MLP after its first call, and what that took."""
    start = time.perf_counter()
    from benchmarks.contenders import graphc_
    from benchmarks.workloads import Training
    from benchmarks.workloads.mlp import Mlp

    workload = Training("scaled", Mlp(tuple(sizes)), batch)
    arrays = workload.arrays(seed=3)
    started = time.perf_counter()
    step, arguments = graphc_.ready(workload, arrays, {"backend": "cpu", "threads": threads})
    built = time.perf_counter()
    step(*arguments)
    first = time.perf_counter()
    found = {"import": started - start, "build": built - started, "first call": first - built}
    return lambda: step(*arguments), {**found, "kernels": len(step.kernels), "flops": workload.flops}


def timed(step: Callable[[], object], seconds: float = 0.3) -> float:
    """The median of some calls, in seconds."""
    step()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def one(sizes: Sequence[int], batch: int, threads: int) -> Row:
    """In a process of its own: a step's compilation from an empty cache, and its time."""
    step, found = step_of(sizes, batch, threads)
    return {**found, "step": timed(step)}


def in_a_process(sizes: Sequence[int], batch: int, threads: int) -> Row:
    """The same, asked from here."""
    with tempfile.TemporaryDirectory(prefix="graphc-benchmark-") as cache:
        command = [sys.executable, "-m", "benchmarks", "scaling", "--one", json.dumps([list(sizes), batch, threads])]
        environment = {**os.environ, "GRAPHC_CACHE_DIR": cache}
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: Row = json.loads(done.stdout.splitlines()[-1])
    return found


def depth(options: argparse.Namespace) -> list[Row]:
    """Hidden layers of 64."""
    rows: list[Row] = []
    for layers in QUICK_DEPTHS if options.quick else DEPTHS:
        found = {"layers": layers, **in_a_process((64, *[64] * layers, 10), 64, options.threads)}
        rows.append(found)
        first, added = rows[0], layers - rows[0]["layers"]
        for what in ("build", "step"):
            found[f"{what} per layer"] = (found[what] - first[what]) / added if added else None
        beyond = f"{found['build per layer'] * 1e3:7.1f} ms {found['step per layer'] * 1e6:7.1f} us" if added else ""
        print(
            f"  {layers:>6} layers  build {found['build']:8.2f} s  first call {found['first call']:7.2f} s"
            f"  {found['kernels']:>4} kernels  step {found['step'] * 1e6:10.1f} us   a layer more: {beyond or '-'}",
            flush=True,
        )
    return rows


def width(options: argparse.Namespace) -> list[Row]:
    """Two hidden layers; the rate shows from where on the work outweighs the calls."""
    rows: list[Row] = []
    for features in QUICK_WIDTHS if options.quick else WIDTHS:
        found = {"width": features, **in_a_process((features, features, features, 10), 128, options.threads)}
        found["rate"] = found["flops"] / found["step"]
        rows.append(found)
        print(
            f"  {features:>6} wide  build {found['build']:6.2f} s  step {found['step'] * 1e6:10.1f} us"
            f"  {found['rate'] / 1e9:7.1f} GFLOP/s",
            flush=True,
        )
    return rows


def batch(options: argparse.Namespace) -> list[Row]:
    """One compiled step, called with each batch in turn."""
    from benchmarks.contenders import graphc_
    from benchmarks.workloads import MLP_BN, Training

    sizes = QUICK_BATCHES if options.quick else BATCHES
    workload = Training("scaled", MLP_BN, max(sizes))
    arrays = workload.arrays(seed=3)
    step, (x, y) = graphc_.ready(workload, arrays, {"backend": "cpu", "threads": options.threads})
    step(x, y)
    times: dict[int, list[float]] = {size: [] for size in sizes}
    first: dict[int, float] = {}
    for size in sizes:
        start = time.perf_counter()
        step(x[:size], y[:size])
        first[size] = time.perf_counter() - start
    for _ in range(5):
        for size in sizes:
            times[size].append(timed(lambda size=size: step(x[:size], y[:size]), 0.1))  # type: ignore[misc]
    rows: list[Row] = []
    for size in sizes:
        found = {"batch": size, "first call": first[size], "step": statistics.median(times[size])}
        found["per example"] = found["step"] / size
        rows.append(found)
        print(
            f"  batch {size:>6}  first call {first[size]:7.4f} s  step {found['step'] * 1e6:10.1f} us"
            f"  {found['per example'] * 1e6:8.2f} us an example",
            flush=True,
        )
    return rows


def threads(options: argparse.Namespace) -> list[Row]:
    """Workloads on one thread and on two, in turns."""
    from benchmarks.contenders import graphc_
    from benchmarks.contenders.runner import AbsentError
    from benchmarks.workloads import find

    rows: list[Row] = []
    for name in WORKLOADS[:1] if options.quick else WORKLOADS:
        workload = find(name)
        arrays = workload.arrays(seed=3)
        try:
            made = {count: graphc_.ready(workload, arrays, {"backend": "cpu", "threads": count}) for count in (1, 2)}
        except AbsentError as error:
            print(f"  {name:<14}absent: {error}")
            continue
        times: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(5):
            for count, (step, arguments) in made.items():
                times[count].append(timed(lambda step=step, arguments=arguments: step(*arguments), 0.1))  # type: ignore[misc]
        single, double = statistics.median(times[1]), statistics.median(times[2])
        rows.append({"workload": name, "one thread": single, "two threads": double, "faster": single / double})
        print(
            f"  {name:<14}one thread {single * 1e3:9.3f} ms  two {double * 1e3:9.3f} ms  {single / double:5.2f} times",
            flush=True,
        )
    return rows


TABLES: dict[str, Callable[[argparse.Namespace], list[Row]]] = {
    "depth": depth,
    "width": width,
    "batch": batch,
    "threads": threads,
}


def main(arguments: list[str]) -> int:
    """Measure, print, write; gives the exit status."""
    about = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks scaling", description=about)
    add = parser.add_argument
    add("--only", default=",".join(TABLES), help=f"of {','.join(TABLES)}")
    add("--threads", type=int, default=2, help="of depth, width and batch (default: 2)")
    add("--quick", action="store_true", help="fewer rows, depth to 100")
    add("--json", type=Path, help="write all figures to this file")
    add("--one", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        print(json.dumps(one(*options.one)))
        return 0
    chosen = options.only.split(",")
    unknown = [name for name in chosen if name not in TABLES]
    if unknown:
        parser.error(f"there is no table {', '.join(unknown)}; there are {', '.join(TABLES)}")
    report: dict[str, Any] = {"machine": machine.describe(), "threads": options.threads}
    for name in chosen:
        print(f"{name}: {(TABLES[name].__doc__ or '').splitlines()[0]}")
        report[name] = TABLES[name](options)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0
