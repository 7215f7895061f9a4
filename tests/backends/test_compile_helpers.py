"""Processes that help compiling: they do it where they can, and do no harm where they cannot."""

import subprocess
import sys
import tempfile
from types import SimpleNamespace

import pytest

from graphc.backends.cpu import jobs, kernels
from graphc.backends.cpu.kernels import Source, load
from graphc.errors import ArgumentError, BackendError
from kernel_sources import OF_FLOATS, counts, empty_cache, run, source


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    return empty_cache(monkeypatch, tmp_path)


@pytest.fixture
def helped(monkeypatch):
    """One helper, and this process taking no job that the helper has not had its chance to take."""
    monkeypatch.setattr(kernels, "_helpers", lambda missing: 1)
    monkeypatch.setattr(jobs, "_claim", lambda claims, job: False)


def compiled_here(monkeypatch) -> list[str]:
    """The functions that this process compiles from now on."""
    from graphc.backends.cpu import compile as compiler

    done = []
    compile_source = compiler.compile_source

    def watched(job):
        done.append(job.function)
        return compile_source(job)

    monkeypatch.setattr(compiler, "compile_source", watched)
    return done


def test_a_helper_compiles(helped, monkeypatch):
    here = compiled_here(monkeypatch)
    loaded, report = load([source(factor) for factor in (2, 3)])
    assert (counts(report), here) == ((2, 0, 0), [])
    assert [run(each, 4) for each in loaded] == [8, 12]


def test_what_a_helper_cannot_compile_is_this_processes_error(helped):
    with pytest.raises(BackendError, match="does not compile"):
        load([Source("broken", "def kernel(x):\n    return x.nothing\n", signature=OF_FLOATS)])


@pytest.mark.parametrize("code", ["raise SystemExit(1)", "import os; os.abort()"])
def test_a_helper_that_dies_does_no_harm(helped, monkeypatch, code):
    monkeypatch.setattr(jobs, "_start", lambda _: subprocess.Popen([sys.executable, "-c", code], stderr=-3))
    here = compiled_here(monkeypatch)
    (loaded,), report = load([source(3)])
    assert (counts(report), here, run(loaded, 2)) == ((1, 0, 0), ["kernel"], 6)


def test_a_helper_that_hangs_is_ended(helped, monkeypatch):
    hanging = []

    def start(_):
        hanging.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]))
        return hanging[0]

    monkeypatch.setattr(jobs, "_start", start)
    monkeypatch.setattr(jobs, "_PATIENCE", 0.2)
    (loaded,), _ = load([source(3)])
    assert run(loaded, 2) == 6
    assert hanging[0].returncode is not None


@pytest.mark.parametrize("problem", ["no process", "no interpreter", "no temporary file"])
def test_where_no_helper_can_start(monkeypatch, problem):
    def refuse(*_, **__):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(kernels, "_helpers", lambda missing: 1)
    if problem == "no process":
        monkeypatch.setattr(subprocess, "Popen", refuse)
    elif problem == "no interpreter":
        monkeypatch.setattr(sys, "executable", "")
    else:
        monkeypatch.setattr(tempfile, "TemporaryDirectory", refuse)
    (loaded,), report = load([source(3)])
    assert (counts(report), run(loaded, 2)) == ((1, 0, 0), 6)


def test_each_job_is_claimed_once(tmp_path):
    job = jobs.Job("k", "name_0", "", "kernel", "void()", str(tmp_path))
    assert [jobs._claim(tmp_path, job) for _ in range(3)] == [True, False, False]
    assert not jobs._claim(tmp_path / "gone", job)


def test_how_many_helpers(monkeypatch):
    def helpers(count: int, lines: int = 100) -> int:
        return kernels._helpers([jobs.Job("k", "name_0", "x = 1\n" * lines, "kernel", "void()", "")] * count)

    monkeypatch.setitem(sys.modules, "numba", sys)
    monkeypatch.setenv("GRAPHC_COMPILE_PROCESSES", "8")
    assert [helpers(count) for count in (1, 6, 11, 14, 100)] == [0, 0, 1, 2, 7]
    assert [helpers(count, 12) for count in (1, 100)] == [0, 1]
    assert helpers(3, 10_000) == 1
    monkeypatch.delitem(sys.modules, "numba")
    assert [helpers(count) for count in (1, 4, 6, 8)] == [0, 1, 1, 2]
    monkeypatch.setenv("GRAPHC_COMPILE_PROCESSES", "1")
    assert helpers(100) == 0


def test_helpers_where_cores_are_idle(monkeypatch):
    many = [jobs.Job("k", "name_0", "x = 1\n" * 1000, "kernel", "void()", "")] * 100
    monkeypatch.setattr(kernels, "machine", lambda: SimpleNamespace(cores=8))
    for idle, helpers in [(16, 7), (5, 5), (0, 0), (-3, 0)]:
        monkeypatch.setattr(kernels, "_idle_cores", lambda idle=idle: idle)
        assert kernels._helpers(many) == helpers
    monkeypatch.undo()
    monkeypatch.setattr(kernels.os, "cpu_count", lambda: 16)
    monkeypatch.setattr(kernels.os, "getloadavg", lambda: (11.2, 0.0, 0.0), raising=False)
    assert kernels._idle_cores() == 5


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5"])
def test_a_number_of_processes_that_is_none(monkeypatch, text):
    monkeypatch.setenv("GRAPHC_COMPILE_PROCESSES", text)
    with pytest.raises(ArgumentError, match=f"GRAPHC_COMPILE_PROCESSES is to be a number .* but is '{text}'"):
        load([source(3)])
