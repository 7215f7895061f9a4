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
from graphc.ir import Literal, Node, Value
from graphc.op import Kind, Op
from graphc.passes.rewrite_pattern import Pattern, same_number, trace_pattern, variables_of
from graphc.tensor import Tensor

if TYPE_CHECKING:
    from graphc.builder import Builder
    from graphc.passes.rewrite_driver import Rewriting

Condition = Callable[["Match"], object]


class Matched(Tensor):
    """A tensor of the graph that is being rewritten: an operand for the replacement, with questions for `where`."""

    __slots__ = ("_rewriting",)

    def __init__(self, builder: Builder, value: Value, rewriting: Rewriting) -> None:
        super().__init__(builder, value)
        self._rewriting = rewriting

    __hash__ = object.__hash__

    @property
    def node(self) -> Node | None:
        """The node that makes it; None for inputs, state and literals."""
        return self._rewriting.producer(self.value)

    @property
    def users(self) -> tuple[Node, ...]:
        """The nodes that read it."""
        return self._rewriting.users(self.value)

    @property
    def is_result(self) -> bool:
        """Whether a run gives it, as an output or as new state."""
        return self._rewriting.is_result(self.value)

    @property
    def single_use(self) -> bool:
        """Whether one operand of one node is all that reads it."""
        return self._rewriting.use_count(self.value) == 1 and not self.is_result

    @property
    def is_literal(self) -> bool:
        return isinstance(self.value, Literal)

    @property
    def number(self) -> bool | int | float | None:
        """The number of a literal; None for other values, and for an extent."""
        value = self.value.value if isinstance(self.value, Literal) else None
        return value if isinstance(value, bool | int | float) else None

    def made_by(self, *ops: str) -> bool:
        """Whether a node of one of these ops makes it."""
        return self.node is not None and self.node.op.name in ops

    @property
    def operands(self) -> tuple[Matched, ...]:
        """The operands of the node that makes it."""
        assert self.node is not None
        return tuple(self._rewriting.matched(operand) for operand in self.node.operands)

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
        with rewriting.recording():
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
        for bindings in pattern.matches(node, rewriting.producer):
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
            def build() -> Any:
                with rewriting.recording():
                    return function(NodeMatch(node, rewriting))

            yield range(len(node.results)), build

        return Rule(function.__name__, inspect.getdoc(function) or "", depth, attempts, accepts)

    return declare


class NodeMatch:
    """The node that a `rule_on` function looks at: its op, attributes, operands and results as tensors."""

    __slots__ = ("_rewriting", "node")

    def __init__(self, node: Node, rewriting: Rewriting) -> None:
        self.node = node
        self._rewriting = rewriting

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
        return tuple(self._rewriting.matched(operand) for operand in self.node.operands)

    @property
    def results(self) -> tuple[Matched, ...]:
        return tuple(self._rewriting.matched(result) for result in self.node.results)

    @property
    def result(self) -> Matched:
        """The result of a node that has one."""
        return self._rewriting.matched(self.node.result)


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


__all__ = [
    "Condition", "Match", "Matched", "NodeMatch", "Rule", "floats", "integers", "rule", "rule_on", "same_number",
    "same_type", "single_use", "spans",
]  # fmt: skip
