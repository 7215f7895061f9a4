"""What a rule may say, what a match may be asked, and what is refused."""

import pytest

import graphc as gc
from graphc.ops.contraction import dot_general
from graphc.ops.elementwise import add, cast, exp, mul, neg, relu, square, sub, where
from graphc.ops.reduction import sum as sum_op
from graphc.ops.shape import permute_dims, reshape
from graphc.ops.sorting import topk
from graphc.passes import Number, apply_rules, floats, rule, rule_on, same_type, single_use
from graphc.text.parser import parse
from rewritten import DOUBLE, double_negation, rewritten

# -- matching ---------------------------------------------------------------------------------------------------------


def test_a_rule_reads_as_its_formula():
    assert rewritten(DOUBLE, double_negation) == (["%z: f32[N] = exp(%x)", "return %z"], {"double_negation": 1})
    assert (double_negation.name, double_negation.doc) == ("double_negation", "-(-x)  →  x")
    assert repr(double_negation) == "<rule double_negation: -(-x)  →  x>"


def test_a_graph_without_a_match_is_the_very_same():
    graph = parse("graph @f(%x: f32[N]) { %y: f32[N] = neg(%x) return %y }")
    assert apply_rules(graph, [double_negation]) == (graph, {})


def test_commutative_ops_match_in_both_orders():
    @rule
    def to_sub(x, y):
        return add(x, neg(y)), sub(x, y)

    for order in ("%a, %y", "%y, %a"):
        text = f"graph @f(%x: f32[N], %y: f32[N]) {{ %a: f32[N] = neg(%x) %z: f32[N] = add({order}) return %z }}"
        assert rewritten(text, to_sub)[0] == ["%z: f32[N] = sub(%y, %x)", "return %z"]


def test_a_variable_used_twice_is_one_value():
    @rule
    def to_square(x):
        return mul(x, x), square(x)

    same = "graph @f(%x: f32[N], %y: f32[N]) { %z: f32[N] = mul(%x, %x) return %z }"
    assert rewritten(same, to_square)[1] == {"to_square": 1}
    assert rewritten(same.replace("(%x, %x)", "(%x, %y)"), to_square)[1] == {}


@pytest.mark.parametrize(
    ("number", "literal", "fires"),
    [(0.0, "0.0", True), (0.0, "-0.0", False), (-0.0, "-0.0", True), (1, "1.0", True), (True, "1.0", False)],
)
def test_numbers_match_literals_by_value(number, literal, fires):
    @rule
    def found(x):
        return add(x, number), x

    text = f"graph @f(%x: f32[N]) {{ %z: f32[N] = add(%x, {literal}) %y: f32[N] = exp(%z) return %y }}"
    assert bool(rewritten(text, found)[1]) == fires


def test_nan_matches_nan():
    @rule
    def found(x):
        return add(x, float("nan")), x

    assert rewritten("graph @f(%x: f32[N]) { %z: f32[N] = add(%x, nan) return %z }", found)[1] == {"found": 1}


def test_a_number_parameter_is_a_literals_value():
    seen = []

    @rule
    def scale(x, a: Number, b: Number):
        return mul(mul(x, a), b), lambda: seen.append((a, b)) or mul(x, a * b)

    text = "graph @f(%x: f32[N], %s: f32[]) { %a: f32[N] = mul(%x, 2.0) %z: f32[N] = mul(%a, 4.0) return %z }"
    assert rewritten(text, scale)[0] == ["%z: f32[N] = mul(%x, 8.0)", "return %z"]
    assert seen == [(2.0, 4.0)]
    assert rewritten(text.replace("4.0", "%s"), scale)[1] == {}
    assert rewritten(text.replace("4.0", "N"), scale)[1] == {}, "an extent has no value yet"


def test_attributes_may_be_variables_or_values():
    @rule
    def merge(x, p, q):
        return permute_dims(permute_dims(x, axes=p), axes=q), lambda: permute_dims(x, axes=tuple(p[i] for i in q))

    text = """graph @f(%x: f32[2,3,4]) { %a: f32[4,2,3] = permute_dims(%x, axes=(2, 0, 1))
        %z: f32[2,4,3] = permute_dims(%a, axes=(1, 0, 2)) return %z }"""
    assert rewritten(text, merge)[0] == ["%z: f32[2,4,3] = permute_dims(%x, axes=(0, 2, 1))", "return %z"]

    @rule
    def over_first_axis(x, keepdims):
        return sum_op(exp(x), axis=(0,), keepdims=keepdims), sum_op(x, axis=(0,), keepdims=keepdims)

    text = (
        "graph @f(%x: f32[3,4]) { %a: f32[3,4] = exp(%x) %z: f32[1,4] = sum(%a, axis=(0,), keepdims=True) return %z }"
    )
    assert rewritten(text, over_first_axis)[1] == {"over_first_axis": 1}
    other = text.replace("(0,)", "(1,)").replace("[1,4]", "[3,1]")
    assert rewritten(other, over_first_axis)[1] == {}


