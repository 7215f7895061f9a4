"""The command line put together: the commands, and the options that stand before them."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Annotated

import typer

from graphc.cli.bench import PASSED_ON, bench
from graphc.cli.cache import cache
from graphc.cli.diff import diff
from graphc.cli.listing import ops, passes
from graphc.cli.opt import opt
from graphc.cli.show import show
from graphc.cli.train import train

commands = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
commands.add_typer(train, name="train")
for command in (show, opt, diff, passes, ops, cache):
    commands.command()(command)
commands.command(context_settings=PASSED_ON)(bench)

_traceback: ContextVar[bool] = ContextVar("graphc_cli_traceback", default=False)


def wants_traceback() -> bool:
    """Whether errors are to be shown with their traceback."""
    return _traceback.get()


def app(arguments: Sequence[str] | None = None) -> None:
    """Run the commands on these arguments (`sys.argv` when None); raises SystemExit with the status."""
    _traceback.set(False)
    typer.main.get_command(commands)(arguments, prog_name="graphc")


def _print_version(wanted: bool) -> None:
    if wanted:
        from graphc import __version__

        typer.echo(f"graphc {__version__}")
        raise typer.Exit


@commands.callback()
def start(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    load: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE.py", help="Run a file first that declares ops or registers passes (repeatable)."),
    ] = None,
    traceback: Annotated[
        bool, typer.Option("--traceback", envvar="GRAPHC_TRACEBACK", help="Show where an error comes from.")
    ] = False,
) -> None:
    """Declare networks as graphs, look at them before and after every pass, train them."""
    _traceback.set(traceback)
    from graphc.cli.target import load_file

    for file in load or ():
        load_file(file)
