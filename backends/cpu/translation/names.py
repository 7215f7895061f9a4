"""What the names of a function are while it is translated, and which of them need a place on the stack.

    assigned = list(assignments(definition.body))       # [("total", ()), ("i", (1,)), ("total", (1,))]
    assigned_within(assigned)                           # {"total"}: a loop's suite assigns it once more

A name is its value, down to the end of the suite that assigns it: nothing is loaded or stored. One that a suite within
assigns again, or that is read after its suite, has a slot on the stack, which LLVM turns into registers.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphc.backends.cpu.translation.scalars import Scalar

Suite = tuple[int, ...]  # the numbers of the statements that a suite lies in


class NeedsSlot(Exception):  # noqa: N818 -- no mistake: the walk begins once more
    """A name that is read outside of the suite where it is assigned."""


@dataclass
class Frame:
    """A function that is being written out: what its names are, and where its `return` goes."""

    prefix: str  # the functions around it, and itself
    names: frozenset[str]
    suites: list[dict[str, Scalar]] = field(default_factory=lambda: [{}])
    slots: dict[str, Scalar] = field(default_factory=dict)
    result: Scalar | None = None  # a slot
    end: Any = None


def assignments(
    statements: Sequence[ast.stmt], suite: Suite = (), names: Sequence[str] = ()
) -> Iterator[tuple[str, Suite]]:
    """The names that statements give values, each with the suite that does; `names` have theirs from outside."""
    yield from ((name, suite) for name in names)
    for number, statement in enumerate(statements):
        inner = (*suite, number)
        if isinstance(statement, ast.Assign | ast.AugAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            yield from ((name, suite) for target in targets for name in _names(target))
        elif isinstance(statement, ast.For):
            yield from assignments(statement.body, inner, _names(statement.target))
        elif isinstance(statement, ast.While):
            yield from assignments(statement.body, inner)
        elif isinstance(statement, ast.If):
            yield from assignments(statement.body, (*inner, 0))
            yield from assignments(statement.orelse, (*inner, 1))


def _names(target: ast.expr) -> list[str]:
    """The names in a target of an assignment."""
    return [each.id for each in ast.walk(target) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)]


def assigned_within(assigned: Sequence[tuple[str, Suite]]) -> set[str]:
    """The names that one suite assigns, and one within it again."""
    suites: dict[str, set[Suite]] = {}
    for name, suite in assigned:
        suites.setdefault(name, set()).add(suite)
    return {
        name
        for name, found in suites.items()
        if any(inner[: len(outer)] == outer for outer in found for inner in found if inner != outer)
    }
