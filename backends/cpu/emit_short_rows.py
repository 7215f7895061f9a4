"""Kernels over short rows: pass by pass over a block of rows, where others finish one row before the next.

    for block in range(begin, end, 64):
        stop = min(block + 64, end)
        for i in range(block, stop):            # all rows' maxima
            ...
            max_lanes[slice * 64 + i - block] = max
        for i in range(block, stop):            # what is one number a row: several rows in one vector
            ...

What a row waits for (a maximum, then its logarithm, then the next pass) takes longer than what a short row computes;
other rows do not wait for it. Numbers of rows that a later loop reads stand in `lanes`, one place for each row of the
block, and arrays that are kept for a row have room for all of the block's rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from graphc.backends.cpu.writer import Writer, collapse, indices
from graphc.backends.nests.nest import (
    Buffer,
    Check,
    Compute,
    Fold,
    Index,
    Load,
    Nest,
    Pass,
    Statement,
    Store,
)
from graphc.backends.nests.scalar import computing
from graphc.dim import Extent
from graphc.passes.fuse.place import Cut
from graphc.types import DType, i64

LONGEST = 96  # columns of a short row
TINY = 8  # columns that LLVM shall unroll, and then puts rows side by side in vectors by itself
BLOCK_ELEMENTS = 2048  # of the rows of a block: with a few arrays they stay in the first cache
MOST_ROWS = 64
LINE = 64  # bytes of the widest vector, and of a cache line


@dataclass
class Section:
    """One loop over the rows of a block: a pass's lines, or its elements."""

    walk: Pass
    elements: bool
    reads: list[str] = field(default_factory=list)  # numbers of rows that an earlier loop has found
    keeps: list[str] = field(default_factory=list)  # numbers of rows that a later loop reads


class ShortRows:
    """The blocks of a kernel, its loops over them, and the arrays between the loops."""

    def __init__(self, nest: Nest, columns: int) -> None:
        self.nest = nest
        self.rows = min(MOST_ROWS, BLOCK_ELEMENTS // max(columns, 1))
        self.sections = list(_sections(nest))
        self.lanes: dict[str, Buffer] = {}
        taken = {buffer.name for buffer in nest.buffers} | set(_names(nest))
        made: dict[str, tuple[DType, Section]] = {}
        for section in self.sections:
            for name, dtype in _made(section):
                made[name] = dtype, section
        for section in self.sections:
            used = dict.fromkeys(name for statement in _statements(section) for name in _read(statement))
            for name in used:
                if name not in made or made[name][1] is section:
                    continue
                dtype, maker = made[name]
                section.reads.append(name)
                if name not in self.lanes:
                    maker.keeps.append(name)
                    wish = f"{name}_lanes"
                    while wish in taken:
                        wish += "_"
                    taken.add(wish)
                    self.lanes[name] = Buffer(wish, dtype, "temporary", self.rows, None, per_slice=True)
        folded = {accumulator.buffer for accumulator in nest.slice_accumulators}
        others = folded | {buffer for product in nest.products for buffer in (product.panels, product.result)}
        self.kept = [b for b in nest.buffers if b.role == "temporary" and b.per_slice and b not in others]

    def temporaries(self) -> dict[Buffer, Extent]:
        """Elements for a slice."""
        return {buffer: buffer.extent for buffer in self.lanes.values()} | {
            buffer: buffer.extent * self.rows for buffer in self.kept
        }

    def place(self, writer: Writer) -> None:
        """Give the arrays words of the row, and say where they have a row's numbers."""
        writer.buffers += self.lanes.values()
        for buffer in self.kept:
            size = writer.extent(buffer.extent)
            writer.places[buffer] = f"(slice * {self.rows} + i - block) * {size}"

    def lane(self, name: str) -> str:
        """Where the number of row i stands."""
        return f"{self.lanes[name].name}[slice * {self.rows} + i - block]"


def short_rows(nest: Nest) -> ShortRows | None:
    """How to walk a nest's rows in blocks, where that is faster: where later loops wait for a row's own numbers."""
    columns = nest.columns
    if nest.cut is not Cut.ROWS or not isinstance(columns, int) or not 1 < columns <= LONGEST or has_tiny_rows(nest):
        return None
    plan = ShortRows(nest, columns)
    waits = any(accumulator.name in plan.lanes for walk in nest.passes for accumulator in walk.accumulators)
    return plan if waits else None


def has_tiny_rows(nest: Nest) -> bool:
    """Whether rows are so short that a loop over one of them should be no loop.

    Not where a row checks an index: then rows cannot stand side by side, but all else than the check still can.
    """
    if nest.cut is not Cut.ROWS or not isinstance(nest.columns, int) or not 1 < nest.columns <= TINY:
        return False
    if len(collapse(range(nest.split), nest.domain, list(indices(nest)))) > 1:
        return False
    return not any(isinstance(statement, Check) for statement in nest.statements())


def holds_up_rows(nest: Nest, home: Buffer) -> bool:
    """Whether short rows that are read and written in one array wait for one another: where one ends within a vector,
    the next row's first vector begins there, and is not read before the store has reached the cache.
    """
    if short_rows(nest) is None or not isinstance(nest.columns, int):
        return False
    return nest.columns * home.dtype.itemsize % LINE != 0


def _sections(nest: Nest) -> Iterator[Section]:
    for walk in nest.passes:
        if walk.lines:
            yield Section(walk, elements=False)
        if walk.needs_elements:
            yield Section(walk, elements=True)


def _statements(section: Section) -> list[Statement]:
    return section.walk.elements if section.elements else section.walk.lines


def _made(section: Section) -> Iterator[tuple[str, DType]]:
    """The numbers of a row that a loop finds, and their types; not what it has for each element."""
    if section.elements:
        for accumulator in section.walk.accumulators:
            yield accumulator.name, computing(accumulator.dtype)
            if accumulator.position:
                yield accumulator.position, i64
        return
    for statement in section.walk.lines:
        if isinstance(statement, Load):
            yield statement.target, computing(statement.buffer.dtype)
        elif isinstance(statement, Compute):
            yield statement.target, computing(statement.dtype)
        elif isinstance(statement, Check):
            yield statement.target, i64


def _read(statement: Statement) -> Iterator[str]:
    """The names of numbers that a statement uses."""
    if isinstance(statement, Compute):
        for argument in statement.arguments:
            if isinstance(argument, str):
                yield argument
            elif isinstance(argument, Index):
                yield from _computed_in(argument)
    elif isinstance(statement, Load):
        yield from _computed_in(statement.index)
        for position, _, _ in statement.guards:
            yield from _computed_in(position)
        yield statement.otherwise
    elif isinstance(statement, Check):
        yield statement.source
    elif isinstance(statement, Fold):
        yield statement.value
    elif isinstance(statement, Store):
        yield statement.value
        yield from _computed_in(statement.index)


def _names(nest: Nest) -> Iterator[str]:
    """The names of all scalars of a nest."""
    for statement in nest.statements():
        if isinstance(statement, Load | Compute | Check):
            yield statement.target
    for walk in nest.passes:
        for accumulator in walk.accumulators:
            yield accumulator.name
            yield accumulator.position
    yield from (accumulator.name for accumulator in nest.slice_accumulators)
    yield from (total for finish in nest.finishes for _, total in finish.accumulators)


def _computed_in(index: Index) -> Iterator[str]:
    return (name for name, _ in index.computed)
