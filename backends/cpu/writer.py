"""Writing Python source: lines and indentation, statements of nests, positions in terms of loop variables.

Loops over neighbouring axes become one loop where every array that is touched lies so that it may.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from graphc.backends.cpu import calls
from graphc.backends.nests.nest import Buffer, Check, Compute, Fold, Index, Load, Nest, Product, Statement, Store
from graphc.dim import Dim, Extent
from graphc.ir import Node


def collapse(axes: Iterable[int], domain: Sequence[Extent], indices: Sequence[Index]) -> list[tuple[int, ...]]:
    """Axes in groups that one loop can walk: position = coefficient of the group's last axis · its number."""
    groups: list[tuple[int, ...]] = []
    for axis in axes:
        if groups and all(i.coefficient(groups[-1][-1]) == i.coefficient(axis) * domain[axis] for i in indices):
            groups[-1] = (*groups[-1], axis)
        else:
            groups.append((axis,))
    return groups


class Loops:
    """A loop over axes: one variable, from which those of several groups of axes are computed."""

    def __init__(self, variable: str, groups: list[tuple[int, ...]], domain: Sequence[Extent]) -> None:
        self.variable = variable
        self.groups = groups
        self.block = 0  # numbers that the loop walks, from `block` on, all of which have the other indices alike
        self.inner = 0  # groups, the last ones, that have loops of their own
        self._domain = domain

    def names(self) -> list[tuple[int, str]]:
        """For each group its last axis and its variable."""
        if len(self.groups) == 1:
            return [(self.groups[0][-1], self.variable)]
        return [(group[-1], f"{self.variable}{number}") for number, group in enumerate(self.groups)]

    @contextmanager
    def walk(self, writer: Writer, begin: str, end: str) -> Iterator[None]:
        """Loops over all groups: one from `begin` to `end`, and one for each of the inner groups."""
        outer = len(self.groups) - self.inner
        with ExitStack() as loops:
            variable = f"{self.variable}0" if self.inner and outer == 1 else self.variable
            writer.line(f"for {variable} in range({begin}, {end}):")
            loops.enter_context(writer.indented())
            self.write_indices(writer)
            for number in range(outer, len(self.groups)):
                writer.line(f"for {self.variable}{number} in range({writer.extent(self._size(number))}):")
                loops.enter_context(writer.indented())
            yield

    def nest(self, most: int) -> None:
        """Give the last groups loops of their own, as long as all of these together have so many numbers at most."""
        together: Extent = 1
        for number in range(len(self.groups) - 1, 0, -1):
            together = together * self._size(number)
            if not isinstance(together, int) or together > most:
                return
            self.inner += 1

    @property
    def units(self) -> Extent:
        """The numbers of the outermost loop."""
        size: Extent = 1
        for number in range(len(self.groups) - self.inner):
            size = size * self._size(number)
        return size

    def write_indices(self, writer: Writer) -> None:
        """The variables of several groups from the one of the loop."""
        outer = len(self.groups) - self.inner
        if outer < 2:
            return
        rest = self.variable
        for number in range(outer - 1, 0, -1):
            size = self._size(number)
            text = writer.extent(size)
            if self.block and rest == self.variable:  # neighbours stay neighbours for the vectoriser
                rest = "block"
                writer.line(f"{self.variable}{number} = {rest} % {text} + ({self.variable} - {rest})")
            else:
                writer.line(f"{self.variable}{number} = {rest} % {text}")
            following = f"{self.variable}0" if number == 1 else f"{self.variable}_rest"
            writer.line(f"{following} = {rest} // {text}")
            rest = following

    def walk_blocks(self, columns: int) -> None:
        """Have the loop walk blocks of so many numbers, where only the last index differs within a block."""
        size = self._size(len(self.groups) - 1)
        if len(self.groups) > 1 and isinstance(size, int) and size % columns == 0:
            self.block = columns

    def _size(self, number: int) -> Extent:
        """The numbers of a group."""
        size: Extent = 1
        for axis in self.groups[number]:
            size = size * self._domain[axis]
        return size


