"""What a loop reads place by place, computed some places ahead of it instead of all at once.

    %gates: f32[64*N,1024] = fused(%x, …) { dot_general, add }      before turn 0    rows 0 to 4·N of %gates
    %h, … = scan(%h0, %gates, …)                              ->    turns 0 to 3     read them
                                                                    before turn 4    rows 4·N to 8·N, in the same memory
                                                                    …

The input's product of a recurrent layer is such. Its rows do not depend on each other, so the kernel that computes all
of them computes some of them: the number of rows is a word of its row, and the addresses are moved on. What has been
computed is still in a cache when the loop reads it, and an array for all places is never written. Few rows a place
make more places: a product of some rows takes as long as one of a single row.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from graphc.backends.cpu.kernel_source import KernelSource
from graphc.backends.cpu.steps import Step
from graphc.backends.nests.nest import Buffer, Check, Compute, Index, Load, Nest, Store
from graphc.dim import Dim, Extent
from graphc.ir import Value
from graphc.passes.fuse.place import Cut
from graphc.passes.fuse.product import product_of_extents

ROWS_AHEAD = 128  # that are computed at once: tiles enough for the right operand to be read seldom


@dataclass(frozen=True, eq=False)
class Rows:
    """How far a row of each array is from the one before, in elements; arrays that are not here are read as a whole."""

    count: Extent
    columns: int
    strides: dict[Buffer, int]

    @classmethod
    def of(cls, nest: Nest) -> Rows | None:
        """The rows of a nest, which it computes one as the other; None where they depend on each other or on their
        number, or where the kernel knows how many there are.
        """
        product = nest.product
        if product is None or nest.cut is not Cut.COLUMNS or not isinstance(nest.rows, Dim) or nest.beside:
            return None
        if not isinstance(nest.columns, int):
            return None
        if product.axes.lines or product.axes.groups or product.left_panels is not None or nest.margins:
            return None
        if nest.finishes or nest.slice_accumulators or nest.scalar_stores:
            return None
        if any(walk.accumulators for walk in nest.passes):
            return None
        strides: dict[Buffer, Extent] = {product.lhs: product.axes.row.left, product.rhs: 0}
        for statement in nest.statements():
            if isinstance(statement, Check):
                return None
            if isinstance(statement, Compute) and any(isinstance(each, Index) for each in statement.arguments):
                return None
            if isinstance(statement, Load | Store):
                stride = _row_stride(nest, statement.index)
                if (isinstance(statement, Load) and statement.guards) or statement.index.computed or stride is None:
                    return None
                if strides.setdefault(statement.buffer, stride) != stride:
                    return None
        written = {nest.product_home} if nest.product_home is not None else set()
        for output in (*nest.of_role("output"), *written):
            if strides.setdefault(output, nest.columns) != nest.columns:
                return None
        known = {buffer: stride for buffer, stride in strides.items() if isinstance(stride, int)}
        return cls(nest.rows, nest.columns, known) if len(known) == len(strides) else None


def _row_stride(nest: Nest, index: Index) -> Extent | None:
    """How far a position moves from row to row; None where that differs."""
    stride: Extent | None = None
    extent: Extent = 1
    for axis in reversed(range(nest.split)):
        here = index.coefficient(axis)
        if stride is not None and here != stride * extent:
            return None
        stride = here if stride is None else stride
        extent = extent * nest.domain[axis]
    return stride


@dataclass(frozen=True, eq=False)
class Ahead:
    """A step that computes a sequence of a loop, some places at a time; `ring` is where these lie."""

    step: Step
    rows: Rows
    length: Extent  # places of the sequence
    rows_of_place: Extent
    sequence: Value  # the array that the step would fill
    ring: Buffer
    _parts: weakref.WeakSet[Step] = field(default_factory=weakref.WeakSet)  # that tables hold

    @classmethod
    def of(cls, step: Step, rows: Rows, length: Extent, place: Extent, sequence: Value) -> Ahead | None:
        """None where a place, of so many elements, is no number of rows, or the kernel is told more than how many."""
        source, rows_of_place = step.source, place // rows.columns
        if rows_of_place * rows.columns != place:
            return None
        others = [word for word in source.words if isinstance(word, Dim) and word != rows.count]
        numbers = [source.units, *source.temporaries.values()]
        if others or any(isinstance(extent, Dim) for extent in numbers) or source.has_finish or step.may_fail:
            return None
        ring = Buffer(f"{sequence.name}_ahead", sequence.type.dtype, "temporary", sequence.type.size)
        return cls(step, rows, length, rows_of_place, sequence, ring)

    def places(self, number: Callable[[Extent], int]) -> int:
        """How many places are computed at once: even parts, so that the last one is no remnant of a few rows."""
        count, rows = number(self.length), number(self.rows_of_place)
        parts = -(-count // -(-ROWS_AHEAD // max(rows, 1)))
        return -(-count // max(parts, 1))

    def place_bytes(self, number: Callable[[Extent], int]) -> int:
        """Bytes of one place."""
        sequence = self.sequence.type
        return number(sequence.size) * sequence.dtype.itemsize // max(number(self.length), 1)

    def part(self, count: int, number: Callable[[Extent], int]) -> Step:
        """The step for so many places."""
        source = self.step.source
        rows = number(self.rows_of_place) * count
        words: list[Buffer | Extent] = [rows if word == self.rows.count else word for word in source.words]
        cost = number(source.cost) * count // max(number(self.length), 1)
        part = replace(self.step, source=replace(source, words=words, cost=cost))
        self._parts.add(part)
        return part

    def tell_parts(self) -> None:
        """Parts are of the node that the step is of, which is known late where steps are kept ones."""
        for part in self._parts:
            part.node = self.step.node

    def moved(self, place: int, number: Callable[[Extent], int]) -> dict[Value, int]:
        """How many bytes on its operands are, for the part that begins with a place."""
        rows = number(self.rows_of_place) * place
        return {
            value: rows * self.rows.strides.get(buffer, 0) * buffer.dtype.itemsize
            for buffer, value in self.step.operands.items()
            if buffer.role == "input"
        }


def sequences_ahead(
    steps: Sequence[Step], rows: dict[Step, Rows], given: set[Value], root: Callable[[Value], Value]
) -> list[Step]:
    """The steps without those that fill a sequence which one loop alone reads: they go into the loop.

    `rows` has the steps whose rows are one as the other, `given` what others than these steps read.
    """
    readers: dict[Value, list[Step]] = {}
    for step in steps:
        for value in {root(value) for buffer, value in step.operands.items() if buffer.role == "input"}:
            readers.setdefault(value, []).append(step)
    taken: set[Step] = set()
    for step in steps:
        if step not in rows:
            continue
        (result, *others) = [value for buffer, value in step.operands.items() if buffer.role == "output"]
        readers_of_it = readers.get(result, [])
        if others or len(readers_of_it) != 1 or result in given:
            continue
        (reader,) = readers_of_it
        loop = reader.loop
        if loop is None:
            continue
        sequences = [value for value in loop.sequences if root(value) is result]
        if len(sequences) != 1 or result in {root(value) for value in loop.whole_operands}:
            continue
        place = product_of_extents(sequences[0].type.shape[1:])
        ahead = Ahead.of(step, rows[step], loop.length, place, result)
        if ahead is not None and _moves_as_one(step, rows[step], root):
            loop.ahead.append(ahead)
            _move_into(reader, step, result, root)
            taken.add(step)
    return [step for step in steps if step not in taken]


def _moves_as_one(step: Step, rows: Rows, root: Callable[[Value], Value]) -> bool:
    """Whether no array is read in two ways, row by row and as a whole."""
    strides: dict[Value, set[int]] = {}
    for buffer, value in step.operands.items():
        if buffer.role == "input":
            strides.setdefault(root(value), set()).add(rows.strides.get(buffer, 0))
    return all(len(each) == 1 for each in strides.values())


def _move_into(loop: Step, step: Step, result: Value, root: Callable[[Value], Value]) -> None:
    """The loop reads what the step reads, and does what it does."""
    kept = {buffer: value for buffer, value in loop.operands.items() if root(value) is not result}
    read = {buffer: value for buffer, value in step.operands.items() if buffer.role == "input"}
    loop.operands = kept | read
    source: KernelSource = loop.source
    loop.source = replace(source, cost=source.cost + step.source.cost)
