"""Applies rewrite rules until none fits: a worklist over a graph held as a linked list of nodes.

    graph, counts = apply_rules(graph, rules)          # counts: applications per rule

A rule is tried on the nodes of its root's op alone. What it replaces goes, with the nodes that only it needed; the
nodes that read the new values, or that now read some value alone, are tried again. So the cost is linear in the nodes
and in the rules tried at each. Rules that undo each other are stopped: `RewriteError` names those that keep firing.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from graphc.builder import Builder
from graphc.errors import GraphcError, RewriteError
from graphc.ir import Graph, Node, Value
from graphc.op import Op, recording
from graphc.operands import literal_of
from graphc.ops.shape import broadcast_to
from graphc.passes.decompose import resolve
from graphc.passes.rewrite_pattern import Call
from graphc.passes.rewrite_rule import Matched, Rule
from graphc.provenance import Provenance
from graphc.tensor import Tensor

APPLICATIONS_PER_NODE = 50  # far above what rules that end need, and reached in a second on small graphs
LAST = 200  # applications that a report of cycling rules looks back on


def apply_rules(graph: Graph, rules: Iterable[Rule]) -> tuple[Graph, dict[str, int]]:
    """The graph after all rules have been applied wherever they fit, and how often each was.

    Raises RewriteError for a rule whose replacement has another type than what it replaces, and for rules that cycle.
    """
    rules = list(rules)
    if not any(rule.accepts(op) for op in {node.op for node in graph.nodes} for rule in rules):
        return graph, {}
    rewriting = Rewriting(graph, rules)
    rewriting.run()
    return rewriting.finish(), dict(sorted(rewriting.counts.items()))


class _Entry:
    """A node's place in the list of nodes."""

    __slots__ = ("after", "alive", "before", "node", "queued")

    def __init__(self, node: Node | None) -> None:
        self.node: Node = node  # type: ignore[assignment]  # None in the list's head alone
        self.before: _Entry = self
        self.after: _Entry = self
        self.alive = True
        self.queued = False


