"""Every rule of the verifier has a graph that breaks it."""

from itertools import pairwise

import numpy as np
import pytest

import graphc as gc
from graphc.dim import dim
from graphc.errors import VerifyError
from graphc.ir import Graph, Literal, Node, State, Value
from graphc.op import Kind, Op, Signature, find_op
from graphc.provenance import Location, Provenance
from graphc.verify import verify

N, M = dim("N"), dim("M")
X = Value("x", gc.f32["N", 3])
Y = Value("y", gc.f32["N", 3])
W = Value("w", gc.f32[3])
HERE = Provenance(Location("model.py", 14), module="Net.fc")


def node(op, operands, *results, regions=(), **attributes):
    op = find_op(op) if isinstance(op, str) else op
    completed = dict(op.signature.attributes) | attributes
    return Node(op, tuple(operands), completed, results, regions, HERE)


def graph(*nodes, inputs=(X,), outputs=(), state=(), updates=(), name="f"):
    return Graph(name, tuple(inputs), nodes, tuple(outputs), tuple(state), tuple(updates))


def of_type(*extents, dtype=gc.f32):
    return Value("y", dtype[extents])


EXP = node("exp", [X], Y)
STATE = State(W, "buffer")
OTHER = Op("exp", Kind.ELEMENTWISE, Signature.of(lambda x: x), lambda x: x)
REGION = Graph("body", (Value("a", gc.f32["N", 3]),), (), (X,))

BROKEN = [
    # names
    (graph(name="my graph"), "'my graph' cannot name a graph"),
    (graph(inputs=[Value("a b", gc.f32[3])]), "'a b' cannot name a value"),
    (graph(inputs=[Value("", gc.f32[3])]), "'' cannot name a value"),
    (graph(node("exp", [X], Value("é%", X.type))), "'é%' cannot name a value"),
    (graph(inputs=[X, Value("x", gc.f32[3])]), "%x is defined twice"),
    (graph(inputs=[X, X]), "%x is defined twice"),
    (graph(state=[State(Value("x", gc.f32[3]), "buffer")]), "%x is defined twice"),
    (graph(EXP, node("exp", [X], Value("y", X.type))), "%y is defined twice"),
    (graph(node("exp", [X], X)), "%x is defined twice"),
    (graph(inputs=[Literal(1.0, gc.f32)]), "the literal 1.0:f32 stands where a value is defined"),
    # order
    (graph(node("exp", [Y], Value("z", Y.type)), EXP), "exp: %y is used before it is defined"),
    (graph(node("exp", [Y], Y)), "exp: %y is used before it is defined"),
    (graph(node("exp", [Value("x", X.type)], Y)), "exp: %x is used before it is defined"),
    (graph(outputs=[Y]), "%y is returned or stored, but nothing defines it"),
    (graph(state=[STATE], updates=[(W, Value("new", W.type))]), "%new is returned or stored, but nothing defines it"),
    # ops
    (graph(node(OTHER, [X], Y)), "op 'exp' is not registered"),
    (graph(node("exp", [X, X], Y)), "exp: got 2 operands; the op is exp(x)"),
    (graph(node("add", [X], Y)), "add: got 1 operands; the op is add(a, b)"),
    (graph(node("exp", [X], Y, axis=0)), "exp: no attribute 'axis'; the op is exp(x)"),
    (graph(Node(find_op("sum"), (X,), {"axis": (0,)}, (W,))), "sum: attributes are ['axis']"),
    (graph(Node(find_op("cast"), (X,), {}, (Y,))), "cast: attribute 'dtype' is missing"),
    (graph(node("sum", [X], W, axis=[0])), "sum: attribute 'axis' is [0], of type list"),
    (graph(node("sum", [X], W, axis=(0, [1]))), "sum: attribute 'axis' is [1], of type list"),
    (graph(node("sum", [X], W, axis=(np.int64(0),))), "of type int64"),
    (graph(node("sum", [X], W, axis=0)), "sum: does not take these attributes: TypeError"),
    (graph(node("sum", [X], W, axis=(2,))), "sum: axes (2,) "),
    # types
    (graph(node("exp", [X], W)), "exp gives f32[N,3], but the result is declared f32[3]"),
    (graph(node("exp", [X], of_type(N, 3, dtype=gc.f64))), "exp gives f32[N,3], but the result is declared f64[N,3]"),
    (graph(node("exp", [X], Y, W)), "exp gives f32[N,3], but the result is declared f32[N,3], f32[3]"),
    (graph(node("topk", [X], Y, k=2, axis=1)), "topk gives f32[N,2], i64[N,2], but the result is declared f32[N,3]"),
    (graph(node("add", [X, W], Y), state=[STATE]), "add: a has shape (N,3), but b has (3,)"),
    # literals
    (graph(node("mul", [X, Literal(N, gc.bool)], Y)), "literal N is no value of bool"),
    (graph(node("add", [Literal(300, gc.u8)] * 2, of_type(dtype=gc.u8))), "literal 300 is out of range for u8"),
    (graph(outputs=[Literal(-1, gc.u64)]), "literal -1 is out of range for u64"),
    # dims
    (graph(node("mul", [X, Literal(M, gc.f32)], Y)), "literal (M) mentions the dim M, which no input has"),
    (graph(outputs=[Literal(N * M, gc.i64)]), "literal (M*N) mentions the dim M, which no input has"),
    (
        graph(node("full", [], of_type(M), value=0.0, shape=(M,), dtype=gc.f32)),
        "full: attribute 'shape' (M) mentions the dim M, which no input has",
    ),
    # state
    (graph(state=[State(W, "weight")]), "state %w is of kind 'weight'; kinds are parameter, buffer, slot"),
    (graph(updates=[(X, X)]), "%x is updated, but it is not state"),
    (graph(EXP, updates=[(Y, Y)]), "%y is updated, but it is not state"),
    (graph(state=[State(W, "buffer", order=(1,))]), "state %w is stored in the order (1,), which is not a permutation"),
    (graph(state=[STATE], updates=[(W, W), (W, W)]), "%w is updated twice"),
    (graph(state=[STATE], updates=[(W, X)]), "buffer %w is f32[3], but its new value is f32[N,3]"),
    (graph(state=[STATE], updates=[(W, Literal(0.0, gc.f32))]), "buffer %w is f32[3], but its new value is f32[]"),
    # regions
    (graph(node("fused", [X], Y, regions=(REGION,))), "%x is returned or stored, but nothing defines it"),
    (graph(node("exp", [X], Y, regions=(REGION.with_(outputs=REGION.inputs),))), "exp: does not take"),
]  # fmt: skip


