"""A graph under construction: calls of ops on traced tensors append nodes to it.

    builder = Builder("mlp")
    x = builder.input("x", f32["N", 784])
    with recording(builder):
        y = relu(x @ w)
    graph = builder.finish([y])

The same builder serves traces of users' functions, bodies of composites, derivatives and rewrite rules: a vjp rule is
a function over traced tensors like any other. Elementwise ops get their operands promoted and broadcast here, with
explicit `cast` and `broadcast_to` nodes, so that rules and backends see operands of one dtype and shape (or rank 0).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np

from graphc.errors import GraphcError, TraceError
from graphc.ir import Graph, Literal, Node, State, Value
from graphc.op import Op, recording
from graphc.operands import as_constant, elementwise_operands, literal_of
from graphc.provenance import Location, Provenance, Site, assigned_names, user_site
from graphc.state import Cell
from graphc.tensor import Tensor
from graphc.types import TensorType


class NameScope:
    """Names that are unique within one graph: `h`, `h_1`, `h_2`."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._count: dict[str, int] = {}

    def fresh(self, wish: str) -> str:
        base = re.sub(r"[^\w.]", "_", wish) or "value"
        base = re.sub(r"(_\d+)$", "", base) if base in self._taken else base
        name = base
        while name in self._taken:
            self._count[base] = self._count.get(base, 0) + 1
            name = f"{base}_{self._count[base]}"
        self._taken.add(name)
        return name

    def reserve(self, name: str) -> None:
        self._taken.add(name)


