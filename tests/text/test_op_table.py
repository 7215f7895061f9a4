"""docs/ir.md lists the ops that there are; `pytest --update-golden` rewrites the list."""

import subprocess
import sys
from pathlib import Path

import pytest

from graphc.text import op_table

PAGE = Path(__file__).parents[2] / "docs" / "ir.md"


def test_the_page_lists_the_ops_that_there_are(golden):
    command = [sys.executable, "-m", "graphc.text.op_table"]  # in a process that no test has given ops of its own
    tables = subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8").stdout.strip()
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(op_table.BEGIN)
    after = rest.partition(op_table.END)[2]
    golden(PAGE, f"{before}{op_table.BEGIN}\n\n{tables}\n\n{op_table.END}{after}")


def test_every_op_says_what_it_gives():
    rows = [line for line in op_table.op_tables().splitlines() if line.startswith("| `")]
    assert len(rows) >= 100
    assert [row for row in rows if row.endswith("|  |")] == []


def test_a_page_without_its_marks_is_refused():
    with pytest.raises(ValueError, match="lacks the marks"):
        op_table.with_op_tables("# no marks")
