"""The command line of `python -m benchmarks`, and what `--quick` leaves out.

parse(["--only", "training", "--contenders", "graphc,jax"]).only        # the training workloads
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contenders import CONTENDERS, Contender, find
from benchmarks.processes import PEERS_PYTHON
from benchmarks.workloads import WORKLOADS, Workload, select

QUICK_CONTENDERS = ("graphc", "torch", "torch.channels-last", "jax", "onnxruntime")
QUICK_WORKLOADS = (
    "mlp_small",
    "mlp_bn",
    "resnet20",
    "transformer",
    "lstm",
    "predict_mlp_bn_1",
)
USUAL = ("training", "inference", "gradients")  # kinds
QUICK = "about two minutes: no torch.compile, 6 of the workloads, no second process, no new batch size, short rounds"


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options, with defaults that depend on `--quick`; what is named explicitly is measured in any case."""
    about = "Training steps and predictions of graphc and its peers, measured in turns."
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=about)
    add = parser.add_argument
    names = ",".join(contender.name for contender in CONTENDERS)
    kinds = "training, inference, gradients, convolutional, stacks"
    add("--only", type=_workloads, help=f"workloads, or kinds of them ({kinds}): {','.join(WORKLOADS)}")
    add("--contenders", type=_contenders, help=f"of {names}")
    add("--backend", default="cpu", help="graphc's backend (default: cpu)")
    add("--threads", type=int, default=2, help="threads of every contender (default: 2)")
    add("--rounds", type=int, help="batches of each contender (default: 11; with --quick: 5)")
    add("--seconds", type=float, help="how long a batch takes, about (default: 0.5; with --quick: 0.1)")
    add("--quick", action="store_true", help=QUICK)
    both = argparse.BooleanOptionalAction
    add("--second-process", action=both, help="whether a second process loads what the first compiled (default: yes)")
    add("--new-batch", action=both, help="whether to try another batch size (default: yes)")
    add("--seed", type=int, default=3, help="of weights and data (default: 3; docs/benchmarks.md says why)")
    add("--json", type=Path, help="write all figures to this file")
    python = os.environ.get(PEERS_PYTHON, sys.executable)
    add("--peers-python", default=python, help=f"Python that has the peers (default: ${PEERS_PYTHON}, else this one)")
    options = parser.parse_args(arguments)
    quick = options.quick
    options.only = options.only or select(QUICK_WORKLOADS if quick else USUAL)
    options.contenders = options.contenders or (find(QUICK_CONTENDERS) if quick else list(CONTENDERS))
    options.rounds = options.rounds or (5 if quick else 11)
    options.seconds = options.seconds or (0.1 if quick else 0.5)
    for name in ("second_process", "new_batch"):
        if getattr(options, name) is None:
            setattr(options, name, not quick)
    return options


def _workloads(text: str) -> Sequence[Workload]:
    try:
        return select(text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _contenders(text: str) -> list[Contender]:
    try:
        return find(text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
