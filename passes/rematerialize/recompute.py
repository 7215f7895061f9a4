"""The graph in which chosen early values are computed again for their late readers.

    %mask: bool[N,8] = less_equal(%h, 0.0)             ->   %again: f32[N,8] = after(%h, %d_y)
    %d_h: f32[N,8] = where(%mask, 0.0, %d_y)                %mask_again: bool[N,8] = less_equal(%again, 0.0)
                                                            %d_h: f32[N,8] = where(%mask_again, 0.0, %d_y)

A reader waits for something late that it reads; what is computed again for it waits for the same (`after`), so it runs
no sooner. What costs little is computed for the readers of each stage anew, and disappears in their kernels. What is
written to memory again, a product or an operand of one, is computed once, before the first of its readers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from heapq import heapify, heappop, heappush

from graphc.builder import NameScope
from graphc.ir import Graph, Literal, Node, Value
from graphc.op import Kind
from graphc.ops.ordering import after
from graphc.passes.dce import dce
from graphc.passes.fuse.views import is_floating
from graphc.passes.rematerialize.lifetimes import Lifetimes

Wanted = tuple[Value, Value | None]  # what is to be computed again, and what it waits for


class Recompute:
    """Appends copies of early nodes to a graph, each before its first reader."""

    def __init__(self, lifetimes: Lifetimes, again: frozenset[Value]) -> None:
        self.lifetimes = lifetimes
        self.graph = lifetimes.graph
        self.again = again
        self.producers = self.graph.producers
        self.nodes: list[Node] = []
        self._scope = NameScope(self.graph.values)
        self._copies: dict[Wanted, Value] = {}
        self._waiting: dict[tuple[Value, Value], Value] = {}
        self._shared: set[Value] = self._find_shared()
        self._first_of_stage: dict[int, Value] = {}  # what the first reader of a stage waits for
        self._wait_of: dict[Value, Value | None] = {}  # for shared values: what their first reader waits for

    def _find_shared(self) -> set[Value]:
        """What is computed once for all readers: written values, and what they are made of."""
        shared: set[Value] = set()
        for node in reversed(self.graph.nodes):
            value = node.results[0]
            if value not in self.again:
                continue
            is_read_whole = any(whole for user, whole in self.lifetimes.readers(value) if self._reads_again(user))
            heavy = node.op.kind in (Kind.CONTRACTION, Kind.REDUCTION) or is_read_whole
            if heavy and not (self.lifetimes.is_view(node) and not self.lifetimes.is_stored(value)):
                shared.add(value)
        return shared

    def _reads_again(self, user: Node) -> bool:
        """Whether a node reads a value that is computed again: it is late, or computed again itself."""
        return self.lifetimes.is_late(user) or user.results[0] in self.again

    def run(self) -> Graph:
        """The graph with the copies; what nobody reads any more is gone."""
        self._find_waits()
        for node in self.graph.nodes:
            if self.lifetimes.is_late(node) and any(operand in self.again for operand in node.operands):
                wait = self._wait(node)
                node = node.with_operands(self._copy(operand, wait) for operand in node.operands)
            self.nodes.append(node)
        return dce(self.graph.with_(nodes=in_order(self.nodes)))

    # -- waiting ------------------------------------------------------------------------------------------------------

    def _wait(self, node: Node) -> Value | None:
        """What a late reader waits for: its latest operand; of the first reader where several share a stage."""
        stage = self.lifetimes.stage
        latest = max(
            (o for o in node.operands if o in stage and o not in self.again),
            key=lambda operand: stage[operand],
            default=None,
        )
        if latest is None or latest in self.lifetimes.held:
            latest = self._last_kept
        return latest if latest is None else self._first_of_stage.setdefault(stage[latest], latest)

    @cached_property
    def _last_kept(self) -> Value | None:
        """For readers that wait for nothing else: the latest of the early values that are computed once."""
        stage, held = self.lifetimes.stage, self.lifetimes.held
        once = (v for v in stage if stage[v] <= self.lifetimes.turn and v not in self.again and v not in held)
        return max(once, key=lambda value: stage[value], default=None)

    def _find_waits(self) -> None:
        """For shared values, the earliest of what their readers wait for."""
        earliest: dict[Value, Value | None] = {}

        def stage(wait: Value | None) -> int:
            return -1 if wait is None else self.lifetimes.stage[wait]

        def ask(value: Value, wait: Value | None) -> None:
            if value in self.again and (value not in earliest or stage(wait) < stage(earliest[value])):
                earliest[value] = wait

        for node in self.graph.nodes:
            if self.lifetimes.is_late(node) and any(operand in self.again for operand in node.operands):
                wait = self._wait(node)
                for operand in node.operands:
                    ask(operand, wait)
        for node in reversed(self.graph.nodes):
            if node.results[0] in earliest and node.results[0] in self.again:
                for operand in node.operands:
                    ask(operand, earliest[node.results[0]])
        self._wait_of = {value: wait for value, wait in earliest.items() if value in self._shared}

    # -- copying ------------------------------------------------------------------------------------------------------

    def _copy(self, value: Value, wait: Value | None) -> Value:
        """The value computed again for a reader that waits; itself where it is kept."""
        if value not in self.again:
            return value
        pending: list[Wanted] = [(value, self._wait_of.get(value, wait))]
        while pending:
            wanted = pending[-1]
            if wanted in self._copies:
                pending.pop()
                continue
            node, own = self.producers[wanted[0]], wanted[1]
            needed = [(o, self._wait_of.get(o, own)) for o in node.operands if o in self.again]
            missing = [each for each in needed if each not in self._copies]
            if missing:
                pending += missing
                continue
            pending.pop()
            self._append_copy(node, own, dict(zip((o for o, _ in needed), needed, strict=True)))
        return self._copies[value, self._wait_of.get(value, wait)]

    def _append_copy(self, node: Node, wait: Value | None, copied: Mapping[Value, Wanted]) -> None:
        (result,) = node.results
        operands = [self._copies[copied[o]] if o in copied else self._kept(o, wait) for o in node.operands]
        if all(new is old for new, old in zip(operands, node.operands, strict=True)) and not is_floating(node):
            operands = self._waiting_somewhere(operands, wait)
        made = Value(self._scope.fresh(result.name), result.type)
        self.nodes.append(replace(node, operands=tuple(operands), results=(made,)))
        self._copies[result, wait] = made

    def _waiting_somewhere(self, operands: list[Value], wait: Value | None) -> list[Value]:
        """The operands, one of them made to wait, where all of them lie in memory all the time."""
        for i, operand in enumerate(operands):
            if not isinstance(operand, Literal):
                return [*operands[:i], self._after(operand, wait), *operands[i + 1 :]]
        return operands

    def _kept(self, operand: Value, wait: Value | None) -> Value:
        """A kept value as what is computed again reads it."""
        if isinstance(operand, Literal) or operand in self.lifetimes.held:
            return operand
        return self._after(operand, wait)

    def _after(self, value: Value, wait: Value | None) -> Value:
        if wait is None:
            return value
        if (value, wait) not in self._waiting:
            made = Value(self._scope.fresh(value.name), value.type)
            self.nodes.append(Node(after, (value, wait), {}, (made,)))
            self._waiting[value, wait] = made
        return self._waiting[value, wait]


def in_order(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """The nodes so that each comes after what it reads, otherwise in the order that they have."""
    index = {node: number for number, node in enumerate(nodes)}
    producers = {result: node for node in nodes for result in node.results}
    waits = {node: {producers[o] for o in node.operands if o in producers} for node in nodes}
    readers: dict[Node, list[Node]] = {}
    for node, needed in waits.items():
        for each in needed:
            readers.setdefault(each, []).append(node)
    ready = [index[node] for node in nodes if not waits[node]]
    ordered: list[Node] = []
    heapify(ready)
    while ready:
        node = nodes[heappop(ready)]
        ordered.append(node)
        for reader in readers.get(node, ()):
            waits[reader].discard(node)
            if not waits[reader]:
                heappush(ready, index[reader])
    return tuple(ordered)
