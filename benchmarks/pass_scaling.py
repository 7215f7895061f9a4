"""How the cost of passes grows with the graph: ten times the nodes shall take about ten times as long.

    python -m benchmarks passes [--sizes 1000,10000,100000]

Three graphs of each size go through the default pipeline, each pass timed with the verification after it:

    chain     each op reads the one before; half of the ops are there to be simplified away
    fan       all ops read one value, and one sum reads them all
    network   layers (affine, ReLU, residual sum) and their gradients, as composites

Prints a table and writes benchmarks/results/pass_scaling.json. Passes are timed without Python's garbage collector, as
timeit does: a full collection takes half a second over a hundred thousand nodes and may fall into any pass. The last
line has all passes with it. Times are of one process on a quiet machine; compare ratios.
"""

from __future__ import annotations

import argparse
import gc as garbage
import json
import platform
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import graphc as gc
from graphc.composites.affine import affine
from graphc.ir import Graph
from graphc.passes import Stages, default_pipeline

RESULTS = Path(__file__).parent / "results" / "pass_scaling.json"
SIZES = (1_000, 10_000, 100_000)


def chain(size: int) -> Graph:
    """x → -x → ·1 → exp → …, of `size` nodes."""

    def fn(x: Any) -> Any:
        for _ in range(size // 8):
            x = gc.tanh(gc.negative(-x) * 1.0 + 0.5)  # five ops, three of them to go
            x = gc.sqrt(gc.abs(x)) * 0.5
        return x

    return gc.trace(fn, gc.f32["N", 64], name="chain")


def fan(size: int) -> Graph:
    """x·1·c for many c, summed."""

    def fn(x: Any) -> Any:
        parts = [x * 1.0 * float(i) for i in range(size // 3)]
        while len(parts) > 1:
            parts = [a + b for a, b in zip(parts[::2], parts[1::2], strict=False)] + parts[len(parts) // 2 * 2 :]
        return parts[0]

    return gc.trace(fn, gc.f32["N", 64], name="fan")


def network(size: int) -> Graph:
    """Layers with their gradients: 3 composite nodes forward, about 14 ops forward and backward, each."""

    def fn(x: Any, w: Any, b: Any) -> Any:
        for _ in range(size // 14):
            x = x + gc.relu(affine(x, w, b))
        return gc.sum(x)

    return gc.value_and_grad(gc.trace(fn, gc.f32["N", 64], gc.f32[64, 64], gc.f32[64], name="network"), wrt=["w", "b"])


def measure(build: Callable[[int], Graph], size: int) -> dict[str, Any]:
    """Seconds to build a graph, and for each pass."""
    start = time.perf_counter()
    graph = build(size)
    seconds = {"build": time.perf_counter() - start}
    collected = time_passes(graph)[0]
    garbage.disable()
    try:
        total, stages = time_passes(graph)
    finally:
        garbage.enable()
    for stage in list(stages.values())[1:]:
        seconds[stage.name] = stage.seconds
    seconds["verify"] = total - sum(stage.seconds for stage in stages.values())
    seconds["all passes"] = total
    seconds["with collector"] = collected
    return {"nodes": graph.count(), "nodes after": stages.last.graph.count(), "seconds": seconds}


def time_passes(graph: Graph) -> tuple[float, Stages]:
    """Seconds for all passes, and their stages."""
    garbage.collect()
    start = time.perf_counter()
    stages = default_pipeline().run(graph)
    return time.perf_counter() - start, stages


def main(arguments: list[str]) -> int:
    """Measure, print, write; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks passes", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="nodes of the graphs, comma-separated")
    sizes = [int(size) for size in parser.parse_args(arguments).sizes.split(",")]
    report: dict[str, Any] = {"machine": platform.machine(), "python": platform.python_version(), "graphs": {}}
    for build in (chain, fan, network):
        build(100)  # imports and caches
        runs = [measure(build, size) for size in sizes]
        report["graphs"][build.__name__] = runs
        print_table(build.__name__, runs)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


def print_table(name: str, runs: list[dict[str, Any]]) -> None:
    """Seconds of each pass for each size, and how many times as long as for the size before."""
    print(f"\n{name:<18}" + "".join(f"{run['nodes']:>10,} nodes" for run in runs) + "   ratios")
    for key in runs[-1]["seconds"]:
        times = [run["seconds"][key] for run in runs]
        ratios = "  ".join(f"{after / before:5.1f}" for before, after in pairwise(times))
        print(f"  {key:<16}" + "".join(f"{seconds:>14.3f} s" for seconds in times) + f"   {ratios}")
