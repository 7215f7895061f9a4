"""What rules are given at a match: the values that were found, as tensors that can be asked what is around them.

m["x"].dtype, m["h"].single_use, m.root.shape, m["x"].made_by("exp")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from graphc.ir import Literal, Node, Value
from graphc.op import Op
from graphc.passes.rewrite_graph import ChangingGraph
from graphc.tensor import Tensor

if TYPE_CHECKING:
    from graphc.builder import Builder

Condition = Callable[["Match"], object]


class Matched(Tensor):
    """A tensor of the graph that is being rewritten: an operand for the replacement, with questions for `where`."""

    __slots__ = ("_graph",)

    def __init__(self, builder: Builder, value: Value, graph: ChangingGraph) -> None:
        super().__init__(builder, value)
        self._graph = graph

    __hash__ = object.__hash__

    @property
    def node(self) -> Node | None:
        """The node that makes it; None for inputs, state and literals."""
        return self._graph.producer(self.value)

    @property
    def users(self) -> tuple[Node, ...]:
        """The nodes that read it."""
        return tuple(entry.node for entry in self._graph.readers(self.value))

    @property
    def is_result(self) -> bool:
        """Whether a run gives it, as an output or as new state."""
        return self._graph.is_result(self.value)

    @property
    def single_use(self) -> bool:
        """Whether one operand of one node is all that reads it."""
        return self._graph.is_single_use(self.value)

    @property
    def is_literal(self) -> bool:
        return isinstance(self.value, Literal)

    @property
    def number(self) -> bool | int | float | None:
        """The number of a literal; None for other values, and for an extent."""
        value = self.value.value if isinstance(self.value, Literal) else None
        return value if isinstance(value, bool | int | float) else None

    def is_read_by(self, op: str, among: int = 100, **attributes: Any) -> bool:
        """Whether a node of this op with these attributes reads it; looks at the first hundred readers alone."""
        for entry in islice(self._graph.readers(self.value), among):
            node = entry.node
            if node.op.name == op and all(node.attributes[name] == value for name, value in attributes.items()):
                return True
        return False

    def made_by(self, *ops: str) -> bool:
        """Whether a node of one of these ops makes it."""
        return self.node is not None and self.node.op.name in ops

    @property
    def operands(self) -> tuple[Matched, ...]:
        """The operands of the node that makes it."""
        assert self.node is not None
        return tuple(Matched(self.builder, operand, self._graph) for operand in self.node.operands)

    def operand(self, index: int = 0) -> Matched:
        """An operand of the node that makes it."""
        return self.operands[index]

    def attribute(self, name: str) -> Any:
        """An attribute of the node that makes it."""
        assert self.node is not None
        return self.node.attributes[name]


@dataclass(frozen=True, eq=False)
class Match:
    """What a rule has found: `m["x"]` is a parameter, or what the function assigned to `x`; `m.root` the result."""

    node: Node
    roots: tuple[Matched, ...]
    bound: Mapping[str, Any]
    locals: Callable[[str], Any]

    @property
    def root(self) -> Matched:
        """The value that is replaced, the first if there are several."""
        return self.roots[0]

    def __getitem__(self, name: str) -> Any:
        return self.bound[name] if name in self.bound else self.locals(name)


class NodeMatch:
    """The node that a `rule_on` function looks at: its op, attributes, operands and results as tensors."""

    __slots__ = ("_builder", "_graph", "node")

    def __init__(self, node: Node, builder: Builder, graph: ChangingGraph) -> None:
        self.node = node
        self._builder = builder
        self._graph = graph

    @property
    def op(self) -> Op:
        return self.node.op

    @property
    def attributes(self) -> Mapping[str, Any]:
        return self.node.attributes

    def __getitem__(self, attribute: str) -> Any:
        return self.node.attributes[attribute]

    @property
    def operands(self) -> tuple[Matched, ...]:
        return tuple(Matched(self._builder, operand, self._graph) for operand in self.node.operands)

    @property
    def results(self) -> tuple[Matched, ...]:
        return tuple(Matched(self._builder, result, self._graph) for result in self.node.results)

    @property
    def result(self) -> Matched:
        """The result of a node that has one."""
        return Matched(self._builder, self.node.result, self._graph)


# -- conditions that many rules share ---------------------------------------------------------------------------------


def single_use(*names: str) -> Condition:
    """These values are read once, by the node that the rule replaces: nothing is computed twice."""
    return lambda m: all(m[name].single_use for name in names)


def same_type(*names: str) -> Condition:
    """These values have the type of the result (an operand of rank 0 may stand beside tensors)."""
    return lambda m: all(m[name].type == m.root.type for name in names)


def spans(*names: str) -> Condition:
    """One of these values has the shape of the result, so an elementwise op of them has it too."""
    return lambda m: any(m[name].shape == m.root.shape for name in names)


def integers(*names: str) -> Condition:
    """These values are integers; of no names, the result."""
    return lambda m: all(x.dtype.is_integer for x in ([m[name] for name in names] or [m.root]))


def floats(*names: str) -> Condition:
    """These values are floating-point; of no names, the result."""
    return lambda m: all(x.dtype.is_float for x in ([m[name] for name in names] or [m.root]))
