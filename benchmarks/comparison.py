"""Training steps and predictions of graphc and its peers, measured in turns.

    python -m benchmarks --only mlp_bn --contenders graphc,jax --rounds 15

Every contender runs in a process of its own, which is stopped while another one is measured: a round has one batch of
steps of each, so that noise hits all alike. The exit status is 1 if a contender failed or their losses disagree.
"""

from __future__ import annotations

import argparse
import datetime
import json
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from benchmarks.contenders import BANDWIDTH, CONTRACTION, Contender
from benchmarks.contenders.machine_ import BYTES, FLOPS
from benchmarks.figures import disagreement, quartiles
from benchmarks.options import parse
from benchmarks.processes import ContenderAbsentError, ContenderError, Process, Settings, start
from benchmarks.report import Measured, Report
from benchmarks.tables import show
from benchmarks.workloads import Workload


def measure(workload: Workload, contenders: Sequence[Contender], options: argparse.Namespace) -> Report:
    """Load all contenders, one after the other, then take turns, then try another batch size."""
    settings = Settings(options.threads, options.backend, options.peers_python)
    machines = [BANDWIDTH, CONTRACTION] if workload.flops else [BANDWIDTH]
    chosen = [each for each in contenders if each.runs(workload)]
    measured = [Measured(contender) for contender in [*chosen, *machines]]
    with (
        tempfile.TemporaryDirectory(prefix="graphc-benchmark-", ignore_cleanup_errors=True) as folder,
        ExitStack() as stack,
    ):
        arrays = Path(folder, "arrays.npz")
        named: dict[str, Any] = {**workload.arrays(options.seed)}
        np.savez(arrays, **named)
        running: list[tuple[Measured, Process]] = []
        for each in measured:
            own = Path(folder, each.contender.name)
            own.mkdir()
            process = stack.enter_context(start(each.contender, settings, own))
            try:
                each.first = process.load(workload.name, arrays)
                if options.second_process and each.contender.caches:
                    with start(each.contender, settings, own) as second:
                        each.again = second.load(workload.name, arrays)
                each.steps = calibrate(process, options.seconds)
                running.append((each, process))
            except ContenderAbsentError as error:
                each.absent = str(error)
            except ContenderError as error:
                each.error = str(error)
        for turn in range(options.rounds):
            order = running[turn % len(running) :] + running[: turn % len(running)]
            for each, process in order:
                take_turn(each, process)
        if options.new_batch and workload.batch > 1:
            for each, process in running:
                if each.contender in chosen:
                    try_batch(each, process, workload.batch * 3 // 4)
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
        disagreement(good, workload.jointly) if good else 0.0,
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
    try:
        answer = process.batch(each.steps, warm=max(1, each.steps // 10))
    except ContenderError as error:
        each.error = str(error)
        return
    each.times.append(answer["seconds"] / each.steps)
    each.cores.append(answer["cores"])
    if answer["waits"] is not None:
        each.waits.append(answer["waits"])


def try_batch(each: Measured, process: Process, size: int) -> None:
    """The first steps with another batch size, unless the contender has failed before."""
    if each.error:
        return
    try:
        each.new_batch = {"size": size, **process.take(size)}
    except ContenderError as error:
        each.error = str(error)


def main(arguments: list[str]) -> int:
    """Measure, print, write; gives the exit status."""
    options = parse(arguments)
    facts = {
        "date": datetime.date.today().isoformat(),
        "machine": machine.describe(),
        "threads": options.threads,
        "backend": options.backend,
        "rounds": options.rounds,
        "seconds": options.seconds,
        "quick": options.quick,
    }
    print(f"{facts['machine']['processor']}, {options.threads} threads, {options.rounds} rounds, {facts['date']}")
    reports = []
    for workload in options.only:
        report = measure(workload, options.contenders, options)
        print("\n" + show(report), flush=True)
        reports.append(report)
        if options.json:  # after each workload: what is measured is kept, whatever happens to the next one
            facts["workloads"] = {report.workload.name: report.as_json() for report in reports}
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return 1 if any(report.failed for report in reports) else 0
