"""A test file once more, in a process with another environment: other vectors, or no compilation."""

import os
import subprocess
import sys
from pathlib import Path


def run_again(path: str, only: str = "not again", **environment: str) -> None:
    """Run the tests of a file that match `only`; what they print is in the error where one fails."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", only, path],
        env=os.environ | environment,
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout
