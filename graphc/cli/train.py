"""`graphc train digits`: train a model of the house on real data, and say what it took."""

from __future__ import annotations

import json
import re
from errno import EISDIR, ENOENT
from os import strerror
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphc.errors import ArgumentError

if TYPE_CHECKING:
    from graphc.passes import Stages
    from graphc.train.classification import Classification

train = typer.Typer(no_args_is_help=True, help="Train a model on real data.")


@train.callback()
def jobs() -> None:
    """Train a model on real data, with its loss and accuracy after each epoch and a summary at the end."""


@train.command()
def digits(
    backend: Annotated[str, typer.Option(metavar="NAME", help="What runs the step: cpu or interpreter.")] = "cpu",
    epochs: Annotated[int, typer.Option(min=1, help="Walks over the training images.")] = 20,
    batch_size: Annotated[int, typer.Option(min=1, help="Images in a step.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Fixes the initial weights and the order of the images.")] = 0,
    dump: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the graph after every pass there, nests and kernels too.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the summary there, for machines.")
    ] = None,
) -> None:
    """Train a three-layer perceptron with batch norm on scikit-learn's handwritten digits."""
    if json_file is not None:
        check_folder(json_file)
    from graphc.train.digits import digits as digits_job

    job = digits_job(epochs=epochs, batch_size=batch_size, seed=seed, backend=backend)
    run(job, "digits", dump, json_file)


def run(job: Classification, name: str, dump: Path | None, json_file: Path | None) -> None:
    """Run a job, with its report on standard output and its files."""
    from graphc.atomic_file import write_atomically
    from graphc.cli.report import report_on

    if dump is not None:
        dump_stages(job.step.stages, dump)
        dump_kernels(job.step, dump)
    with report_on(job, name) as report:
        for record in job.run(on_step=report.step):
            report.epoch(record)
        report.summary()
    if json_file is not None:
        write_atomically(json_file, json_text(job.summary()).encode())


def json_text(summary: dict[str, Any]) -> str:
    """The summary as JSON; a loss that is NaN or infinite is null, which JSON has instead."""
    finite = [{key: value if value - value == 0 else None for key, value in row.items()} for row in summary["history"]]
    return json.dumps({**summary, "history": finite}, indent=2, allow_nan=False) + "\n"


def dump_stages(stages: Stages, folder: Path) -> None:
    """Write the graph of every stage: `00_trace.ir`, `01_autodiff.ir` …

    Raises ArgumentError, and writes nothing, where the folder has such files of other stages, which would be taken for
    stages of this run.
    """
    from graphc.atomic_file import write_atomically

    files = {f"{index:02}_{name}.ir": stage.graph for index, (name, stage) in enumerate(stages.items())}
    folder.mkdir(parents=True, exist_ok=True)
    others = sorted({path.name for path in folder.glob("[0-9][0-9]_*.ir")} - set(files))
    if others:
        raise ArgumentError(f"{folder} has the stages of another run, such as {others[0]}; remove them first")
    for file, graph in files.items():
        write_atomically(folder / file, f"{graph}\n".encode())


def dump_kernels(step: Any, folder: Path) -> None:
    """Write what a backend with kernels has: `kernels/00_relu.nest`, `kernels/00_relu.py` …, and `ledger.txt`."""
    from graphc.atomic_file import write_atomically

    if not hasattr(step, "kernels"):
        return
    write_atomically(folder / "ledger.txt", f"{step.ledger}\n".encode())
    target = folder / "kernels"
    target.mkdir(exist_ok=True)
    for index, kernel in enumerate(step.kernels):
        name = re.sub(r"\W", "_", kernel.name)
        write_atomically(target / f"{index:02}_{name}.py", kernel.source.encode())
        if kernel.nest is not None:
            write_atomically(target / f"{index:02}_{name}.nest", f"{kernel.nest}\n".encode())


def check_folder(path: Path) -> None:
    """Raise OSError before the work rather than after it, where a file cannot be written."""
    if path.is_dir():
        raise IsADirectoryError(EISDIR, strerror(EISDIR), str(path))
    if not path.parent.is_dir():
        raise FileNotFoundError(ENOENT, strerror(ENOENT), str(path.parent))
