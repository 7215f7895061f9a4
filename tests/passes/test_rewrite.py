"""What a rule may say, what a match may be asked, and what is refused."""

import numpy as np
import pytest

import graphc as gc
from graphc.errors import ArgumentError, RewriteError
from graphc.ops.contraction import dot_general
from graphc.ops.elementwise import add, cast, exp, mul, neg, relu, square, sub, where
from graphc.ops.reduction import sum as sum_op
from graphc.ops.shape import broadcast_to, permute_dims, reshape
from graphc.ops.sorting import topk
from graphc.passes import Number, RewritePass, RuleSet, apply_rules, floats, rule, rule_on, same_type, single_use
from graphc.text.parser import parse
from graphc.verify import verify


def rewritten(text, *rules):
    """The body of the graph after the rules, line by line, and the counts."""
    graph, counts = apply_rules(parse(text), rules)
    lines = str(verify(graph)).splitlines()[1:-1]
    return [line.strip() for line in lines], counts


@rule
def double_negation(x):
    """-(-x)  →  x"""
    return neg(neg(x)), x


DOUBLE = "graph @f(%x: f32[N]) { %a: f32[N] = neg(%x) %y: f32[N] = neg(%a) %z: f32[N] = exp(%y) return %z }"

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


# -- what is refused --------------------------------------------------------------------------------------------------


def test_a_replacement_of_another_type_is_an_error_with_rule_and_line():
    @rule
    def wrong(x):
        return neg(x), sum_op(x, axis=(0,))

    with pytest.raises(RewriteError) as caught:
        rewritten("graph @f(%x: f32[N]) { %y: f32[N] = neg(%x) return %y }", wrong)
    assert str(caught.value).splitlines()[:2] == [
        "rule 'wrong': it replaces %y: f32[N] by a f32[]", "  %y: f32[N] = neg(%x)",
    ]  # fmt: skip


def test_a_replacement_that_no_op_takes_names_the_rule():
    @rule
    def wrong(x):
        return neg(x), lambda: reshape(x, shape=(7,))

    with pytest.raises(RewriteError, match="rule 'wrong': reshape: f32\\[3\\] has 3 elements"):
        rewritten("graph @f(%x: f32[3]) { %y: f32[3] = neg(%x) return %y }", wrong)


def test_a_replacement_cannot_read_what_it_replaces():
    @rule
    def wrapped(x):
        y = neg(x)
        return y, exp(y)

    with pytest.raises(RewriteError, match="rule 'wrapped': its replacement reads %y, which it replaces"):
        rewritten("graph @f(%x: f32[N]) { %y: f32[N] = neg(%x) return %y }", wrapped)


def test_rules_that_undo_each_other_are_stopped_and_named():
    @rule
    def there(x, y):
        return mul(x, y), add(x, y)

    @rule
    def back(x, y):
        return add(x, y), mul(x, y)

    with pytest.raises(RewriteError) as caught:
        rewritten("graph @f(%x: f32[N]) { %y: f32[N] = mul(%x, %x) return %y }", there, back)
    message = str(caught.value)
    assert "does not end" in message
    assert "there (100 of the last 200)" in message
    assert "back (100 of the last 200)" in message
    assert "%y" in message


def test_a_rule_that_grows_its_own_pattern_is_stopped():
    @rule
    def grows(x):
        return exp(x), exp(neg(neg(x)))

    with pytest.raises(RewriteError, match="grows \\(200 of the last 200\\)"):
        rewritten("graph @f(%x: f32[N]) { %y: f32[N] = exp(%x) return %y }", grows)


def refused(function, message, **options):
    with pytest.raises(RewriteError, match=message):
        rule(function, **options) if not options else rule(**options)(function)


def test_what_is_no_pattern_is_refused_at_once():
    refused(lambda x: (x, x), "is no pattern")
    refused(lambda x: (3.0, x), "is no pattern")
    refused(lambda x, y: (neg(x), y), "does not say what y matches")
    refused(lambda *xs: (neg(xs[0]), xs[0]), "name each variable")
    refused(lambda x: (neg(x), reshape(x, shape=x.shape)), r"no \.shape yet; return the replacement as a function")
    refused(lambda x: (neg(x) if x > 0 else exp(x), x), "cannot branch")
    refused(lambda x: (add(x, np.ones(3)), x), "variables, ops and numbers")
    with pytest.raises(RewriteError, match="does not say what y matches"):
        rule(pattern=lambda x: neg(x), replacement=lambda y: y, name="two")


