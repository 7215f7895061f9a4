"""Applies rewrite rules until none fits: a worklist of nodes.

    graph, counts = apply_rules(graph, rules)          # counts: applications per rule

A rule is tried on the nodes of its root's op alone. What it replaces goes, with the nodes that only it needed; the
nodes that read the new values, or that now read some value alone, are tried again. So the cost is linear in the nodes
and in the rules tried at each. Rules that undo each other are stopped: `RewriteError` names those that keep firing.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from graphc.builder import Builder
from graphc.errors import GraphcError, RewriteError
from graphc.ir import Graph, Node, Value
from graphc.op import Op, recording
from graphc.operands import literal_of
from graphc.ops.shape import broadcast_to
from graphc.passes.rewrite_graph import ChangingGraph, Entry
from graphc.passes.rewrite_match import Matched
from graphc.passes.rewrite_pattern import Call
from graphc.passes.rewrite_rule import Rule
from graphc.provenance import UNKNOWN, Provenance
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
    return (rewriting.graph.finish() if rewriting.counts else graph), dict(sorted(rewriting.counts.items()))


class ReplacementBuilder(Builder):
    """Builds replacements: nodes come from the line of the node that a rule is tried on, by that rule."""

    origin = UNKNOWN
    rule = ""

    def _here(self, results: tuple[Value, ...]) -> Provenance:
        return Provenance(self.origin.location, self.origin.module, self.origin.origin, self.rule)

    def where(self) -> str | None:
        return self.origin.where


class Rewriting:
    """Rules being applied to a graph."""

    def __init__(self, graph: Graph, rules: Sequence[Rule]) -> None:
        self.graph = ChangingGraph(graph)
        self.builder = ReplacementBuilder.rewriting(graph)
        self.counts: Counter[str] = Counter()
        self._rules = rules
        self._by_op: dict[Op, list[Rule]] = {}
        self._depth = max(rule.depth for rule in rules)
        self._made: set[Value] = set()  # under names of our own
        self._queue: deque[Entry] = deque()
        self._what = f"@{graph.name} ({len(graph.nodes)} nodes)"
        self._applications = 0
        self._limit = 1000 + APPLICATIONS_PER_NODE * len(graph.nodes)
        self._last: deque[str] = deque(maxlen=LAST)

    # -- for rules ----------------------------------------------------------------------------------------------------

    def matched(self, value: Value) -> Matched:
        """The value as a tensor for rules."""
        return Matched(self.builder, value, self.graph)

    def replaying(self, calls: Mapping[int, Call], nodes: Mapping[int, Node]) -> AbstractContextManager[None]:
        """Calls of ops in this block that belong to the pattern give what was matched, others build."""
        return recording(_Replay(self, calls, nodes))

    # -- the walk -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Apply rules until none fits."""
        for entry in self.graph:
            entry.queued = True
            self._queue.append(entry)
        with recording(self.builder):  # calls of ops build replacements
            while self._queue:
                entry = self._queue.popleft()
                entry.queued = False
                if entry.alive:
                    self._visit(entry)

    def _rules_for(self, op: Op) -> list[Rule]:
        if op not in self._by_op:
            self._by_op[op] = [rule for rule in self._rules if rule.accepts(op)]
        return self._by_op[op]

    def _visit(self, entry: Entry) -> None:
        for rule in self._rules_for(entry.node.op):
            for positions, build in rule.attempts(entry.node, self):
                values = self._build(rule, entry, positions, build)
                if values is not None:
                    self._count(rule, entry)
                    self._replace(entry, values)
                    return

    def _build(
        self, rule: Rule, entry: Entry, positions: Sequence[int], build: Callable[[], Any]
    ) -> dict[Value, Value] | None:
        """What replaces each value that the rule replaces; the new nodes are the builder's. None if it declines."""
        node = entry.node
        self.builder.nodes.clear()
        self.builder.origin, self.builder.rule = node.provenance, rule.name
        try:
            given = build()
            if given is None:
                return None
            several = given if isinstance(given, tuple) else (given,)
            if len(several) != len(positions):
                raise RewriteError(f"it gives {len(several)} values for {len(positions)}")
            old = [node.results[i] for i in positions]
            new = [self._fit(value, old[i]) for i, value in enumerate(several)]
        except GraphcError as error:
            raise RewriteError(
                f"rule {rule.name!r}: {error.rule}", line=str(node), where=node.provenance.where
            ) from error
        replaced = {o: n for o, n in zip(old, new, strict=True) if o is not n}
        for operand in (o for made in _needed(self.builder.nodes, replaced.values()) for o in made.operands):
            if operand in replaced:
                raise RewriteError(
                    f"rule {rule.name!r}: its replacement reads %{operand.name}, which it replaces",
                    line=str(node),
                    where=node.provenance.where,
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

    def _count(self, rule: Rule, entry: Entry) -> None:
        self.counts[rule.name] += 1
        self._applications += 1
        self._last.append(rule.name)
        if self._applications > self._limit:
            often = Counter(self._last).most_common()
            firing = ", ".join(f"{name} ({count} of the last {len(self._last)})" for name, count in often)
            raise RewriteError(
                f"rewriting {self._what} does not end: after {self._applications} applications these rules keep "
                f"firing: {firing}",
                line=str(entry.node),
                where=entry.node.provenance.where,
            )

    # -- changing the graph -------------------------------------------------------------------------------------------

    def _replace(self, entry: Entry, values: Mapping[Value, Value]) -> None:
        """Insert the nodes that the replacement needs, let them take over the old values, drop what is unused."""
        new = _needed(self.builder.nodes, values.values())
        made = {result for node in new for result in node.results}
        whole = len(values) == len(entry.node.results)
        taken: dict[Value, Value] = {}
        for old, value in values.items():
            if whole and value in made and value not in taken:
                taken[value] = old  # the new node gives the very value: readers stay as they are
        place = entry if whole else entry.after  # new nodes may read the results that stay
        inserted = [self.graph.insert(_over(node, taken), place) for node in new]
        self._made.update(made.difference(taken))
        touched = [reader for old in taken.values() for reader in self.graph.readers(old)]
        for old, value in values.items():
            value = taken.get(value, value)
            if value is not old:
                touched += self.graph.redirect(old, value)
                if whole and value in self._made:
                    self._made.remove(value)
                    value.name = old.name  # a name that the user may know, for one that no one does
        if whole or self.graph.is_unused(entry):
            self._push(self.graph.remove(entry), self._depth - 2)
        self._push(touched, self._depth - 2)
        self._push(inserted[::-1], 0)

    def _push(self, entries: Iterable[Entry], levels: int) -> None:
        """Look at these nodes next, and at their readers as far as a pattern may look up from there."""
        for entry in entries:
            if not entry.queued and entry.alive:
                entry.queued = True
                self._queue.appendleft(entry)
            if levels > 0:
                for result in entry.node.results:
                    self._push(list(self.graph.readers(result)), levels - 1)


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
