"""What a training prints: a progress bar and tables in a terminal, plain lines anywhere else.

with report_on(job, "digits") as report:
    for record in job.run(on_step=report.step):
        report.epoch(record)
    report.summary()
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

import typer

if TYPE_CHECKING:
    from graphc.train.classification import Classification, Record

Row = tuple[str, ...]
PASS_COLUMNS = ("pass", "nodes before", "nodes after", "ms")


def report_on(job: Classification, name: str) -> PlainReport:
    """The report that suits standard output."""
    in_terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    return (TerminalReport if in_terminal else PlainReport)(job, name)


class PlainReport:
    """One line an epoch, then the summary in columns."""

    def __init__(self, job: Classification, name: str) -> None:
        self.job = job
        self.name = name

    def __enter__(self) -> Self:
        job = self.job
        self.line(
            f"{self.name}: {len(job.loader.dataset)} examples to train on, {len(job.test[1])} to test on; "
            f"backend {job.backend}, seed {job.seed}; compiled in {job.seconds_compile:.2f} s"
        )
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def line(self, text: str) -> None:
        """Print a line now."""
        typer.echo(text)

    def step(self, loss: float) -> None:
        """A step has been taken."""

    def epoch(self, record: Record) -> None:
        """An epoch has ended."""
        self.line(epoch_line(record, self.job.epochs))

    def summary(self) -> None:
        """The training has ended."""
        self.line("")
        for line in aligned([PASS_COLUMNS, *pass_rows(self.job)]):
            self.line(line)
        self.line("")
        for line in aligned(result_rows(self.job.summary()), left=2):
            self.line(line)


class TerminalReport(PlainReport):
    """The same with a progress bar below the lines, and tables by rich."""

    def __init__(self, job: Classification, name: str) -> None:
        super().__init__(job, name)
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.console = Console(highlight=False)
        self.progress = Progress(
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(None),
            TextColumn("loss {task.fields[loss]}"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
        )
        self.task = self.progress.add_task(name, total=job.steps, loss="-")

    def __enter__(self) -> Self:
        self.progress.start()
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def line(self, text: str) -> None:
        self.console.print(text, markup=False, soft_wrap=True)

    def step(self, loss: float) -> None:
        self.progress.update(self.task, advance=1, loss=f"{loss:.4f}")

    def summary(self) -> None:
        from rich.table import Table

        self.progress.stop()
        passes = Table()
        for index, title in enumerate(PASS_COLUMNS):
            passes.add_column(title, justify="right" if index else "left")
        for row in pass_rows(self.job):
            passes.add_row(*row)
        results = Table(show_header=False)
        for row in result_rows(self.job.summary()):
            results.add_row(*row)
        self.console.print(passes, results)


def epoch_line(record: Record, count: int) -> str:
    """`epoch  3/20  loss 0.5439  test accuracy 98.05 %`"""
    number = f"{record.epoch:>{len(str(count))}}/{count}"
    return f"epoch {number}  loss {record.loss:.4f}  test accuracy {record.accuracy:.2%}".replace("%", " %")


def pass_rows(job: Classification) -> Iterator[Row]:
    """Each stage of the step with the nodes before and after it, and the milliseconds it took."""
    before = "-"
    for name, stage in job.step.stages.items():
        after = str(stage.graph.count())
        yield name, before, after, f"{stage.seconds * 1e3:.1f}"
        before = after


def result_rows(summary: dict[str, Any]) -> list[Row]:
    """What the summary says besides the passes."""
    epochs = "epoch" if summary["epochs"] == 1 else "epochs"
    rows: list[Row] = [
        ("test accuracy", f"{summary['test_accuracy'] * 100:.2f} %"),
        ("parameters", f"{summary['parameters']:,}"),
        ("steps", f"{summary['steps']:,} ({summary['epochs']} {epochs}, batches of {summary['batch_size']})"),
        ("seconds to compile", f"{summary['seconds_compile']:.3f}{cache_note(summary)}"),
        ("microseconds per step", f"{summary['seconds_per_step'] * 1e6:,.1f}"),
        ("seconds in total", f"{summary['seconds_total']:.2f}"),
    ]
    if "kernels" in summary:
        rows += [
            ("kernels of a step", f"{summary['kernels']}"),
            ("arena of a step", f"{summary['arena_bytes']:,} bytes"),
        ]
    return rows


def cache_note(summary: dict[str, Any]) -> str:
    """How many kernels were compiled, and how many the cache had."""
    if "kernels" not in summary:
        return ""
    compiled, cached = summary["kernels_compiled"], summary["kernels_from_cache"]
    kind = "cached" if not compiled else "cold" if not cached else "partly cached"
    return f" ({kind}: {compiled} kernels compiled, {cached} loaded)"


def aligned(rows: list[Row], left: int = 1) -> Iterator[str]:
    """Rows in columns: the first `left` to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.ljust(width) if index < left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