def test_an_omitted_attribute_is_its_default():
    @rule
    def without_keepdims(x, axis):
        return sum_op(neg(x), axis=axis), neg(sum_op(x, axis=axis))

    text = "graph @f(%x: f32[3,4]) { %a: f32[3,4] = neg(%x) %z: f32[4] = sum(%a, axis=(0,), keepdims=False) return %z }"
    assert rewritten(text, without_keepdims)[1] == {"without_keepdims": 1}
    assert rewritten(text.replace("False", "True").replace("[4]", "[1,4]"), without_keepdims)[1] == {}


def test_parts_of_an_attribute_may_be_variables():
    @rule
    def outer(x, y, i):
        return dot_general(neg(x), y, contract=((i,), (0,))), neg(dot_general(x, y, contract=((i,), (0,))))

    text = """graph @f(%x: f32[3,4], %y: f32[4]) { %a: f32[3,4] = neg(%x)
        %z: f32[3] = dot_general(%a, %y, contract=((1,), (0,)), batch=((), ())) return %z }"""
    assert rewritten(text, outer)[1] == {"outer": 1}


def test_two_functions_make_a_rule():
    def square_of_negation(x):
        return square(neg(x))

    merged = rule(pattern=square_of_negation, replacement=lambda x: square(x))
    text = "graph @f(%x: f32[N]) { %a: f32[N] = neg(%x) %z: f32[N] = square(%a) return %z }"
    assert rewritten(text, merged) == (["%z: f32[N] = square(%x)", "return %z"], {"square_of_negation": 1})


def test_several_results_are_matched_one_by_one_or_all_at_once():
    @rule
    def best_of_negated(x, k, axis):
        values, indices = topk(neg(x), k=k, axis=axis)
        return (values, indices), lambda: topk(x, k=k, axis=axis)

    text = """graph @f(%x: f32[3]) { %a: f32[3] = neg(%x) %v: f32[2], %i: i64[2] = topk(%a, k=2, axis=0)
        return %v, %i }"""
    assert rewritten(text, best_of_negated)[0] == ["%v: f32[2], %i: i64[2] = topk(%x, k=2, axis=0)", "return %v, %i"]

    @rule(where=lambda m: m["indices"].dtype is gc.i64)
    def values_alone(x, axis):
        values, indices = topk(x, k=2, axis=axis)
        return values, lambda: where(indices > 0, 1.0, 7.0)

    assert rewritten(text, values_alone)[0][1:] == [
        "%v: f32[2], %i: i64[2] = topk(%a, k=2, axis=0)",
        "%greater: bool[2] = greater(%i, 0)",
        "%where: f32[2] = where(%greater, 1.0:f32, 7.0:f32)",
        "return %where, %i",
    ]


# -- replacing --------------------------------------------------------------------------------------------------------


def test_what_the_pattern_made_can_be_used_and_is_not_made_again():
    @rule
    def sigmoid_like(x):
        h = exp(x)
        return mul(h, neg(h)), neg(square(h))

    text = "graph @f(%x: f32[N]) { %h: f32[N] = exp(%x) %a: f32[N] = neg(%h) %y: f32[N] = mul(%h, %a) return %y }"
    lines, _ = rewritten(text, sigmoid_like)
    assert lines == ["%h: f32[N] = exp(%x)", "%square: f32[N] = square(%h)", "%y: f32[N] = neg(%square)", "return %y"]


def test_what_others_read_stays():
    text = DOUBLE.replace("return %z", "return %z, %a")
    assert rewritten(text, double_negation)[0] == [
        "%a: f32[N] = neg(%x)", "%z: f32[N] = exp(%x)", "return %z, %a",
    ]  # fmt: skip


def test_results_of_the_graph_follow():
    lines, _ = rewritten(
        """graph @f(%x: f32[N]) { buffer %m: f32[N] %a: f32[N] = neg(%x) %y: f32[N] = neg(%a) update %m = %y
        return %y, %y }""",
        double_negation,
    )
    assert lines == ["buffer %m: f32[N]", "update %m = %x", "return %x, %x"]


def test_a_number_takes_the_type_of_what_it_replaces():
    @rule
    def nothing_left(x):
        return sub(x, x), 0

    text = "graph @f(%x: i8[N]) { %y: i8[N] = sub(%x, %x) return %y }"
    assert rewritten(text, nothing_left)[0] == ["%y: i8[N] = broadcast_to(0:i8, shape=(N,))", "return %y"]
    assert rewritten(text.replace("[N]", "[]"), nothing_left)[0] == ["return 0:i8"]


def test_new_nodes_carry_the_users_line_and_the_rule():
    @rule
    def to_square(x):
        return mul(x, x), neg(neg(square(x)))

    def f(x):
        h = x * x
        return h + 1

    graph = gc.trace(f, gc.f32["N"])
    after, _ = apply_rules(graph, [to_square])
    made = [node for node in after.nodes if node.op.name in ("square", "neg")]
    assert [node.provenance.rule for node in made] == ["to_square"] * 3
    assert {node.provenance.location for node in made} == {graph.nodes[0].provenance.location}
    assert made[-1].result.name == "h"


