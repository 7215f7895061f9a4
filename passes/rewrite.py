"""Rewrite rules as passes: named sets of rules that users add to, and passes that apply them until none fits.

    algebra_rules.append(my_rule)                             # the pass `algebra` applies it from now on
    mine = RewritePass("mine", [my_rule, another])            # a pass of its own
    pipeline = default_pipeline().after("algebra", mine)

`graphc.passes.rewrite_rule` says how a rule is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graphc.errors import ArgumentError
from graphc.ir import Graph
from graphc.passes.pipeline import Pass
from graphc.passes.regions import in_regions_too
from graphc.passes.rewrite_driver import apply_rules
from graphc.passes.rewrite_match import (
    Condition,
    Match,
    Matched,
    NodeMatch,
    floats,
    integers,
    same_type,
    single_use,
    spans,
)
from graphc.passes.rewrite_pattern import Number
from graphc.passes.rewrite_rule import Rule, rule, rule_on

__all__ = [
    "Condition", "Match", "Matched", "NodeMatch", "Number", "RewritePass", "Rule", "RuleSet", "apply_rules", "floats",
    "integers", "rule", "rule_on", "same_type", "single_use", "spans",
]  # fmt: skip


class RuleSet:
    """Rules by name, tried in order.

    `rules.append(r)`, `rules.remove("name")`, `rules["name"]`; ArgumentError for a second rule of one name and for a
    name that is not there.
    """

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules: dict[str, Rule] = {}
        self.extend(rules)

    def append(self, rule: Rule) -> None:
        """Add a rule, to be tried after the others."""
        if not isinstance(rule, Rule):
            raise ArgumentError(f"{rule!r} is no rule; make one with @graphc.passes.rule")
        if rule.name in self._rules:
            raise ArgumentError(f"there is a rule {rule.name!r} already; remove it first to replace it")
        self._rules[rule.name] = rule

    def extend(self, rules: Iterable[Rule]) -> None:
        """Add rules in order."""
        for each in rules:
            self.append(each)

    def remove(self, name: str) -> Rule:
        """Take a rule out; returns it."""
        self[name]
        return self._rules.pop(name)

    def __getitem__(self, name: str) -> Rule:
        if name not in self._rules:
            import difflib

            close = difflib.get_close_matches(name, self._rules, n=3) or sorted(self._rules)
            raise ArgumentError(f"there is no rule {name!r}; did you mean {', '.join(close)}?")
        return self._rules[name]

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules.values())

    def __len__(self) -> int:
        return len(self._rules)

    def __contains__(self, name: object) -> bool:
        return name in self._rules

    def __repr__(self) -> str:
        return "\n".join(map(repr, self))


class RewritePass(Pass):
    """A pass that applies rules until none fits; it counts how often each was applied.

    `rules` is a `RuleSet`, which may grow later, or any iterable of rules. Raises RewriteError when the rules cycle,
    or when one changes the type of a value.
    """

    rules: RuleSet

    def __init__(self, name: str, rules: Iterable[Rule], doc: str = "") -> None:
        object.__setattr__(self, "rules", rules if isinstance(rules, RuleSet) else RuleSet(rules))
        super().__init__(name, self.rewrite, doc)

    def settled(self) -> Pass:
        return RewritePass(self.name, [*self.rules], self.doc)

    def rewrite(self, graph: Graph) -> tuple[Graph, dict[str, int]]:
        """The graph after the rules, regions included, and the applications of each rule."""
        return in_regions_too(lambda graph: apply_rules(graph, self.rules))(graph)
