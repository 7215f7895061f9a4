"""How many threads: what the call says, else the environment, else the cores that are there for the process."""

import os
from pathlib import Path

import pytest

from graphc.backends.cpu import threads
from graphc.backends.cpu.threads import available_cores, thread_count
from graphc.errors import ArgumentError


def test_thread_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(threads.VARIABLE, raising=False)
    assert thread_count() == available_cores() >= 1
    monkeypatch.setenv(threads.VARIABLE, "3")
    assert thread_count() == 3
    assert thread_count(5) == 5


@pytest.mark.parametrize("value", ["0", "-2", "two", "1.5", ""])
def test_thread_count_refuses_the_variable(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(threads.VARIABLE, value)
    with pytest.raises(ArgumentError, match=f"GRAPHC_NUM_THREADS is a positive number of threads, not '{value}'"):
        thread_count()
    assert thread_count(1) == 1


@pytest.mark.parametrize("value", [0, -1, 1.5, "two", True])
def test_thread_count_refuses_the_argument(value: object) -> None:
    with pytest.raises(ArgumentError, match="threads is a positive number"):
        thread_count(value)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs affinities")
def test_available_cores_are_those_it_is_bound_to() -> None:
    bound = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(bound)})
        assert available_cores() == 1
    finally:
        os.sched_setaffinity(0, bound)


@pytest.mark.parametrize(
    ("limits", "cores"),
    [
        ({}, 2**30),
        ({"a/b": "max 100000"}, 2**30),
        ({"a/b": "150000 100000", "a": "max 100000"}, 2),
        ({"": "50000 100000"}, 1),
    ],
)
def test_quota(tmp_path: Path, limits: dict[str, str], cores: int) -> None:
    """The tightest of the groups around a process; half a core is one."""
    (tmp_path / "a/b").mkdir(parents=True)
    for folder, limit in limits.items():
        (tmp_path / folder / "cpu.max").write_text(limit + "\n")
    membership = tmp_path / "cgroup"
    membership.write_text("1:cpu:/old\n0::/a/b\n")
    assert threads._quota(membership, tmp_path) == cores
    assert threads._quota(tmp_path / "none", tmp_path) == 2**30