def test_a_merged_value_keeps_the_name_that_the_user_gave():
    @rule
    def fold(x, shape, axis):
        return reshape(sum_op(x, axis=axis, keepdims=True), shape=shape), sum_op(x, axis=axis)

    @rule_on(sum_op)
    def split(node):
        x, axis = node.operands[0], node["axis"]
        return reshape(sum_op(x, axis=axis), shape=node.result.shape) if node["keepdims"] else None

    @rule
    def again(x, a, b):
        y = reshape(reshape(x, shape=a), shape=b)
        return y, lambda: x if x.shape == y.shape else reshape(x, shape=b)

    text = """graph @f(%x: f32[N,3]) { %s: f32[N,1] = sum(%x, axis=(1,), keepdims=True)
        %mine: f32[N] = reshape(%s, shape=(N,)) return %mine }"""
    assert rewritten(text, split, again)[0] == ["%mine: f32[N] = sum(%x, axis=(1,))", "return %mine"]
    assert rewritten(text, fold)[0] == ["%mine: f32[N] = sum(%x, axis=(1,))", "return %mine"]


def test_rewriting_goes_on_with_what_it_made():
    @rule
    def outwards(x, y):
        return mul(neg(x), y), neg(mul(x, y))

    text = """graph @f(%x: f32[N], %y: f32[N]) {
        %a: f32[N] = neg(%x) %b: f32[N] = mul(%a, %y) %c: f32[N] = mul(%b, %y) %d: f32[N] = neg(%c) return %d }"""
    lines, counts = rewritten(text, outwards, double_negation)
    assert lines == ["%mul: f32[N] = mul(%x, %y)", "%d: f32[N] = mul(%mul, %y)", "return %d"]
    assert counts == {"double_negation": 1, "outwards": 2}


# -- conditions -------------------------------------------------------------------------------------------------------


def test_a_condition_sees_values_types_users_and_what_the_function_named():
    seen = {}

    def look(m):
        seen.update(h=m["h"], x=m["x"], root=m.root, axis=m["axis"])
        return m["h"].single_use

    @rule(where=look)
    def negation_out(x, axis):
        h = neg(x)
        return sum_op(h, axis=axis), neg(sum_op(x, axis=axis))

    text = """graph @f(%x: f32[N,3]) {
        parameter %w: f32[N,3]
        %g: f32[N,3] = mul(%x, %w) %h: f32[N,3] = neg(%g) %s: f32[3] = sum(%h, axis=(0,), keepdims=False) return %s }"""
    assert rewritten(text, negation_out)[1] == {"negation_out": 1}
    h, x = seen["h"], seen["x"]
    assert (h.value.name, x.value.name, seen["root"].value.name, seen["axis"]) == ("h", "g", "s", (0,))
    assert (str(x.type), x.ndim, x.made_by("mul", "add"), h.is_literal, x.number) == ("f32[N,3]", 2, True, False, None)
    more = text.replace("return %s", "return %s, %h")
    assert rewritten(more, negation_out)[1] == {}
    assert seen["h"].is_result
    assert [node.op.name for node in seen["h"].users] == ["sum"]
    twice = text.replace("return %s", "%t: f32[N,3] = exp(%h) return %s, %t")
    assert rewritten(twice, negation_out)[1] == {}


def test_several_conditions_must_all_hold():
    @rule(where=[floats(), same_type("x"), single_use("h")])
    def found(x, y):
        h = neg(x)
        return mul(h, y), neg(mul(x, y))

    text = "graph @f(%x: f32[N], %y: f32[N]) { %a: f32[N] = neg(%x) %z: f32[N] = mul(%a, %y) return %z }"
    assert rewritten(text, found)[1] == {"found": 1}
    assert rewritten(text.replace("f32", "i32"), found)[1] == {}
    assert (
        rewritten(text.replace("%a: f32[N] = neg", "%a: f32[] = neg").replace("%x: f32[N]", "%x: f32[]"), found)[1]
        == {}
    )


def test_a_rule_is_tried_again_when_a_value_has_lost_its_other_reader():
    @rule(where=single_use("h"))
    def lonely(x):
        h = exp(x)
        return neg(h), h

    @rule
    def drop(x):
        return relu(exp(x)), exp(x)

    text = """graph @f(%x: f32[N]) { %h: f32[N] = exp(%x) %y: f32[N] = neg(%h) %z: f32[N] = relu(%h)
        %w: f32[N] = relu(%z) return %y, %w }"""
    assert rewritten(text, lonely, drop)[1]["lonely"] == 1


def test_a_replacement_may_decline():
    @rule
    def sometimes(x, dtype):
        y = cast(x, dtype=dtype)
        return y, lambda: x if x.dtype is y.dtype else None

    text = "graph @f(%x: f32[N]) { %y: f32[N] = cast(%x, dtype=f32) %z: f64[N] = cast(%y, dtype=f64) return %z }"
    assert rewritten(text, sometimes) == (["%z: f64[N] = cast(%x, dtype=f64)", "return %z"], {"sometimes": 1})
