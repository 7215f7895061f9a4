"""`graphc opt`: IR text in, passes over it, IR text out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PASSES = "Passes to run, in order, with commas between them; the default pipeline if left out."


def opt(
    file: Annotated[str, typer.Argument(metavar="FILE.ir", help="IR text; - for standard input.")],
    passes: Annotated[str | None, typer.Option("-p", "--passes", metavar="PASS,PASS", help=PASSES)] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write there, not to standard output.")
    ] = None,
) -> None:
    """Run passes over a graph, and print what they leave."""
    from graphc.atomic_file import write_atomically
    from graphc.cli.target import load_graph
    from graphc.passes import Pipeline, default_pipeline

    names = None if passes is None else [name.strip() for name in passes.split(",") if name.strip()]
    pipeline = default_pipeline() if names is None else Pipeline(names)
    text = str(pipeline.run(load_graph(file)).last.graph)
    if output is None:
        typer.echo(text)
    else:
        write_atomically(output, f"{text}\n".encode())
