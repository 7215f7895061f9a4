"""Graphs as text, one op a line; `parse` reads it back, and printing that gives the same text.

    graph @mlp(%x: f32[N,784]) {
      parameter %w: f32[10,784]
      %h: f32[N,10] = dot_general(%x, %w, contract=((1,), (1,)), batch=((), ()))
      %y: f32[N,10] = mul(%h, 0.5)
      return %y
    }

A literal has the dtype of the first operand that is not one, or says its own: `0.5:f64`. Attributes that have their
default value are left out.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc.dim import Dim
from graphc.errors import DTypeError
from graphc.ir import Graph, Literal, Node, State, Value
from graphc.op import Op
from graphc.provenance import Provenance
from graphc.text.attribute_text import print_attribute
from graphc.types import DType, as_dtype

_INDENT = "  "
_COMMENT_COLUMN = 88  # comments of longer lines follow after two spaces


class Line(NamedTuple):
    """A line of a graph's text, and where the node that it starts comes from."""

    text: str
    provenance: Provenance | None = None


def print_graph(graph: Graph, *, provenance: bool = False) -> str:
    """The text of a graph; with `provenance`, each node's origin as a comment at the end of its line."""
    lines = list(graph_lines(graph))
    if not provenance:
        return "\n".join(line.text for line in lines)
    widths = [len(line.text) for line in lines if line.provenance is not None and len(line.text) <= _COMMENT_COLUMN]
    return "\n".join(_commented(line, max(widths, default=0)) for line in lines)


def _commented(line: Line, column: int) -> str:
    comment = str(line.provenance or "")
    if not comment:
        return line.text
    return f"{line.text:<{column}}  // {''.join(c if c.isprintable() else '?' for c in comment)}"


def graph_lines(graph: Graph, indent: str = "", keyword: str = "graph") -> Iterator[Line]:
    """The lines of a graph's text."""
    inner = indent + _INDENT
    yield Line(indent + print_header(graph, keyword))
    for state in graph.state:
        yield Line(f"{inner}{print_state(state)}")
    for node in graph.nodes:
        yield from node_lines(node, inner)
    for old, new in graph.updates:
        yield Line(f"{inner}{print_update(old, new)}")
    yield Line(f"{inner}{print_return(graph.outputs)}")
    yield Line(indent + "}")


def node_lines(node: Node, indent: str = "") -> Iterator[Line]:
    """The lines of a node: one, and those of its regions."""
    results = ", ".join(map(print_definition, node.results))
    head = f"{indent}{results} = {print_call(node.op, node.operands, node.attributes)}"
    if not node.regions:
        yield Line(head, node.provenance)
        return
    yield Line(f"{head} {{", node.provenance)
    for region in node.regions:
        yield from graph_lines(region, indent + _INDENT, "region")
    yield Line(indent + "}")


def print_header(graph: Graph, keyword: str = "graph") -> str:
    """`graph @mlp(%x: f32[N,784]) {`."""
    return f"{keyword} @{graph.name}({', '.join(map(print_definition, graph.inputs))}) {{"


def print_state(state: State) -> str:
    """`parameter %w: f32[8,4,3,3] stored (2, 3, 1, 0)`."""
    order = "" if state.order is None else f" stored {print_attribute(state.order)}"
    return f"{state.kind} {print_definition(state.value)}{order}"


def print_update(old: Value, new: Value) -> str:
    """`update %step = %step_1`."""
    return f"update %{old.name} = {print_operand(new, None)}"


def print_return(outputs: Iterable[Value]) -> str:
    """`return %y, %z`."""
    return f"return {', '.join(print_operand(value, None) for value in outputs)}".rstrip()


def print_definition(value: Value) -> str:
    """`%h: f32[N,10]`."""
    return f"%{value.name}: {value.type}"


def print_node(node: Node) -> str:
    """One node as it stands in the text of its graph."""
    return "\n".join(line.text for line in node_lines(node))


def print_node_with_types(node: Node) -> str:
    """One node on one line, the types of its operands written out, as errors show it."""
    results = ", ".join(map(print_definition, node.results))
    regions = " {…}" if node.regions else ""
    return f"{results} = {print_call(node.op, node.operands, node.attributes, types=True)}{regions}"


def print_call(
    op: Op, operands: Sequence[Value], attributes: Mapping[str, Any], *, types: bool = False, brief: bool = False
) -> str:
    """`sum(%x, axis=(0,))`; with `types`, operands carry theirs, as errors show them; `brief` leaves out elements."""
    default = next((o.type.dtype for o in operands if not isinstance(o, Literal)), None)
    parts = [print_operand(o, default) + (f": {o.type}" if types and o.name else "") for o in operands]
    printed = _print_brief if types or brief else print_attribute
    return f"{op.name}({', '.join([*parts, *_print_attributes(op, attributes, printed)])})"


def print_attempt(op: Op, operands: Sequence[Any], attributes: Mapping[str, Any]) -> str:
    """A call that failed, with what it was given: tensors and arrays by type, scalars as they are."""
    parts = [_print_given(operand) for operand in operands]
    return f"{op.name}({', '.join([*parts, *_print_attributes(op, attributes, _print_brief)])})"


def _print_attributes(op: Op, attributes: Mapping[str, Any], printed: Callable[[Any], str]) -> Iterator[str]:
    """The attributes that differ from their defaults, down to the sign of a zero."""
    defaults = op.signature.attributes
    for name, value in attributes.items():
        default = defaults.get(name)
        is_comparable = type(value) is type(default) and not isinstance(value, np.ndarray)
        if not (is_comparable and printed(value) == printed(default)):
            yield f"{name}={printed(value)}"


def _print_brief(value: Any) -> str:
    """An attribute in an error: no elements, and whatever it is, for it may be why there is an error."""
    try:
        return "…" if isinstance(value, np.ndarray) else print_attribute(value)
    except TypeError:
        return reprlib.repr(value)


def _print_given(operand: Any) -> str:
    if isinstance(operand, Value):
        return print_operand(operand, None) if isinstance(operand, Literal) else print_definition(operand)
    if isinstance(operand, np.ndarray | np.generic):
        return f"{_dtype_name(operand.dtype)}[{','.join(map(str, operand.shape))}]{{…}}"
    is_short = operand is None or isinstance(operand, bool | int | float | Dim | str)
    return reprlib.repr(operand) if is_short else type(operand).__name__


def _dtype_name(dtype: np.dtype[Any]) -> str:
    try:
        return as_dtype(dtype).name
    except DTypeError:
        return dtype.name


def print_operand(value: Value, default: DType | None) -> str:
    """`%x`, or a literal; its dtype is left out where it is `default`."""
    if not isinstance(value, Literal):
        return f"%{value.name}"
    text = print_attribute(value.value)
    if value.type.dtype is default:
        return text
    if isinstance(value.value, Dim) and "//" in text:
        text = f"({text})"  # outside of parentheses `//` starts a comment
    return f"{text}:{value.type.dtype}"
