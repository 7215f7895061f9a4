"""Loops over columns that read within margins or from joined arrays: in parts, in each of which it is known from where.

    for j in range(1024):                                       # concat(a, b) along its last axis
        concat_out[2048 * i + j] = a_in[1024 * i + j]
    for j in range(1024, 2048):
        concat_out[2048 * i + j] = b_in[1024 * i + j + (-1024)]

Asked element by element, whether a position lies in an array takes two comparisons and a masked load, and LLVM does not
know that one of two arrays is read. Where the order of the bounds is known, for any values of the named dims, the loop
is cut at them. Long kernels of many parts are left alone: each part has all statements once more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cmp_to_key
from itertools import pairwise
from typing import TypeAlias

from graphc.backends.nests.nest import Argument, Compute, Fold, Index, Load, Nest, Statement, Store
from graphc.dim import Extent

MOST_STATEMENTS = 96  # of all parts together


Guard: TypeAlias = tuple[Index, Extent, int]


class _UnknownOrderError(Exception):
    """Which of two bounds comes first depends on the values of named dims."""


@dataclass(frozen=True)
class Part:
    """The statements of the columns from `first` up to `last`."""

    first: Extent
    last: Extent
    statements: list[Statement]


def parts_of_columns(nest: Nest, statements: list[Statement]) -> list[Part]:
    """The columns in order, cut where a guard of the statements begins or ends to hold; in one part where none does."""
    whole = [Part(0, nest.columns, statements)]
    loads = [statement for statement in statements if isinstance(statement, Load) and statement.guards]
    axis = len(nest.domain) - 1
    if not loads or nest.split != axis:
        return whole
    guards = [guard for load in loads for guard in load.guards if guard[0].axes == {axis}]
    if any(position.computed or position.coefficient(axis) != 1 or step != 1 for position, _, step in guards):
        return whole
    try:
        bounds = _in_order(
            {0, nest.columns}
            | {_clipped(-position.offset, nest.columns) for position, _, _ in guards}
            | {_clipped(extent - position.offset, nest.columns) for position, extent, _ in guards}
        )
        pairs = list(pairwise(bounds))
        if len(pairs) < 2 or len(pairs) * len(statements) > MOST_STATEMENTS * 2:
            return whole
        parts = [Part(first, last, list(_within_part(statements, axis, first, last))) for first, last in pairs]
    except _UnknownOrderError:
        return whole
    return parts if sum(len(part.statements) for part in parts) <= MOST_STATEMENTS else whole


def _is_at_most(a: Extent, b: Extent) -> bool:
    """Whether a <= b for all values of the named dims."""
    try:
        return a <= b
    except TypeError:
        return False


def _clipped(bound: Extent, columns: Extent) -> Extent:
    """A bound, or the end of the columns that it lies beyond."""
    return 0 if _is_at_most(bound, 0) else columns if _is_at_most(columns, bound) else bound


def _in_order(bounds: Iterable[Extent]) -> list[Extent]:
    def compare(a: Extent, b: Extent) -> int:
        if _is_at_most(a, b):
            return 0 if a == b else -1
        if not _is_at_most(b, a):
            raise _UnknownOrderError
        return 1

    return sorted(bounds, key=cmp_to_key(compare))


def _holds(guard: Guard, first: Extent, last: Extent) -> bool:
    """Whether a guard holds for the columns from `first` up to `last`; for none of them otherwise."""
    position, extent, _ = guard
    begin, end = -position.offset, extent - position.offset
    if _is_at_most(begin, first) and _is_at_most(last, end):
        return True
    if not _is_at_most(last, begin) and not _is_at_most(end, first):
        raise _UnknownOrderError
    return False


def _within_part(statements: list[Statement], axis: int, first: Extent, last: Extent) -> Iterator[Statement]:
    """The statements where all guards along the axis hold for all columns of a part, or for none."""
    instead: dict[str, str] = {}  # of scalars that are another one, or a literal, in this part

    def name(text: str) -> str:
        return instead.get(text, text)

    def argument(given: Argument) -> Argument:
        return name(given) if isinstance(given, str) else position(given) if isinstance(given, Index) else given

    def position(index: Index) -> Index:
        return replace(index, computed=tuple((name(scalar), factor) for scalar, factor in index.computed))

    for statement in statements:
        if isinstance(statement, Load):
            along = [guard for guard in statement.guards if guard[0].axes == {axis}]
            across = tuple((position(at), n, step) for at, n, step in statement.guards if at.axes != {axis})
            if all(_holds(guard, first, last) for guard in along):
                otherwise = name(statement.otherwise)
                yield replace(statement, index=position(statement.index), guards=across, otherwise=otherwise)
            else:
                instead[statement.target] = name(statement.otherwise)
        elif isinstance(statement, Compute):
            yield replace(statement, arguments=tuple(map(argument, statement.arguments)))
        elif isinstance(statement, Store):
            yield replace(statement, index=position(statement.index), value=name(statement.value))
        elif isinstance(statement, Fold):
            yield replace(statement, value=name(statement.value))
        else:
            yield replace(statement, source=name(statement.source))
