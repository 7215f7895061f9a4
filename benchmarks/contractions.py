"""Each contraction shape of the workloads by itself: graphc against OpenBLAS (NumPy) and torch (MKL, oneDNN).

    python -m benchmarks contractions [--threads 1,2] [--only gradient] [--json benchmarks/results/contractions.json]
    python -m benchmarks contractions --quick                       # a few of each kind, two minutes

Products in all transpositions that steps have (forward x·wᵀ, data gradient g·w, weight gradient gᵀ·x; attention's in
groups; vectors and thin matrices of predictions), and convolutions with both gradients, also with windows, strides,
dilations and groups that no network here has. graphc's side is a compiled graph of the contraction alone, with its call
from Python; images have the channels last for both sides. Contenders take turns within every round, each stopped while
another one is measured; the table has the medians, in GFLOP/s, graphc's time over the faster library's, and the
processor time of each per second of its turns. Results are compared as those of steps are.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from benchmarks.comparison import calibrate, take_turn
from benchmarks.contenders import Contender
from benchmarks.figures import LARGEST_DISAGREEMENT, disagreement
from benchmarks.processes import PEERS_PYTHON, ContenderAbsentError, ContenderError, Process, Settings, start
from benchmarks.report import Measured
from benchmarks.tables import notes
from benchmarks.workloads import SINGLES
from benchmarks.workloads.single import Case

# The first contraction whose name begins so.
QUICK = (
    "forward 128x784x512",
    "data gradient 128x512x512",
    "weight gradient 512x128x784",
    "forward 512x2048x2048",
    "weight gradient 768x2048x256",
    "forward 64x 128x64x128",
    "forward 1x784x512",
    "forward 32x64x32",
    "square 512x512x512 mk·kn",
    "square 512x512x512 km·nk",
    "forward 3x3 16-16",
    "data gradient 3x3 16-16",
    "weight gradient 3x3 16-16",
    "data gradient 3x3 16-32",
    "forward 3x3 64-64 at 64x8x8",
    "forward 7x7 3-64",
    "weight gradient 7x7 3-64",
    "forward 3x3 64-64 at 16x32x32 groups 4",
    "weight gradient 3x3 64-64 at 16x32x32 groups 4",
    "forward 3x3 64-64 at 16x32x32 groups 64",
    "weight gradient 3x3 64-64 at 16x32x32 groups 64",
)

LIBRARIES = (
    Contender("graphc", "graphc_", peer=False),
    Contender("openblas", "numpy_", peer=False),
    Contender("torch", "torch_", variant="eager"),
)


def measure(
    case: Case, processes: Sequence[tuple[Contender, Process]], folder: Path, rounds: int, seconds: float
) -> dict[str, Any]:
    """Seconds of each contender that has this contraction, in turns of about `seconds`."""
    arrays = folder / "arrays.npz"
    named: dict[str, Any] = {**case.arrays(seed=0)}
    np.savez(arrays, **named)
    found: dict[str, Any] = {"kind": case.kind, "flops": case.flops, "bytes": case.bytes_moved, "seconds": {}}
    found |= {"cores": {}, "notes": []}
    running: list[tuple[Measured, Process]] = []
    for contender, process in processes:
        each = Measured(contender)
        try:
            each.first = process.load(case.name, arrays)
            each.steps = calibrate(process, seconds)
            running.append((each, process))
        except ContenderAbsentError:
            continue
        except ContenderError as error:
            found.setdefault("errors", {})[contender.name] = str(error)
    for turn in range(rounds):
        for each, process in running[turn % len(running) :] + running[: turn % len(running)]:
            take_turn(each, process)
    for each, _ in running:
        if each.error:
            found.setdefault("errors", {})[each.contender.name] = each.error
        else:
            found["seconds"][each.contender.name] = statistics.median(each.times)
            found["cores"][each.contender.name] = statistics.median(each.cores)
    found["notes"] += notes([each for each, _ in running if not each.error])
    witnesses = {each.contender.name: each.first["witnesses"] for each, _ in running if not each.error}
    found["disagreement"] = disagreement(witnesses, jointly=True)
    return found


def line(case: Case, found: dict[str, Any]) -> str:
    """A row of the table."""
    seconds = found["seconds"]
    rates = "".join(
        f"{case.flops / seconds[each.name] / 1e9:10.1f}" if each.name in seconds else f"{'-':>10}" for each in LIBRARIES
    )
    others = [time for name, time in seconds.items() if name != "graphc"]
    ours = seconds.get("graphc")
    ratio = f"{ours / min(others):8.2f}{ours * 1e6:12.1f}" if others and ours else f"{'-':>8}{'-':>12}"
    cores = "".join(
        f"{found['cores'][each.name]:6.2f}" if each.name in found["cores"] else f"{'-':>6}" for each in LIBRARIES
    )
    problems = "".join(f"\n  {note}" for note in found["notes"])
    problems += "".join(f"\n  FAILED: {name}: {text}" for name, text in found.get("errors", {}).items())
    if found["disagreement"] > LARGEST_DISAGREEMENT:
        problems += f"\n  ERROR: results differ by {found['disagreement']:.1e}"
    return f"{case.name:<58}{rates}{ratio}  {cores}{problems}"


def main(arguments: list[str]) -> int:
    """Measure, print, write; gives the exit status."""
    options = parse(arguments)
    cases = chosen(options.only, options.quick)
    report: dict[str, Any] = {"machine": machine.describe(), "rounds": options.rounds, "seconds": options.seconds}
    report["threads"] = {}
    good = True
    with tempfile.TemporaryDirectory(prefix="graphc-benchmark-", ignore_cleanup_errors=True) as name:
        folders = {each.name: Path(name, each.name) for each in LIBRARIES}
        for folder in folders.values():
            folder.mkdir()
        for threads in map(int, options.threads.split(",")):
            print(f"{threads} thread{'s' if threads > 1 else ''}, GFLOP/s")
            names = "".join(f"{each.name:>10}" for each in LIBRARIES)
            print(f"{'':<58}{names}{'ratio':>8}{'us':>12}   cores of each")
            found = {}
            with ExitStack() as stack:
                settings = Settings(threads, peers_python=options.peers_python)
                processes = [
                    (each, stack.enter_context(start(each, settings, folders[each.name]))) for each in LIBRARIES
                ]
                for case in cases:
                    one = found[case.name] = measure(case, processes, Path(name), options.rounds, options.seconds)
                    good = good and "errors" not in one and one["disagreement"] <= LARGEST_DISAGREEMENT
                    print(line(case, one), flush=True)
            report["threads"][str(threads)] = found
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0 if good else 1


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    about = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks contractions", description=about)
    add = parser.add_argument
    add("--threads", default="1,2", help="numbers of threads, comma-separated (default: 1,2)")
    add("--rounds", type=int, help="turns of each (default: 9; with --quick: 5)")
    add("--seconds", type=float, default=0.03, help="how long a turn takes, about (default: 0.03)")
    add("--only", default="", help="contractions whose name contains this")
    add("--quick", action="store_true", help="about a minute for each number of threads: a few contractions, 5 turns")
    add("--json", type=Path, help="write all figures to this file")
    python = os.environ.get(PEERS_PYTHON, sys.executable)
    add("--peers-python", default=python, help=f"Python that has torch (default: ${PEERS_PYTHON}, else this one)")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (5 if options.quick else 9)
    return options


def chosen(only: str, quick: bool) -> list[Case]:
    """The contractions whose name contains this; of all of them a few where it shall be quick."""
    cases = [case for case in SINGLES.values() if only in case.name]
    if not quick or only:
        return cases
    return [next(case for case in cases if case.name.startswith(name)) for name in QUICK]
