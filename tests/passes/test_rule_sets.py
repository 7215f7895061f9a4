"""What rules may not do, rule sets, and passes made of rules."""

import numpy as np
import pytest

import graphc as gc
from graphc.errors import ArgumentError, RewriteError
from graphc.ops.elementwise import add, exp, mul, neg, square
from graphc.ops.reduction import sum as sum_op
from graphc.ops.shape import broadcast_to, reshape
from graphc.passes import RewritePass, RuleSet, apply_rules, rule, rule_on, single_use
from graphc.text.parser import parse
from rewritten import DOUBLE, double_negation, rewritten

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