def indices_of(statement: Statement) -> Iterator[Index]:
    """The positions that a statement uses."""
    if isinstance(statement, Load | Store):
        yield statement.index
    if isinstance(statement, Load):
        yield from (position for position, _, _ in statement.guards)
    if isinstance(statement, Compute):
        yield from (argument for argument in statement.arguments if isinstance(argument, Index))
    if isinstance(statement, Fold) and statement.accumulator.buffer is not None:
        yield statement.accumulator.index


def indices(nest: Nest) -> Iterator[Index]:
    """Every position that statements of the passes use."""
    for walk in nest.passes:
        for statement in (*walk.lines, *walk.row_loads, *walk.elements):
            yield from indices_of(statement)
        yield from (accumulator.index for accumulator in walk.accumulators if accumulator.buffer is not None)


class Writer:
    """Collects the lines of a kernel and the words of its row."""

    def __init__(self, title: str, buffers: Iterable[Buffer]) -> None:
        self.title = title
        self.loops: list[Loops] = []
        self.buffers = list(buffers)  # that the row has words for
        self.places: dict[Buffer, str] = {}  # where arrays begin that do not begin at their slice's own part
        self.blocks: dict[Buffer, str] = {}  # arrays of which there is a block of rows: element (i, j) in them
        self.unrolls: bool | str = False  # whether LLVM shall unroll the loops; AS_VECTORS
        self._products: dict[Buffer, Buffer | str] = {}  # where a product lies: in an output, or the text of an element
        self._lines: list[str] = []
        self._depth = 0
        self._extents: dict[str, tuple[str, Extent]] = {}
        self._functions: set[str] = set()
        self._noted: Node | None = None

    # -- lines --------------------------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        self._lines.append("    " * self._depth + text)

    def comment(self, text: str) -> None:
        self.line(f"# {text}")

    @contextmanager
    def indented(self) -> Iterator[None]:
        self._depth += 1
        yield
        self._depth -= 1

    def node(self, node: Node | None) -> None:
        """The line of the IR that follows, once."""
        if node is None or node is self._noted:
            return
        self._noted = node
        where = f"    {node.provenance.where}" if node.provenance.where else ""
        text = str(node).split("\n", 1)[0]
        self.comment(f"{text}{where}".replace("\n", " "))

    def called(self, expression: str) -> str:
        """An expression; notes the functions that it calls."""
        self._functions.update(name for name in re.findall(r"\b([a-z_]\w*)\(", expression))
        return expression

    # -- numbers ------------------------------------------------------------------------------------------------------

    def extent(self, extent: Extent) -> str:
        """An extent: a number, or the variable that the row's word is read into."""
        if not isinstance(extent, Dim):
            return str(extent)
        key = str(extent)
        if key not in self._extents:
            self._extents[key] = (f"n{len(self._extents)}", extent)
        return self._extents[key][0]

    def parameter(self, extent: Extent) -> str:
        """An extent that is read from the row even where it is a number, so that the text does not depend on it."""
        key = str(extent) if isinstance(extent, Dim) else f"number {len(self._extents)}"
        if key not in self._extents:
            self._extents[key] = (f"n{len(self._extents)}", extent)
        return self._extents[key][0]

    def index(self, index: Index, offset: str = "") -> str:
        """A position in terms of the loops' variables."""
        parts = [offset] if offset else []
        for loops in self.loops:
            for axis, variable in loops.names():
                coefficient = index.coefficient(axis)
                if coefficient != 0:
                    parts.append(variable if coefficient == 1 else f"{self._factor(coefficient)} * {variable}")
        for name, coefficient in index.computed:
            parts.append(name if coefficient == 1 else f"{self._factor(coefficient)} * {name}")
        if index.offset != 0:
            parts.append(self._factor(index.offset))
        return " + ".join(parts) or "0"

    def _factor(self, extent: Extent) -> str:
        text = self.extent(extent)
        return f"({text})" if text.startswith("-") else text

    def element(self, buffer: Buffer, index: Index, offset: str = "") -> str:
        where = self._products.get(buffer, buffer)
        if isinstance(where, str):
            return where
        buffer = where
        if buffer in self.blocks:
            return f"{buffer.name}[{self.blocks[buffer]}]"
        if buffer in self.places:
            offset = self.places[buffer]
        elif buffer.per_slice and not offset:
            offset = f"slice * {self.extent(buffer.extent)}"
        return f"{buffer.name}[{self.index(index, offset)}]"

    def place_product(self, product: Product, home: Buffer | None, element: str | None) -> None:
        """Say where a product lies: in an output, or at an expression of the loops' variables."""
        self._products[product.result] = element or home or product.result
        if home is not None and product.result in self.buffers:
            self.buffers.remove(product.result)

    # -- statements ---------------------------------------------------------------------------------------------------

    def statements(self, statements: Iterable[Statement], fold: Callable[[Fold], None] | None = None) -> None:
        for statement in statements:
            if isinstance(statement, Fold):
                assert fold is not None
                fold(statement)
            else:
                self._statement(statement)

    def _statement(self, statement: Load | Compute | Check | Store) -> None:
        if isinstance(statement, Load):
            self._load(statement)
        elif isinstance(statement, Compute):
            self.node(statement.node)
            arguments = [self._argument(argument) for argument in statement.arguments]
            self.line(f"{statement.target} = {self.called(statement.template.format(*arguments))}")
        elif isinstance(statement, Check):
            bound, source = self.extent(statement.extent), statement.source
            self.node(statement.node)
            self.line(f"{statement.target} = {source} if 0 <= {source} and {source} < {bound} else 0")
            self.line(f"if {statement.target} != {source}:")
            with self.indented():
                self.line(f"fail(row, 1, {source})")
        else:
            bits = statement.buffer.dtype.is_float and statement.buffer.dtype.bits == 16
            value = self.called(f"store_{statement.buffer.dtype}_bits({statement.value})") if bits else statement.value
            self.line(f"{self.element(statement.buffer, statement.index)} = {value}")

    def _argument(self, argument: str | Index | Extent) -> str:
        if isinstance(argument, str):
            return argument
        if isinstance(argument, Index):
            text = self.index(argument)
            return f"({text})" if " " in text else text
        return self.extent(argument)

    def _load(self, load: Load) -> None:
        element = self.element(load.buffer, load.index)
        if load.buffer.dtype.is_float and load.buffer.dtype.bits == 16:
            element = self.called(f"load_{load.buffer.dtype}_bits({element})")
        if load.guards:
            conditions = []
            for position, extent, step in load.guards:
                text = self.index(position)
                conditions.append(f"0 <= {text} and {text} < {self.extent(extent)}")
                if step != 1:
                    conditions.append(f"({text}) % {step} == 0")
            element = f"{element} if {' and '.join(conditions)} else {load.otherwise}"
        self.line(f"{load.target} = {element}")

    # -- the whole ----------------------------------------------------------------------------------------------------

    def words(self) -> list[Buffer | Extent]:
        """What the row holds after the status word."""
        return [*self.buffers, *(extent for _, extent in self._extents.values())]

    def text(self) -> str:
        """The module."""
        head: list[str] = []
        pointers = []
        for number, buffer in enumerate(self.buffers, 1):
            kind = "bool_" if buffer.dtype.kind == "bool" else buffer.dtype.name
            self._functions.add(kind)
            named = f"%{buffer.value.name}: {buffer.value.type}" if buffer.value is not None else "scratch"
            pointers.append(f"    {buffer.name} = {kind}(row, {number})  # {named}")
        for number, (name, extent) in enumerate(self._extents.values(), len(self.buffers) + 1):
            pointers.append(f"    {name} = extent(row, {number})  # {extent}")
        body = "\n".join(self._lines)
        self._functions |= {
            name for name in ("share", "address", "fail", "fetch", "extent") if f"{name}(" in body + "".join(pointers)
        }
        head += calls.imports(self._functions, body)
        title = f'    """{self.title}"""\n'
        if self.unrolls:
            head += ["", "UNROLL = True" if self.unrolls is True else f'UNROLL = "{self.unrolls}"']
        return "\n".join([*head, "", "", "def kernel(row, slice, slices):", title + "\n".join(pointers), body, ""])
