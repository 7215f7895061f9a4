"""What changed between two graphs, line by line; nodes are aligned by the names of their values.

    >>> print(diff(before, after))
    @f: 2 nodes, 3 before: 1 removed, 0 added, 1 changed
      graph @f(%x: f32[N,3]) {
    -   %a: f32[N,3] = mul(%x, 1.0)
    -   %b: f32[N,3] = exp(%a)
    +   %b: f32[N,3] = exp(%x)
        %c: f32[N,3] = neg(%b)
        return %c
      }

A node whose name is gone is also looked for under another name, by its op, attributes and operands; it counts as
renamed, and its users are not shown as changed. The cost is that of sorting the lines, however much has changed.
"""

from __future__ import annotations

import difflib
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from graphc.errors import ArgumentError
from graphc.ir import Graph, Node, Value
from graphc.text.printer import print_header, print_node, print_return, print_state, print_update

_CONTEXT = 2  # unchanged lines that are shown around a change
_SHOWN_RENAMES = 8


@dataclass(frozen=True)
class GraphDiff:
    """The nodes that differ, and the lines that show it; false and printed as nothing when the graphs are equal."""

    before: Graph
    after: Graph
    removed: tuple[Node, ...] = ()
    added: tuple[Node, ...] = ()
    changed: tuple[tuple[Node, Node], ...] = ()
    moved: tuple[Node, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    lines: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.lines or self.renamed)

    @property
    def summary(self) -> str:
        """One line of counts."""
        counts = [f"{len(self.removed)} removed, {len(self.added)} added, {len(self.changed)} changed"]
        counts += [f"{len(self.moved)} moved"] if self.moved else []
        counts += [f"{len(self.renamed)} renamed"] if self.renamed else []
        number = len(self.after.nodes)
        nodes = f"{number} {'node' if number == 1 else 'nodes'}"
        return f"@{self.after.name}: {nodes}, {len(self.before.nodes)} before: {', '.join(counts)}"

    def __str__(self) -> str:
        if not self:
            return ""
        text = [self.summary]
        if self.renamed:
            shown = [f"%{old} is %{new}" for old, new in self.renamed[:_SHOWN_RENAMES]]
            more = len(self.renamed) - len(shown)
            text.append(f"renamed: {', '.join(shown)}{f' and {more} more' if more else ''}")
        return "\n".join([*text, *self.lines])

    __repr__ = __str__


def diff(before: Graph, after: Graph) -> GraphDiff:
    """What turned one graph into another, to be printed."""
    for graph in (before, after):
        if not isinstance(graph, Graph):
            raise ArgumentError(f"diff takes two graphs, not {type(graph).__name__}")
    renames = _renames(before, after)
    old, new = list(_entries(before, {})), list(_entries(after, renames))
    position = {entry.key: index for index, entry in enumerate(old)}
    pairs = [(position[entry.key], index) for index, entry in enumerate(new) if entry.key in position]
    in_order = _longest_increasing(pairs)
    moved = set(pairs) - set(in_order)
    changed = [(old[i], new[j]) for i, j in pairs if old[i].compared != new[j].compared]
    kept_old, kept_new = {i for i, _ in pairs}, {j for _, j in pairs}
    return GraphDiff(
        before,
        after,
        removed=tuple(e.node for i, e in enumerate(old) if e.node and i not in kept_old),
        added=tuple(e.node for j, e in enumerate(new) if e.node and j not in kept_new),
        changed=tuple((a.node, b.node) for a, b in changed if a.node and b.node),
        moved=tuple(node for _, j in sorted(moved) if (node := new[j].node)),
        renamed=tuple((old_name, value.name) for value, old_name in renames.items()),
        lines=tuple(_hunks(list(_merged(old, new, in_order)))),
    )


@dataclass(frozen=True)
class _Entry:
    """A line of a graph (of several, for a node with regions): what aligns it, what is compared, what is shown."""

    key: object
    compared: str
    shown: tuple[str, ...]
    node: Node | None = None


