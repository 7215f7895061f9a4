"""Whether a pattern fits a node and what makes its operands: what its variables and calls are bound to.

for bindings in matches(pattern, node, graph.producer):
    bindings.parameters["x"], bindings.nodes[0]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphc.dim import Dim
from graphc.ir import Literal, Node, Value
from graphc.passes.rewrite_pattern import Call, Part, Pattern, Variable


@dataclass(frozen=True, eq=False)
class Bindings:
    """What a match found: values, attributes and numbers by parameter; nodes by position of the call."""

    parameters: Mapping[str, Any]
    nodes: Mapping[int, Node]


def matches(pattern: Pattern, node: Node, producer: Callable[[Value], Node | None]) -> Iterator[Bindings]:
    """All ways in which a pattern fits a node and what makes its operands."""
    for order in pattern.orders:
        if not _may_fit(order[pattern.root.position], node, producer):
            continue
        bindings = _bound_in_order(pattern.root, node, order, producer)
        if bindings is not None:
            yield bindings


def _may_fit(operands: tuple[Any, ...], node: Node, producer: Callable[[Value], Node | None]) -> bool:
    """Whether a root's operands are made by the ops that a pattern names: at once, since most are not."""
    for wanted, value in zip(operands, node.operands, strict=False):
        if isinstance(wanted, Part):
            made_by = producer(value)
            if made_by is None or made_by.op is not wanted.call.op:
                return False
        elif not isinstance(value, Literal) and not (isinstance(wanted, Variable) and not wanted.is_number):
            return False
    return True


def _bound_in_order(
    root: Call, node: Node, order: Mapping[int, tuple[Any, ...]], producer: Callable[[Value], Node | None]
) -> Bindings | None:
    bound: dict[str, Any] = {}
    nodes: dict[int, Node] = {}
    pending = [(root, node)]
    while pending:
        call, node = pending.pop()
        known = nodes.get(call.position)
        if known is node:
            continue
        operands = order[call.position]
        if known is not None or node.op is not call.op or len(node.operands) != len(operands):
            return None
        nodes[call.position] = node
        for name, wanted in call.attributes.items():
            if not _match_attribute(wanted, node.attributes[name], bound):
                return None
        for wanted, value in zip(operands, node.operands, strict=True):
            if isinstance(wanted, Variable):
                if not _bind(wanted, value, bound):
                    return None
            elif isinstance(wanted, Part):
                made_by = producer(value)
                if made_by is None or made_by.op is not wanted.call.op or made_by.results[wanted.index] is not value:
                    return None
                pending.append((wanted.call, made_by))
            elif not (isinstance(value, Literal) and same_number(wanted, value.value)):
                return None
    return Bindings(bound, nodes)


def _bind(variable: Variable, value: Value, bound: dict[str, Any]) -> bool:
    given: Any = value
    if variable.is_number:
        if not isinstance(value, Literal) or isinstance(value.value, Dim):
            return False
        given = value.value
    if variable.name not in bound:
        bound[variable.name] = given
        return True
    known = bound[variable.name]
    return same_number(known, given) if variable.is_number else bool(known is given or known == given)


def _match_attribute(wanted: Any, value: Any, bound: dict[str, Any]) -> bool:
    if isinstance(wanted, Variable):
        if wanted.name not in bound:
            bound[wanted.name] = value
            return True
        wanted = bound[wanted.name]
    if isinstance(wanted, tuple) and isinstance(value, tuple):
        return len(wanted) == len(value) and all(
            _match_attribute(w, v, bound) for w, v in zip(wanted, value, strict=True)
        )
    if isinstance(wanted, bool | int | float) and isinstance(value, bool | int | float):
        return same_number(wanted, value)
    return bool(wanted is value or (type(wanted) is type(value) and wanted == value))


def same_number(a: Any, b: Any) -> bool:
    """Whether two numbers are the same: 1 and 1.0 are, 0.0 and -0.0 are not, NaN is NaN, a boolean is no number."""
    if isinstance(a, Dim) or isinstance(b, Dim):
        return isinstance(a, Dim) and isinstance(b, Dim) and a == b
    if isinstance(a, bool) is not isinstance(b, bool):
        return False
    if a != a or b != b:
        return bool(a != a and b != b)
    return bool(a == b and (a != 0 or math.copysign(1, a) == math.copysign(1, b)))
