"""`graphc passes` and `graphc ops`: what there is, a line each."""

from __future__ import annotations

from typing import Annotated

import typer


def passes() -> None:
    """List the passes that pipelines and `graphc opt -p` know; those of the default pipeline are numbered."""
    from graphc.passes import PASSES, default_pipeline

    default = default_pipeline().names
    for name in sorted(PASSES, key=lambda name: (name not in default, default.index(name) if name in default else 0)):
        places = ",".join(str(i) for i, each in enumerate(default, 1) if each == name)
        typer.echo(f"{places:>5}  {name:<20}  {_first_line(PASSES[name].doc)}".rstrip())


def ops(
    part: Annotated[str, typer.Argument(metavar="[PART]", help="Only ops with this in their name or kind.")] = "",
) -> None:
    """List the ops with their kind and signature."""
    import graphc.composites
    import graphc.ops  # noqa: F401  (both fill the registry)
    from graphc.op import REGISTRY

    for op in REGISTRY.values():
        if part in op.name or part in op.kind:
            typer.echo(f"{op.kind:<12} {op.name}{op.signature}")


def _first_line(text: str) -> str:
    return text.partition("\n")[0]
