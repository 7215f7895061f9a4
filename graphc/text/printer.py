"""Graphs as text, one op a line; `parse` reads it back, and printing that gives the same text.

    graph @mlp(%x: f32[N,784]) {
      parameter %w: f32[10,784]
      %h: f32[N,10] = dot_general(%x, %w, contract=((1,), (1,)), batch=((), ()))
      %y: f32[N,10] = mul(%h, 0.5)
      return %y
    }

A literal has the dtype of the first operand that is not one, or says its own: `0.5:f64`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.dim import Dim
from graphc.ir import Graph, Literal, Node, Value
from graphc.op import Op
from graphc.text.array_text import print_array
from graphc.types import DType

_INDENT = "  "


def print_graph(graph: Graph, *, provenance: bool = False, keyword: str = "graph") -> str:
    """The text of a graph; with `provenance`, each node's origin as a comment at the end of its line."""
    return "\n".join(_graph_lines(graph, provenance, keyword))


def _graph_lines(graph: Graph, provenance: bool, keyword: str) -> list[str]:
    inputs = ", ".join(f"%{value.name}: {value.type}" for value in graph.inputs)
    lines = [f"{keyword} @{graph.name}({inputs}) {{"]
    lines += [f"{_INDENT}{s.kind} %{s.value.name}: {s.value.type}" for s in graph.state]
    for node in graph.nodes:
        first, *rest = _node_lines(node, provenance)
        if provenance and str(node.provenance):
            first = f"{first:<72}  // {node.provenance}"
        lines += [_INDENT + first, *(_INDENT + line for line in rest)]
    lines += [f"{_INDENT}update %{old.name} = {print_operand(new, None)}" for old, new in graph.updates]
    outputs = ", ".join(print_operand(value, None) for value in graph.outputs)
    lines += [f"{_INDENT}return {outputs}".rstrip(), "}"]
    return lines


def _node_lines(node: Node, provenance: bool = False) -> list[str]:
    results = ", ".join(f"%{value.name}: {value.type}" for value in node.results)
    head = f"{results} = {print_call(node.op, node.operands, node.attributes)}"
    if not node.regions:
        return [head]
    lines = [f"{head} {{"]
    for region in node.regions:
        lines += [_INDENT + line for line in _graph_lines(region, provenance, "region")]
    return [*lines, "}"]


def print_node(node: Node) -> str:
    """One node as it stands in the text of its graph."""
    return "\n".join(_node_lines(node))


def print_call(op: Op, operands: Sequence[Value], attributes: Mapping[str, Any], *, types: bool = False) -> str:
    """`sum(%x, axis=(0,))`; with `types`, operands carry theirs, as errors show them."""
    default = next((o.type.dtype for o in operands if not isinstance(o, Literal)), None)
    parts = [print_operand(o, default) + (f": {o.type}" if types and o.name else "") for o in operands]
    defaults = op.signature.attributes
    parts += [f"{name}={print_attribute(value)}" for name, value in attributes.items() if not _is(value, defaults.get(name))]
    return f"{op.name}({', '.join(parts)})"


def print_operand(value: Value, default: DType | None) -> str:
    """`%x`, or a literal; its dtype is left out where it is `default`."""
    if not isinstance(value, Literal):
        return f"%{value.name}"
    text = print_attribute(value.value)
    return text if value.type.dtype is default else f"{text}:{value.type.dtype}"


def print_attribute(value: Any) -> str:
    """An attribute: numbers, strings, dtypes, extents, arrays, and tuples of them."""
    if isinstance(value, tuple):
        return f"({', '.join(map(print_attribute, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, np.ndarray):
        return print_array(value)
    if isinstance(value, Dim):
        return str(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if value is None or isinstance(value, bool | int | float | DType):
        return repr(value)
    raise TypeError(f"an attribute cannot be a {type(value).__name__}: {value!r}")


def _is(value: Any, default: Any) -> bool:
    """Whether an attribute has its default value, which the text leaves out."""
    return type(value) is type(default) and not isinstance(value, np.ndarray | float) and bool(value == default)