def _entries(graph: Graph, renames: Mapping[Value, str]) -> Iterator[_Entry]:
    """The entries of a graph, compared under the names that its values had before."""

    def of(value: Value) -> Value:
        return _renamed(value, renames)

    def entry(key: object, compared: str, text: str, indent: str = "  ", node: Node | None = None) -> _Entry:
        return _Entry(key, compared, tuple(indent + line for line in text.split("\n")), node)

    inputs = tuple(map(of, graph.inputs))
    yield entry("header", print_header(graph.with_(inputs=inputs)), print_header(graph), "")
    for state in graph.state:
        text = print_state(state)
        yield entry(("state", state.value.name), text, text)
    for node in graph.nodes:
        before = replace(node, operands=tuple(map(of, node.operands)), results=tuple(map(of, node.results)))
        yield entry(("node", before.results[0].name), print_node(before), print_node(node), node=node)
    for old, new in graph.updates:
        yield entry(("update", old.name), print_update(old, of(new)), print_update(old, new))
    yield entry("return", print_return(map(of, graph.outputs)), print_return(graph.outputs))
    yield entry("end", "}", "}", "")


def _renames(before: Graph, after: Graph) -> dict[Value, str]:
    """For values of the later graph, the names that they had in the earlier one, where those differ."""
    renames: dict[Value, str] = {}
    if len(before.inputs) == len(after.inputs):
        for old, new in zip(before.inputs, after.inputs, strict=True):
            if new.name not in before.values and old.name not in after.values:
                renames[new] = old.name
    gone: dict[str, list[Node]] = {}
    for node in reversed(before.nodes):
        if node.results[0].name not in after.values:
            gone.setdefault(_structure(node, {}), []).append(node)
    for node in after.nodes:
        if node.results[0].name not in before.values and (candidates := gone.get(_structure(node, renames))):
            old_results = candidates.pop().results
            renames.update((new, old.name) for new, old in zip(node.results, old_results, strict=True))
    return renames


def _structure(node: Node, renames: Mapping[Value, str]) -> str:
    """A node's text without the names of its results."""
    operands = tuple(_renamed(operand, renames) for operand in node.operands)
    return print_node(replace(node, operands=operands, results=tuple(Value("", r.type) for r in node.results)))


def _renamed(value: Value, renames: Mapping[Value, str]) -> Value:
    return Value(renames[value], value.type) if value in renames else value


def _longest_increasing(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The most pairs whose first members increase; their second ones do already."""
    tails: list[int] = []  # the least last member of an increasing run of each length
    run_ends: list[int] = []  # and its place in `pairs`
    previous: list[int] = []
    for place, (first, _) in enumerate(pairs):
        length = bisect_left(tails, first)
        previous.append(run_ends[length - 1] if length else -1)
        if length == len(tails):
            tails.append(first)
            run_ends.append(place)
        else:
            tails[length], run_ends[length] = first, place
    chosen: list[tuple[int, int]] = []
    place = run_ends[-1] if run_ends else -1
    while place >= 0:
        chosen.append(pairs[place])
        place = previous[place]
    return chosen[::-1]


def _merged(old: Sequence[_Entry], new: Sequence[_Entry], in_order: Sequence[tuple[int, int]]) -> Iterator[str]:
    """All lines of both graphs, marked `-`, `+` or with a space."""
    i = j = 0
    for next_i, next_j in (*in_order, (len(old), len(new))):
        yield from (f"- {line}" for entry in old[i:next_i] for line in entry.shown)
        yield from (f"+ {line}" for entry in new[j:next_j] for line in entry.shown)
        if next_i < len(old):
            yield from _pair(old[next_i], new[next_j])
        i, j = next_i + 1, next_j + 1


def _pair(old: _Entry, new: _Entry) -> Iterator[str]:
    if old.compared == new.compared:
        yield from (f"  {line}" for line in new.shown)
        return
    matcher = difflib.SequenceMatcher(None, old.shown, new.shown, autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            yield from (f"  {line}" for line in new.shown[c:d])
        else:
            yield from (f"- {line}" for line in old.shown[a:b])
            yield from (f"+ {line}" for line in new.shown[c:d])


def _hunks(lines: list[str]) -> Iterator[str]:
    """The changed lines with some context; longer stretches without a change are counted instead. Nothing for none."""
    shown: set[int] = set()
    for index, line in enumerate(lines):
        if not line.startswith(" "):
            shown.update(range(index - _CONTEXT, index + _CONTEXT + 1))
    if not shown:
        return
    for is_shown, group in groupby(enumerate(lines), key=lambda numbered: numbered[0] in shown):
        part = [line for _, line in group]
        yield from part if is_shown or len(part) == 1 else [f"    … {len(part)} lines"]
