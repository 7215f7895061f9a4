"""Graphs for other programs: networkx for algorithms, Graphviz for pictures.

dag = graph.to_networkx()
list(networkx.topological_sort(dag))            # Nodes, and "%x", "return 0", "update %w" at the ends
Path("mlp.dot").write_text(graph.to_dot())      # dot -Tsvg mlp.dot
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from graphc.ir import Graph, Literal, Value
from graphc.text.printer import print_call, print_definition, print_operand

if TYPE_CHECKING:
    import networkx


def to_networkx(graph: Graph) -> networkx.MultiDiGraph[Any]:
    """A directed graph with an edge for every operand.

    Its nodes are the graph's `Node`s, and text for what no node stands for: `"%x"` for a source, `"return 0"` for an
    output, `"update %w"` for an update; the attribute `kind` is "node", "input", a kind of state, "return" or
    "update". Edges carry `value`, the `Value` that flows, and `operand`, the position that it takes. Literals make no
    edge; regions belong to their node.
    """
    import networkx

    result: networkx.MultiDiGraph[Any] = networkx.MultiDiGraph(name=graph.name)
    maker: dict[Value, Any] = {}
    for value, kind in _sources(graph):
        maker[value] = f"%{value.name}"
        result.add_node(maker[value], kind=kind, value=value)
    for node in graph.nodes:
        result.add_node(node, kind="node")
        maker.update((value, node) for value in node.results)
        _connect(result, maker, node.operands, node)
    for position, value in enumerate(graph.outputs):
        result.add_node(f"return {position}", kind="return", value=value)
        _connect(result, maker, (value,), f"return {position}")
    for old, new in graph.updates:
        result.add_node(f"update %{old.name}", kind="update", value=new)
        _connect(result, maker, (new,), f"update %{old.name}")
    return result


def _connect(result: networkx.MultiDiGraph[Any], maker: Mapping[Value, Any], values: Any, user: Any) -> None:
    for position, value in enumerate(values):
        if not isinstance(value, Literal):
            result.add_edge(maker[value], user, value=value, operand=position)


def _sources(graph: Graph) -> Iterator[tuple[Value, str]]:
    yield from ((value, "input") for value in graph.inputs)
    yield from ((state.value, state.kind) for state in graph.state)


def to_dot(graph: Graph) -> str:
    """The graph in Graphviz's DOT language.

    Inputs are ellipses, state cylinders, nodes boxes, outputs and updates double ellipses and notes; edges name the
    value and its type. Regions are clusters beside the node that holds them, tied to it by a dashed line.
    """
    lines = [
        f"digraph {_quoted(graph.name)} {{",
        "  rankdir=TB;",
        '  node [fontname="monospace", fontsize=10, shape=box, style="rounded"];',
        '  edge [fontname="monospace", fontsize=9];',
        *_dot_lines(graph, "n", "  "),
        "}",
    ]
    return "\n".join(lines)


def _dot_lines(graph: Graph, prefix: str, indent: str) -> Iterator[str]:
    """The statements of one graph; all of its identifiers start with `prefix`."""
    maker: dict[Value, str] = {}

    def vertex(label: str, **style: str) -> str:
        identifiers.append(f"{prefix}{len(identifiers)}")
        properties = "".join(f", {key}={_quoted(text)}" for key, text in style.items())
        return f"{indent}{identifiers[-1]} [label={_quoted(label)}{properties}];"

    def edges(values: Any, user: str) -> Iterator[str]:
        for value in values:
            if not isinstance(value, Literal):
                yield f"{indent}{maker[value]} -> {user} [label={_quoted(print_definition(value))}];"

    identifiers: list[str] = []
    for value, kind in _sources(graph):
        shape = "ellipse" if kind == "input" else "cylinder"
        yield vertex(f"{kind}\n{print_definition(value)}", shape=shape)
        maker[value] = identifiers[-1]
    for node in graph.nodes:
        call = print_call(node.op, node.operands, node.attributes, brief=True)
        yield vertex(call, **({"tooltip": str(node.provenance)} if str(node.provenance) else {}))
        user = identifiers[-1]
        maker.update((value, user) for value in node.results)
        yield from edges(node.operands, user)
        for number, region in enumerate(node.regions):
            inner = f"{user}_{number}_"
            yield f"{indent}subgraph {_quoted(f'cluster_{inner}')} {{"
            yield f"{indent}  label={_quoted('@' + region.name)};"
            yield f"{indent}  {inner}region [label={_quoted('region')}, shape=plaintext];"
            yield from _dot_lines(region, inner, indent + "  ")
            yield f"{indent}}}"
            yield f"{indent}{user} -> {inner}region [style=dashed, arrowhead=none];"
    for position, value in enumerate(graph.outputs):
        literal = f" {print_operand(value, None)}" if isinstance(value, Literal) else ""
        yield vertex(f"return {position}{literal}", shape="ellipse", peripheries="2")
        yield from edges((value,), identifiers[-1])
    for old, new in graph.updates:
        literal = f" {print_operand(new, None)}" if isinstance(new, Literal) else ""
        yield vertex(f"update %{old.name}{literal}", shape="note")
        yield from edges((new,), identifiers[-1])


def _quoted(text: str) -> str:
    """A DOT string. A backslash would start one of DOT's escapes; a line break becomes one."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
