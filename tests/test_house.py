"""The house keeps its shape: who may import whom, every file packaged, files short, documented and portable.

The rules are those of the table in docs/architecture.md: what a folder may import of the others.
"""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOUSE = ("graphc", "passes", "backends", "frontends")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FOLDERS: dict[str, str] = PROJECT["tool"]["setuptools"]["package-dir"]
PACKAGES: list[str] = PROJECT["tool"]["setuptools"]["packages"]
LONGEST = 450

# What a layer may import of the others: at any place, and within functions only (so that `import graphc`
# stays light and no cycle arises). Everything may import itself.
ANYWHERE = {
    "core": set(),
    "frontends": {"core"},
    "passes": {"core"},
    "backends": {"core", "passes"},
    "face": {"core"},
}
WITHIN_FUNCTIONS = {
    "core": set(),
    "frontends": {"passes"},
    "passes": set(),
    "backends": set(),
    "face": {"passes", "backends", "frontends"},
}
# The public face and the commands speak for the whole house; they belong to graphc/ and load the rest on use.
FACE = ("graphc/__init__.py", "graphc/cli/")

# Not imported by `import graphc`: slow to import, or not needed to declare a graph.
HEAVY = {"llvmlite", "matplotlib", "networkx", "numba", "rich", "safetensors", "scipy", "sklearn", "typer"}


def files() -> list[Path]:
    """Every file that is tracked or would be, relative to the root (from a source archive: every file)."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        names = [name for name in listing.split("\0") if name]
    else:
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*")]
    return sorted(Path(name) for name in set(names) if (ROOT / name).is_file())


FILES = files()
MODULES = [path for path in FILES if path.suffix == ".py" and path.parts[0] in HOUSE]
SOURCES = [path for path in FILES if path.suffix == ".py"]


def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), str(path))


def package(path: Path) -> str:
    """The package that holds a module: `frontends/nn/layers/norm.py` → `graphc.nn.layers`."""
    for name, folder in FOLDERS.items():
        if folder != "graphc" and path.is_relative_to(folder):
            return ".".join((name, *path.parent.relative_to(folder).parts))
    if path.parts[0] == "graphc":
        return ".".join(path.parent.parts)
    return f"graphc.{'.'.join(path.parent.parts[1:])}"


def layer(module: str) -> str | None:
    """The layer of an imported module: `graphc.passes.fold` → passes, `graphc.ir` → core, `numpy` → None."""
    parts = module.split(".")
    if parts[0] != "graphc":
        return None
    folder = FOLDERS.get(".".join(parts[:2]), "graphc").split("/")[0]
    return "core" if folder == "graphc" else folder


def own_layer(path: Path) -> str:
    if path.parts[0] != "graphc":
        return path.parts[0]
    return "face" if str(path).startswith(FACE) else "core"


class Import(NamedTuple):
    """One imported module; `deferred` when a function's call or a type checker does it, not our import."""

    module: str
    line: int
    deferred: bool


