"""What text the parser takes, and that it gives the graph that is meant."""

import time

import numpy as np
import pytest

import graphc as gc
from graphc.dim import dim
from graphc.errors import ArgumentError, StateError
from graphc.ir import Literal
from graphc.text.parser import parse

F = """
graph @f(%x: f32[N,3]) {
  %y: f32[3] = sum(%x, axis=(0,))
  %z: f32[1,3] = sum(%x, axis=(0,), keepdims=True)
  return %y, %z
}
""".strip()


def node_of(text, *inputs):
    graph = parse(f"graph @f({', '.join(inputs)}) {{ {text} return }}")
    (node,) = graph.nodes
    return node


def test_a_parsed_graph_runs():
    y, z = gc.evaluate(parse(F), np.ones((2, 3), "f4"))
    np.testing.assert_array_equal(y, [2, 2, 2])
    np.testing.assert_array_equal(z, [[2, 2, 2]])


def test_line_breaks_and_comments_do_not_count():
    assert str(parse(" ".join(F.split()))) == F
    assert str(parse("\r\n".join(F.split()))) == F
    commented = "// RUN: cse\n" + F.replace("\n", '  // 1 // 2 %x " (\n') + "// the end"
    assert str(parse(commented)) == F
    spread = F.replace("(%x: f32[N,3])", "(  // inputs\n    %x: f32[ N , 3 ]  // an image\n  )")
    assert str(parse(spread)) == F
    assert str(parse(F.replace("sum(%x, ", "sum(%x,  // no division\n"))) == F
    assert str(parse(F.replace("(0,))", "(0,))// near"))) == F


def test_attributes_come_in_any_order_and_defaults_may_stand():
    text = F.replace("(0,))", "(0,), keepdims=False)").replace("axis=(0,), keepdims=True", "keepdims=True, axis=(0,)")
    assert str(parse(text)) == F


@pytest.mark.parametrize(
    "extent", ["(N-1)//2+1", "N//2", "( N - 1 ) // 2 + 1", "N % 4", "N%4", "max(N,3)//2", "2 ** 3 * N", "-1+N"]
)
def test_extents_are_arithmetic_wherever_they_stand(extent):
    close = extent.replace(" ", "")
    node = node_of(f"%y: f32[{extent},3] = broadcast_to(%x, shape=({close}, 3))", "%x: f32[3]", "%n: f32[N]")
    assert node.attributes["shape"] == node.result.type.shape
    literal = node_of(f"%y: f32[N] = mul(%x, {close})", "%x: f32[N]").operands[1]
    assert literal == Literal(node.result.type.shape[0], gc.f32)


def test_literals_take_the_dtype_of_the_first_value():
    inputs = ("%x: i8[2]", "%f: f32[2]")
    assert node_of("%y: i8[2] = add(-3, %x)", *inputs).operands[0] == Literal(-3, gc.i8)
    assert node_of("%y: f32[2] = add(1, %f)", *inputs).operands[0] == Literal(1.0, gc.f32)
    assert node_of("%y: f64[] = add(inf:f64, - inf:f64)", *inputs).operands[1] == Literal(-np.inf, gc.f64)
    assert node_of("%y: bool[] = logical_and(True:bool, False:bool)").operands[0] == Literal(True, gc.bool)
    both = node_of("%y: f64[] = add(2, 1:f64)").operands
    assert both == (Literal(2.0, gc.f64), Literal(1.0, gc.f64))
    nan = node_of("%y: f64[] = add(nan:f64, 1:f64)").operands[0]
    assert np.isnan(nan.value)


def test_words_that_could_be_dims():
    inputs = ("%a: f32[nan]", "%b: f32[inf]", "%c: f32[f32]")
    node = node_of("%y: f32[nan,inf,f32] = full(value=nan, shape=((nan), (inf), (f32)), dtype=f32)", *inputs)
    assert node.attributes["shape"] == (dim("nan"), dim("inf"), dim("f32"))
    assert np.isnan(node.attributes["value"])
    assert node.attributes["dtype"] is gc.f32


def test_state_has_no_cells_but_takes_values_by_name():
    graph = parse("graph @count() { buffer %n: i64[] %m: i64[] = add(%n, 1) update %n = %m return %n, (7):i64 }")
    assert graph.state[0].kind == "buffer"
    assert [int(value) for value in gc.evaluate(graph, state={"n": np.array(4)})] == [4, 7]
    with pytest.raises(StateError, match="reads buffer %n: i64"):
        gc.evaluate(graph)


def test_a_file_becomes_the_provenance_of_nodes():
    graph = parse(F, file="models/f.ir")
    assert [node.provenance.where for node in graph.nodes] == ["f.ir:2", "f.ir:3"]


def test_names_may_be_of_any_script():
    text = "graph @ネット.1(%入力: f32[N], %0.bias: f32[N]) {\n  %é: f32[N] = add(%入力, %0.bias)\n  return %é\n}"
    assert str(parse(text)) == text


def test_only_strings_are_text():
    with pytest.raises(ArgumentError, match="parse takes a string, not bytes"):
        parse(F.encode())


def seconds_to_parse(count):
    nodes = "\n".join(f"  %v{i + 1}: f32[N] = add(%v{i}, 1.0)" for i in range(count))
    text = f"graph @chain(%v0: f32[N]) {{\n{nodes}\n  return %v{count}\n}}"
    start = time.perf_counter()
    graph = parse(text)
    seconds = time.perf_counter() - start
    assert str(graph) == text
    return seconds


def test_a_chain_of_ten_thousand_nodes_takes_seconds():
    assert seconds_to_parse(10_000) < 10
