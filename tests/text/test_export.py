"""Graphs for networkx and Graphviz."""

import re
import subprocess
import sys

import networkx as nx

from graphc.ir import Node
from graphc.text.parser import parse

STEP = parse(
    "graph @step(%x: f32[N,3]) {"
    "  parameter %w: f32[3]  rng %rng: u64[2]"
    "  %b: f32[N,3] = broadcast_to(%w, shape=(N, 3))"
    "  %xx: f32[N,3] = mul(%x, %x)"
    "  %top: f32[N,1], %place: i64[N,1] = topk(%xx, k=1, axis=1)"
    "  %y: f32[N,3] = fused(%xx, %b) {"
    "    region @inner(%p: f32[N,3], %q: f32[N,3]) { %s: f32[N,3] = add(%p, %q) return %s }"
    "  }"
    "  %m: f32[3] = sum(%y, axis=(0,))"
    "  update %w = %m"
    "  return %y, %place, 0.5:f32, %y"
    "}",
    file="step.py",
)


def test_networkx_has_the_nodes_and_an_edge_for_every_operand():
    dag = STEP.to_networkx()
    assert [n for n in dag if isinstance(n, Node)] == list(STEP.nodes)
    kinds = {str(name): data["kind"] for name, data in dag.nodes(data=True) if not isinstance(name, Node)}
    assert kinds == {
        "%x": "input", "%w": "parameter", "%rng": "rng", "return 0": "return", "return 1": "return",
        "return 2": "return", "return 3": "return", "update %w": "update",
    }  # fmt: skip
    assert nx.is_directed_acyclic_graph(dag)
    operands = sum(len(node.operands) for node in STEP.nodes)
    assert dag.number_of_edges() == operands + 4  # three outputs that are no literals, one update
    for node in STEP.nodes:
        edges = sorted((data["operand"], data["value"]) for _, _, data in dag.in_edges(node, data=True))
        assert [value for _, value in edges] == list(node.operands)
    square, topk = STEP.nodes[1], STEP.nodes[2]
    assert dag.number_of_edges("%x", square) == 2
    assert [data["value"].name for _, _, data in dag.edges(topk, data=True)] == ["place"]
    assert dag.graph["name"] == "step"


def test_dot(golden):
    golden("text/step.dot", STEP.to_dot())


def test_dot_is_well_formed_whatever_the_strings():
    (node,) = parse("graph @f() { %y: f32[] = full(value=0.0, shape=(), dtype=f32) return }").nodes
    strange = Node(node.op, (), {**node.attributes, "value": 'a "b" \\ \n <c> {d} | e \\'}, node.results)
    quoted = r'"(?:[^"\\\n]|\\[^\n])*"'
    attributes = rf"\[\w+=(?:{quoted}|\w+)(?:, \w+=(?:{quoted}|\w+))*\]"
    statements = [
        rf"digraph {quoted} \{{", rf"subgraph {quoted} \{{", r"\}", r"rankdir=TB;", rf"label={quoted};",
        rf"\w+ {attributes};", rf"\w+ -> \w+ {attributes};",
    ]  # fmt: skip
    for line in [
        *STEP.to_dot().splitlines(),
        *STEP.with_(nodes=(strange,), outputs=(), updates=()).to_dot().splitlines(),
    ]:
        assert sum(re.fullmatch(statement, line.strip()) is not None for statement in statements) == 1, line


def test_importing_and_printing_leave_networkx_alone():
    code = (
        "import sys, graphc as gc; g = gc.parse('graph @f(%x: f32[3]) { return %x }'); str(g); g.to_dot();"
        "assert 'networkx' not in sys.modules; g.to_networkx(); assert 'networkx' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
