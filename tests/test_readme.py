"""The README is true: its example prints what it says, and so does the example that its graphs come from."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def block(marker):
    """The fenced block after `<!-- marker -->`."""
    return re.search(rf"<!-- {marker} -->\n```\w*\n(.*?)\n```\n", README, re.DOTALL).group(1)


def printed(*command):
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, check=True).stdout


def test_the_example_prints_what_the_readme_says(tmp_path):
    script = tmp_path / "example.py"
    script.write_text(block("example"))
    assert printed(str(script)).rstrip() == block("example-output")


def test_the_graphs_are_those_of_the_example():
    output = printed(str(ROOT / "examples" / "affine_bn_relu.py"))
    assert block("after") in output
    assert block("before") in re.sub(r"\s+// affine_bn_relu.*", "", output)
