"""The part of a scan's derivative that depends on what arrives, as a scan of its own over what the forward scan saves.

    parts = Linear(builder, node, region, inner)       # inner: a builder that holds the region and its derivative
    parts.arrive(d_h, outside, is_carry=True)          # a cotangent, or a tangent
    parts.settle()
    parts.carry_on(d_h_before), parts.stack(d_x)       # what is wanted
    parts.emit(reverse=True)
    parts.finals, parts.stacks[d_x]                    # where it lies

The derivative of a region falls into nodes that depend on what arrives, and nodes that are known without it. The
forward scan computes the known ones, and stacks what the others read: the carries as they are before each step, and
results. What cheap ops make of the rest is computed again instead; so is what depends on no place, which `hoist` takes
out of the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from graphc.builder import Builder
from graphc.ir import Graph, Literal, Node, Value
from graphc.op import Kind, recording

CHEAP = frozenset({"add", "sub", "mul", "neg", "square", "abs", "cast", "where", "sign", "identity"})
VIEWS = frozenset({"reshape", "broadcast_to", "permute_dims", "slice", "flip"})
MOST_AGAIN = 8  # nodes that stand for one value


def _is_cheap(node: Node) -> bool:
    return node.op.name in CHEAP or node.op.name in VIEWS or node.op.kind is Kind.CREATION


@dataclass(eq=False)
class Linear:
    """The part of a region's derivative that depends on what arrives, on its way to a scan of its own.

    `inner` holds the region and its derivative. `arrive` declares what comes in, `carry_on` and `stack` what is wanted;
    `emit` replaces the forward scan in `builder` by one that saves what is needed, and appends the scan of this part.
    """

    builder: Builder
    node: Node
    region: Graph
    inner: Builder
    finals: list[Value] = field(default_factory=list)  # of the carries, once emitted
    stacks: dict[Value, Value] = field(default_factory=dict)  # of what was stacked, once emitted

    def __post_init__(self) -> None:
        carried, scanned = self.node.attributes["carried"], self.node.attributes["scanned"]
        self._outside = dict(zip(self.region.inputs, self.node.operands, strict=True))
        self._carries = self.region.inputs[:carried]
        self._places = self.region.inputs[carried : carried + scanned]
        self.carry_inputs: list[tuple[Value, Value]] = []  # inside, outside
        self._place_inputs: list[tuple[Value, Value]] = []
        self._shared_inputs: list[tuple[Value, Value]] = []
        self._carry_outputs: list[Value] = []
        self._wanted: dict[Value, None] = {}
        self.arrived: set[Value] = set()  # what depends on what arrives

    # -- what comes in, what is wanted --------------------------------------------------------------------------------

    def is_place(self, value: Value) -> bool:
        return value in self._places

    def outside(self, value: Value) -> Value:
        """The operand that an input of the region stands for."""
        return self._outside[value]

    def is_shared(self, value: Value) -> bool:
        return value in self._outside and value not in self._places and value not in self._carries

    def arrive(self, inside: Value, outside: Value, *, is_carry: bool, is_shared: bool = False) -> None:
        """A cotangent or tangent: how it is called inside, and the carry's first value, stack or array outside."""
        kind = self.carry_inputs if is_carry else self._shared_inputs if is_shared else self._place_inputs
        kind.append((inside, outside))

    def settle(self) -> None:
        """Find out what depends on what arrives, and what is the same at all places."""
        inputs = (*self.carry_inputs, *self._place_inputs, *self._shared_inputs)
        self.arrived = {inside for inside, _ in inputs}
        varying = {*self._carries, *self._places, *(i for i, _ in (*self.carry_inputs, *self._place_inputs))}
        for node in self.inner.nodes:
            if any(operand in self.arrived for operand in node.operands):
                self.arrived.update(node.results)
            if any(operand in varying for operand in node.operands):
                varying.update(node.results)
        self._varying = varying
        self.producers = {result: node for node in self.inner.nodes for result in node.results}

    def varies(self, value: Value) -> bool:
        """Whether a value differs from place to place."""
        return value in self._varying

    def carry_on(self, value: Value) -> None:
        """The next carry, in the order in which carries arrived."""
        self._carry_outputs.append(value)

    def stack(self, value: Value) -> None:
        """A value is wanted at all places."""
        self._wanted[value] = None

    def is_stacked(self, value: Value) -> bool:
        """Whether a value lies in a stack anyhow: one that was asked for, or a sequence of the scan."""
        return value in self._wanted or value in self._places

    def accumulate(self, value: Value, start: Value) -> int:
        """A further carry: the sum of a value over the places; the number of its final among all carries."""
        total = self.inner.input("total", value.type)
        self.carry_inputs.append((total.value, start))
        self.arrived.add(total.value)
        with recording(self.inner):
            added = total + self.inner.tensor(value)
        self.arrived.add(added.value)
        self.producers[added.value] = self.inner.nodes[-1]
        self._carry_outputs.append(added.value)
        return len(self._carry_outputs) - 1

    # -- the two scans ------------------------------------------------------------------------------------------------

    def emit(self, *, reverse: bool) -> None:
        """Append the scan of this part, after a forward scan that saves what it reads."""
        outputs = (*self._carry_outputs, *(v for v in self._wanted if v in self.arrived))
        nodes = self._needed(outputs, lambda node: any(r in self.arrived for r in node.results))
        read = [o for node in nodes for o in node.operands] + list(outputs)
        known = dict.fromkeys(v for v in read if v not in self.arrived and not isinstance(v, Literal))
        again, saved = self._again(known)
        wanted = [value for value in self._wanted if value not in self.arrived]
        stacked = self._save([v for v in dict.fromkeys((*saved, *wanted)) if not self.is_shared(v)])
        self.stacks.update((value, stacked[value]) for value in wanted)
        for value in saved:
            if self.is_shared(value):
                self._shared_inputs.append((value, self._outside[value]))
            else:
                self._place_inputs.append((value, stacked[value]))
        inputs = (*self.carry_inputs, *self._place_inputs, *self._shared_inputs)
        region = Graph(f"{self.region.name}_derivative", tuple(i for i, _ in inputs), (*again, *nodes), outputs)
        attributes = {
            **self.node.attributes,
            "carried": len(self.carry_inputs),
            "scanned": len(self._place_inputs),
            "reverse": reverse,
        }
        if not outputs:
            return
        operands = tuple(outside for _, outside in inputs)
        results = self.builder.emit(self.node.op, operands, attributes, (_of_its_own(region),))
        self.finals = list(results[: len(self._carry_outputs)])
        self.stacks.update(zip(outputs[len(self._carry_outputs) :], results[len(self._carry_outputs) :], strict=True))

    def _needed(self, values: Iterable[Value], among: Callable[[Node], bool]) -> list[Node]:
        """The nodes among some that values depend on, in order."""
        needed, kept = set(values), []
        for node in reversed(self.inner.nodes):
            if among(node) and any(result in needed for result in node.results):
                kept.append(node)
                needed.update(node.operands)
        return kept[::-1]

    def _again(self, known: dict[Value, None]) -> tuple[list[Node], list[Value]]:
        """The known nodes that the part computes again, and the values that it reads instead.

        From the last to the first, a value that cheap ops make of others that are read anyhow is not saved; nor is
        what is the same at all places.
        """
        available = {*known, *self._outside, *self.region.outputs[self.node.attributes["carried"] :]}
        again: set[Node] = set()
        for node in reversed(self.inner.nodes):
            for value in node.results:
                if value in known and node not in again:
                    again.update(self._made_cheaply(value, available) or ())
        nodes = self._needed(known, lambda node: node in again)
        read = [o for node in nodes for o in node.operands]
        made = {result for node in nodes for result in node.results}
        saved = [v for v in dict.fromkeys((*known, *read)) if v not in made and not isinstance(v, Literal)]
        return nodes, saved

    def _made_cheaply(self, value: Value, available: AbstractSet[Value]) -> list[Node] | None:
        """The nodes that make a value of other ones, cheaply or once for all places; None where none can."""
        nodes: dict[Node, None] = {}
        pending = [value]
        while pending:
            wanted = pending.pop()
            node = self.producers.get(wanted)
            if (wanted in available and wanted is not value) or isinstance(wanted, Literal) or node in nodes:
                continue
            if node is None or not (_is_cheap(node) or not self.varies(wanted)) or len(nodes) == MOST_AGAIN:
                return None
            nodes[node] = None
            pending += node.operands
        return list(nodes)

    def _save(self, values: Sequence[Value]) -> dict[Value, Value]:
        """Replace the forward scan by one that stacks these values, too; the stack of each."""
        node, carried = self.node, self.node.attributes["carried"]
        found: dict[Value, Value] = {}
        for value in values:
            if value in self._places:
                found[value] = self._outside[value]
        found.update(zip(self.region.outputs[carried:], node.results[carried:], strict=True))
        more = [value for value in values if value not in found]
        position = next(i for i, each in enumerate(self.builder.nodes) if each.results[0] is node.results[0])
        outputs = (*self.region.outputs, *more)
        kept = self._needed(outputs, lambda each: not any(result in self.arrived for result in each.results))
        region = self.region.with_(nodes=tuple(kept), outputs=outputs)
        length = node.attributes["length"]
        stacks = [
            Value(self.builder.scope.fresh(f"{value.name}_s"), value.type.with_shape((length, *value.type.shape)))
            for value in more
        ]
        self.builder.nodes[position] = replace(node, regions=(region,), results=(*node.results, *stacks))
        return found | dict(zip(more, stacks, strict=True))


def _of_its_own(region: Graph) -> Graph:
    """The same region with other values: the one that it was made from keeps its."""
    own: dict[Value, Value] = {}

    def copy(value: Value) -> Value:
        return value if isinstance(value, Literal) else own.setdefault(value, Value(value.name, value.type))

    inputs = tuple(map(copy, region.inputs))
    nodes = tuple(
        replace(n, operands=tuple(map(copy, n.operands)), results=tuple(map(copy, n.results))) for n in region.nodes
    )
    return region.with_(inputs=inputs, nodes=nodes, outputs=tuple(map(copy, region.outputs)))
