"""`graphc(...)`: the command line run in this process, in an empty folder."""

import sys
from typing import NamedTuple

import pytest

from graphc.cli import main


class Run(NamedTuple):
    """What a command left: its exit code, and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def graphc(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)

    def run(*arguments):
        with pytest.raises(SystemExit) as exit:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Run(exit.value.code or 0, printed.out, printed.err)

    yield run
    sys.path[:] = path
