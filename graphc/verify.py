"""What every graph must satisfy, checked in one walk that asks each op about its own nodes.

Names are unique and printable; operands are defined before they are used; ops are registered and get the operands and
attributes they declare; literals are values of their dtype; results have the types that the op infers; updates write
state that exists, once, with values of its type; named dims come from the types of inputs and state.

What concerns a node alone is found out once: nodes do not change, and most of a graph's nodes are those that it had
before the last pass.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from typing import Any

import numpy as np

from graphc.dim import Dim
from graphc.errors import GraphcError, VerifyError
from graphc.ir import STATE_KINDS, Graph, Literal, Node, State, Value
from graphc.op import REGISTRY
from graphc.order import order_problem
from graphc.text.array_text import number_problem
from graphc.text.printer import print_update
from graphc.types import DType, TensorType

_NAME = re.compile(r"[\w.]+")


def verify(graph: Graph, after: str | None = None) -> Graph:
    """The graph itself, when it is sound; VerifyError otherwise. `after` names the pass that made it."""
    try:
        _verify(graph)
    except GraphcError as error:
        prefix = f"after pass '{after}': " if after else ""
        raise VerifyError(f"{prefix}@{graph.name}: {error.rule}", line=error.line, where=error.where) from None
    return graph


def _verify(graph: Graph, outer: frozenset[str] = frozenset()) -> None:
    """Check a graph; `outer` are the dims of the graph around a region."""
    dims = graph.dims | outer
    if not _NAME.fullmatch(graph.name):
        raise VerifyError(f"{graph.name!r} cannot name a graph; a name is letters, digits, _ and dots")
    defined: dict[str, Value] = {}
    for value in graph.sources:
        _define(value, defined)
    for state in graph.state:
        if state.kind not in STATE_KINDS:
            kinds = ", ".join(STATE_KINDS)
            raise VerifyError(f"state %{state.value.name} is of kind {state.kind!r}; kinds are {kinds}")
        if state.order is not None and (problem := order_problem(state.order, state.value.type.rank)):
            raise VerifyError(f"state %{state.value.name} {problem}")
    for node in graph.nodes:
        try:
            _verify_node(node, defined, dims)
        except GraphcError as error:
            raise error.located(line=node.line, where=node.provenance.where) from None
    _verify_updates(graph)
    for value in graph.results:
        if isinstance(value, Literal):
            check_literal(value, dims)
        elif defined.get(value.name) is not value:
            raise VerifyError(f"%{value.name} is returned or stored, but nothing defines it")


def _define(value: Value, defined: dict[str, Value]) -> None:
    if isinstance(value, Literal):
        raise VerifyError(f"the literal {value} stands where a value is defined")
    name = value.name
    if not _NAME.fullmatch(name):
        raise VerifyError(f"{name!r} cannot name a value; a name is letters, digits, _ and dots")
    if name in defined:
        raise VerifyError(f"%{name} is defined twice")
    defined[name] = value


def _verify_node(node: Node, defined: dict[str, Value], dims: frozenset[str]) -> None:
    op = node.op
    if REGISTRY.get(op.name) is not op:
        raise VerifyError(f"op {op.name!r} is not registered")
    for operand in node.operands:
        if not isinstance(operand, Literal) and defined.get(operand.name) is not operand:
            raise VerifyError(f"{op.name}: %{operand.name} is used before it is defined")
    if node.sound_among != dims:
        _verify_alone(node, dims)
        object.__setattr__(node, "sound_among", dims)
    for result in node.results:
        _define(result, defined)


def _verify_alone(node: Node, dims: frozenset[str]) -> None:
    """What does not depend on the other nodes: attributes, regions, types."""
    op = node.op
    if [*node.attributes] != [*op.signature.attributes]:
        op.complete(node.attributes)  # which says what is missing, or unknown
        raise VerifyError(f"{op.name}: attributes are {list(node.attributes)}; the op is {op.name}{op.signature}")
    for region in node.regions:
        _verify(region, dims)
    inferred = infer_results(node, dims)
    declared = tuple(result.type for result in node.results)
    if inferred != declared:
        raise VerifyError(types_disagree(node, inferred))


def infer_results(node: Node, dims: frozenset[str]) -> tuple[TensorType, ...]:
    """The types that a node's op infers for its results, once operands and attributes are found sound.

    Raises the GraphcError of the rule that is broken; an op's rule that fails in any other way is a VerifyError too.
    """
    op = node.op
    op.check_count(len(node.operands))
    for operand in node.operands:
        if isinstance(operand, Literal):
            check_literal(operand, dims)
    for name, value in node.attributes.items():
        if problem := _attribute_problem(value, dims):
            raise VerifyError(f"{op.name}: attribute {name!r}{problem}")
    try:
        inferred = op.infer(*(o.type for o in node.operands), regions=node.regions, **node.attributes)
    except GraphcError:
        raise
    except Exception as error:
        raise VerifyError(f"{op.name}: does not take these attributes: {type(error).__name__}: {error}") from error
    for inferred_type in inferred:
        if problem := _unknown_dims(inferred_type.dims, dims):
            raise VerifyError(f"{op.name}: the result {inferred_type}{problem}")
    return inferred


def types_disagree(node: Node, inferred: Iterable[TensorType]) -> str:
    """What is said of results whose types are not the inferred ones."""
    given, declared = (", ".join(map(str, types)) for types in (inferred, (r.type for r in node.results)))
    return f"{node.op.name} gives {given}, but the result is declared {declared}"


def check_literal(literal: Literal, dims: frozenset[str]) -> None:
    """VerifyError unless a literal is a value of its dtype, over known dims."""
    if problem := number_problem(literal.value, literal.type.dtype):
        raise VerifyError(f"literal {problem}")
    if problem := _attribute_problem(literal.value, dims):
        raise VerifyError(f"literal{problem}")


def _attribute_problem(value: Any, dims: frozenset[str]) -> str | None:
    """What is wrong with an attribute, to be said after what it is; None where nothing is."""
    if isinstance(value, tuple):
        for item in value:
            if problem := _attribute_problem(item, dims):
                return problem
        return None
    if value is None or isinstance(value, bool | int | float | str | DType | np.ndarray):
        return None
    if isinstance(value, Dim):
        problem = _unknown_dims(value.names, dims)
        return problem and f" ({value}){problem}"
    return (
        f" is {value!r}, of type {type(value).__name__}; attributes are None, numbers, strings, dtypes, "
        "extents, arrays and tuples of them"
    )


def _unknown_dims(mentioned: frozenset[str], known: frozenset[str]) -> str | None:
    if mentioned <= known:
        return None
    return f" mentions the dim {', '.join(sorted(mentioned - known))}, which no input has"


def _verify_updates(graph: Graph) -> None:
    state = {s.value: s for s in graph.state}
    updated: set[Value] = set()
    for old, new in graph.updates:
        if problem := update_problem(old, new, state, updated):
            raise VerifyError(problem, line=print_update(old, new))
        updated.add(old)


def update_problem(old: Value, new: Value, state: Mapping[Value, State], updated: Container[Value]) -> str | None:
    """What is wrong with an update, given the graph's state and what is updated already; None where nothing is."""
    if old not in state:
        return f"%{old.name} is updated, but it is not state"
    if old in updated:
        return f"%{old.name} is updated twice"
    if new.type != old.type:
        return f"{state[old].kind} %{old.name} is {old.type}, but its new value is {new.type}"
    return None
