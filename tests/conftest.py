"""What every test gets: golden files, a cache folder of its own, reproducible Hypothesis.

    def test_printer(golden):
        golden("text/mlp.ir", str(graph))    # compares with tests/text/mlp.ir; --update-golden rewrites it

The tests run against the installed package: in a checkout, `pip install -e ".[test]"` first.
"""

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from golden_files import check_golden

TESTS = Path(__file__).parent
CACHE = pytest.StashKey[str]()

settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    max_examples=50,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("deep", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile("ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files that differ")


def pytest_configure(config: pytest.Config) -> None:
    if importlib.util.find_spec("graphc") is None or importlib.util.find_spec("graphc.passes") is None:
        raise pytest.UsageError(
            "graphc is not installed, or a bare `graphc/` folder on sys.path hides the installed one.\n"
            'In a checkout:  pip install -e ".[test]" && pytest'
        )
    # Workers of pytest-xdist inherit the variable: one run shares one cache, as the processes of a user do.
    if not hasattr(config, "workerinput"):
        config.stash[CACHE] = os.environ["GRAPHC_CACHE_DIR"] = tempfile.mkdtemp(prefix="graphc-tests-")


def pytest_unconfigure(config: pytest.Config) -> None:
    if CACHE in config.stash:
        shutil.rmtree(config.stash[CACHE], ignore_errors=True)


def pytest_report_header(config: pytest.Config) -> str:
    spec = importlib.util.find_spec("graphc")
    assert spec is not None
    return f"graphc: {spec.origin}"


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str | Path, str], None]:
    """`golden(path, text)` passes when tests/`path` holds `text`, and shows the difference otherwise."""
    update = bool(request.config.getoption("--update-golden"))

    def check(path: str | Path, text: str) -> None:
        __tracebackhide__ = True
        check_golden(TESTS / path, text, update=update)

    return check
