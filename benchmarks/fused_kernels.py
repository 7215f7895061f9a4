"""Each fused kernel of the workloads against its bytes over bandwidth, on one thread.

    python -m benchmarks kernels [--only mlp_bn,transformer] [--json benchmarks/results/fused_kernels.json]

A step is profiled kernel by kernel (`exe.profile`, the best of some runs of the whole table, so that the caches hold
what they hold in a step). The bytes of a kernel are those of its operands and results, each once; of an operand that is
only sliced or gathered from, what is taken. The bandwidth is that of a ← b + c on arrays larger than any cache, on one
thread, the best time before and after. Kernels that do the same on the same extents share a line; those that take most
beyond their bytes come first. Below 1 the data lay in a cache. Kernels with a product in them are bound by its FLOPs,
too: they are counted, and left to `contractions`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import machine
from benchmarks.contenders.machine_ import BYTES, Bandwidth
from benchmarks.contenders.runner import AbsentError
from benchmarks.workloads import WORKLOADS, select

if TYPE_CHECKING:
    from graphc.ir import Node, Value

TAKEN = {"slice", "take", "take_along_axis"}  # of their first operand they read no more than they give
CONTRACTIONS = {"dot_general", "grouped_dot"}


@dataclass(frozen=True)
class Timed:
    """One kernel of a step."""

    name: str
    ops: tuple[str, ...]
    bytes: int
    seconds: float


def inside(node: Node) -> list[Node]:
    """The nodes of a kernel."""
    return [each for region in node.regions for each in region.nodes] if node.op.name == "fused" else [node]


def size(value: Value, dims: dict[str, int]) -> int:
    """Bytes of a value."""
    from graphc.dim import evaluate_extent

    return value.type.dtype.numpy.itemsize * prod(evaluate_extent(extent, dims) for extent in value.type.shape)


def bytes_of(node: Node, dims: dict[str, int]) -> int:
    """Bytes of operands and results, each once; of an operand that is only sliced or gathered from, what is taken."""
    from graphc.ir import Literal

    if node.op.name == "fused":
        (region,) = node.regions
        operands = list(zip(node.operands, region.inputs, strict=True))
    else:
        operands = [(operand, operand) for operand in node.operands]
    read: dict[Value, int] = {}
    for outer, inner in operands:
        if isinstance(outer, Literal):
            continue
        users = [each for each in inside(node) if inner in each.operands]
        amount = size(outer, dims)
        if users and all(user.op.name in TAKEN and user.operands[0] is inner for user in users):
            amount = min(amount, sum(size(result, dims) for user in users for result in user.results))
        read[outer] = max(amount, read.get(outer, 0))
    return sum(read.values()) + sum(size(result, dims) for result in node.results)


def kernels_of(executable: Any, arrays: list[Any], dims: dict[str, int], repeats: int) -> Iterator[Timed]:
    """The kernels of a step in their order; the parts of one node count together, and so do the places of a loop."""
    outer = {id(node) for node in executable.graph.nodes}
    parts: dict[int, list[Any]] = defaultdict(list)
    for timing in executable.profile(*arrays, repeats=repeats):
        parts[id(timing.node)].append(timing)
    for timings in parts.values():
        node = timings[0].node
        ops = tuple(each.op.name for each in inside(node))
        places = 1 if id(node) in outer else len(timings)
        seconds = sum(timing.microseconds for timing in timings) * 1e-6
        yield Timed(timings[0].name, ops, places * bytes_of(node, dims), seconds)


def bandwidth(rounds: int = 5) -> float:
    """Bytes a second on one thread: the best, as of the kernels."""
    measured, times = Bandwidth(threads=1), []
    measured.run(1)
    for _ in range(rounds):
        start = time.perf_counter()
        measured.run(1)
        times.append(time.perf_counter() - start)
    return BYTES / min(times)


def measure(name: str, repeats: int) -> dict[str, Any]:
    """The kernels of a workload; AbsentError if graphc has no such layer."""
    from benchmarks.contenders import graphc_

    workload = WORKLOADS[name]
    arrays = workload.arrays(seed=3)
    executable, arguments = graphc_.ready(workload, arrays, {"backend": "cpu", "threads": 1})
    executable(*arguments)
    before = bandwidth()
    kernels = list(kernels_of(executable, arguments, {"N": workload.batch}, repeats))
    rate = max(before, bandwidth())
    groups: dict[Any, list[Timed]] = defaultdict(list)
    for kernel in kernels:
        if not CONTRACTIONS & set(kernel.ops):
            groups[kernel.ops, kernel.bytes].append(kernel)
    rows = [
        {
            "kernels": [kernel.name for kernel in group],
            "ops": list(ops),
            "bytes": moved,
            "seconds": statistics.median(kernel.seconds for kernel in group),
            "floor": moved / rate,
        }
        for (ops, moved), group in groups.items()
    ]
    products = [kernel.seconds for kernel in kernels if CONTRACTIONS & set(kernel.ops)]
    rows.sort(key=lambda row: (row["floor"] - row["seconds"]) * len(row["kernels"]))
    return {
        "bandwidth": rate,
        "rows": rows,
        "products": {"count": len(products), "seconds": sum(products)},
    }


def show(name: str, found: dict[str, Any], lines: int) -> str:
    """A table of a workload."""
    rows = found["rows"]
    total = sum(row["seconds"] * len(row["kernels"]) for row in rows)
    floor = sum(row["floor"] * len(row["kernels"]) for row in rows)
    shown = [
        f"{name}: {sum(len(row['kernels']) for row in rows)} kernels without a product take {total * 1e3:.3f} ms, "
        f"their bytes {floor * 1e3:.3f} ms at {found['bandwidth'] / 1e9:.1f} GB/s; "
        f"{found['products']['count']} with one take {found['products']['seconds'] * 1e3:.3f} ms",
        f"  {'first of them':<36}{'calls':>6}{'MB':>10}{'us':>11}{'GB/s':>8}{'ratio':>8}   ops",
    ]
    for row in rows[:lines]:
        each, moved = row["seconds"], row["bytes"]
        ops = ", ".join(dict.fromkeys(row["ops"]))
        shown.append(
            f"  {'%' + row['kernels'][0]:<36}{len(row['kernels']):>6}{moved / 1e6:>10.3f}{each * 1e6:>11.1f}"
            f"{moved / each / 1e9:>8.1f}{each / row['floor']:>8.2f}   {ops if len(ops) < 70 else ops[:69] + '…'}"
        )
    if len(rows) > lines:
        shown.append(f"  … and {len(rows) - lines} more (--lines)")
    return "\n".join(shown)


def main(arguments: list[str]) -> int:
    """Measure, print, write; gives the exit status."""
    about = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks kernels", description=about)
    add = parser.add_argument
    add("--only", default="training,gradients", help="workloads or kinds (default: training,gradients)")
    add("--repeats", type=int, default=7, help="runs of a step; the best time of each kernel counts (default: 7)")
    add("--lines", type=int, default=12, help="lines of a table (default: 12; the JSON has all)")
    add("--json", type=Path, help="write all figures to this file")
    options = parser.parse_args(arguments)
    report: dict[str, Any] = {"machine": machine.describe(), "workloads": {}}
    for workload in select(options.only.split(",")):
        try:
            found = measure(workload.name, options.repeats)
        except AbsentError as error:
            print(f"{workload.name}: absent: {error}\n")
            continue
        report["workloads"][workload.name] = found
        print(show(workload.name, found, options.lines) + "\n", flush=True)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0
