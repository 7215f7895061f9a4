"""Text reads back exactly, whatever the graph; damaged text is refused with its place, whatever the damage."""

from hypothesis import example, given
from hypothesis import strategies as st

from graphc.errors import ParseError
from graphc.text.diff import diff
from graphc.text.parser import parse
from graphc.verify import verify
from text.random_text import damaged, graphs


@given(graphs())
def test_random_graphs_read_back(graph):
    text = str(verify(graph))
    again = verify(parse(text))
    assert str(again) == text
    assert again.same_as(graph)
    assert not diff(graph, again)
    assert str(parse(graph.to_text(provenance=True))) == text


@given(damaged(graphs().map(str)))
@example("graph @f() { return }" * 2)
@example("graph @f(%x: f32[" + "(" * 10_000)
@example("graph @f(%x: f32[N" + "*(N+1)" * 10_000 + "]) { return }")
@example("graph @f() { %x: f32[] = full(value=" + "(" * 10_000 + ")" * 10_000 + ", shape=(), dtype=f32) return }")
@example("graph @f() { %x: f32[] = full(value=" + "(1, " * 10_000)
@example("graph @f() { return 1:f32 }" + "\n" * 10_000 + "x")
@example("graph @f() " + "{ %x: f32[] = fused() { region @r() " * 10_000)
@example("graph @f() { %x: f32[99999999999,0] = constant(value=f32[99999999999,0]{}) return }")
@example('graph @f() { %x: f32[1] = constant(value=f32[1]{base64 "\u00e9"}) return }')
@example("graph @f() { %x: f32[] = full(value=9**9**9**9, shape=(), dtype=f32) return }")
@example("graph @f() { return 1" + "0" * 10_000 + ":i64 }")
@example('graph @f() { %x: f32[] = full(value="\\U99999999", shape=(), dtype=f32) return }')
def test_damaged_text_is_refused_or_reads_back(text):
    try:
        graph = parse(text)
    except ParseError as error:
        _, line, caret = str(error).split("\n")
        assert caret.strip() == "^"
        assert len(line) < 110
        return
    assert str(parse(str(verify(graph)))) == str(graph)


@given(st.text())
def test_any_text_is_refused(text):
    try:
        parse(text)
    except ParseError:
        return
    raise AssertionError("no text is a graph by chance")
