"""What a diff shows, and what counts as equal."""

import time
from itertools import pairwise

import pytest

import graphc as gc
from graphc.errors import ArgumentError
from graphc.text.diff import diff
from graphc.text.parser import parse

BEFORE = """graph @f(%x: f32[N,3], %y: f32[N,3]) {
  parameter %w: f32[3]
  buffer %steps: i64[]
  %a: f32[N,3] = mul(%x, 1.0)
  %b: f32[N,3] = exp(%a)
  %c: f32[N,3] = tanh(%b)
  %d: f32[N,3] = neg(%c)
  %e: f32[N,3] = log(%d)
  %f: f32[N,3] = sin(%e)
  %g: f32[N,3] = add(%f, %y)
  %h: f32[3] = sum(%g, axis=(0,))
  %next: i64[] = add(%steps, 1)
  update %steps = %next
  return %h, %b
}"""


def changed(*replacements):
    text = BEFORE
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return parse(text)


DIFFS = {
    "removed": changed(("  %a: f32[N,3] = mul(%x, 1.0)\n", ""), ("exp(%a)", "exp(%x)")),
    "added": changed(("%h: f32[3] = sum(%g", "%new: f32[N,3] = cos(%g)\n  %h: f32[3] = sum(%new")),
    "replaced": changed(
        ("tanh(%b)", "sigmoid(%b)"), ("axis=(0,)", "axis=(0,), keepdims=True"), ("%h: f32[3]", "%h: f32[1,3]")
    ),
    "renamed": changed(("%c", "%squashed"), ("%g", "%total"), ("%y", "%shift")),
    "renamed_and_changed": changed(("%c", "%squashed"), ("tanh(%b)", "sinh(%b)")),
    "moved": changed(
        ("  %next: i64[] = add(%steps, 1)\n", ""), ("  %a: f32", "  %next: i64[] = add(%steps, 1)\n  %a: f32")
    ),
    "header": changed(("graph @f(", "graph @loss("), ("return %h, %b", "return %h"), ("parameter", "hyperparameter")),
    "updates": changed(("update %steps = %next", "update %w = %h"), ("%next: i64[] = add(%steps, 1)\n", "")),
    "everything": parse("graph @g(%p: f32[4]) { %q: f32[4] = exp(%p) return %q }"),
}


@pytest.mark.parametrize("name", DIFFS)
def test_diff(name, golden):
    golden(f"text/diff_{name}.txt", str(diff(parse(BEFORE), DIFFS[name])))


def test_equal_graphs_have_no_difference():
    found = diff(parse(BEFORE), parse(BEFORE))
    assert not found
    assert str(found) == ""
    assert found.lines == ()


def test_a_diff_has_the_nodes():
    found = diff(parse(BEFORE), DIFFS["removed"])
    assert found
    assert [node.op.name for node in found.removed] == ["mul"]
    assert found.added == ()
    assert [(old.op.name, new.op.name) for old, new in found.changed] == [("exp", "exp")]
    found = diff(parse(BEFORE), DIFFS["renamed"])
    assert found.renamed == (("y", "shift"), ("c", "squashed"), ("g", "total"))
    assert (found.removed, found.added, found.changed) == ((), (), ())


def test_inside_regions_only_the_changed_lines_are_shown(golden):
    before = parse(
        "graph @f(%x: f32[3]) { %y: f32[3] = fused(%x) { region @r(%x: f32[3]) {"
        " %a: f32[3] = exp(%x) %b: f32[3] = neg(%a) %c: f32[3] = sin(%b) return %c } } return %y }"
    )
    after = parse(str(before).replace("neg", "abs"))
    golden("text/diff_region.txt", str(diff(before, after)))


def test_many_renames_are_counted():
    before = parse("graph @f(%x: f32[3]) {" + "".join(f"%a{i}: f32[3] = exp(%x)\n" for i in range(20)) + "return }")
    after = parse(str(before).replace("%a", "%b"))
    first, second, *rest = str(diff(before, after)).splitlines()
    assert first == "@f: 20 nodes, 20 before: 0 removed, 0 added, 0 changed, 20 renamed"
    assert second.startswith("renamed: %a0 is %b0, %a1 is %b1")
    assert second.endswith("and 12 more")
    assert rest == []


def test_only_graphs_have_a_diff():
    with pytest.raises(ArgumentError, match="diff takes two graphs, not str"):
        diff(parse(BEFORE), BEFORE)


def chain(count, op, name):
    names = ["x", *(f"{name if i % 3 else 'v'}{i}" for i in range(count))]
    lines = "\n".join(f"  %{new}: f32[3] = {op}(%{old})" for old, new in pairwise(names))
    return parse(f"graph @f(%x: f32[3]) {{\n{lines}\n  return %{names[-1]}\n}}")


def test_ten_thousand_nodes_take_seconds():
    before, after = chain(10_000, "exp", "a"), chain(10_000, "neg", "b")
    start = time.perf_counter()
    found = diff(before, after)
    assert time.perf_counter() - start < 10
    assert (len(found.removed), len(found.added), len(found.changed)) == (6666, 6666, 3334)
    start = time.perf_counter()
    assert not before.same_as(after)
    assert time.perf_counter() - start < 10


# -- equality --------------------------------------------------------------------------------------------------------

TWO = """graph @f(%x: f32[3], %y: f32[3]) {
  %a: f32[3] = exp(%x)
  %b: f32[3] = sin(%y)
  %c: f32[3] = sub(%a, %b)
  return %c
}"""


@pytest.mark.parametrize(
    "other",
    [
        TWO.replace("%x", "%p").replace("%b", "%q").replace("%c", "%a1").replace("@f", "@g"),
        TWO.replace("  %b: f32[3] = sin(%y)\n", "").replace("  %a: ", "  %b: f32[3] = sin(%y)\n  %a: "),
    ],
    ids=["names", "order"],
)
def test_names_and_the_order_of_independent_nodes_do_not_count(other):
    assert parse(TWO).same_as(parse(other))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("sub(%a, %b)", "sub(%b, %a)"),
        ("sin(%y)", "sin(%x)"),
        ("sin(%y)", "cos(%y)"),
        ("return %c", "return %a"),
        ("return %c", "return %c, %c"),
        ("%x: f32[3], %y: f32[3]", "%y: f32[3], %x: f32[3]"),
        ("  return", "  %d: f32[3] = exp(%c)\n  return"),
        ("{\n", "{\n  buffer %w: f32[3]\n"),
    ],
)
def test_everything_else_counts(old, new):
    assert old in TWO
    assert not parse(TWO).same_as(parse(TWO.replace(old, new)))


def test_state_and_updates_count_by_position():
    counted = "graph @f() { buffer %a: i64[] buffer %b: i64[] %c: i64[] = add(%a, 1) update %a = %c return }"
    assert parse(counted).same_as(parse(counted.replace("%a", "%n").replace("%b", "%m")))
    assert not parse(counted).same_as(parse(counted.replace("update %a", "update %b")))


def test_canonical_text_numbers_values(golden):
    from graphc.text.canonical import canonical_text

    golden("text/canonical.ir", canonical_text(parse(BEFORE)))
    assert canonical_text(parse(canonical_text(parse(BEFORE)))) == canonical_text(parse(BEFORE))


def test_the_face_diffs_graphs():
    assert str(gc.diff(parse(BEFORE), DIFFS["added"])) == str(diff(parse(BEFORE), DIFFS["added"]))