class Rewriting:
    """A graph while rules are applied to it: nodes in order, who makes and who reads each value."""

    def __init__(self, graph: Graph, rules: Sequence[Rule]) -> None:
        self.graph = graph
        self.rules = rules
        self.counts: Counter[str] = Counter()
        self.builder = Builder.rewriting(graph)
        self._depth = max((rule.depth for rule in rules), default=1)
        self._by_op: dict[Op, list[Rule]] = {}
        self._head = _Entry(None)
        self._producers: dict[Value, _Entry] = {}
        self._users: dict[Value, dict[_Entry, int]] = {}
        self._results = Counter(graph.results)
        self._renamed: dict[Value, Value] = {}
        self._made: set[Value] = set()  # under names of our own
        self._queue: deque[_Entry] = deque()
        self._applications = 0
        self._limit = 1000 + APPLICATIONS_PER_NODE * len(graph.nodes)
        self._last: deque[str] = deque(maxlen=LAST)
        for node in graph.nodes:
            self._insert(node, self._head)

    # -- what rules ask -----------------------------------------------------------------------------------------------

    def producer(self, value: Value) -> Node | None:
        """The node that makes a value."""
        entry = self._producers.get(value)
        return None if entry is None else entry.node

    def users(self, value: Value) -> tuple[Node, ...]:
        """The nodes that read a value."""
        return tuple(entry.node for entry in self._users.get(value, ()))

    def use_count(self, value: Value) -> int:
        """How many operands a value is."""
        return sum(self._users.get(value, {}).values())

    def is_result(self, value: Value) -> bool:
        """Whether a run gives a value."""
        return self._results[value] > 0

    def matched(self, value: Value) -> Matched:
        """The value as a tensor for rules."""
        return Matched(self.builder, value, self)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Calls of ops in this block build the replacement."""
        with recording(self.builder):
            yield

    @contextmanager
    def replaying(self, calls: Mapping[int, Call], nodes: Mapping[int, Node]) -> Iterator[None]:
        """Calls of ops in this block that belong to the pattern give what was matched, others build."""
        with recording(_Replay(self, calls, nodes)):
            yield

    # -- the walk -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Apply rules until none fits."""
        entry = self._head.after
        while entry is not self._head:
            entry.queued = True
            self._queue.append(entry)
            entry = entry.after
        while self._queue:
            entry = self._queue.popleft()
            entry.queued = False
            if entry.alive:
                self._visit(entry)

    def finish(self) -> Graph:
        """The graph as it is now."""
        if not self.counts:
            return self.graph
        nodes = []
        entry = self._head.after
        while entry is not self._head:
            nodes.append(entry.node)
            entry = entry.after
        return self.graph.with_(
            nodes=tuple(nodes),
            outputs=tuple(resolve(value, self._renamed) for value in self.graph.outputs),
            updates=tuple((old, resolve(new, self._renamed)) for old, new in self.graph.updates),
        )

    def _rules_for(self, op: Op) -> list[Rule]:
        if op not in self._by_op:
            self._by_op[op] = [rule for rule in self.rules if rule.accepts(op)]
        return self._by_op[op]

    def _visit(self, entry: _Entry) -> None:
        for rule in self._rules_for(entry.node.op):
            for positions, build in rule.attempts(entry.node, self):
                values = self._build(rule, entry, positions, build)
                if values is not None:
                    self._count(rule, entry)
                    self._replace(entry, values)
                    return

    def _build(
        self, rule: Rule, entry: _Entry, positions: Sequence[int], build: Callable[[], Any]
    ) -> dict[Value, Value] | None:
        """What replaces each value that the rule replaces; the new nodes are the builder's. None if it declines."""
        node = entry.node
        origin = node.provenance
        self.builder.nodes.clear()
        try:
            with self.builder.provenance(Provenance(origin.location, origin.module, origin.origin, rule.name)):
                given = build()
                if given is None:
                    return None
                several = given if isinstance(given, tuple) else (given,)
                if len(several) != len(positions):
                    raise RewriteError(f"it gives {len(several)} values for {len(positions)}")
                old = [node.results[i] for i in positions]
                new = [self._fit(value, old[i]) for i, value in enumerate(several)]
        except GraphcError as error:
            raise RewriteError(f"rule {rule.name!r}: {error.rule}", line=str(node), where=origin.where) from error
        replaced = {o: n for o, n in zip(old, new, strict=True) if o is not n}
        for operand in (o for made in _needed(self.builder.nodes, replaced.values()) for o in made.operands):
            if operand in replaced:
                raise RewriteError(
                    f"rule {rule.name!r}: its replacement reads %{operand.name}, which it replaces",
                    line=str(node),
                    where=origin.where,
                )
        return replaced or None

    def _fit(self, given: Any, old: Value) -> Value:
        """The value of a replacement: numbers take the type of what they replace, other types are an error."""
        if isinstance(given, bool | int | float):
            given = literal_of(given, old.type.dtype, "replacement")
            if old.type.rank:
                given = self.builder.apply(broadcast_to, (given,), {"shape": old.type.shape})
        value = given.value if isinstance(given, Tensor) else self.builder.tensor(given).value
        if value.type != old.type:
            raise RewriteError(f"it replaces {old!r} by a {value.type}")
        return value

    def _count(self, rule: Rule, entry: _Entry) -> None:
        self.counts[rule.name] += 1
        self._applications += 1
        self._last.append(rule.name)
        if self._applications > self._limit:
            often = Counter(self._last).most_common()
            firing = ", ".join(f"{name} ({count} of the last {len(self._last)})" for name, count in often)
            raise RewriteError(
                f"rewriting @{self.graph.name} ({len(self.graph.nodes)} nodes) does not end: after "
                f"{self._applications} applications these rules keep firing: {firing}",
                line=str(entry.node),
                where=entry.node.provenance.where,
            )

    # -- changing the graph -------------------------------------------------------------------------------------------

    def _replace(self, entry: _Entry, values: Mapping[Value, Value]) -> None:
        """Insert the nodes that the replacement needs, let them take over the old values, drop what is unused."""
        new = _needed(self.builder.nodes, values.values())
        made = {result for node in new for result in node.results}
        whole = len(values) == len(entry.node.results)
        taken: dict[Value, Value] = {}
        for old, value in values.items():
            if whole and value in made and value not in taken:
                taken[value] = old  # the new node gives the very value: readers stay as they are
        place = entry if whole else entry.after  # new nodes may read the results that stay
        inserted = [self._insert(_over(node, taken), place) for node in new]
        self._made.update(made.difference(taken))
        final = [taken.get(value, value) for value in values.values()]
        for old, value in zip(values, final, strict=True):
            if value is not old:
                self._redirect(old, value)
                if whole and value in self._made:
                    self._made.remove(value)
                    value.name = old.name  # a name that the user may know, for one that no one does
        if whole or self._is_unused(entry):
            self._remove(entry, keep=set(taken.values()))
        for value in final:
            self._revisit(value, self._depth - 1)
        self._push(*reversed(inserted))

    def _insert(self, node: Node, before: _Entry) -> _Entry:
        entry = _Entry(node)
        entry.before, entry.after = before.before, before
        entry.before.after = before.before = entry
        for result in node.results:
            self._producers[result] = entry
        for operand in node.operands:
            users = self._users.setdefault(operand, {})
            users[entry] = users.get(entry, 0) + 1
        return entry

    def _redirect(self, old: Value, new: Value) -> None:
        """Let all that reads `old` read `new`."""
        self._renamed[old] = new
        self._results[new] += self._results.pop(old, 0)
        for entry, count in self._users.pop(old, {}).items():
            entry.node = entry.node.with_operands(new if operand is old else operand for operand in entry.node.operands)
            users = self._users.setdefault(new, {})
            users[entry] = users.get(entry, 0) + count

    def _remove(self, entry: _Entry, keep: set[Value]) -> None:
        """Drop a node, and the nodes that only it needed; values in `keep` have another producer already."""
        pending = [entry]
        while pending:
            dead = pending.pop()
            dead.alive = False
            dead.before.after, dead.after.before = dead.after, dead.before
            for result in dead.node.results:
                if result not in keep:
                    self._producers.pop(result, None)
                    self._users.pop(result, None)
            for operand in dict.fromkeys(dead.node.operands):
                users = self._users[operand]
                del users[dead]
                maker = self._producers.get(operand)
                if not users:
                    if maker is not None and maker.alive and self._is_unused(maker):
                        pending.append(maker)
                elif len(users) == 1:
                    self._push(*users)
                    self._revisit_users(next(iter(users)), self._depth - 2)

    def _is_unused(self, entry: _Entry) -> bool:
        return not any(self._users.get(result) or self._results[result] for result in entry.node.results)

    # -- what to look at again ----------------------------------------------------------------------------------------

    def _push(self, *entries: _Entry) -> None:
        for entry in entries:
            if not entry.queued and entry.alive:
                entry.queued = True
                self._queue.appendleft(entry)

    def _revisit(self, value: Value, levels: int) -> None:
        """Queue the readers of a value, and their readers, as far as a pattern may look up."""
        if levels <= 0:
            return
        for entry in list(self._users.get(value, ())):
            self._push(entry)
            self._revisit_users(entry, levels - 1)

    def _revisit_users(self, entry: _Entry, levels: int) -> None:
        if levels > 0:
            for result in entry.node.results:
                self._revisit(result, levels)


