"""`graphc diff`: what changed between two graphs."""

from __future__ import annotations

from typing import Annotated

import typer

from graphc.cli.show import AFTER, INPUTS, TARGET


def diff(
    before: Annotated[str, typer.Argument(metavar="A", help=TARGET)],
    after_it: Annotated[str, typer.Argument(metavar="B", help="The same, for the other graph.")],
    after: Annotated[str | None, typer.Option(metavar="PASS", help=AFTER)] = None,
    inputs: Annotated[str | None, typer.Option(metavar="TYPES", help=INPUTS)] = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 where the graphs differ.")] = False,
) -> None:
    """Print what changed from graph A to graph B; nothing where they are equal."""
    from graphc.cli.target import load_graph
    from graphc.text.diff import diff as diff_graphs

    changes = diff_graphs(load_graph(before, after, inputs), load_graph(after_it, after, inputs))
    if not changes:
        return
    typer.echo(changes)
    if exit_code:
        raise typer.Exit(1)
