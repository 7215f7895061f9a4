"""From the region of a `fused` op to a loop nest.

    nest = lower(region)

The group that fusion made says where each value stands (`graphc.passes.fuse.group`); lowering writes down, for each
pass over the slice, what must be computed so that the pass can fold its reductions and store its results. A value that
several passes need is computed in each, or loaded again where it has been stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from graphc.backends.nests.names import Names
from graphc.backends.nests.nest import (
    Accumulator,
    Buffer,
    Finish,
    Fold,
    Index,
    Load,
    Margins,
    Nest,
    Pass,
    Product,
    Store,
)
from graphc.backends.nests.reading import Reader, Scope
from graphc.backends.nests.scalar import computing, literal
from graphc.backends.nests.storing import storing_passes
from graphc.backends.nests.waiting import wait_for_passes
from graphc.dim import Extent
from graphc.ir import Graph, Node, Value
from graphc.op import Kind
from graphc.passes.fuse.group import Group
from graphc.passes.fuse.place import Cut, Place, squeezed
from graphc.passes.fuse.product import MatrixProduct, product_of, product_of_extents
from graphc.passes.fuse.region import group_of
from graphc.types import DType


def lower(region: Graph, *, reserved: frozenset[str] = frozenset()) -> Nest:
    """The nest of a region; none of its names is a reserved one."""
    return lower_among(region, Names(reserved), {})


def lower_among(region: Graph, names: Names, arrays: Mapping[Value, Buffer]) -> Nest:
    """The nest of a region whose kernel has names and arrays already: `arrays` has some of its inputs and outputs."""
    tried = names.copy()
    first = _Lowering(region, tried, arrays, frozenset())
    nest = first.run()
    if not first.reader.costly_again:
        names.follow(tried)
        return nest
    # What is costly to compute again in a later pass over the row is kept for the length of the row.
    return _Lowering(region, names, arrays, frozenset(first.reader.costly_again)).run()


class _Lowering:
    def __init__(self, region: Graph, names: Names, arrays: Mapping[Value, Buffer], kept: AbstractSet[Value]) -> None:
        self.region = region
        self.arrays = arrays
        self.group: Group = group_of(region)
        assert self.group.cut is not None
        assert self.group.split is not None
        self.nest = Nest(region.name, self.group.domain, self.group.cut, self.group.split)
        self.names = names
        self.outputs = list(dict.fromkeys(region.outputs))
        self.reader = Reader(region, self.group, self.nest, names)
        self.kept = kept
        self.storing = storing_passes(region, self.group, self.outputs)
        wait_for_passes(region, self.group, self.storing)
        self.last_phase = max((place.phase for place in self.group.places.values()), default=0)

    # -- the whole ----------------------------------------------------------------------------------------------------

    def run(self) -> Nest:
        for value in self.region.inputs:
            self.reader.buffers[value] = self._buffer(value, "input")
        for value in self.outputs:
            self.reader.buffers[value] = self._buffer(value, "output")
        self._product()
        self._column_buffers()
        for value in self.region.values.values():
            if value in self.kept:
                self.reader.kept[value] = self._temporary(f"{value.name}_row", value, self.nest.columns, True)
        for phase in range(self.last_phase + 1):
            self._pass(phase)
        self._scalar_outputs()
        self._finish()
        self._place_product()
        self._note_sharing()
        return self.nest

    def _buffer(self, value: Value, role: str) -> Buffer:
        if value in self.arrays:
            return self.arrays[value]
        buffer = Buffer(self.names.of(f"{value.name}_{role[:-3]}"), value.type.dtype, role, value.type.size, value)
        self.nest.buffers.append(buffer)
        return buffer

    def _temporary(self, wish: str, value: Value, extent: Extent, per_slice: bool = False) -> Buffer:
        buffer = Buffer(self.names.of(wish), computing(value.type.dtype), "temporary", extent, None, per_slice)
        self.nest.buffers.append(buffer)
        return buffer

    # -- levels -------------------------------------------------------------------------------------------------------

    def _is_full(self, place: Place) -> bool:
        return not place.finish and len(place.axes) == len(self.group.domain) and bool(place.axes)

    def _is_line(self, place: Place) -> bool:
        """Whether a value has one number for each row, or each column, that the kernel is cut along."""
        return not place.finish and bool(place.axes) and not self._is_full(place)

    def _operand_place(self, node: Node) -> Place:
        operand = self.group.operand(node.operands[0])
        if isinstance(operand, Place):
            return operand
        rank = len(squeezed(node.operands[0].type.shape))
        full = rank == len(self.group.domain)
        return Place(tuple(range(rank)) if full or self.group.cut is Cut.ROWS else self._column_axes)

    @property
    def _column_axes(self) -> tuple[int, ...]:
        return tuple(range(self.nest.split, len(self.group.domain)))

    def _reductions(self) -> Iterable[Node]:
        return (node for node in self.group.members if node.op.kind is Kind.REDUCTION)

    # -- the product --------------------------------------------------------------------------------------------------

    def _product(self) -> None:
        node = self.group.contraction
        if node is None:
            return
        axes = self.group.product
        assert axes is not None
        left, right = (self.reader.buffers[operand.base] for operand in (axes.left, axes.right))
        if self.nest.cut is Cut.DEPTH:
            place = self.group.places[node.result]
            parts = self._parts(node.result, "sum", node.result.type.dtype, place)
            self.nest.slice_accumulators.append(parts)
            assert parts.buffer is not None
            self.nest.product = Product(left, right, parts.buffer, axes, None, node)
            return
        self.nest.product = self._product_of(node, axes)
        for other in self.group.contractions[1:]:
            self.nest.beside.append(self._product_of(other, product_of(other, self.region.producers.get)))

    def _product_of(self, node: Node, axes: MatrixProduct) -> Product:
        """A product in memory of its own, from where the passes read it."""
        left, right = (self.reader.buffers[operand.base] for operand in (axes.left, axes.right))
        in_parts = self.nest.cut is Cut.COLUMNS or bool(axes.lines)
        result = self._temporary(node.result.name, node.result, node.result.type.size, per_slice=in_parts)
        panels = None
        if axes.is_packed:
            panels = self._temporary(f"{node.operands[1].name}_panels", node.result, 0, per_slice=True)
        self.reader.buffers[node.result] = self.reader.buffers.get(node.result, result)
        self.reader.products[node.result] = result
        return Product(left, right, result, axes, panels, node)

    def _place_product(self) -> None:
        """The product may lie in the memory of an output that is written no earlier than the product is last read."""
        product = self.nest.product
        if product is None or self.nest.cut is Cut.DEPTH:
            return
        value = product.node.result
        if value in self.outputs:
            self.nest.product_homes = [self.reader.buffers[value]]
            return
        last = max(
            (
                phase
                for phase, walk in enumerate(self.nest.passes)
                for statement in walk.elements
                if isinstance(statement, Load) and statement.buffer is product.result
            ),
            default=-1,
        )
        for output in self.outputs:
            place, buffer = self.group.places.get(output), self.reader.buffers[output]
            if place is None or not self._is_full(place) or buffer.dtype is not product.result.dtype:
                continue
            if self.storing.get(output, place.phase) >= last and squeezed(output.type.shape) == squeezed(
                value.type.shape
            ):
                self.nest.product_homes.append(buffer)

    # -- passes -------------------------------------------------------------------------------------------------------

    def _column_buffers(self) -> None:
        """Numbers for each column that are read in later passes lie in arrays."""
        if self.group.cut is not Cut.COLUMNS:
            return
        for node in self.group.members:
            place = self.group.places[node.results[0]]
            if not self._is_line(place):
                continue
            value = node.result
            if value in self.reader.buffers and value.type.dtype is computing(value.type.dtype):
                self.reader.columns[value] = self.reader.buffers[value]
                continue
            if node.op.kind is Kind.REDUCTION or self._outlives_pass(value, place):
                self.reader.columns[value] = self._temporary(value.name, value, self.nest.columns)

    def _outlives_pass(self, value: Value, place: Place) -> bool:
        """Whether elements, or columns of a later pass, read a number of the columns."""
        pending = [value]
        while pending:
            for user in self.region.users.get(pending.pop(), ()):
                own = self.group.places.get(user.results[0])
                if own is None:
                    pending.append(user.results[0])
                elif own != place:
                    return True
        return False

    def _pass(self, phase: int) -> None:
        walk = Pass()
        self.nest.passes.append(walk)
        self.reader.enter(walk, phase)
        lines = self.reader.lines
        stores: list[Store] = []
        for node in self.group.members:
            place = self.group.places[node.results[0]]
            if self._is_line(place) and place.phase == phase:
                self._line(node, lines, walk)
        for node in self._reductions():
            if self._operand_place(node).phase == phase and not self._operand_place(node).finish:
                self._fold(node, phase, walk)
        for value in self.outputs:
            node = self.region.producers[value]
            place = self.group.places.get(value, Place(tuple(range(len(self.group.domain)))))
            if not self._is_full(place) or node is self.group.contraction:
                continue
            if self.storing.get(value, place.phase) != phase:
                continue
            if value in self.group.joined:
                for part, index in self.reader.parts(node):
                    name = self.reader.need(part, self.reader.elements)
                    stores.append(Store(self.reader.buffers[value], index, name))
                if node.op.name == "pad":
                    self._margins(value, node)
                continue
            name = self.reader.need(value, self.reader.elements)
            stores.append(Store(self.reader.buffers[value], self.reader.position(value, place.axes), name))
            self.reader.stored[value] = phase
        for value, buffer in self.reader.kept.items():
            if self.group.places[value].phase == phase:
                name = self.reader.need(value, self.reader.elements)
                stores.append(Store(buffer, self.reader.index_over(self._column_axes), name))
        walk.elements.extend(stores)
        walk.needs_elements = bool(stores) or any(isinstance(s, Fold) for s in walk.elements)

    def _margins(self, value: Value, node: Node) -> None:
        attributes, dtype = node.attributes, computing(value.type.dtype)
        filling = literal(attributes["value"], dtype)
        buffer = self.reader.buffers[value]
        self.nest.margins.append(Margins(buffer, value.type.shape, attributes["low"], attributes["high"], filling))

    def _line(self, node: Node, lines: Scope, walk: Pass) -> None:
        """A number of each row or column: computed, kept where later passes read it, stored where others do."""
        is_total = node.op.kind is Kind.REDUCTION and self.group.cut is Cut.COLUMNS  # gathered in its array already
        for value in node.results:
            place = self.group.places[value]
            kept, stored = self.reader.columns.get(value), self.reader.buffers.get(value)
            is_wider = is_total and computing(value.type.dtype) is not value.type.dtype
            if is_total and not is_wider and (stored is None or stored is kept):
                continue
            name = self.reader.need(value, lines)
            if is_wider:  # summed in f32: what reads it from here on reads it as the op gives it
                name = self.reader.rounded_total(value, name, lines)
            if kept is not None and (not is_total or (is_wider and self._outlives_pass(value, place))):
                walk.lines.append(Store(kept, self.reader.line_index(), name))
            if stored is not None and stored is not kept:
                walk.lines.append(Store(stored, self.reader.position(value, place.axes), name))

    def _fold(self, node: Node, phase: int, walk: Pass) -> None:
        value = node.result
        place, operand = self.group.places[value], self._operand_place(node)
        full = self._is_full(operand)
        scope = self.reader.elements if full else self.reader.lines
        accumulator = self._accumulator(node, place)
        if accumulator.where == "slice":
            self.nest.slice_accumulators.append(accumulator)
        else:
            walk.accumulators.append(accumulator)
        name = self.reader.need(node.operands[0], scope)
        scope.statements.append(Fold(accumulator, name, node))
        if accumulator.where == "row":
            self.reader.fold_to_row(value, accumulator)

    def _accumulator(self, node: Node, place: Place) -> Accumulator:
        value, op = node.result, node.op.name
        dtype = node.operands[0].type.dtype
        if place.finish:
            return self._parts(value, op, dtype, place)
        if self.group.cut is Cut.ROWS:
            position = self.names.of(f"{value.name}_at") if op in ("argmax", "argmin") else ""
            axis = len(self.group.domain) - 1
            return Accumulator(self.names.of(value.name), op, dtype, "row", position=position, axis=axis)
        kept_in = self.reader.columns[value]
        return Accumulator(kept_in.name, op, dtype, "column", kept_in, self.reader.line_index())

    def _parts(self, value: Value, op: str, dtype: DType, place: Place) -> Accumulator:
        """What every slice gathers for itself, put together at the finish."""
        size = product_of_extents(self.group.domain[axis] for axis in place.axes)
        part = self._temporary(f"{value.name}_parts", value, size, per_slice=True)
        index = self.reader.index_over(place.axes)
        accumulator = Accumulator(self.names.of(value.name), op, dtype, "slice", part, index, size)
        self.reader.totals[value] = accumulator
        return accumulator

    # -- scalars and the finish ---------------------------------------------------------------------------------------

    def _scalar_outputs(self) -> None:
        """The first slice computes numbers that are only given, and stores those."""
        scope = self.reader.first_slice if self.group.domain else self.reader.scalars
        for value in self.outputs:
            place = self.group.places.get(value)
            is_scalar = place is not None and not place.finish and not place.axes
            if is_scalar or (place is None and not self.group.domain):
                name = self.reader.need(value, scope)
                self.nest.scalar_stores.append(Store(self.reader.buffers[value], Index(), name))

    def _finish(self) -> None:
        members = [node for node in self.group.members if self.group.places[node.results[0]].finish]
        spans = sorted({self.group.places[node.results[0]].axes for node in members}, key=len)
        for axes in spans:
            finish = Finish(axes, [])
            self.nest.finishes.append(finish)
            scope = self.reader.enter_finish(finish)
            for node in members:
                value = node.results[0]
                place = self.group.places[value]
                if place.axes != axes:
                    continue
                if value in self.reader.totals:
                    total = self.names.of(value.name)
                    finish.accumulators.append((self.reader.totals[value], total))
                    scope.names[value] = self.reader.rounded_total(value, total, scope)
                name = self.reader.need(value, scope)
                if value in self.reader.buffers:
                    position = self.reader.position(value, axes)
                    finish.statements.append(Store(self.reader.buffers[value], position, name))

    # -- memory -------------------------------------------------------------------------------------------------------

    def _note_sharing(self) -> None:
        """Which inputs' memory an output may take over: those read only at the element that is written, not later."""
        sharing: dict[Buffer, tuple[Buffer, ...]] = {}
        fixed = set()
        if self.nest.product is not None:
            fixed = {operand for product in self.nest.products for operand in (product.lhs, product.rhs)}
        loads: dict[Buffer, list[tuple[tuple[int, int], Load]]] = {}
        for moment, statement in self._moments():
            if isinstance(statement, Load):
                loads.setdefault(statement.buffer, []).append((moment, statement))
        for moment, statement in self._moments():
            if not isinstance(statement, Store) or statement.buffer.role != "output":
                continue
            for buffer, reads in loads.items():
                fits = buffer.role == "input" and buffer not in fixed and buffer.dtype is statement.buffer.dtype
                if not fits or buffer.extent != statement.buffer.extent:
                    continue
                # Other slices and the finish run what stands in `once` again, after the first slice's stores.
                if any(at < self._FIRST_SLICE for at, _ in reads) and moment < self._PASSES and self.group.domain:
                    continue
                if all(at <= moment and load.index == statement.index and not load.guards for at, load in reads):
                    sharing[statement.buffer] = (*sharing.get(statement.buffer, ()), buffer)
        self.nest.may_share = sharing

    _FIRST_SLICE, _PASSES = (1, 0), (2, 0)

    def _moments(self) -> Iterable[tuple[tuple[int, int], object]]:
        """Every statement with the time at which it runs: a store of one time may overwrite what is read until then."""
        sections: list[Iterable[object]] = [self.nest.scalars, self.nest.scalar_stores]
        for walk in self.nest.passes:
            sections += [(*walk.lines, *walk.row_loads), walk.elements]
        # A finish for each place runs alone; a scalar that all places read must not be overwritten by the first.
        sections += [finish.statements for finish in self.nest.finishes]
        for number, section in enumerate(sections):
            yield from (((number, position), statement) for position, statement in enumerate(section))