class _Replay:
    """Records for the builder, but answers the calls of the pattern with what was matched."""

    def __init__(self, rewriting: Rewriting, calls: Mapping[int, Call], nodes: Mapping[int, Node]) -> None:
        self._rewriting = rewriting
        self._calls = calls
        self._nodes = nodes
        self._position = -1

    def apply(self, op: Op, operands: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
        self._position += 1
        call = self._calls.get(self._position)
        if call is None:
            return self._rewriting.builder.apply(op, operands, attributes)
        if call.op is not op:
            raise RewriteError(f"its pattern called {call.op.name}, and calls {op.name} at a match: it must not branch")
        parts = tuple(self._rewriting.matched(result) for result in self._nodes[self._position].results)
        return parts[0] if len(parts) == 1 else parts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rewriting.builder, name)


def _needed(nodes: Sequence[Node], values: Iterable[Value]) -> list[Node]:
    """Those nodes that the values depend on."""
    needed = set(values)
    kept = []
    for node in reversed(nodes):
        if any(result in needed for result in node.results):
            kept.append(node)
            needed.update(node.operands)
    return kept[::-1]


def _over(node: Node, taken: Mapping[Value, Value]) -> Node:
    """The node with results and operands under the values that they take over."""
    if not taken:
        return node
    return Node(
        node.op,
        tuple(taken.get(operand, operand) for operand in node.operands),
        node.attributes,
        tuple(taken.get(result, result) for result in node.results),
        node.regions,
        node.provenance,
    )
