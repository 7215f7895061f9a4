"""`graphc show`: print a graph."""

from __future__ import annotations

from typing import Annotated

import typer

TARGET = "FILE.ir, FILE.py:NAME, or - for IR text from standard input."
AFTER = "The graph after this pass: of a step's or an executable's own stages, else of the default pipeline."
INPUTS = 'What a module takes, where it has no attribute `inputs`: "f32[N,784]".'


def show(
    target: Annotated[str, typer.Argument(metavar="TARGET", help=TARGET)],
    after: Annotated[str | None, typer.Option(metavar="PASS", help=AFTER)] = None,
    provenance: Annotated[bool, typer.Option("--provenance", help="Add the line that each node comes from.")] = False,
    inputs: Annotated[str | None, typer.Option(metavar="TYPES", help=INPUTS)] = None,
) -> None:
    """Print a graph: as it is declared, as a training step runs it, or after a pass."""
    from graphc.cli.target import load_graph

    typer.echo(load_graph(target, after, inputs).to_text(provenance=provenance))
