"""A graph as kernels to call in order: what is compiled once, for all values of the named dims.

    program = Program(fused_graph)
    program.kernels          # the distinct ones, each with its source
    program.steps            # calls of them, each with its operands and results

Steps that can fail (a bad index) come as early as what they need allows, so that in nearly all graphs nothing has been
written to the model's state when one does.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from collections.abc import Set as AbstractSet
from functools import cached_property

from graphc.backends.cpu.ahead import Rows, sequences_ahead
from graphc.backends.cpu.blocks import goes_by_stretches
from graphc.backends.cpu.emit_pack import can_be_packed_before, emit_pack, packs_in_every_slice, packs_operand
from graphc.backends.cpu.emit_pack_rows import emit_pack_rows, left_panels_key, packs_rows, reads_columns
from graphc.backends.cpu.emit_short_rows import holds_up_rows
from graphc.backends.cpu.emit_transpose import emit_transpose
from graphc.backends.cpu.index_checks import CHECK_INDICES, IndexCheck, can_fail, checks_first, index_checks
from graphc.backends.cpu.kernel_source import KernelSource
from graphc.backends.cpu.loops import LOOPS, copy_of, loop_of, with_values_of_its_own
from graphc.backends.cpu.lowered import Lowering
from graphc.backends.cpu.steps import Kernel, Step, Steps, results_of
from graphc.backends.nests.chain import Chain, is_chain
from graphc.backends.nests.nest import Buffer, Nest, Product
from graphc.backends.nests.special import special_kernel
from graphc.dim import Extent
from graphc.errors import BackendError
from graphc.ir import Graph, Literal, Node, Value
from graphc.passes.fuse import fuse
from graphc.passes.fuse.filled import filled_update
from graphc.passes.fuse.group import Group, is_fusable
from graphc.passes.fuse.region import domain_of, region_of
from graphc.passes.fuse.views import is_floating
from graphc.passes.prepare import prepare

LEAST_PREPARED = 256  # operations, all in all, that are worth being left out of a call


class Program(Steps):
    """The steps that a graph is lowered to."""

    def __init__(
        self,
        graph: Graph,
        around: Program | None = None,
        same_everywhere: AbstractSet[Value] = frozenset(),
        *,
        prepares: bool = False,
    ) -> None:
        super().__init__(graph)
        self.same_everywhere = same_everywhere  # inputs of a loop's region that do not differ from place to place
        if around is not None:
            self.kernels = around.kernels  # a loop's region shares them
        self._by_key: dict[str, Kernel] = {} if around is None else around._by_key
        self._lowering: Lowering = Lowering() if around is None else around._lowering
        self._panels: dict[Hashable, Value] = {}
        self._rows: dict[Step, Rows] = {}  # of steps that fill what a loop reads place by place
        self._stable = _stable_values(graph) if prepares else set()
        for each in checks_first(graph):
            if isinstance(each, IndexCheck):
                self._add_check(each)
            else:
                self._add(each)
        given = (*graph.outputs, *(new for _, new in graph.updates))
        read = {self.root(value) for value in given if isinstance(value, Value)}
        self.steps = sequences_ahead(self.steps, self._rows, read, self.root)
        if prepares:
            self._set_apart()

    def _add(self, node: Node) -> None:
        name = node.op.name
        if name == "constant":
            self.constants[node.result] = node.attributes["value"]
        elif _is_alias(node):
            self.alias[node.result] = node.operands[0]
        elif name in LOOPS:
            self._add_loop(node)
        elif name == "fused" or is_floating(node) or _fits_a_nest(node):
            self._add_nest(node)
        else:
            self._add_special(node)

    def _add_nest(self, node: Node) -> None:
        region, operands, results = region_of(node)
        if is_chain(region):
            self._add_chain(node, region, operands, results)
            return
        update = filled_update(region)
        if update is not None:
            self._add_special(node, update)
            return
        if self._add_transpose(node, region, operands, results):
            return
        lowered = self._lowering.of(region)
        nest = lowered.nest
        outer = dict(zip(lowered.values, (*operands, *results), strict=True))
        shares: dict[Value, tuple[Value, ...]] = {}
        roots = [self.root(operand) for operand in operands]  # one array may be read under several shapes
        for written, read in nest.may_share.items():
            if written.value is not None:
                values = [outer[b.value] for b in read if b.value is not None]
                shares[outer[written.value]] = tuple(v for v in values if roots.count(self.root(v)) == 1)
        rows = Rows.of(nest) if self._fills_sequence(results) else None
        packed_before = packs_in_every_slice(nest) or self._multiplies_steady_matrix(nest, outer)
        packed_before |= rows is not None and packs_operand(nest)
        packed_rows = packs_rows(nest) or (reads_columns(nest) and self._is_read_so_again(node, nest, outer))
        by_stretches = goes_by_stretches(nest, packed_before=packed_before)
        home = None if by_stretches else self._home_of_product(nest, outer, shares)
        source, key, nest = lowered.source(home, packed_before=packed_before, packed_rows=packed_rows)
        for product in nest.products if packed_before else ():
            assert product.panels is not None
            outer[_value_of(product.panels)] = self._packed(product, outer)
        if packed_rows:
            assert nest.product is not None
            assert nest.product.left_panels is not None
            outer[_value_of(nest.product.left_panels)] = self._packed_rows(nest.product, outer)
        kernel = self._kernel(source.title, source.text, key, nest)
        buffers = {buffer: outer[buffer.value] for buffer in nest.buffers if buffer.value is not None}
        step = Step(kernel, source, node, buffers, shares)
        step.may_fail = can_fail(node) and index_checks(node) is None
        self._note_stable(step)
        if rows is not None and not results_of(step) <= self._stable:
            self._rows[step] = Rows.of(nest) or rows
        self.steps.append(step)

    def _fills_sequence(self, results: list[Value]) -> bool:
        """Whether one loop alone reads the only result, place by place."""
        if len(results) != 1:
            return False
        (value,) = results
        while True:
            users = self.graph.users.get(value, ())
            if len(users) != 1 or self.graph.is_result(value):
                return False
            (user,) = users
            if not _is_alias(user):
                return user.op.name in LOOPS and value in user.operands
            value = user.result

    def _add_chain(self, node: Node, region: Graph, operands: list[Value], results: list[Value]) -> None:
        """One kernel for several products, each over a block of rows of the one before."""
        lowered = self._lowering.of_chain(region)
        outer = dict(zip(lowered.values, (*operands, *results), strict=True))
        chain, source = lowered.chain, lowered.source
        kernel = self._kernel(source.title, source.text, lowered.key, chain)
        buffers = {buffer: outer[buffer.value] for buffer in chain.buffers if buffer.value is not None}
        step = Step(kernel, source, node, buffers)
        step.may_fail = can_fail(node) and index_checks(node) is None
        self._note_stable(step)
        self.steps.append(step)

    def _add_transpose(self, node: Node, region: Graph, operands: list[Value], results: list[Value]) -> bool:
        """A kernel that turns matrices around, where a region does nothing else."""
        if len(operands) != 1 or len(results) != 1:
            return False
        (source,), (target,) = operands, results
        read = Buffer("read_in", source.type.dtype, "input", source.type.size, source)
        turned = Buffer("turned_out", target.type.dtype, "output", target.type.size, target)
        emitted = emit_transpose(region, read, turned)
        if emitted is None:
            return False
        kernel = self._kernel(emitted.title, emitted.text, emitted.text, None)
        step = Step(kernel, emitted, node, {read: source, turned: target})
        self._note_stable(step)
        self.steps.append(step)
        return True

    def _multiplies_steady_matrix(self, nest: Nest, outer: dict[Value, Value]) -> bool:
        """Whether a product's matrix is the same at all places of a loop, or depends on the model's state alone."""
        if nest.product is None or not can_be_packed_before(nest):
            return False
        matrices = {self.root(outer[_value_of(product.rhs)]) for product in nest.products}
        return matrices <= self.same_everywhere or matrices <= self._stable

    def _packed(self, product: Product, outer: dict[Value, Value]) -> Value:
        """The panels of a product's right operand, packed by a step of its own for all kernels that read it."""
        matrix, axes = outer[_value_of(product.rhs)], product.axes
        assert product.panels is not None
        key = "right", self.root(matrix), axes.groups, axes.depth, axes.column, axes.right.offset
        return self._packed_by(emit_pack, key, product, matrix, _value_of(product.panels))

    def _packed_rows(self, product: Product, outer: dict[Value, Value]) -> Value:
        """The panels of a product's left operand, the same way."""
        matrix = outer[_value_of(product.lhs)]
        assert product.left_panels is not None
        key = self.root(matrix), left_panels_key(product)
        return self._packed_by(emit_pack_rows, key, product, matrix, _value_of(product.left_panels))

    def _is_read_so_again(self, node: Node, nest: Nest, outer: dict[Value, Value]) -> bool:
        """Whether another product reads the columns of a nest's left operand, so that both can have the same panels."""
        assert nest.product is not None
        key, arrays = left_panels_key(nest.product), [self.root(outer[_value_of(nest.product.lhs)])]
        for array in arrays:
            for user in self.graph.users.get(array, ()):
                if _is_alias(user):
                    arrays.append(user.result)
                elif user is not node and self._columns_read(user, array) == key:
                    return True
        return False

    def _columns_read(self, node: Node, array: Value) -> Hashable | None:
        """The key of the panels that a node's product can read instead of an array's columns; None where it cannot."""
        if node.op.name != "fused" and not _fits_a_nest(node):
            return None
        region, operands, _ = region_of(node)
        if is_chain(region):
            return None
        lowered = self._lowering.of(region)
        product, read = lowered.nest.product, dict(zip(lowered.values, operands, strict=False))
        if product is None or not reads_columns(lowered.nest) or read.get(_value_of(product.lhs)) is not array:
            return None
        return left_panels_key(product)

    def _packed_by(
        self,
        emitter: Callable[[Product, Buffer, Buffer], KernelSource],
        key: Hashable,
        product: Product,
        matrix: Value,
        like: Value,
    ) -> Value:
        """The panels of a matrix, by a step that fills them where there is none yet."""
        if key not in self._panels:
            name = f"{matrix.name}_panels_{len(self._panels)}"  # one matrix may be packed in several ways
            self._panels[key] = panels = Value(name, like.type)
            source_buffer = Buffer("matrix_in", matrix.type.dtype, "input", matrix.type.size, matrix)
            target = Buffer("panels_out", panels.type.dtype, "output", panels.type.size, panels)
            source = emitter(product, source_buffer, target)
            kernel = self._kernel(source.title, source.text, source.text, None)
            steps = self.before_loop if self.root(matrix) in self.same_everywhere else self.steps
            steps.append(Step(kernel, source, product.node, {source_buffer: matrix, target: panels}))
            if self.root(matrix) in self._stable and isinstance(panels.type.size, int):
                self._stable.add(panels)
        return self._panels[key]

    # -- what depends on the model's state alone ----------------------------------------------------------------------

    def _note_stable(self, step: Step) -> None:
        """Whether a step computes what stays the same while the state does."""
        reads = {self.root(value) for buffer, value in step.operands.items() if buffer.role == "input"}
        results = results_of(step)
        source = step.source
        numbers = [*source.words, source.units, source.cost, *source.temporaries.values()]
        if not all(isinstance(word, int | Buffer) for word in (*numbers, *(value.type.size for value in results))):
            return
        given = {self.root(value) for value in (*self.graph.outputs, *(new for _, new in self.graph.updates))}
        if step.loop is None and not step.may_fail and reads <= self._stable:
            self._stable.update(results - given)

    def _set_apart(self) -> None:
        """Take the steps that depend on state alone out of the others."""
        apart = {step for step in self.steps if results_of(step) and results_of(step) <= self._stable}
        if sum(step.source.cost for step in apart if isinstance(step.source.cost, int)) < LEAST_PREPARED:
            return
        self.prepared = [step for step in self.steps if step in apart]
        self.steps = [step for step in self.steps if step not in apart]

    def _home_of_product(
        self, nest: Nest, outer: dict[Value, Value], shares: dict[Value, tuple[Value, ...]]
    ) -> int | None:
        """The output that the product lies in, by its number: none that is to be written over the state it replaces."""
        for number, home in enumerate(nest.product_homes):
            assert home.value is not None
            value = outer[home.value]
            if nest.product is not None and home.value is not nest.product.node.result and holds_up_rows(nest, home):
                continue
            if value not in self._updates or self._updates[value] not in shares.get(value, ()):
                shares.pop(value, None)
                return number
        return None

    @cached_property
    def _updates(self) -> dict[Value, Value]:
        """The state that a step's result becomes, if it does."""
        shapes = {node.result: node.operands[0] for node in self.graph.nodes if _is_alias(node)}
        updates = {}
        for old, new in self.graph.updates:
            while new in shapes:
                new = shapes[new]
            updates[new] = old
        return updates

    def _add_loop(self, node: Node) -> None:
        """A program of its own for the region, which the table calls once for each place."""
        region = prepare(with_values_of_its_own(node.regions[0]))
        loop = loop_of(node, region, lambda value: bool(self.graph.users.get(value)) or self.graph.is_result(value))
        loop.inner = Program(fuse(loop.region), self, loop.same_everywhere)
        for carry in loop.carries:
            if loop.copies(carry):
                carry.copy = Program(copy_of(carry.before), self)
        ends: dict[Buffer, Value] = {}
        for value in node.operands:
            assert not isinstance(value, Literal), "prepare puts numbers into memory"
            ends[Buffer(value.name, value.type.dtype, "input", value.type.size, value)] = value
        unread = {node.results[i] for i, carry in enumerate(loop.carries) if carry.last is None}
        for value in node.results:
            if value not in unread:
                ends[Buffer(value.name, value.type.dtype, "output", value.type.size, value)] = value
        total: Extent = 0
        for step in loop.inner.steps:
            total = total + step.source.cost
        source = KernelSource(node.op.name, "", [], loop.scratch, 1, total * loop.length)
        kernel = Kernel(node.op.name, "", "", None)
        may_fail = any(can_fail(each) for each in region.walk())
        self.steps.append(Step(kernel, source, node, ends, may_fail=may_fail, loop=loop))

    def _add_check(self, check: IndexCheck) -> None:
        """A kernel that only looks at indices, so that trouble is known before any state is written."""
        value = self.root(check.indices)
        buffer = Buffer(f"{value.name}_in", value.type.dtype, "input", value.type.size, value)
        text = CHECK_INDICES.replace("DTYPE", value.type.dtype.name)
        words: list[Buffer | Extent] = [buffer, value.type.size, check.extent]
        source = KernelSource("check_indices", text, words, {}, 1, value.type.size)
        kernel = self._kernel("check_indices", text, text, None)
        self.steps.append(Step(kernel, source, check.node, {buffer: value}, may_fail=True))

    def _add_special(self, node: Node, op: Node | None = None) -> None:
        """A kernel for one op: the node itself, or the one that its region comes to."""
        special = special_kernel(op or node)
        if special is None:
            raise BackendError(
                f"the cpu backend has no kernel for {node.op.name}", line=node.line, where=node.provenance.where
            )
        operands = {
            Buffer(f"{value.name}_in", value.type.dtype, "input", value.type.size, value): value
            for value in node.operands
            if not isinstance(value, Literal)
        }
        results = {
            Buffer(f"{value.name}_out", value.type.dtype, "output", value.type.size, value): value
            for value in node.results
        }
        temporaries = {
            Buffer(f"scratch_{i}", dtype, "temporary", extent, None, special.temporaries_per_slice): extent
            for i, (dtype, extent) in enumerate(special.temporaries)
        }
        words: list[Buffer | Extent] = [*operands, *results, *temporaries, *special.extents]
        source = KernelSource(special.title, special.text, words, temporaries, special.units, special.cost)
        kernel = self._kernel(special.title, special.text, special.text, None)
        may_fail = can_fail(node) and index_checks(node) is None
        self.steps.append(Step(kernel, source, node, {**operands, **results}, may_fail=may_fail))

    def _kernel(self, title: str, text: str, key: str, nest: Nest | Chain | None) -> Kernel:
        if key not in self._by_key:
            kernel = self._by_key[key] = Kernel(title, text, key, nest)
            self.kernels.append(kernel)
        self._by_key[key].calls += 1
        return self._by_key[key]


def _stable_values(graph: Graph) -> set[Value]:
    """The state that the graph does not write, and constants."""
    written = {old for old, _ in graph.updates}
    constants = {node.result for node in graph.nodes if node.op.name == "constant"}
    return {state.value for state in graph.state if state.value not in written and state.cell is not None} | constants


def _value_of(buffer: Buffer) -> Value:
    assert buffer.value is not None
    return buffer.value


def _is_alias(node: Node) -> bool:
    """Whether a node only gives an array under another shape."""
    return node.op.name == "reshape" and not isinstance(node.operands[0], Literal)


def _fits_a_nest(node: Node) -> bool:
    """Whether a node by itself is a kernel of the general kind."""
    return is_fusable(node) and Group(domain_of(node), lambda value: None).admit(node) is None
