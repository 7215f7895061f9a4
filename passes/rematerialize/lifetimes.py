"""When values are known and read: the turn of a graph, where what is kept for later takes most memory.

    lifetimes = Lifetimes(graph, {"N": 64})
    lifetimes.turn                       # the stage after which most bytes wait for a reader: that of the loss
    lifetimes.kept                       # the values that wait there, such as activations for the backward half

Kernels run by stages: a contraction, and an op that has a kernel of its own, such as a view that is turned around, is
a stage later than what it reads; all else shares the stage of its latest operand (`graphc.passes.fuse.grouping` visits
ops in this order). What is known up to the turn is *early*, the rest is *late*. Whether an op comes from a backward
rule does not matter: the mask of a relu is computed early, wherever it stands in the graph, unless something makes it
wait (`after`). A `pad` that products read in place is no array: the image below it is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import accumulate

from graphc.dim import evaluate_extent
from graphc.ir import Graph, Literal, Node, Value
from graphc.op import Kind
from graphc.ops.ordering import is_after
from graphc.passes.fuse.group import is_fusable, reads_at_places, reads_memory
from graphc.passes.fuse.product import margins_in_place
from graphc.passes.fuse.turned import turned_views
from graphc.passes.fuse.views import is_floating

_NEARLY = 32  # all but this part of the most
WIDE = 8  # times the bytes of its operands: a product of which a block of rows should exist at a time
NOMINAL = 64  # the extent that a named dim is taken to have where nothing is known of it


class Lifetimes:
    """The stages of a graph's values, and their sizes for some extents of the named dims."""

    def __init__(self, graph: Graph, dims: Mapping[str, int] | None = None) -> None:
        self.graph = graph
        self.dims = dict.fromkeys(graph.dims, NOMINAL) | dict(dims or {})
        self.turned = turned_views(graph)  # kernels of their own
        self.margins = margins_in_place(graph, self._producer)  # no arrays: products read zeros beside the image
        self.stage: dict[Value, int] = {}
        for node in graph.nodes:
            stage = max((self.stage.get(operand, 0) for operand in node.operands), default=0)
            is_free = self.is_view(node) or node.op.name == "constant"
            if node in self.turned or (not is_free and _starts_a_stage(node)):
                stage += 1
            self.stage.update(dict.fromkeys(node.results, stage))
        self._put_off()

    def _put_off(self) -> None:
        """Elementwise ops over what is held (a decayed average of Adam, say) are computed by their first reader."""
        lazy: set[Value] = set()
        for node in self.graph.nodes:
            if node.op.kind is Kind.ELEMENTWISE and all(o in self.held or o in lazy for o in node.operands):
                lazy.update(node.results)
        for node in reversed(self.graph.nodes):
            (result, *_) = node.results
            if result in lazy and result in self.graph.users:
                self.stage[result] = min(self.stage[user.results[0]] for user in self.graph.users[result])

    def _producer(self, value: Value) -> Node | None:
        """What makes a value within the kernels that read it; None for a view that a kernel has turned around."""
        node = self.graph.producers.get(value)
        return None if node in self.turned else node

    def is_view(self, node: Node) -> bool:
        """Whether a node is no work where its operand is at hand, and no array unless somebody reads it as one."""
        return is_view(node) or node in self.margins

    def bytes(self, value: Value) -> int:
        """The size of a value for the extents that are assumed."""
        return evaluate_extent(value.type.size, self.dims) * value.type.dtype.itemsize

    def count(self, value: Value) -> int:
        return evaluate_extent(value.type.size, self.dims)

    @cached_property
    def held(self) -> set[Value]:
        """What lies in memory all the time, and what is no work to compute from it: keeping it costs nothing."""
        held = {*self.graph.sources, *self.graph.results}
        held.update(o for node in self.graph.nodes for o in node.operands if isinstance(o, Literal))
        for node in self.graph.nodes:
            is_repeated = node in self.margins or (is_floating(node) and not is_after(node) and node not in self.turned)
            plain = node.op.name == "constant" or is_repeated
            if plain and all(o in held for o in node.operands):
                held.update(node.results)
        return held

    @cached_property
    def wide(self) -> set[Value]:
        """Products far larger than their operands, such as attention's scores, and what is made of them by elements.

        Their memory grows with the square of a sequence's length. Computed again they are no arrays: `fuse` makes one
        kernel of such a product and of those that read what is made of it, a block of rows at a time.
        """
        wide: set[Value] = set()
        for node in self.graph.nodes:
            result = node.results[0]
            if node.op.kind is Kind.CONTRACTION and node.attributes.get("batch", ((), ()))[0]:
                if self.bytes(result) >= WIDE * sum(map(self.bytes, node.operands)):
                    wide.add(result)
            elif node.op.kind is Kind.ELEMENTWISE and any(
                operand in wide and operand.type.shape == result.type.shape for operand in node.operands
            ):
                wide.add(result)
        return wide

    @cached_property
    def stored(self) -> set[Value]:
        """The views that are copied to arrays, since somebody reads them as a whole; other views are never stored."""
        views = (node.results[0] for node in self.graph.nodes if is_floating(node))
        turned = {node.result for node in self.turned}
        return turned | {value for value in views if any(self._copies(value, user) for user in self._users(value))}

    def _copies(self, view: Value, node: Node) -> bool:
        """Whether a node reads a view as an array of its own; products read some through what they are views of."""
        if not is_fusable(node):
            return self.reads_whole(view, node)
        return any(node.operands[i] is view for i in reads_at_places(node, self._producer))

    @cached_property
    def _views(self) -> set[Value]:
        return {node.results[0] for node in self.graph.nodes if self.is_view(node)}

    def is_stored(self, value: Value) -> bool:
        """Whether a value has an array of its own wherever it waits for a reader."""
        return value not in self._views or value in self.stored

    def reads_whole(self, value: Value, node: Node) -> bool:
        """Whether a node reads a value as an array in memory, not element by element."""
        if is_floating(node) or is_after(node) or node in self.margins:
            return False
        whole = reads_memory(node) if is_fusable(node) else range(len(node.operands))
        return any(node.operands[i] is value for i in whole)

    def _users(self, value: Value) -> tuple[Node, ...]:
        return self.graph.users.get(value, ())

    def readers(self, value: Value) -> Iterator[tuple[Node, bool]]:
        """The nodes that compute with a value or a view of it, and whether they read it as an array."""
        pending = [(value, False)]
        while pending:
            read, whole = pending.pop()
            for user in self._users(read):
                reads_whole = whole or self.reads_whole(read, user)
                if self.is_view(user) and not self.is_stored(user.results[0]):
                    pending.append((user.results[0], reads_whole))
                else:
                    yield user, reads_whole

    @cached_property
    def read_late(self) -> dict[Value, None]:
        """The early values that nodes after the turn read, in order."""
        late = (node for node in self.graph.nodes if self.is_late(node))
        return {
            operand: None
            for node in late
            for operand in node.operands
            if operand in self.stage and self.stage[operand] <= self.turn and operand not in self.held
        }

    def is_late(self, node: Node) -> bool:
        return self.stage[node.results[0]] > self.turn

    @cached_property
    def turn(self) -> int:
        """The last stage after which most bytes, or nearly so many, wait for a reader."""
        last = max(self.stage.values(), default=0)
        change = [0] * (last + 2)
        for value, stage in self.stage.items():
            if value in self.held or not self.is_stored(value):
                continue
            until = self._read_until(value)
            if until > stage + (value in self.wide):  # what the next products read is handed on block by block
                change[stage] += self.bytes(value)
                change[until] -= self.bytes(value)
        waiting = list(accumulate(change))[: last + 1]
        most = max(waiting, default=0)
        return max((stage for stage, size in enumerate(waiting) if size * _NEARLY >= most * (_NEARLY - 1)), default=0)

    def _read_until(self, value: Value) -> int:
        """The stage of the last reader, through views that are not stored."""
        return self._until.get(value, self.stage[value])

    @cached_property
    def _until(self) -> dict[Value, int]:
        until: dict[Value, int] = {}
        for node in reversed(self.graph.nodes):
            result = node.results[0]
            reads = self.stage[result]
            if self.is_view(node) and result not in self.stored:
                reads = until.get(result, reads)
            for operand in node.operands:
                until[operand] = max(until.get(operand, 0), reads)
        return until

    @cached_property
    def read_at(self) -> dict[int, set[Value]]:
        """The arrays that kernels of each stage read anyhow."""
        read_at: dict[int, set[Value]] = {}
        for node in self.graph.nodes:
            read_at.setdefault(self.stage[node.results[0]], set()).update(map(self.base, node.operands))
        return read_at

    @cached_property
    def repeated(self) -> set[Value]:
        """What `fuse` repeats in the kernels that read it, since they read all that it is made of anyhow."""
        repeated: set[Value] = set()
        for node in self.graph.nodes:
            if node.op.kind is Kind.ELEMENTWISE and node.results[0] not in self.held:
                made_of = {base for operand in node.operands if (base := self.base(operand)) not in self.held}
                late = {self.stage[user.results[0]] for user, _ in self.readers(node.results[0]) if self.is_late(user)}
                if not any(whole for _, whole in self.readers(node.results[0])):
                    repeated.update(node.results if all(made_of <= self.read_at[stage] for stage in late) else ())
        return repeated

    def base(self, value: Value) -> Value:
        """What a view that is not stored is a view of."""
        while (
            (node := self.graph.producers.get(value)) is not None and self.is_view(node) and not self.is_stored(value)
        ):
            if not node.operands:
                return value
            value = node.operands[0]
        return value

    @cached_property
    def kept(self) -> list[Value]:
        """The arrays that wait at the turn."""
        return [
            value
            for value, stage in self.stage.items()
            if stage <= self.turn < self._read_until(value)
            and value not in self.held
            and value not in self.repeated
            and self.is_stored(value)
        ]


def is_view(node: Node) -> bool:
    """Whether a node is no work where its operand is at hand."""
    return is_floating(node) or is_after(node) or node.op.name == "reshape"


def _starts_a_stage(node: Node) -> bool:
    return node.op.kind is Kind.CONTRACTION or not is_fusable(node)
