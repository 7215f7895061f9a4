"""The IR: a graph of nodes over values, immutable, in topological order.

    graph @mlp(%x: f32[N,784]) {
      parameter %fc.weight: f32[10,784]
      parameter %fc.bias: f32[10]
      %h: f32[N,10] = affine(%x, %fc.weight, %fc.bias)
      %y: f32[N,10] = relu(%h)
      return %y
    }

Five classes carry everything. A `Value` is a name and a type; it does not know who made it, so graphs before and
after a pass share the nodes that the pass left alone. A `Node` applies an op to operands. A `Graph` owns nodes, and
declares what it takes from its caller (inputs), what it reads and writes of the model (state, updates) and what it
gives (outputs). State is read at the start of a run and written at its end, all at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from graphc.dim import Dim
from graphc.provenance import UNKNOWN, Provenance
from graphc.types import DType, TensorType

if TYPE_CHECKING:
    import networkx

    from graphc.op import Op
    from graphc.order import Axes
    from graphc.stored import AnyCell


class Value:
    """One tensor of a graph: a name, unique in its graph, and a type. Compared by identity."""

    __slots__ = ("name", "type")

    def __init__(self, name: str, type: TensorType) -> None:
        self.name = name
        self.type = type

    def __repr__(self) -> str:
        return f"%{self.name}: {self.type}"


class Literal(Value):
    """A rank-0 constant written where it is used: `mul(%x, 0.5)`, or `div(%s, N)` when its value is an extent.

    Two literals of equal dtype and value are equal.
    """

    __slots__ = ("value",)

    def __init__(self, value: bool | int | float | Dim, dtype: DType) -> None:
        super().__init__("", TensorType(dtype))
        if not isinstance(value, Dim):
            value = float(value) if dtype.is_float else bool(value) if dtype.kind == "bool" else int(value)
        self.value: bool | int | float | Dim = value

    @property
    def key(self) -> tuple[str, str]:
        """What literals are compared by: -0.0 and 0.0 differ, NaN equals NaN."""
        return repr(self.value), self.type.dtype.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"{self.value}:{self.type.dtype}"


NO_ATTRIBUTES: Mapping[str, Any] = MappingProxyType({})  # of most nodes


@dataclass(frozen=True, eq=False)
class Node:
    """An op applied to operands, with attributes and regions, giving results."""

    op: Op
    operands: tuple[Value, ...]
    attributes: Mapping[str, Any]
    results: tuple[Value, ...]
    regions: tuple[Graph, ...] = ()
    provenance: Provenance = UNKNOWN
    sound_among: frozenset[str] | None = field(default=None, init=False, repr=False)  # dims that it was verified among

    def __post_init__(self) -> None:
        if not isinstance(self.attributes, MappingProxyType):
            attributes = MappingProxyType(dict(self.attributes)) if self.attributes else NO_ATTRIBUTES
            object.__setattr__(self, "attributes", attributes)

    @property
    def result(self) -> Value:
        """The result of a node that has one."""
        (result,) = self.results
        return result

    def with_operands(self, operands: Iterable[Value]) -> Node:
        """The same node over other operands, keeping its results."""
        return replace(self, operands=tuple(operands))

    def __str__(self) -> str:
        from graphc.text.printer import print_node

        return print_node(self)

    __repr__ = __str__

    @property
    def line(self) -> str:
        """The node on one line with the types of its operands, as errors show it."""
        from graphc.text.printer import print_node_with_types

        return print_node_with_types(self)


@dataclass(frozen=True, eq=False)
class State:
    """A value that a graph reads from the model.

    `kind` is one of STATE_KINDS; `cell` is where it lives, None in a graph parsed from text; `order` the order in which
    its axes lie in memory, None for row by row.
    """

    value: Value
    kind: str
    cell: AnyCell | None = None
    order: Axes | None = None


STATE_KINDS = ("parameter", "buffer", "slot", "hyperparameter", "rng")


@dataclass(frozen=True, eq=False)
class Graph:
    """Inputs, state, nodes in topological order, outputs, and the new values of updated state."""

    name: str
    inputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Value, ...]
    state: tuple[State, ...] = ()
    updates: tuple[tuple[Value, Value], ...] = field(default=())

    # -- looking things up ------------------------------------------------------------------------------------------

    @cached_property
    def sources(self) -> tuple[Value, ...]:
        """The values that no node makes: inputs, then state."""
        return (*self.inputs, *(s.value for s in self.state))

    @cached_property
    def results(self) -> tuple[Value, ...]:
        """The values that a run gives: outputs, then the new values of updated state."""
        return (*self.outputs, *(new for _, new in self.updates))

    @cached_property
    def producers(self) -> Mapping[Value, Node]:
        """The node that makes each value; inputs, state and literals have none."""
        return {result: node for node in self.nodes for result in node.results}

    @cached_property
    def users(self) -> Mapping[Value, tuple[Node, ...]]:
        """The nodes that read each value, in order, once for every operand position."""
        users: dict[Value, list[Node]] = {}
        for node in self.nodes:
            for operand in node.operands:
                users.setdefault(operand, []).append(node)
        return {value: tuple(nodes) for value, nodes in users.items()}

    @cached_property
    def values(self) -> Mapping[str, Value]:
        """All values by name, in order of definition."""
        named = {value.name: value for value in self.sources}
        named.update((result.name, result) for node in self.nodes for result in node.results)
        return named

    def __getitem__(self, name: str) -> Value:
        """`graph["%h"]` or `graph["h"]`; KeyError names close matches."""
        bare = name.removeprefix("%")
        if bare not in self.values:
            import difflib

            close = difflib.get_close_matches(bare, self.values, n=3)
            hint = f"; did you mean {', '.join('%' + c for c in close)}?" if close else ""
            raise KeyError(f"graph @{self.name} has no value %{bare}{hint}")
        return self.values[bare]

    def is_result(self, value: Value) -> bool:
        """Whether a run gives this value (as an output or as an update), so that it may not be removed."""
        return value in self._result_set

    @cached_property
    def _result_set(self) -> frozenset[Value]:
        return frozenset(self.results)

    @cached_property
    def dims(self) -> frozenset[str]:
        """The names of the dims that sources mention."""
        return frozenset().union(*(value.type.dims for value in self.sources))

    def count(self, op: str | None = None) -> int:
        """The number of nodes; with the name of an op, of nodes that apply it, those in regions too."""
        return len(self.nodes) if op is None else sum(node.op.name == op for node in self.walk())

    def walk(self) -> Iterator[Node]:
        """All nodes, those of regions after the node that holds them."""
        for node in self.nodes:
            yield node
            for region in node.regions:
                yield from region.walk()

    # -- making another ---------------------------------------------------------------------------------------------

    def with_(self, **changes: Any) -> Graph:
        """A copy with some fields replaced: `graph.with_(nodes=...)`."""
        return replace(self, **changes)

    # -- seeing -----------------------------------------------------------------------------------------------------

    def __str__(self) -> str:
        from graphc.text.printer import print_graph

        return print_graph(self)

    __repr__ = __str__

    def to_text(self, *, provenance: bool = False) -> str:
        """The text of the graph; with `provenance`, each node's user line as a comment."""
        from graphc.text.printer import print_graph

        return print_graph(self, provenance=provenance)

    def to_networkx(self) -> networkx.MultiDiGraph[Any]:
        """The graph for networkx: nodes are `Node`s, sources and outputs by name; edges carry `value`."""
        from graphc.text.export import to_networkx

        return to_networkx(self)

    def to_dot(self) -> str:
        """The graph in Graphviz's DOT language."""
        from graphc.text.export import to_dot

        return to_dot(self)

    def same_as(self, other: Graph) -> bool:
        """Whether two graphs are equal up to names and to the order of nodes that do not need each other."""
        from graphc.text.canonical import canonical_text

        return canonical_text(self) == canonical_text(other)
