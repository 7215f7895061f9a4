"""The README is true: its example prints what it says, and so does the example that its graphs and kernel come from.

So is docs/nests.md, whose nest and kernel are those of its example.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
NESTS = (ROOT / "docs" / "nests.md").read_text(encoding="utf-8")


def block(marker, text=README):
    """The fenced block after `<!-- marker -->`."""
    return re.search(rf"<!-- {marker} -->\n```\w*\n(.*?)\n```\n", text, re.DOTALL).group(1)


def printed(*command, **environment):
    return subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        check=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
    ).stdout


def test_the_example_prints_what_the_readme_says(tmp_path):
    script = tmp_path / "example.py"
    script.write_text(block("example"), encoding="utf-8")
    assert printed(str(script)).rstrip() == block("example-output")


def test_the_graphs_are_those_of_the_example():
    output = printed(str(ROOT / "examples" / "affine_bn_relu.py"), GRAPHC_VECTOR_BITS="256")
    assert block("after") in output
    assert block("before") in re.sub(r"\s+// affine_bn_relu.*", "", output)
    assert block("fused") in output
    assert block("kernel") in output
    first, last = block("ledger").split("\n…\n")
    assert first in output
    assert [line for line in output.splitlines() if line.startswith("apart ")] == last.splitlines()


def test_the_nest_and_the_kernel_are_those_of_the_page(tmp_path):
    script = tmp_path / "centre.py"
    script.write_text(block("example", NESTS), encoding="utf-8")
    assert printed(str(script)).rstrip() == f"{block('nest', NESTS)}\n// the kernel\n{block('kernel', NESTS)}"
