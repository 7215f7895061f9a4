"""What every graph must satisfy, checked in one walk that asks each op about its own nodes.

Names are unique; operands are defined before they are used; ops are registered and get the operands and attributes
they declare; results have the types that the op infers; updates write state that exists, with values of its type;
named dims in types come from inputs.
"""

from __future__ import annotations

from graphc.errors import GraphcError, VerifyError
from graphc.ir import STATE_KINDS, Graph, Literal, Node, Value
from graphc.op import REGISTRY


def verify(graph: Graph, after: str | None = None) -> Graph:
    """The graph itself, when it is sound; VerifyError otherwise. `after` names the pass that made it."""
    try:
        _verify(graph)
    except GraphcError as error:
        prefix = f"after pass '{after}': " if after else ""
        raise VerifyError(f"{prefix}@{graph.name}: {error.rule}", line=error.line, where=error.where) from None
    return graph


def _verify(graph: Graph, outer_dims: frozenset[str] = frozenset()) -> None:
    defined: set[Value] = set()
    names: dict[str, Value] = {}
    for value in graph.sources:
        _define(value, defined, names, line=None)
    for state in graph.state:
        if state.kind not in STATE_KINDS:
            raise VerifyError(f"state %{state.value.name} is of unknown kind {state.kind!r}; kinds are {STATE_KINDS}")
    known_dims = graph.dims | outer_dims
    for node in graph.nodes:
        try:
            _verify_node(node, defined, known_dims)
            for result in node.results:
                _define(result, defined, names, line=str(node))
                if not result.type.dims <= known_dims:
                    unknown = ", ".join(sorted(result.type.dims - known_dims))
                    raise VerifyError(f"{result!r} mentions the dim {unknown}, which no input has")
        except GraphcError as error:
            raise error.located(line=str(node), where=node.provenance.where) from None
    state_types = {s.value: s.value.type for s in graph.state}
    updated: set[Value] = set()
    for old, new in graph.updates:
        if old not in state_types:
            raise VerifyError(f"update of %{old.name}, which is not state")
        if old in updated:
            raise VerifyError(f"%{old.name} is updated twice")
        updated.add(old)
        if new.type != old.type:
            raise VerifyError(f"update of {old!r} with a value of type {new.type}")
    for value in graph.results:
        if value not in defined and not isinstance(value, Literal):
            raise VerifyError(f"%{value.name} is returned or stored, but nothing defines it")


def _define(value: Value, defined: set[Value], names: dict[str, Value], line: str | None) -> None:
    if isinstance(value, Literal):
        raise VerifyError("a literal cannot be defined", line=line)
    if not value.name or value.name in names:
        raise VerifyError(f"%{value.name} is defined twice", line=line)
    names[value.name] = value
    defined.add(value)


def _verify_node(node: Node, defined: set[Value], dims: frozenset[str]) -> None:
    op = node.op
    if REGISTRY.get(op.name) is not op:
        raise VerifyError(f"op {op.name!r} is not registered")
    op.check_count(len(node.operands))
    if list(node.attributes) != list(op.complete(node.attributes)):
        raise VerifyError(f"{op.name}: attributes are {list(node.attributes)}; the op is {op.name}{op.signature}")
    for operand in node.operands:
        if operand not in defined and not isinstance(operand, Literal):
            raise VerifyError(f"{op.name}: %{operand.name} is used before it is defined")
    for region in node.regions:
        _verify(region, dims)
    inferred = op.infer(*(o.type for o in node.operands), regions=node.regions, **node.attributes)
    declared = tuple(result.type for result in node.results)
    if inferred != declared:
        raise VerifyError(
            f"{op.name}: gives ({', '.join(map(str, inferred))}), but results are declared "
            f"({', '.join(map(str, declared))})"
        )
