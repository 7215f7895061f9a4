"""A graph while it is rewritten: a linked list of nodes that knows at any time who makes and who reads each value.

Inserting a node before another, letting the readers of a value read another one, and dropping a node with all that only
it needed cost no more than the nodes that change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from graphc.ir import Graph, Node, Value
from graphc.passes.decompose import resolve


class Entry:
    """A node's place in the list."""

    __slots__ = ("after", "alive", "before", "node", "queued")

    def __init__(self, node: Node | None) -> None:
        self.node: Node = node  # type: ignore[assignment]  # None in the list's head alone
        self.before: Entry = self
        self.after: Entry = self
        self.alive = True
        self.queued = False


class ChangingGraph:
    """The nodes of a graph in order, to be changed one by one."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._head = Entry(None)
        self._producers: dict[Value, Entry] = {}
        self._readers: dict[Value, dict[Entry, int]] = {}
        self._results = Counter(graph.results)
        self._replaced: dict[Value, Value] = {}
        for node in graph.nodes:
            self.insert(node, self._head)

    def __iter__(self) -> Iterator[Entry]:
        entry = self._head.after
        while entry is not self._head:
            yield entry
            entry = entry.after

    # -- looking things up --------------------------------------------------------------------------------------------

    def producer(self, value: Value) -> Node | None:
        """The node that makes a value."""
        entry = self._producers.get(value)
        return None if entry is None else entry.node

    def readers(self, value: Value) -> Mapping[Entry, int]:
        """The nodes that read a value, with how many of their operands it is."""
        return self._readers.get(value, {})

    def is_result(self, value: Value) -> bool:
        """Whether a run gives a value."""
        return self._results[value] > 0

    def is_single_use(self, value: Value) -> bool:
        """Whether one operand of one node is all that reads a value."""
        readers = self.readers(value)
        return len(readers) == 1 and next(iter(readers.values())) == 1 and not self.is_result(value)

    def is_unused(self, entry: Entry) -> bool:
        """Whether nothing reads what a node makes."""
        return not any(self._readers.get(result) or self._results[result] for result in entry.node.results)

    # -- changing it --------------------------------------------------------------------------------------------------

    def insert(self, node: Node, before: Entry) -> Entry:
        """Put a node before another; it takes over the values that it makes."""
        entry = Entry(node)
        entry.before, entry.after = before.before, before
        entry.before.after = before.before = entry
        for result in node.results:
            self._producers[result] = entry
        for operand in node.operands:
            readers = self._readers.setdefault(operand, {})
            readers[entry] = readers.get(entry, 0) + 1
        return entry

    def redirect(self, old: Value, new: Value) -> list[Entry]:
        """Let all that reads `old` read `new`; returns these entries."""
        self._replaced[old] = new
        self._results[new] += self._results.pop(old, 0)
        moved = self._readers.pop(old, {})
        readers = self._readers.setdefault(new, {})
        for entry, count in moved.items():
            entry.node = entry.node.with_operands(new if operand is old else operand for operand in entry.node.operands)
            readers[entry] = readers.get(entry, 0) + count
        return list(moved)

    def remove(self, entry: Entry) -> list[Entry]:
        """Drop a node, and the nodes that only it needed; returns the entries that now read some value alone."""
        alone: dict[Entry, None] = {}
        pending = [entry]
        while pending:
            dead = pending.pop()
            dead.alive = False
            dead.before.after, dead.after.before = dead.after, dead.before
            for result in dead.node.results:
                if self._producers.get(result) is dead:  # else another node makes it by now
                    del self._producers[result]
                    self._readers.pop(result, None)
            for operand in dict.fromkeys(dead.node.operands):
                readers = self._readers[operand]
                del readers[dead]
                maker = self._producers.get(operand)
                if len(readers) == 1:
                    alone.update(dict.fromkeys(readers))
                elif not readers and maker is not None and maker.alive and self.is_unused(maker):
                    pending.append(maker)
        return [reader for reader in alone if reader.alive]

    def finish(self) -> Graph:
        """The graph as it is now."""
        return self._graph.with_(
            nodes=tuple(entry.node for entry in self),
            outputs=tuple(resolve(value, self._replaced) for value in self._graph.outputs),
            updates=tuple((old, resolve(new, self._replaced)) for old, new in self._graph.updates),
        )
