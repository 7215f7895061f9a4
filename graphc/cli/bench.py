"""`graphc bench`: the benchmarks of a checkout, run as `python -m benchmarks` with the same arguments, `--help` too."""

from __future__ import annotations

from pathlib import Path

import typer

PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def bench(context: typer.Context) -> None:
    """Measure graphc beside its peers, in a checkout."""
    import os
    import subprocess
    import sys

    root = checkout()
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    # A process of its own: numbers of threads are read when libraries are loaded. -P: a folder named `benchmarks` where
    # the user stands is not ours.
    command = [sys.executable, "-P", "-m", "benchmarks", *context.args]
    raise typer.Exit(subprocess.run(command, env={**os.environ, "PYTHONPATH": path}).returncode)


def checkout() -> Path:
    """The repository that this graphc is run from; MissingPackageError if it is an installed copy."""
    import graphc
    from graphc.errors import MissingPackageError

    root = Path(graphc.__file__).resolve().parents[1]
    if not (root / "benchmarks" / "__main__.py").is_file():
        raise MissingPackageError(
            f"bench: the benchmarks are not part of the installed package ({root} has none)\n"
            "  they measure the graphc of a checkout: clone the repository, then, in it,\n"
            "  pip install -e . && graphc bench --help"
        )
    return root