def test_a_pattern_that_changes_at_a_match_is_refused():
    @rule
    def fickle(x):
        first = not hasattr(x, "builder")
        return (neg(x) if first else exp(x)), x

    with pytest.raises(RewriteError, match="its pattern called neg, and calls exp at a match"):
        rewritten("graph @f(%x: f32[N]) { %y: f32[N] = neg(%x) return %y }", fickle)


def test_a_condition_on_a_name_that_is_not_there_says_which_are():
    @rule(where=single_use("nope"))
    def found(x):
        h = neg(x)
        return exp(h), x

    with pytest.raises(RewriteError, match="names nothing 'nope'; there are x, h"):
        rewritten("graph @f(%x: f32[N]) { %a: f32[N] = neg(%x) %y: f32[N] = exp(%a) return %y }", found)


# -- sets and passes --------------------------------------------------------------------------------------------------


def test_rule_sets_go_by_name():
    rules = RuleSet([double_negation])
    assert "double_negation" in rules
    assert rules["double_negation"] is double_negation
    with pytest.raises(ArgumentError, match="there is a rule 'double_negation' already"):
        rules.append(double_negation)
    with pytest.raises(ArgumentError, match="did you mean double_negation"):
        rules["duble_negation"]
    with pytest.raises(ArgumentError, match="is no rule"):
        rules.append(lambda x: x)
    assert rules.remove("double_negation") is double_negation
    assert len(rules) == 0


def test_a_pass_of_ones_own_stands_in_a_pipeline_and_counts():
    mine = RewritePass("mine", RuleSet([double_negation]))
    stages = gc.passes.Pipeline(["decompose", mine, "dce"]).run(parse(DOUBLE))
    assert stages["mine"].counts == {"double_negation": 1}
    assert stages["mine"].graph.count() == 1
    mine.rules.remove("double_negation")
    assert mine(parse(DOUBLE)).count() == 3


def test_users_add_to_the_rules_of_the_house():
    @rule
    def exp_of_negated_square(x):
        """exp(-x²)  →  1/exp(x²)"""
        return exp(neg(square(x))), 1 / exp(square(x))

    gc.passes.algebra_rules.append(exp_of_negated_square)
    try:
        after = gc.passes.algebra(gc.trace(lambda x: gc.exp(-gc.square(x)), gc.f32["N"]))
    finally:
        gc.passes.algebra_rules.remove("exp_of_negated_square")
    assert [node.op.name for node in after.nodes] == ["square", "exp", "reciprocal"]


def test_rules_reach_into_regions():
    text = """graph @f(%x: f32[N,3]) { %y: f32[N,3] = map(%x, mapped=1) { region @row(%r: f32[3]) {
        %a: f32[3] = neg(%r) %b: f32[3] = neg(%a) return %b } } return %y }"""
    after, counts = RewritePass("mine", [double_negation]).run(parse(text))
    assert counts == {"double_negation": 1}
    assert after.nodes[0].regions[0].count() == 0
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(gc.evaluate(after, array), array)


def test_a_long_chain_is_no_deep_recursion():
    def chain(x):
        for _ in range(3000):
            x = -x
        return x * 1.0

    graph = gc.trace(chain, gc.f32["N"])
    after, counts = apply_rules(graph, [double_negation])
    assert counts == {"double_negation": 1500}
    assert after.count() == 1


def test_a_rule_on_nodes_sees_them_and_may_decline():
    @rule_on(broadcast_to, depth=1)
    def as_it_is(node):
        return node.operands[0] if node["shape"] == node.operands[0].shape else None

    text = """graph @f(%x: f32[3]) { %a: f32[3] = broadcast_to(%x, shape=(3,))
        %y: f32[2,3] = broadcast_to(%a, shape=(2, 3)) return %y }"""
    assert rewritten(text, as_it_is) == (
        ["%y: f32[2,3] = broadcast_to(%x, shape=(2, 3))", "return %y"], {"as_it_is": 1},
    )  # fmt: skip
