"""The passes over the rows of a kernel that is cut by rows: one row after another, each through all passes.

    for i in range(begin, end):
        max = float32(-inf)
        for j in range(512):
            ...
        for j in range(512):
            ...

Short rows go pass by pass over a block of rows (`emit_short_rows.py`); of long ones the next is fetched ahead
(`emit_ahead.py`). Rows of a few numbers, such as the lines of a window, have loops of their own for their last axes:
the indices of each would take longer than what there is to do.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.backends.cpu.emit_ahead import TILE, Ahead, fetched_ahead
from graphc.backends.cpu.emit_guarded import parts_of_columns
from graphc.backends.cpu.emit_reductions import Reductions
from graphc.backends.cpu.emit_short_rows import TINY, Section, ShortRows, short_rows
from graphc.backends.cpu.writer import Loops, Writer, collapse
from graphc.backends.nests.nest import Index, Nest, Pass, Statement
from graphc.backends.nests.scalar import start_of
from graphc.passes.fuse.place import Cut

NESTED = 1024  # rows within one turn of the outermost loop, which slices share


def has_tiny_columns(nest: Nest) -> bool:
    """Whether a row's indices take longer than the row. Not where sums take turns by the numbers of rows."""
    is_alone = nest.cut is Cut.ROWS and nest.product is None and not nest.slice_accumulators
    return is_alone and isinstance(nest.columns, int) and nest.columns <= TINY


class Rows:
    """Writes the passes of a nest over some of its rows."""

    def __init__(
        self, nest: Nest, writer: Writer, reductions: Reductions, positions: Sequence[Index], limit: str = ""
    ) -> None:
        self.nest = nest
        self.limit = limit  # where a row ends, if it is not at its last column
        self.writer = writer
        self.reductions = reductions
        self.short = short_rows(nest)
        self.ahead = None if limit else fetched_ahead(nest)
        self.rows = Loops("i", collapse(range(nest.split), nest.domain, positions), nest.domain)
        if not limit and self.short is None and has_tiny_columns(nest):
            self.rows.nest(NESTED)
        self.columns = Loops("j", collapse(range(nest.split, len(nest.domain)), nest.domain, positions), nest.domain)

    @property
    def has_passes(self) -> bool:
        """Whether there is anything to do for a row."""
        return any(walk.lines or walk.needs_elements for walk in self.nest.passes)

    def write(self, begin: str, end: str) -> None:
        """All passes over the rows from `begin` to `end`."""
        if self.short is not None:
            self._by_row_blocks(self.short, begin, end)
        else:
            self._by_rows(begin, end)

    def _by_rows(self, begin: str, end: str) -> None:
        """One row after another, each through all passes."""
        writer = self.writer
        if not self.has_passes:
            return
        with self.rows.walk(writer, begin, end):
            for walk in self.nest.passes:
                writer.statements(walk.lines, self.reductions.fold)
                self._row_elements(walk)

    def _row_elements(self, walk: Pass) -> None:
        writer = self.writer
        for accumulator in walk.accumulators:
            writer.line(f"{accumulator.name} = {start_of(accumulator.op, accumulator.dtype)}")
            if accumulator.position:
                writer.line(f"{accumulator.position} = 0")
        if not walk.needs_elements:
            return
        if self.ahead is not None and walk is self.ahead.walk:
            self._row_elements_by_tiles(self.ahead)
            return
        for part in parts_of_columns(self.nest, walk.elements) if not self.limit else ():
            first = f"{writer.extent(part.first)}, " if part.first != 0 else ""
            self._elements(f"{first}{writer.extent(part.last)}", part.statements)
        if self.limit:
            self._elements(self.limit, walk.elements)

    def _elements(self, span: str, statements: Sequence[Statement]) -> None:
        """A loop over some elements of a row."""
        writer = self.writer
        writer.line(f"for j in range({span}):")
        with writer.indented():
            self.columns.write_indices(writer)
            writer.statements(statements, self.reductions.fold)

    def _row_elements_by_tiles(self, ahead: Ahead) -> None:
        """The elements of a row, and requests for those of the next one."""
        writer = self.writer
        writer.line(f"for tile in range(0, {ahead.columns}, {TILE}):")
        with writer.indented():
            for line in ahead.lines():
                writer.line(line)
            stop = f"tile + {TILE}" if ahead.is_exact else f"min(tile + {TILE}, {ahead.columns})"
            writer.line(f"for j in range(tile, {stop}):")
            with writer.indented():
                self.columns.write_indices(writer)
                writer.statements(ahead.walk.elements, self.reductions.fold)

    def _by_row_blocks(self, short: ShortRows, begin: str, end: str) -> None:
        """A block of rows through one loop after another; then the next block."""
        writer = self.writer
        writer.line(f"for block in range({begin}, {end}, {short.rows}):")
        with writer.indented():
            writer.line(f"stop = min(block + {short.rows}, {end})")
            for section in short.sections:
                writer.line("for i in range(block, stop):")
                with writer.indented():
                    self._row_section(short, section)

    def _row_section(self, short: ShortRows, section: Section) -> None:
        writer = self.writer
        self.rows.write_indices(writer)
        for name in section.reads:
            writer.line(f"{name} = {short.lane(name)}")
        if section.elements:
            self._row_elements(section.walk)
        else:
            writer.statements(section.walk.lines, self.reductions.fold)
        for name in section.keeps:
            writer.line(f"{short.lane(name)} = {name}")