@pytest.mark.parametrize(("broken", "text"), BROKEN, ids=[text[:50] for _, text in BROKEN])
def test_a_broken_graph_is_refused(broken, text):
    with pytest.raises(VerifyError) as caught:
        verify(broken)
    assert caught.value.rule.startswith(f"@{broken.name}: {text}") or text in caught.value.rule


def test_sound_graphs_come_back_as_they_are():
    sound = graph(
        node("exp", [X], Y),
        node("div", [Literal(1, gc.f32), Literal(N, gc.f32)], Value("mean", gc.f32())),
        node("fused", [X], Value("z", X.type), regions=(REGION.with_(outputs=REGION.inputs),)),
        outputs=[Y, X, Literal(N, gc.i64)],
        state=[STATE],
        updates=[(W, W)],
    )
    assert verify(sound) is sound
    assert verify(graph(inputs=())).outputs == ()


def test_a_region_may_mention_the_dims_around_it():
    row = Value("row", gc.f32[3])
    scaled = Value("scaled", gc.f32[3])
    region = Graph("row", (row,), (node("div", [row, Literal(N, gc.f32)], scaled),), (scaled,))
    assert verify(graph(node("map", [X], Y, regions=(region,), mapped=1), outputs=[Y]))
    with pytest.raises(VerifyError, match="mentions the dim N, which no input has"):
        verify(region)


def test_a_sound_node_is_looked_at_again_in_another_graph():
    relu = node("relu", [X], Y)
    verify(graph(relu, outputs=[Y]))
    verify(graph(relu, outputs=[Y]))
    with pytest.raises(VerifyError, match="%x is used before it is defined"):
        verify(graph(relu, inputs=[W], outputs=[Y]))
    with pytest.raises(VerifyError, match="%y is defined twice"):
        verify(graph(relu, relu, outputs=[Y]))
    spread = node("broadcast_to", [W], Y, shape=(N, 3))
    verify(graph(spread, inputs=[X, W], outputs=[Y]))
    with pytest.raises(VerifyError, match="mentions the dim N, which no input has"):
        verify(graph(spread, inputs=[W], outputs=[Y]))


def test_the_error_shows_the_pass_the_node_and_the_line():
    with pytest.raises(VerifyError) as caught:
        verify(graph(node("add", [X, X], W)), after="fuse")
    assert str(caught.value) == (
        "after pass 'fuse': @f: add gives f32[N,3], but the result is declared f32[3]\n"
        "  %w: f32[3] = add(%x: f32[N,3], %x: f32[N,3])\n"
        "  declared at model.py:14, in Net.fc"
    )


def test_a_rule_that_fails_keeps_its_cause():
    with pytest.raises(VerifyError) as caught:
        verify(graph(node("sum", [X], W, axis=0)))
    assert "TypeError" in caught.value.rule


def test_ten_thousand_nodes_take_a_moment():
    values = [X, *(Value(f"v{i}", X.type) for i in range(10_000))]
    nodes = [node("exp", [a], b) for a, b in pairwise(values)]
    assert verify(graph(*nodes, outputs=[values[-1]])).count() == 10_000
