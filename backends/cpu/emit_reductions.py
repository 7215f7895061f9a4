"""Reductions in a kernel's source: folding an element in, parts that slices gather, and the finish over all parts.

for k in range(512):
    total_parts[slice * 512 + k] = float32(0.0)             # a slice begins
total_parts[slice * 512 + j] = add_reassociated(total_parts[slice * 512 + j], x)
if slice < 0:                                               # all slices are done
    ...

Where a row is a vector or a few, the sum of one row would wait until that of the row before is in memory. So such sums
are gathered in several parts, one row in this, the next in another: `total_parts[(slice * 4 + (i & 3)) * 16 + j]`.
"""

from __future__ import annotations

from graphc.backends.cpu.emit_short_rows import LINE, TINY
from graphc.backends.cpu.writer import Loops, Writer, collapse, indices_of
from graphc.backends.nests.nest import Accumulator, Buffer, Finish, Fold, Nest
from graphc.backends.nests.scalar import computing, fold_of, start_of
from graphc.dim import Extent
from graphc.passes.fuse.place import Cut
from graphc.passes.fuse.product import product_of_extents

CHAINS = 4  # parts that take turns, a power of two
WIDEST = 64  # columns whose sums do: a longer row takes longer than a store


class Reductions:
    """Writes the accumulators of a nest."""

    def __init__(self, nest: Nest, writer: Writer) -> None:
        self.nest = nest
        self.writer = writer
        self.chained = {each for each in nest.slice_accumulators if _takes_turns(nest, each)}

    def temporaries(self) -> dict[Buffer, Extent]:
        """Elements for a slice, of sums that are gathered in several parts."""
        return {each.buffer: CHAINS * _stride(each) for each in self.chained if each.buffer is not None}

    def begin(self) -> None:
        """Sums over several slices begin anew in each."""
        for accumulator in self.nest.slice_accumulators:
            self._begin_parts(accumulator)

    def end(self) -> None:
        """What a slice gathered in a scalar goes to its place among those of the others."""
        for accumulator in self.nest.slice_accumulators:
            if accumulator.size == 1:
                assert accumulator.buffer is not None
                self.writer.line(f"{accumulator.buffer.name}[slice] = {accumulator.name}")

    def finish(self) -> None:
        """What runs when all slices are done."""
        for finish in self.nest.finishes:
            self._finish(finish)

    def fold(self, fold: Fold) -> None:
        """Fold an element in."""
        writer, accumulator = self.writer, fold.accumulator
        writer.node(fold.node)
        if accumulator.position:
            sign = ">" if accumulator.op == "argmax" else "<"
            best, value = accumulator.name, fold.value
            writer.line(f"if {value} {sign} {best} or ({value} != {value} and {best} == {best}):")
            with writer.indented():
                writer.line(f"{best} = {value}")
                writer.line(f"{accumulator.position} = j")
            return
        place = self._place(accumulator)
        expression = fold_of(accumulator.op, accumulator.dtype)
        writer.line(f"{place} = {writer.called(expression.format(place, fold.value))}")

    def _place(self, accumulator: Accumulator) -> str:
        """Where an accumulator of this slice stands."""
        if accumulator.where == "row" or (accumulator.size == 1 and accumulator.where == "slice"):
            return accumulator.name
        assert accumulator.buffer is not None
        offset = ""
        if accumulator in self.chained:
            offset = f"(slice * {CHAINS} + (i & {CHAINS - 1})) * {_stride(accumulator)}"
        elif accumulator.where == "slice":
            offset = f"slice * {self.writer.extent(accumulator.size)}"
        return self.writer.element(accumulator.buffer, accumulator.index, offset)

    def _begin_parts(self, accumulator: Accumulator) -> None:
        writer = self.writer
        start = start_of(accumulator.op, accumulator.dtype)
        if accumulator.size == 1:
            writer.line(f"{accumulator.name} = {start}")
            return
        assert accumulator.buffer is not None
        chained = accumulator in self.chained
        size = str(CHAINS * _stride(accumulator)) if chained else writer.extent(accumulator.size)
        writer.line(f"for k in range({size}):")
        with writer.indented():
            writer.line(f"{accumulator.buffer.name}[slice * {size} + k] = {start}")

    def _finish(self, finish: Finish) -> None:
        writer = self.writer
        indices = [index for statement in finish.statements for index in indices_of(statement)]
        indices += [accumulator.index for accumulator, _ in finish.accumulators]
        loops = Loops("k", collapse(finish.axes, self.nest.domain, indices), self.nest.domain)
        before, writer.loops = writer.loops, [loops]
        for accumulator, _ in finish.accumulators:
            if accumulator.size != 1:
                self._put_together(accumulator)
        if finish.axes:
            size = product_of_extents(self.nest.domain[axis] for axis in finish.axes)
            writer.line(f"for k in range({writer.extent(size)}):")
            with writer.indented():
                loops.write_indices(writer)
                self._totals_and_statements(finish)
        else:
            self._totals_and_statements(finish)
        writer.loops = before

    def _put_together(self, accumulator: Accumulator) -> None:
        """Fold the parts of all slices into the first one's: neighbours side by side, one slice after another."""
        assert accumulator.buffer is not None
        writer, name = self.writer, accumulator.buffer.name
        size = writer.extent(accumulator.size)
        chained = accumulator in self.chained
        parts, stride = (f"{CHAINS} * slices", str(_stride(accumulator))) if chained else ("slices", size)
        writer.line(f"for part in range(1, {parts}):")
        with writer.indented():
            writer.line(f"for k in range({size}):")
            with writer.indented():
                first, other = f"{name}[k]", f"{name}[part * {stride} + k]"
                folded = fold_of(accumulator.op, accumulator.dtype).format(first, other)
                writer.line(f"{first} = {writer.called(folded)}")

    def _totals_and_statements(self, finish: Finish) -> None:
        writer = self.writer
        for accumulator, total in finish.accumulators:
            assert accumulator.buffer is not None
            if accumulator.size != 1:
                writer.line(f"{total} = {writer.element(accumulator.buffer, accumulator.index, '0')}")
                continue
            writer.line(f"{total} = {start_of(accumulator.op, accumulator.dtype)}")
            writer.line("for part in range(slices):")
            with writer.indented():
                partial = f"{accumulator.buffer.name}[part]"
                folded = fold_of(accumulator.op, accumulator.dtype).format(total, partial)
                writer.line(f"{total} = {writer.called(folded)}")
        writer.statements(finish.statements)


def _takes_turns(nest: Nest, accumulator: Accumulator) -> bool:
    """Whether a sum for each column follows rows so short that they would wait for it, but no loop that is unrolled."""
    is_row = nest.cut is Cut.ROWS and accumulator.size == nest.columns
    return is_row and isinstance(nest.columns, int) and TINY < nest.columns <= WIDEST


def _stride(accumulator: Accumulator) -> int:
    """Elements from one part to the next: whole vectors."""
    assert isinstance(accumulator.size, int)
    line = LINE // computing(accumulator.dtype).itemsize
    return -(-accumulator.size // line) * line
