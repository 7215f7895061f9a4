"""`import benchmarks` for these tests: the repository's root is not on sys.path (pyproject.toml)."""

import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def _benchmarks():
    """The package for the time of a module."""
    spec = importlib.util.spec_from_file_location("benchmarks", FOLDER / "__init__.py")
    package = importlib.util.module_from_spec(spec)
    sys.modules["benchmarks"] = package
    spec.loader.exec_module(package)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "benchmarks"]:
        del sys.modules[name]


@pytest.fixture
def interpreted():
    """A workload made ready by graphc's contender, on the interpreter."""

    def load_interpreted(workload, arrays):
        from benchmarks.contenders.graphc_ import load

        return load(workload, arrays, {"backend": "interpreter", "threads": 1})

    return load_interpreted