class Builder:
    """Appends nodes; `finish` gives the graph.

    `cell_names` says what the cells of a model are called (`fc1.weight`).
    """

    def __init__(self, name: str = "graph", *, cell_names: Mapping[int, str] | None = None) -> None:
        self.name = name
        self.outermost: Builder = self  # of a region's builder, the one of the whole trace
        self.inputs: list[Value] = []
        self.state: list[State] = []
        self.nodes: list[Node] = []
        self.scope = NameScope()
        self.updates: dict[Value, Value] = {}
        self._cell_names = dict(cell_names or {})
        self._cells: dict[int, State] = {}
        self._sites: list[tuple[Site, Value, tuple[Value, ...]]] = []
        self._unnamed: set[Value] = set()
        self._provenance: Provenance | None = None
        self._modules: list[tuple[str, Location | None]] = []
        self._root = user_site(2)
        self.streams = 0
        self.rng: Cell | None = None

    @classmethod
    def extending(cls, graph: Graph) -> Self:
        """A builder that starts with all of a graph, to append to it."""
        builder = cls(graph.name)
        builder.inputs = list(graph.inputs)
        builder.state = list(graph.state)
        builder.nodes = list(graph.nodes)
        builder.updates = dict(graph.updates)
        builder.scope = NameScope(graph.values)
        builder._cells = {id(s.cell): s for s in graph.state if s.cell is not None}
        builder.streams = 1 + max(
            (node.attributes["stream"] for node in graph.nodes if "stream" in node.attributes), default=-1
        )
        return builder

    @classmethod
    def rewriting(cls, graph: Graph) -> Self:
        """A builder with a graph's inputs and state and none of its nodes; its names stay reserved."""
        builder = cls.extending(graph)
        builder.nodes = []
        return builder

    def within(self, outer: Builder) -> Self:
        """This builder, for a graph within another: its nodes come from where those of `outer` come from now."""
        self.outermost, self._cell_names = outer.outermost, outer._cell_names
        self._provenance, self._modules, self._root = outer._provenance, outer._modules, outer._root
        return self

    # -- sources ----------------------------------------------------------------------------------------------------

    def input(self, name: str, type: TensorType) -> Tensor:
        """Declare the next input."""
        value = Value(self.scope.fresh(name), type)
        self.inputs.append(value)
        return Tensor(self, value)

    def read(self, cell: Cell) -> Tensor:
        """The value of a cell here in the trace: as the run finds it, or as an earlier `update` left it."""
        state = self._cells.get(id(cell))
        if state is None:
            name = self._cell_names.get(id(cell)) or cell.name or cell.kind
            state = self.declare_state(Value(self.scope.fresh(name), cell.type), cell.kind, cell)
        return Tensor(self, self.updates.get(state.value, state.value))

    def name_cells(self, names: Iterable[tuple[str, Cell]]) -> None:
        """Say what cells are called when they are read; names given earlier stay."""
        for name, cell in names:
            self._cell_names.setdefault(id(cell), name)

    def declare_state(self, value: Value, kind: str, cell: Cell | None) -> State:
        """Declare that the graph reads this state."""
        state = State(value, kind, cell, None if cell is None else cell.order)
        self.state.append(state)
        if cell is not None:
            self._cells[id(cell)] = state
        return state

    def update(self, cell: Cell, value: Any) -> None:
        """Record that the run leaves this value in the cell; it must have the cell's type."""
        tensor = self.tensor(value)
        if tensor.dtype is not cell.dtype and isinstance(value, bool | int | float):
            tensor = self.tensor(literal_of(value, cell.dtype, "assign"))
        old = self.read(cell)
        if tensor.type != cell.type:
            raise TraceError(
                f"%{self._cells[id(cell)].value.name} is {old.type}, but the value assigned to it is {tensor.type}",
                where=self.where(),
            )
        state = self._cells[id(cell)].value
        self.updates[state] = tensor.value
        if tensor.value in self._unnamed:
            self.rename(tensor.value, f"{state.name}_next")

    def rng_state(self) -> Tensor:
        """The state that random ops draw from, u64[2] = (seed, step); its first use makes the run advance the step."""
        if self.rng is None:
            from graphc.random import default_seed

            self.rng = Cell(np.array([default_seed(), 0], np.uint64), kind="rng", name="rng")
        known = id(self.rng) in self._cells
        rng = self.read(self.rng)
        state = self._cells[id(self.rng)].value
        if not known or state not in self.updates:
            self.updates[state] = self.tensor(rng + self.tensor(np.array([0, 1], np.uint64))).value
        return Tensor(self, state)

    def stream(self) -> int:
        """A number for the next random op, so that no two of a graph draw the same bits."""
        self.streams += 1
        return self.streams - 1

    # -- nodes ------------------------------------------------------------------------------------------------------

    def tensor(self, operand: Any) -> Tensor:
        """A traced tensor from a tensor of this builder, a cell, an array, a scalar, an extent, or a `Value`."""
        if isinstance(operand, Tensor):
            if operand.builder is not self:
                raise TraceError(
                    f"%{operand.value.name}: {operand.type} belongs to another trace; pass it in as an argument",
                    where=self.where(),
                )
            return operand
        if isinstance(operand, Value):
            return Tensor(self, operand)
        if hasattr(operand, "__graphc_tensor__"):
            tensor: Tensor = operand.__graphc_tensor__(self)
            return tensor
        constant = as_constant(operand, where=self.where)
        if isinstance(constant, Literal):
            return Tensor(self, constant)
        from graphc.ops.creation import constant as constant_op

        return self.node(constant_op, value=constant)

    def apply(self, op: Op, operands: Sequence[Any], attributes: Mapping[str, Any]) -> Tensor | tuple[Tensor, ...]:
        """Append a node for a call of an op; promotes and broadcasts the operands of elementwise ops."""
        while operands and operands[-1] is None and len(operands) > op.signature.required:
            operands = operands[:-1]
        try:
            op.check_count(len(operands))
            completed = op.complete(attributes)
            tensors = elementwise_operands(self, op, operands) if op.is_elementwise else [*map(self.tensor, operands)]
            values = tuple(tensor.value for tensor in tensors)
        except GraphcError as error:
            raise error.located(line=self._attempt(op, operands, attributes), where=self.where()) from None
        results = tuple(Tensor(self, value) for value in self.emit(op, values, completed))
        return results[0] if len(results) == 1 else results

    def node(self, op: Op, *operands: Any, **attributes: Any) -> Tensor:
        """Append a node for a call of an op that has one result."""
        result = self.apply(op, operands, attributes)
        assert isinstance(result, Tensor)
        return result

    def emit(
        self, op: Op, operands: tuple[Value, ...], attributes: Mapping[str, Any], regions: tuple[Graph, ...] = ()
    ) -> tuple[Value, ...]:
        """Append a node over operands that fit already; returns its results."""
        try:
            types = op.infer(*(operand.type for operand in operands), regions=regions, **attributes)
        except GraphcError as error:
            if op.is_composite:
                error.line = None  # the user wrote the composite, not the ops of its body
            raise error.located(line=self._attempt(op, operands, attributes), where=self.where()) from None
        results = tuple(Value(self.scope.fresh(op.result_name(i)), type) for i, type in enumerate(types))
        self._unnamed.update(results)
        self.append(Node(op, operands, attributes, results, regions, self._here(results)))
        return results

    def append(self, node: Node) -> None:
        """Append a node as it is."""
        self.nodes.append(node)

    def finish(self, outputs: Iterable[Any]) -> Graph:
        """The graph, with these outputs; values take the names that the user's code assigned them to."""
        results = tuple(self.tensor(output).value for output in outputs)
        self._name_after_variables()
        updates = tuple((s.value, self.updates[s.value]) for s in self.state if s.value in self.updates)
        return Graph(self.name, tuple(self.inputs), tuple(self.nodes), results, tuple(self.state), updates)

    def rename(self, value: Value, wish: str) -> None:
        """Name a value that this builder made; only before `finish`."""
        value.name = self.scope.fresh(wish)
        self._unnamed.discard(value)

    # -- provenance -------------------------------------------------------------------------------------------------

    @contextmanager
    def provenance(self, provenance: Provenance) -> Iterator[None]:
        """Nodes appended in this block have this provenance instead of the user's line."""
        before, self._provenance = self._provenance, provenance
        try:
            yield
        finally:
            self._provenance = before

    @contextmanager
    def module(self, path: str, declared: Location | None) -> Iterator[None]:
        """Nodes appended in this block belong to the module of this path, declared at this line."""
        self._modules.append((path, declared))
        try:
            yield
        finally:
            self._modules.pop()

    def where(self) -> str | None:
        """The user's line, as errors print it."""
        return self._user_provenance(user_site(2)).where if self._provenance is None else self._provenance.where

    def _attempt(self, op: Op, operands: Sequence[Any], attributes: Mapping[str, Any]) -> str:
        """The line of a call that failed, as errors print it, under the name that its result was to have."""
        from graphc.text.printer import print_attempt

        site = user_site(2) if self._provenance is None else None
        names = site.names if site is not None and not self._is_root(site) else ()
        operands = [self._named(operand) for operand in operands]
        return f"%{names[0] if len(names) == 1 else op.name} = {print_attempt(op, operands, attributes)}"

    def _named(self, operand: Any) -> Any:
        """A tensor or a cell as a value, anything else as it is."""
        if isinstance(operand, Cell):
            return Value(self._cell_names.get(id(operand)) or operand.name or operand.kind, operand.type)
        return operand.value if isinstance(operand, Tensor) else operand

    def _here(self, results: tuple[Value, ...]) -> Provenance:
        if self._provenance is not None:
            return self._provenance
        site = user_site(3)
        if site is not None and site.assigns and not self._is_root(site):
            self._sites.append((site, results[0], results))
        return self._user_provenance(site)

    def _user_provenance(self, site: Site | None) -> Provenance:
        path, declared = self._modules[-1] if self._modules else (None, None)
        inside = site is not None and not self._is_root(site)
        location = site.location if site is not None and inside else declared or (site.location if site else None)
        return Provenance(location, path)

    def _is_root(self, site: Site) -> bool:
        return (
            self._root is not None and site.frame == self._root.frame and site.location.file == self._root.location.file
        )

    def _name_after_variables(self) -> None:
        """`h = f(x)` names the last value that the statement made; a tuple of targets names its results."""
        for index, (site, _, results) in enumerate(self._sites):
            following = self._sites[index + 1][0] if index + 1 < len(self._sites) else None
            names, first_line = site.names, assigned_names(site.location)[1]
            if not names:
                continue
            goes_on = following is not None and following.frame == site.frame
            if goes_on and following is not None and assigned_names(following.location)[1] == first_line:
                continue
            if len(names) == len(results):
                for name, value in zip(names, results, strict=True):
                    self.rename(value, name)
        self._sites.clear()


def trace_body(op: Op, types: tuple[TensorType, ...], attributes: Mapping[str, Any]) -> Graph:
    """The body of a composite over operands of these types."""
    assert op.body_function is not None
    builder = Builder(op.name)
    operands = [builder.input(op.signature.name_of(i), type) for i, type in enumerate(types)]
    with recording(builder), builder.provenance(Provenance()):
        results = op.body_function(*operands, **attributes)
        results = results if isinstance(results, tuple) else (results,)
        return builder.finish(results)