def imports(node: ast.AST, deferred: bool = False) -> Iterator[Import]:
    """Every import below `node`; `from graphc import nn` counts as an import of `graphc.nn`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, deferred) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            source = "." * child.level + (child.module or "")
            names = [f"{source}.{alias.name}" for alias in child.names] if source == "graphc" else [source]
            yield from (Import(name, child.lineno, deferred) for name in names)
        elif isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            yield from (found._replace(deferred=True) for part in child.body for found in imports(wrap(part)))
            yield from (found for part in child.orelse for found in imports(wrap(part), deferred))
        else:
            lazy = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from imports(child, deferred or lazy)


def wrap(statement: ast.stmt) -> ast.Module:
    return ast.Module([statement], [])


def forbidden(path: Path, source: ast.AST) -> list[str]:
    """The imports in `source`, taken as the text of `path`, that the table does not allow."""
    own = own_layer(path)
    found = []
    for module, line, deferred in imports(source):
        target = layer(module)
        if module.startswith(".") or module.split(".")[0] in HOUSE[1:]:
            found.append(f"{path}:{line}: {module}: import by the full name, graphc.…")
        elif target is None or target in ANYWHERE[own] | {own}:
            continue
        elif target not in WITHIN_FUNCTIONS[own]:
            found.append(f"{path}:{line}: {own} must not import {module} ({target})")
        elif not deferred:
            found.append(f"{path}:{line}: {own} may import {module} ({target}) within functions only")
    return found


def test_import_rules() -> None:
    broken = [line for path in MODULES for line in forbidden(path, tree(path))]
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("graphc/ir.py", "import graphc.passes", "core must not import graphc.passes"),
        ("graphc/ir.py", "def f():\n    from graphc import nn", "core must not import graphc.nn"),
        ("graphc/ir.py", "from passes.fold import fold", "full name"),
        ("graphc/ir.py", "from .op import Op", "full name"),
        ("graphc/__init__.py", "from graphc import backends", "within functions only"),
        ("graphc/cli/show.py", "try:\n    import graphc.dsl\nfinally:\n    pass", "within functions only"),
        ("passes/fold.py", "from graphc.backends.cache import key", "passes must not import graphc.backends"),
        ("passes/fold.py", "from graphc.nn import Module", "passes must not import graphc.nn"),
        ("frontends/nn/module.py", "import graphc.backends", "frontends must not import graphc.backends"),
        ("frontends/train/step.py", "import graphc.passes", "within functions only"),
        ("backends/cpu/emit.py", "import graphc.dsl", "backends must not import graphc.dsl"),
    ],
)
def test_import_rules_fire(path: str, source: str, complaint: str) -> None:
    (line,) = forbidden(Path(path), ast.parse(source))
    assert complaint in line


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("graphc/ir.py", "import numpy\nfrom graphc.op import Op\nfrom graphc import types"),
        ("graphc/__init__.py", "from graphc.ir import Graph\ndef f():\n    import graphc.backends"),
        (
            "graphc/__init__.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from graphc import nn",
        ),
        ("passes/fold.py", "from graphc import ir\nfrom graphc.passes.pipeline import Pass"),
        ("frontends/nn/module.py", "import graphc as gc\nfrom graphc.dsl import trace"),
        ("frontends/train/step.py", "def f():\n    from graphc.passes import grad"),
        ("backends/executable.py", "from graphc.passes.memory import Plan\nfrom graphc.ir import Graph"),
    ],
)
def test_import_rules_allow(path: str, source: str) -> None:
    assert forbidden(Path(path), ast.parse(source)) == []


def test_import_graphc_is_light(tmp_path: Path) -> None:
    code = "import graphc, sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    loaded = set(run.stdout.split())
    assert "graphc" in loaded
    assert not loaded & HEAVY


def test_every_module_is_packaged() -> None:
    missing = sorted({package(path) for path in MODULES} - set(PACKAGES))
    assert not missing, f"add to `packages` (children of frontends/: to `package-dir` too) in pyproject.toml: {missing}"


def test_every_package_has_its_own_folder() -> None:
    assert sorted({package(path) for path in MODULES if path.name == "__init__.py"}) == sorted(PACKAGES)
    assert Path("frontends/__init__.py") not in FILES
    assert Path("graphc/py.typed") in FILES


def test_every_module_opens_with_a_docstring() -> None:
    assert not [str(path) for path in SOURCES if not ast.get_docstring(tree(path))]


def test_files_are_read_in_a_sitting() -> None:
    lengths = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    long = {str(path): length for path, length in lengths.items() if length > LONGEST}
    assert not long, f"longer than {LONGEST} lines: split where there are two ideas: {long}"


def test_no_test_function_is_defined_twice() -> None:
    """The second definition would hide the first, which then never runs."""
    for path in SOURCES:
        names = [node.name for node in tree(path).body if isinstance(node, ast.FunctionDef)]
        tests = [name for name in names if name.startswith("test_")]
        assert len(tests) == len(set(tests)), path


def test_no_machine_paths() -> None:
    """A path of one person's machine works nowhere else."""
    folders = [f"/{name}/".encode() for name in ("work", "root")]
    found = [str(path) for path in FILES if any(folder in (ROOT / path).read_bytes() for folder in folders)]
    assert not found
