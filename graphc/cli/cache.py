"""`graphc cache`: the compiled kernels that processes share; looked at, checked, pruned, removed."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphc.backends.cache import Entry


class Action(StrEnum):
    """What to do with the cache."""

    SHOW = "show"
    VERIFY = "verify"
    PRUNE = "prune"
    CLEAR = "clear"


ACTION = (
    "show what there is; verify: remove files that are damaged or edited; "
    "prune: remove what was not used for longest, down to GRAPHC_CACHE_SIZE; clear: remove everything."
)


def cache(
    action: Annotated[Action, typer.Argument(help=ACTION)] = Action.SHOW,
    machine: Annotated[
        bool, typer.Option("--machine", help="Print what kernels are compiled for: CPU, vectors, caches, cores.")
    ] = False,
) -> None:
    """Look after the kernels in GRAPHC_CACHE_DIR."""
    if machine:
        from graphc.backends.cpu.machine import machine as this_machine

        typer.echo(this_machine())
        return
    from graphc.backends import cache as kernels

    if action is Action.SHOW:
        typer.echo(_summary())
    elif action is Action.VERIFY:
        read, removed = kernels.verify()
        for entry in removed:
            typer.echo(f"removed {entry.path}: damaged or edited")
        typer.echo(f"read {_files(read)}, removed {len(removed)}")
    else:
        removed = kernels.prune() if action is Action.PRUNE else kernels.clear()
        left = kernels.entries()
        typer.echo(f"removed {_files(len(removed))}, {_bytes(removed)}; left {_files(len(left))}, {_bytes(left)}")


def _summary() -> str:
    """The cache in a few lines."""
    from graphc.backends import cache as kernels

    found = kernels.entries()
    compiled = [entry for entry in found if entry.is_kernel]
    rows = {
        "directory": str(kernels.directory()),
        "kernels": f"{len(compiled)}, {_bytes(compiled)}",
        "with sources": f"{_bytes(found)} of {kernels.limit() / 1e6:,.1f} MB",
    }
    if compiled:
        rows |= {"oldest": _last_use(compiled[0]), "newest": _last_use(compiled[-1])}
    return "\n".join(f"{name:<14}{value}" for name, value in rows.items())


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _bytes(entries: Sequence[Entry]) -> str:
    return f"{sum(entry.size for entry in entries) / 1e6:,.1f} MB"


def _last_use(entry: Entry) -> str:
    return f"last used {datetime.fromtimestamp(entry.used):%Y-%m-%d %H:%M}"
