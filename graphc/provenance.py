"""Where a node comes from: the user's line, the module, the forward value it differentiates, the rule that wrote it.

    >>> Provenance(Location("model.py", 14), module="Classifier.fc1")
    Provenance(location=Location(file='model.py', line=14), module='Classifier.fc1', origin=None, rule=None)

The user's line is the innermost frame outside graphc and NumPy. Where a statement there assigns to one name
(`h = F.linear(x, w)`), the value is called by that name.
"""

from __future__ import annotations

import ast
import linecache
import os
import sys
from dataclasses import dataclass
from functools import lru_cache
from types import FrameType, TracebackType

_COMMANDS = "graphc.cli"
_DECLARING = ("graphc.models", "graphc.train.digits")  # modules of graphc that declare networks, as users do


@dataclass(frozen=True, slots=True)
class Location:
    """A line of a file."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{os.path.basename(self.file)}:{self.line}"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a node comes from; every part may be unknown.

    `module` is the path of the module that was called (`Classifier.fc1`), `origin` the forward value whose derivative
    a backward node computes, `rule` the pass or rewrite rule that wrote the node.
    """

    location: Location | None = None
    module: str | None = None
    origin: str | None = None
    rule: str | None = None

    def __str__(self) -> str:
        parts = [str(part) for part in (self.location, self.module) if part]
        if self.origin:
            parts.append(f"gradient of %{self.origin}")
        if self.rule:
            parts.append(f"by {self.rule}")
        return ", ".join(parts)

    @property
    def where(self) -> str | None:
        """The user's line as errors print it: `model.py:14, in Classifier.fc1`."""
        if self.location is None:
            return f"{self.module}" if self.module else None
        return f"{self.location}, in {self.module}" if self.module else str(self.location)


UNKNOWN = Provenance()


@dataclass(frozen=True, slots=True)
class Site:
    """A statement being executed: its location, and the running frame, so that two runs of one line differ.

    `assigns` is False in a lambda or a comprehension, which the statement around it holds.
    """

    location: Location
    frame: int
    assigns: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the statement assigns to."""
        return assigned_names(self.location)[0] if self.assigns else ()


def user_site(skip: int = 1) -> Site | None:
    """The innermost frame outside graphc, or None when the call came from graphc alone (its command line, a pass)."""
    frame = user_frame(sys._getframe(skip))
    if frame is None:
        return None
    is_inner = frame.f_code.co_name.startswith("<") and frame.f_code.co_name != "<module>"
    return Site(Location(frame.f_code.co_filename, frame.f_lineno), id(frame), not is_inner)


def user_frame(frame: FrameType | None) -> FrameType | None:
    """This frame, or the first one around it that declares a network; None when the command line comes before."""
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if _is_in(name, _COMMANDS):
            return None
        if _declares(name):
            return frame
        frame = frame.f_back
    return None


def user_line(traceback: TracebackType | None) -> str | None:
    """The innermost line of a traceback outside graphc and NumPy, as errors print it; None where there is none."""
    found = None
    while traceback is not None:
        name = traceback.tb_frame.f_globals.get("__name__", "")
        if _is_in(name, _COMMANDS):
            found = None
        elif _declares(name):
            found = Location(traceback.tb_frame.f_code.co_filename, traceback.tb_lineno)
        traceback = traceback.tb_next
    return None if found is None else str(found)


def _declares(module: str) -> bool:
    """Whether a module is one that declares networks: a user's, or one of graphc's models."""
    return _is_in(module, *_DECLARING) or not _is_in(module, "graphc", "numpy", "contextlib")


def _is_in(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def assigned_names(location: Location) -> tuple[tuple[str, ...], int]:
    """The names that the statement at a location assigns to, and its first line.

    `(("h",), 12)` for `h = relu(x)` on line 12, `(("a", "b"), 12)` for `a, b = split(x)`, `((), 12)` for others.
    """
    return _assignments(location.file).get(location.line, ((), location.line))


@lru_cache(maxsize=256)
def _assignments(file: str) -> dict[int, tuple[tuple[str, ...], int]]:
    """For each line of an assignment to plain names: the names, and the statement's first line."""
    source = "".join(linecache.getlines(file))
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return {}
    found: dict[int, tuple[tuple[str, ...], int]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target: ast.expr = node.targets[0]
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            target = node.target
        else:
            continue
        elements = target.elts if isinstance(target, ast.Tuple) else [target]
        names = tuple(element.id for element in elements if isinstance(element, ast.Name))
        if len(names) == len(elements):
            found.update(
                (line, (names, node.lineno)) for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
            )
    return found
