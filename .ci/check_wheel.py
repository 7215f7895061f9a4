"""A wheel holds every tracked module under its import name, the type marker, the licence, and nothing else.

python .ci/check_wheel.py graphc-0.1.0-py3-none-any.whl      (in the checkout that it was built from)
"""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path, PurePosixPath


def main(wheel: str) -> int:
    """Compare names; return the exit status."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    folders: dict[str, str] = project["tool"]["setuptools"]["package-dir"]
    expected = set()
    for name, folder in folders.items():
        listing = subprocess.run(["git", "ls-files", "-z", folder], check=True, capture_output=True, text=True)
        for path in filter(None, listing.stdout.split("\0")):
            if path.endswith((".py", "/py.typed")):
                expected.add(str(PurePosixPath(*name.split(".")) / PurePosixPath(path).relative_to(folder)))
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    information = {name for name in names if name.split("/")[0].endswith(".dist-info")}
    problems = [f"missing: {name}" for name in sorted(expected - names)]
    problems += [f"unexpected: {name}" for name in sorted(names - information - expected)]
    if not any(name.endswith("/LICENSE") for name in information):
        problems.append("missing: the licence")
    print("\n".join([f"{Path(wheel).name}: {len(names)} files, {len(problems)} problems", *problems]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
