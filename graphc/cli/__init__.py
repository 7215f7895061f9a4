"""The command line: `graphc train`, `show`, `opt`, `diff`, `passes`, `ops`, `cache`, `bench`; one file a command.

    graphc show model.py:step --after cse
    graphc opt model.ir -p cse,dce

What goes wrong is said in one message on standard error, with exit code 1, or 2 where the command itself was written
wrongly; `graphc --traceback …` shows where it came from. Commands import what they need when they run, so that the
command line starts at once.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exits with its status."""
    import sys

    from graphc.cli.app import app, wants_traceback
    from graphc.cli.failure import describe

    try:
        app(arguments)
    except Exception as error:
        if wants_traceback():
            raise
        print(describe(error), file=sys.stderr)
        sys.exit(1)
