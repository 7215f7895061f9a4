"""Training steps and predictions of graphc and its peers, measured in turns.

    python -m benchmarks --only mlp_bn --contenders graphc,jax --rounds 15

Every contender runs in a process of its own and waits while another one is measured: a round has one batch of steps
of each, so that noise hits all alike. The exit status is 1 if a contender failed or their losses disagree.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from benchmarks.contenders import BANDWIDTH, CONTENDERS, CONTRACTION, Contender, find
from benchmarks.contenders.machine_ import BYTES, FLOPS
from benchmarks.figures import LARGEST_DISAGREEMENT, disagreement, floor, quartiles
from benchmarks.processes import PEERS_PYTHON, ContenderAbsentError, ContenderError, Process, Settings, start
from benchmarks.tables import show
from benchmarks.workloads import WORKLOADS, Workload, select

SETTLE = 0.05  # seconds between batches: thread pools spin for a while before they sleep


@dataclass
class Measured:
    """One contender on one workload."""

    contender: Contender
    first: dict[str, Any] = field(default_factory=dict)  # what `load` gave
    times: list[float] = field(default_factory=list)  # seconds a step, one for each round
    idle: list[float] = field(default_factory=list)  # processor seconds per second of waiting
    steps: int = 1  # of a batch
    absent: str = ""
    error: str = ""

    @property
    def ok(self) -> bool:
        return not self.absent and not self.error


@dataclass
class Report:
    """One workload."""

    workload: Workload
    contenders: list[Measured]
    bandwidth: float  # bytes a second
    contraction: float  # operations a second; infinity where there is no contraction
    disagreement: float

    @property
    def floor(self) -> float:
        return floor(self.workload, self.contraction, self.bandwidth)

    @property
    def failed(self) -> bool:
        return self.disagreement > LARGEST_DISAGREEMENT or any(each.error for each in self.contenders)

    def as_json(self) -> dict[str, Any]:
        """All that was measured, in seconds, bytes and operations a second."""
        found: dict[str, Any] = {
            "title": self.workload.title,
            "floor": self.floor,
            "bandwidth": self.bandwidth,
            "contraction": self.contraction if np.isfinite(self.contraction) else None,
            "disagreement": self.disagreement,
            "contenders": {},
        }
        for each in self.contenders:
            if each.ok:
                first, median, third = quartiles(each.times)
                figures = {"median": median, "quartiles": [first, third], "rounds": each.times, "steps": each.steps}
                entry = {**figures, "idle": float(np.median(each.idle)), **each.first}
            else:
                entry = {"absent": each.absent} if each.absent else {"error": each.error}
            found["contenders"][each.contender.name] = entry
        return found


def measure(
    workload: Workload, contenders: Sequence[Contender], settings: Settings, rounds: int, seconds: float, seed: int
) -> Report:
    """Load all contenders, one after the other, then take turns."""
    machines = [BANDWIDTH, CONTRACTION] if workload.flops else [BANDWIDTH]
    chosen = [each for each in contenders if each.runs(workload)]
    running: list[tuple[Measured, Process]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="graphc-benchmark-")))
        arrays = folder / "arrays.npz"
        named: dict[str, Any] = {**workload.arrays(seed)}
        np.savez(arrays, **named)
        measured = [Measured(contender) for contender in [*chosen, *machines]]
        for each in measured:
            process = stack.enter_context(start(each.contender, settings))
            try:
                each.first = process.load(workload.name, arrays)
                each.steps = calibrate(process, seconds)
                running.append((each, process))
            except ContenderAbsentError as error:
                each.absent = str(error)
            except ContenderError as error:
                each.error = str(error)
        for turn in range(rounds):
            order = running[turn % len(running) :] + running[: turn % len(running)]
            for each, process in order:
                take_turn(each, process)
    rates = {each.contender.name: each for each in measured[len(chosen) :]}
    for each in rates.values():
        if each.error:
            raise ContenderError(f"{each.contender.name}: {each.error}")
    good = {each.contender.name: each.first["witnesses"] for each in measured[: len(chosen)] if each.ok}
    return Report(
        workload,
        measured[: len(chosen)],
        BYTES / quartiles(rates["bandwidth"].times)[1],
        FLOPS / quartiles(rates["contraction"].times)[1] if workload.flops else np.inf,
        disagreement(good) if good else 0.0,
    )


def calibrate(process: Process, seconds: float) -> int:
    """How many steps take about this long."""
    steps = 1
    while True:
        taken: float = process.batch(steps, warm=1)["seconds"]
        if taken >= seconds / 4:
            return max(1, round(steps * seconds / taken))
        steps *= 4


def take_turn(each: Measured, process: Process) -> None:
    """One batch, unless the contender has failed before."""
    if each.error:
        return
    time.sleep(SETTLE)
    try:
        answer = process.batch(each.steps, warm=max(1, each.steps // 10))
    except ContenderError as error:
        each.error = str(error)
        return
    each.times.append(answer["seconds"] / each.steps)
    each.idle.append(answer["idle"])


def main(arguments: list[str]) -> int:
    """Measure, print, write; gives the exit status."""
    options = parse(arguments)
    settings = Settings(options.threads, options.backend, options.peers_python)
    facts = {
        "date": datetime.date.today().isoformat(),
        "machine": machine.describe(),
        "threads": options.threads,
        "backend": options.backend,
        "rounds": options.rounds,
        "seconds": options.seconds,
    }
    print(f"{facts['machine']['processor']}, {options.threads} threads, {options.rounds} rounds, {facts['date']}")
    reports = []
    for workload in options.only:
        report = measure(workload, options.contenders, settings, options.rounds, options.seconds, options.seed)
        print("\n" + show(report), flush=True)
        reports.append(report)
    if options.json:
        facts["workloads"] = {report.workload.name: report.as_json() for report in reports}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return 1 if any(report.failed for report in reports) else 0


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add(
        "--only",
        type=_workloads,
        default=list(WORKLOADS.values()),
        help=f"workloads or kinds of them: {','.join(WORKLOADS)}",
    )
    names = ",".join(contender.name for contender in CONTENDERS)
    add("--contenders", type=_contenders, default=list(CONTENDERS), help=f"of {names}")
    add("--backend", default="cpu", help="graphc's backend (default: cpu)")
    add("--threads", type=int, default=2, help="threads of every contender (default: 2)")
    add("--rounds", type=int, help="batches of each contender (default: 11; with --quick: 9)")
    add("--seconds", type=float, help="how long a batch takes, about (default: 0.5; with --quick: 0.1)")
    add("--quick", action="store_true", help="less of all: about two minutes, most of them torch.compile's")
    add("--seed", type=int, default=3, help="of weights and data (default: 3; docs/benchmarks.md says why)")
    add("--json", type=Path, help="write all figures to this file")
    python = os.environ.get(PEERS_PYTHON, sys.executable)
    add("--peers-python", default=python, help=f"Python that has the peers (default: ${PEERS_PYTHON}, else this one)")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (9 if options.quick else 11)
    options.seconds = options.seconds or (0.1 if options.quick else 0.5)
    return options


def _workloads(text: str) -> list[Workload]:
    try:
        return select(text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _contenders(text: str) -> list[Contender]:
    try:
        return find(text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
