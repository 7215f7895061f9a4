"""Rewrite rules: `before → after`, both built with graphc's ops, the formula as docstring.

    @rule
    def double_negation(x):
        "-(-x)  →  x"
        return neg(neg(x)), x

    @rule(where=single_use("h"))
    def scale_into_weight(x, w, s):
        "(x·wᵀ)·s  →  x·(w·s)ᵀ"
        h = affine(x, w)
        return mul(h, s), lambda: affine(x, w * s)

The function is called once on variables, for the pattern, and again at every match: then its parameters are the
matched tensors and attributes, the calls of the pattern give the values that are there, and the other calls build the
replacement. A replacement that computes with shapes or attributes is returned as a function, called at matches only.
Two functions with the same parameters do as well: `rule(pattern=f, replacement=g)`. A rule that no pattern expresses
looks at one node at a time (`@rule_on`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, overload

from graphc.errors import RewriteError
from graphc.ir import Node, Value
from graphc.op import Kind, Op
from graphc.passes.rewrite_bindings import matches
from graphc.passes.rewrite_match import Condition, Match, Matched, NodeMatch
from graphc.passes.rewrite_pattern import Pattern, trace_pattern, variables_of

if TYPE_CHECKING:
    from graphc.passes.rewrite_driver import Rewriting


@dataclass(frozen=True, eq=False)
class Rule:
    """A rewrite rule; made by `@rule` and `@rule_on`.

    `attempts(node, rewriting)` gives, for every way in which the rule fits a node, the positions of the results that
    it replaces and a function that builds the replacements (one that returns None declines).
    """

    name: str
    doc: str
    depth: int
    attempts: Callable[[Node, Rewriting], Iterator[tuple[Sequence[int], Callable[[], Any]]]]
    accepts: Callable[[Op], bool]
    pattern: Pattern | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        return f"<rule {self.name}: {self.doc.splitlines()[0] if self.doc else ''}>"


@overload
def rule(function: Callable[..., Any], /) -> Rule: ...


@overload
def rule(
    *, where: Condition | Sequence[Condition] = (), name: str | None = None
) -> Callable[[Callable[..., Any]], Rule]: ...


@overload
def rule(
    *,
    where: Condition | Sequence[Condition] = (),
    pattern: Callable[..., Any],
    replacement: Callable[..., Any],
    name: str | None = None,
) -> Rule: ...


def rule(
    function: Callable[..., Any] | None = None,
    *,
    where: Condition | Sequence[Condition] = (),
    pattern: Callable[..., Any] | None = None,
    replacement: Callable[..., Any] | None = None,
    name: str | None = None,
) -> Rule | Callable[[Callable[..., Any]], Rule]:
    """Make a rewrite rule of a function that returns `(pattern, replacement)`, or of two functions.

        @rule(where=lambda m: m["h"].single_use and m["x"].ndim == 2)
        def fold_scale(x, w, s):
            "(x·wᵀ)·s  →  x·(w·s)ᵀ"
            h = affine(x, w)
            return mul(h, s), lambda: affine(x, w * s)

        squared = rule(pattern=lambda x: mul(x, x), replacement=lambda x: square(x), name="squared")

    `where` is a condition on the `Match`, or several that must all hold. Raises RewriteError where the function gives
    no pattern, or the replacement uses a variable that the pattern lacks.
    """
    conditions = (where,) if callable(where) else tuple(where)
    if pattern is not None and replacement is not None:
        return _two_functions(pattern, replacement, conditions, name or pattern.__name__)
    if function is None:
        return lambda function: _one_function(function, conditions, name or function.__name__)
    return _one_function(function, conditions, name or function.__name__)


def _one_function(function: Callable[..., Any], conditions: Sequence[Condition], name: str) -> Rule:
    found = _trace(function, name)
    missing = [p for p in inspect.signature(function).parameters if p not in found.parameters]
    if missing:
        raise RewriteError(f"rule {name!r}: the pattern {found} does not say what {', '.join(missing)} matches")

    def build(rewriting: Rewriting, match: Match, nodes: Mapping[int, Node]) -> Any:
        with rewriting.replaying(found.calls, nodes):
            returned = function(**match.bound)
            second = returned[1]
            return second() if inspect.isfunction(second) else second

    return _pattern_rule(name, inspect.getdoc(function) or "", found, conditions, build)


def _two_functions(
    pattern: Callable[..., Any], replacement: Callable[..., Any], conditions: Sequence[Condition], name: str
) -> Rule:
    found = _trace(pattern, name)
    takes = variables_of(replacement)
    if missing := [parameter for parameter in takes if parameter not in found.parameters]:
        raise RewriteError(f"rule {name!r}: the pattern {found} does not say what {', '.join(missing)} matches")

    def build(rewriting: Rewriting, match: Match, nodes: Mapping[int, Node]) -> Any:
        return replacement(**{parameter: match.bound[parameter] for parameter in takes})

    doc = inspect.getdoc(replacement) or inspect.getdoc(pattern) or ""
    return _pattern_rule(name, doc, found, conditions, build)


def _trace(function: Callable[..., Any], name: str) -> Pattern:
    try:
        return trace_pattern(function)[0]
    except RewriteError as error:
        raise RewriteError(f"rule {name!r}: {error.rule}") from None


def _pattern_rule(
    name: str, doc: str, pattern: Pattern, conditions: Sequence[Condition], build: Callable[..., Any]
) -> Rule:
    def attempts(node: Node, rewriting: Rewriting) -> Iterator[tuple[Sequence[int], Callable[[], Any]]]:
        for bindings in matches(pattern, node, rewriting.graph.producer):
            match = _match_of(name, pattern, bindings.parameters, bindings.nodes, node, rewriting)
            if all(condition(match) for condition in conditions):
                yield pattern.outputs, partial(build, rewriting, match, bindings.nodes)

    depth = pattern.depth + bool(conditions)
    return Rule(name, doc, depth, attempts, lambda op: op is pattern.root.op, pattern)


def _match_of(
    name: str,
    pattern: Pattern,
    parameters: Mapping[str, Any],
    nodes: Mapping[int, Node],
    node: Node,
    rewriting: Rewriting,
) -> Match:
    bound = {key: rewriting.matched(v) if isinstance(v, Value) else v for key, v in parameters.items()}

    def local(wish: str) -> Matched:
        if wish not in pattern.names:
            known = ", ".join([*bound, *pattern.names])
            raise RewriteError(f"rule {name!r}: its function names nothing {wish!r}; there are {known}")
        position, index = pattern.names[wish]
        return rewriting.matched(nodes[position].results[index])

    roots = tuple(rewriting.matched(node.results[i]) for i in pattern.outputs)
    return Match(node, roots, bound, local)


def rule_on(*ops: Op | Kind | Callable[[Op], bool], depth: int = 2) -> Callable[[Callable[[NodeMatch], Any]], Rule]:
    """Make a rewrite rule of a function on one node of these ops; it returns the replacement, or None to decline.

        @rule_on(concat)
        def concat_of_one(node):
            "concat([x])  →  x"
            return node.operands[0] if len(node.operands) == 1 else None

    The ops are given one by one, by kind, or by a condition on the op. `depth` says how far up the rule looks: 1 at the
    node alone, 2 at what makes its operands. A node with several results takes a tuple of replacements.
    """

    def accepts(op: Op) -> bool:
        return any(
            op is wanted if isinstance(wanted, Op) else op.kind is wanted if isinstance(wanted, Kind) else wanted(op)
            for wanted in ops
        )

    def declare(function: Callable[[NodeMatch], Any]) -> Rule:
        def attempts(node: Node, rewriting: Rewriting) -> Iterator[tuple[Sequence[int], Callable[[], Any]]]:
            yield range(len(node.results)), lambda: function(NodeMatch(node, rewriting.builder, rewriting.graph))

        return Rule(function.__name__, inspect.getdoc(function) or "", depth, attempts, accepts)

    return declare
