"""How a kernel gets at a value: computed where it is needed, loaded through views, or remembered.

A scope holds the statements of one level of loops. `Reader.need(value, scope)` gives the name of the scalar that has
the value there, appending what computes it; what does not depend on the inner loop goes into an outer scope.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from graphc.backends.nests import placed
from graphc.backends.nests.names import Names
from graphc.backends.nests.nest import (
    Accumulator,
    Argument,
    Buffer,
    Compute,
    Finish,
    Index,
    Load,
    Nest,
    Pass,
    Statement,
)
from graphc.backends.nests.positions import Indices, linear
from graphc.backends.nests.scalar import computing, conversion, literal, rounded, template_of
from graphc.dim import Dim, Extent
from graphc.ir import Graph, Literal, Node, Value
from graphc.op import Kind
from graphc.passes.fuse.group import Group
from graphc.passes.fuse.place import Cut, Place, whole_axes
from graphc.passes.fuse.strided import strides_of
from graphc.passes.fuse.views import is_squeeze
from graphc.types import Shape, i64


class Scope:
    """Statements of one level, and the names of the scalars that they have computed."""

    def __init__(self, level: str, axes: tuple[int, ...], statements: list[Statement], outer: Scope | None) -> None:
        self.level = level
        self.axes = axes
        self.statements = statements
        self.outer = outer
        self.names: dict[object, str] = {}

    def find(self, key: object) -> str | None:
        scope: Scope | None = self
        while scope is not None:
            if key in scope.names:
                return scope.names[key]
            scope = scope.outer
        return None


class Reader:
    def __init__(self, region: Graph, group: Group, nest: Nest, names: Names) -> None:
        self.region = region
        self.group = group
        self.nest = nest
        self.names = names
        self.buffers: dict[Value, Buffer] = {}
        self.columns: dict[Value, Buffer] = {}
        self.totals: dict[Value, Accumulator] = {}
        self._row_totals: dict[Value, Accumulator] = {}
        self.stored: dict[Value, int] = {}
        self.kept: dict[Value, Buffer] = {}  # arrays that hold a value for the length of a row
        self._within_costly = 0
        self.costly_again: dict[Value, None] = {}  # what a later pass over a row computes again, though it is costly
        self.products: dict[Value, Buffer] = {}  # where the results of contractions lie
        self.phase = 0
        rank = len(group.domain)
        self.scalars = Scope("scalar", (), nest.scalars, None)
        self.first_slice = Scope("first slice", (), nest.scalar_stores, self.scalars)
        self._row = Scope("row", tuple(range(nest.split)), [], self.scalars)
        self.lines = self._row
        self.elements = Scope("element", tuple(range(rank)), [], self.scalars)
        self._finish_scalars = Scope("finish", (), [], self.scalars)

    # -- moving through the nest --------------------------------------------------------------------------------------

    def enter(self, walk: Pass, phase: int) -> None:
        """Begin a pass."""
        self.phase = phase
        rank = len(self.group.domain)
        if self.group.cut is Cut.ROWS:
            self._row.statements = walk.lines
            self.lines = self._row
            self.elements = Scope("element", tuple(range(rank)), walk.elements, self._row)
        else:
            self.lines = Scope("column", tuple(range(self.nest.split, rank)), walk.lines, self.scalars)
            rows = Scope("row", tuple(range(self.nest.split)), walk.row_loads, self.scalars)
            self.elements = Scope("element", tuple(range(rank)), walk.elements, rows)

    def enter_finish(self, finish: Finish) -> Scope:
        """Begin the finish over some axes."""
        if not finish.axes:
            self._finish_scalars.statements = finish.statements
            return self._finish_scalars
        return Scope("finish", finish.axes, finish.statements, self._finish_scalars)

    def fold_to_row(self, value: Value, accumulator: Accumulator) -> None:
        """Later passes over the row know the total under the accumulator's name."""
        if accumulator.position:
            self._row.names[value] = accumulator.position
        else:
            self._row.names[value] = accumulator.name
            dtype = value.type.dtype
            if computing(dtype) is not dtype:
                self._row.names[value] = ""  # rounded when it is first read

        self._row_totals[value] = accumulator

    # -- positions ----------------------------------------------------------------------------------------------------

    def index_over(self, axes: tuple[int, ...]) -> Index:
        """The place in a row-major array over some axes of the domain."""
        index = Index()
        for axis, stride in zip(axes, strides_of(tuple(self.group.domain[a] for a in axes)), strict=True):
            index = index + Index(0, ((axis, stride),))
        return index

    def line_index(self) -> Index:
        """The place of a column's number in an array of them."""
        return self.index_over(self.lines.axes)

    def indices(self, shape: Shape, axes: tuple[int, ...]) -> Indices:
        """For each axis of a value that spans these axes of the domain, its position."""
        return [Index() if n is None else Index(0, ((axes[n], 1),)) for n in whole_axes(shape)]

    def position(self, value: Value, axes: tuple[int, ...]) -> Index:
        """The place of a value's element in its array."""
        return linear(self.indices(value.type.shape, axes), value.type.shape)

    def parts(self, node: Node) -> Iterator[tuple[Value, Index]]:
        """What a concat or a pad puts together, and the place of each part's element in the whole."""
        start: Extent = 0
        for part in node.operands:
            at = self.indices(part.type.shape, tuple(range(len(self.group.domain))))
            if node.op.name == "pad":
                at = [index.plus(low) for index, low in zip(at, node.attributes["low"], strict=True)]
            else:
                axis = node.attributes["axis"]
                at[axis] = at[axis].plus(start)
                start = start + part.type.shape[axis]
            yield part, linear(at, node.result.type.shape)

    # -- values -------------------------------------------------------------------------------------------------------

    def need(self, value: Value, scope: Scope) -> str:
        """The scalar that holds a value in a scope."""
        if isinstance(value, Literal):
            return self.literal(value)
        place = self.group.places.get(value)
        if place is None:
            shape = value.type.shape
            count = sum(extent != 1 for extent in shape)
            axes = scope.axes if count == len(scope.axes) else ()
            if count and not axes:  # a view of one of the group's own values
                axes = tuple(range(len(self.group.domain)))[-count:]
            return self.read(value, self.indices(shape, axes), scope)
        if not place.axes and not place.finish:
            scope = self.scalars if scope is not self.first_slice else scope
        elif self.group.cut is Cut.ROWS and self._is_row(place) and scope.level == "element":
            scope = self._row
        known = scope.find(value)
        if known:
            return known
        if value in self._row_totals and not place.finish:
            return self._round(value, self._row_totals[value].name, self._row)
        if self._lies_in_columns(value, place, scope):
            return self.load(self.columns[value], self.index_over(place.axes), scope, value)
        if scope.level == "element":
            if value in self.products:
                return self.load(self.products[value], self.position(value, scope.axes), scope, value)
            if self.stored.get(value, self.phase) < self.phase:
                return self.load(self.buffers[value], self.position(value, scope.axes), scope, value)
            if place.phase < self.phase and value in self.kept:
                return self.load(self.kept[value], self.index_over(self._column_axes), scope, value)
            if self._is_costly_again(value, place):
                self.costly_again[value] = None
                self._within_costly += 1
                name = self._compute(self.region.producers[value], scope)
                self._within_costly -= 1
                return name
        return self._compute(self.region.producers[value], scope)

    @property
    def _column_axes(self) -> tuple[int, ...]:
        return tuple(range(self.nest.split, len(self.group.domain)))

    def _is_costly_again(self, value: Value, place: Place) -> bool:
        """Whether a later pass over a row would compute a value again, and that takes more than a few instructions."""
        if place.phase >= self.phase or self.group.cut is not Cut.ROWS or self._within_costly:
            return False
        pending = [value]
        while pending:
            node = self.region.producers.get(pending.pop())
            if node is None:
                continue
            own = self.group.places.get(node.results[0])
            if own is not None and (len(own.axes) < len(self.group.domain) or node.results[0] in self.stored):
                continue
            if is_costly(node):
                return True
            pending += [operand for operand in node.operands if not isinstance(operand, Literal)]
        return False

    def _is_row(self, place: Place) -> bool:
        return not place.finish and 0 < len(place.axes) < len(self.group.domain)

    def _lies_in_columns(self, value: Value, place: Place, scope: Scope) -> bool:
        if value not in self.columns or scope.level not in ("element", "column"):
            return False
        is_total = self.region.producers[value].op.kind is Kind.REDUCTION
        return scope.level == "element" or is_total or place.phase < self.phase

    def rounded_total(self, value: Value, total: str, scope: Scope) -> str:
        """A total, rounded where it was summed in a wider dtype."""
        return self._round(value, total, scope)

    def _round(self, value: Value, name: str, scope: Scope) -> str:
        dtype = value.type.dtype
        if computing(dtype) is dtype:
            return name
        target = self.names.of(f"{value.name}_rounded")
        scope.statements.append(Compute(target, rounded("{0}", dtype), (name,), dtype))
        scope.names[value] = target
        return target

    def literal(self, value: Literal) -> str:
        dtype = value.type.dtype
        if not isinstance(value.value, Dim):
            return literal(value.value, dtype)
        return self._extent_scalar(value.value, dtype)

    def _extent_scalar(self, extent: Extent, dtype: object) -> str:
        """An extent as a number of a dtype."""
        key = ("extent", str(extent), dtype)
        known = self.scalars.find(key)
        if known is None:
            known = self.scalars.names[key] = self.names.of("extent_value")
            template = "{0}" if dtype is i64 else f"{conversion(dtype)}({{0}})"  # type: ignore[arg-type]
            self.scalars.statements.append(Compute(known, template, (extent,), dtype))  # type: ignore[arg-type]
        return known

    # -- loads --------------------------------------------------------------------------------------------------------

    def read(self, value: Value, at: Indices, scope: Scope) -> str:
        """A value at a position, through the views that the region repeats."""
        if isinstance(value, Literal) or value in self.group.places:
            return self.need(value, scope)
        if value not in self.region.producers:
            return self.load(self.buffers[value], linear(at, value.type.shape), scope, value)
        node = self.region.producers[value]
        name, attributes = node.op.name, node.attributes
        if name == "full":
            if isinstance(attributes["value"], Dim):
                return self._extent_scalar(attributes["value"], value.type.dtype)
            return literal(attributes["value"], value.type.dtype)
        if name == "iota":
            return self._iota(node, at[attributes["axis"]], scope)
        (operand,) = node.operands
        return self.read(operand, self._through(node, operand, at), scope)

    def through_views(self, value: Value, at: Indices) -> tuple[Value, Indices]:
        """The array that a value is a view of, and the position in it; the value itself where it lies in memory."""
        while value not in self.buffers:
            node = self.region.producers[value]
            (operand,) = node.operands
            value, at = operand, self._through(node, operand, at)
        return value, at

    def _through(self, node: Node, operand: Value, at: Indices) -> Indices:
        """The position in a view's operand."""
        name, attributes, shape = node.op.name, node.attributes, operand.type.shape
        if is_squeeze(node):
            whole = [index for index, extent in zip(at, node.result.type.shape, strict=True) if extent != 1]
            return [Index() if n is None else whole[n] for n in whole_axes(shape)]
        if name == "broadcast_to":
            lead = len(at) - len(shape)
            return [Index() if extent == 1 else at[lead + k] for k, extent in enumerate(shape)]
        if name == "permute_dims":
            moved = [Index()] * len(at)
            for index, axis in zip(at, attributes["axes"], strict=True):
                moved[axis] = index
            return moved
        if name == "flip":
            return [
                index.times(-1).plus(shape[k] - 1) if k in attributes["axis"] else index for k, index in enumerate(at)
            ]
        if name == "slice":
            strides = attributes["strides"] or (1,) * len(at)
            return [
                index.times(stride).plus(start)
                for index, stride, start in zip(at, strides, attributes["starts"], strict=True)
            ]
        if name == "windows":
            count = len(attributes["size"])
            lead = len(shape) - count
            begins, within = at[lead : lead + count], at[lead + count :]
            steps = zip(begins, attributes["stride"], within, attributes["dilation"], strict=True)
            return [*at[:lead], *(begin.times(s) + k.times(d) for begin, s, k, d in steps)]
        raise AssertionError(f"{name} is no view")

    def load(self, buffer: Buffer, index: Index, scope: Scope, value: Value) -> str:
        """An element of an array, loaded in the outermost scope that knows its position."""
        while scope.outer is not None and scope.level == "element" and index.axes <= set(scope.outer.axes):
            if index.computed:
                break
            scope = scope.outer
        if scope.level in ("row", "column", "finish") and not index.axes and not index.computed:
            scope = self.scalars
        key = (buffer, index)
        known = scope.find(key)
        if known is None:
            known = scope.names[key] = self.names.of(value.name)
            scope.statements.append(Load(known, buffer, index))
        return known

    def _iota(self, node: Node, index: Index, scope: Scope) -> str:
        dtype = node.result.type.dtype
        key = ("iota", str(index), dtype)
        known = scope.find(key)
        if known is None:
            known = scope.names[key] = self.names.of("position")
            template = "{0}" if dtype is i64 else f"{conversion(dtype)}({{0}})"
            scope.statements.append(Compute(known, template, (index,), dtype, node))
        return known

    # -- computing ----------------------------------------------------------------------------------------------------

    def _compute(self, node: Node, scope: Scope) -> str:
        if node.op.kind is Kind.RANDOM:
            return placed.random_bits(self, node, scope)
        if node.op.kind is Kind.GATHER:
            return placed.gather(self, node, scope)
        if node.op.name == "pad":
            return placed.pad(self, node, scope)
        if node.op.name == "concat":
            return placed.concat(self, node, scope)
        arguments: tuple[Argument, ...] = tuple(self._argument(node, operand, scope) for operand in node.operands)
        return self.define(node, template_of(node), arguments, scope)

    def _argument(self, node: Node, operand: Value, scope: Scope) -> str:
        """An operand as a scalar: it has the node's shape, or rank 0."""
        if isinstance(operand, Literal) or operand in self.group.places:
            return self.need(operand, scope)
        shape = operand.type.shape
        axes = () if not any(e != 1 for e in shape) else self._span(node, scope)
        return self.read(operand, self.indices(shape, axes), scope)

    def _span(self, node: Node, scope: Scope) -> tuple[int, ...]:
        place = self.group.places.get(node.results[0])
        return scope.axes if place is None else place.axes

    def define(self, node: Node, template: str, arguments: tuple[Argument, ...], scope: Scope) -> str:
        value = node.results[0]
        target = self.names.of(value.name)
        scope.names[value] = target
        scope.statements.append(Compute(target, template, arguments, value.type.dtype, node))
        return target

    def own_indices(self, node: Node, scope: Scope) -> Indices:
        return self.indices(node.results[0].type.shape, self._span(node, scope))


# Functions that are an instruction or two.
_CHEAP = frozenset(
    {"abs", "cast", "ceil", "clip", "copysign", "floor", "isfinite", "isinf", "round", "sign", "signbit", "trunc"}
)


def is_costly(node: Node) -> bool:
    """Whether an op calls a function of many instructions."""
    if node.op.kind is Kind.RANDOM:
        return True
    calls = re.search(r"\b[a-z]\w*\(", node.op.scalar or "") is not None
    return node.op.is_elementwise and calls and node.op.name not in _CHEAP
