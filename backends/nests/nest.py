"""A loop nest: what one kernel computes, before a backend says in which language.

    nest @relu over (N, 512) cut by columns, 1 of 2 axes are rows
      in  x_in: f32, 512*N elements    %x
      out relu_out: f32, 512*N elements    %relu
      pass 0
        elements
          x = x_in[512*i0 + i1]
          relu = x if not (x <= float32(0.0)) else float32(0.0)    // %relu = relu
          relu_out[512*i0 + i1] = relu

A kernel walks its domain once for each pass. Within a pass, `rows` or `columns` statements run once for each row or
column of the slice, `elements` statements once for each element. The `finish` runs when all slices are done.

Statements are scalar: a load, an expression of scalars, a fold into an accumulator, a store. Positions are affine in
the domain's indices (`Index`), so a backend may collapse loops, cut them, and choose their order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from graphc.dim import Extent
from graphc.ir import Node, Value
from graphc.passes.fuse.place import Cut
from graphc.passes.fuse.product import MatrixProduct, extent_of, product_of_extents
from graphc.types import DType


@dataclass(frozen=True)
class Index:
    """offset + Σ coefficient · domain index + Σ coefficient · computed scalar."""

    offset: Extent = 0
    terms: tuple[tuple[int, Extent], ...] = ()
    computed: tuple[tuple[str, Extent], ...] = ()

    def __add__(self, other: Index) -> Index:
        return Index(self.offset + other.offset, _merged(self.terms, other.terms), self.computed + other.computed)

    def plus(self, offset: Extent) -> Index:
        return Index(self.offset + offset, self.terms, self.computed)

    def times(self, factor: Extent) -> Index:
        if factor == 0:
            return Index()
        return Index(
            self.offset * factor,
            tuple((axis, coefficient * factor) for axis, coefficient in self.terms),
            tuple((name, coefficient * factor) for name, coefficient in self.computed),
        )

    def coefficient(self, axis: int) -> Extent:
        return dict(self.terms).get(axis, 0)

    @property
    def axes(self) -> frozenset[int]:
        return frozenset(axis for axis, _ in self.terms)

    def __str__(self) -> str:
        parts = [f"i{axis}" if c == 1 else f"{_factor(c)}*i{axis}" for axis, c in self.terms]
        parts += [name if c == 1 else f"{_factor(c)}*{name}" for name, c in self.computed]
        if self.offset != 0 or not parts:
            parts.append(str(self.offset))
        return " + ".join(parts)


def _factor(extent: Extent) -> str:
    return str(extent) if isinstance(extent, int) else f"({extent})"


def _merged(a: tuple[tuple[int, Extent], ...], b: tuple[tuple[int, Extent], ...]) -> tuple[tuple[int, Extent], ...]:
    sums: dict[int, Extent] = dict(a)
    for axis, coefficient in b:
        sums[axis] = sums.get(axis, 0) + coefficient
    return tuple(sorted((axis, c) for axis, c in sums.items() if c != 0))


@dataclass(frozen=True, eq=False)
class Buffer:
    """An array that the kernel reads or writes: contiguous, row-major.

    `role` is "input", "output" or "temporary". A temporary has `extent` elements, for each slice where `per_slice`.
    """

    name: str
    dtype: DType
    role: str
    extent: Extent
    value: Value | None = None
    per_slice: bool = False


Argument: TypeAlias = "str | Index | Extent"  # a scalar's name or literal, a position, an extent


@dataclass(frozen=True)
class Load:
    """target = buffer[index], or `otherwise` where one of the guards does not hold: 0 <= position < extent."""

    target: str
    buffer: Buffer
    index: Index
    guards: tuple[tuple[Index, Extent, int], ...] = ()  # position, extent, and the step that must divide the position
    otherwise: str = ""


@dataclass(frozen=True)
class Compute:
    """target = template with its arguments; `node` is the line of the IR."""

    target: str
    template: str
    arguments: tuple[Argument, ...]
    dtype: DType
    node: Node | None = None


@dataclass(frozen=True)
class Check:
    """Report trouble, and hold `target` within bounds, where not 0 <= source < extent."""

    target: str
    source: str
    extent: Extent
    node: Node


@dataclass(frozen=True)
class Fold:
    """Fold a value into an accumulator."""

    accumulator: Accumulator
    value: str
    node: Node


@dataclass(frozen=True)
class Store:
    """buffer[index] = value."""

    buffer: Buffer
    index: Index
    value: str


Statement = Load | Compute | Check | Fold | Store


@dataclass(frozen=True, eq=False)
class Accumulator:
    """Where a reduction gathers: a scalar of the row, a number for each column, or (at the finish) for each slice.

    `buffer` holds one number for each column or slice (None for a scalar of the row); `index` is its place there.
    `position` is the second scalar of argmax and argmin.
    """

    name: str
    op: str
    dtype: DType
    where: str  # "row", "column", "slice"
    buffer: Buffer | None = None
    index: Index = Index()
    size: Extent = 1
    position: str = ""
    axis: int = -1


@dataclass
class Pass:
    """One walk over the slice."""

    lines: list[Statement] = field(default_factory=list)  # once for each row (cut by rows) or column (by columns)
    row_loads: list[Statement] = field(default_factory=list)  # once for each row of a kernel cut by columns
    elements: list[Statement] = field(default_factory=list)
    accumulators: list[Accumulator] = field(default_factory=list)  # start anew in this pass
    needs_elements: bool = False


@dataclass
class Finish:
    """What runs when all slices are done, for each place of some axes of the domain."""

    axes: tuple[int, ...]
    accumulators: list[tuple[Accumulator, str]]  # and the name of the total
    statements: list[Statement] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Product:
    """A product of matrices that fills `result` before the passes, or line by line between them.

    `axes` say where the elements of lhs and rhs lie. The result has a row for each place of the batch and row axes.
    """

    lhs: Buffer
    rhs: Buffer
    result: Buffer
    axes: MatrixProduct
    panels: Buffer | None  # where rhs is packed, when its columns do not lie side by side
    node: Node
    left_panels: Buffer | None = None  # an input, when somebody else has packed lhs

    @property
    def is_packed_before(self) -> bool:
        """Whether the panels are an input, filled by a kernel of their own."""
        return self.panels is not None and self.panels.role == "input"

    @property
    def lines(self) -> Extent:
        """How many products of matrices there are."""
        return extent_of(self.axes.lines)

    @property
    def rows(self) -> Extent:
        """Rows of each of them."""
        return self.axes.row.extent

    @property
    def columns(self) -> Extent:
        """Columns of all groups."""
        return extent_of((*self.axes.groups, self.axes.column))

    @property
    def depth(self) -> Extent:
        return extent_of(self.axes.depth)

    @property
    def right_elements(self) -> Extent:
        """How many different elements the right operands have."""
        different = [axis for axis in self.axes.lines if axis.right != 0]
        return extent_of(different) * self.columns * self.depth


@dataclass(frozen=True)
class Margins:
    """What surrounds the elements that are stored in a larger array: each slice fills its part along the first axis."""

    buffer: Buffer
    shape: tuple[Extent, ...]
    low: tuple[int, ...]
    high: tuple[int, ...]
    value: str


@dataclass
class Nest:
    """A kernel: its domain, how it is cut into slices, what it reads and writes, and its statements."""

    name: str
    domain: tuple[Extent, ...]
    cut: Cut
    split: int
    buffers: list[Buffer] = field(default_factory=list)
    scalars: list[Statement] = field(default_factory=list)
    scalar_stores: list[Statement] = field(default_factory=list)
    passes: list[Pass] = field(default_factory=list)
    slice_accumulators: list[Accumulator] = field(default_factory=list)
    finishes: list[Finish] = field(default_factory=list)
    product: Product | None = None
    beside: list[Product] = field(default_factory=list)  # products of the same left operand with other matrices
    margins: list[Margins] = field(default_factory=list)
    # An output may lie in the memory of an input: every element is read before it is written.
    may_share: Mapping[Buffer, tuple[Buffer, ...]] = field(default_factory=dict)
    product_homes: list[Buffer] = field(default_factory=list)  # outputs in whose memory the product may lie
    product_home: Buffer | None = None  # the one that was chosen, where one was

    @property
    def products(self) -> list[Product]:
        return [] if self.product is None else [self.product, *self.beside]

    @property
    def rows(self) -> Extent:
        return product_of_extents(self.domain[: self.split])

    @property
    def columns(self) -> Extent:
        return product_of_extents(self.domain[self.split :])

    def of_role(self, role: str) -> list[Buffer]:
        return [buffer for buffer in self.buffers if buffer.role == role]

    def __str__(self) -> str:
        from graphc.backends.nests.printer import print_nest

        return print_nest(self)

    def statements(self) -> Iterator[Statement]:
        """All statements, in order."""
        yield from self.scalars
        yield from self.scalar_stores
        for walk in self.passes:
            yield from walk.lines
            yield from walk.row_loads
            yield from walk.elements
        for finish in self.finishes:
            yield from finish.statements
