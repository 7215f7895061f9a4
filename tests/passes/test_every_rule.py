"""Every rewrite rule of the house is proven: where it fires, the graph gives the same, for special values too.

A rule made of a pattern is tried on the pattern itself, over inputs of many dtypes and ranks; a rule that looks at
nodes has an example below. A new rule is found here by itself, and fails until it fires somewhere.
"""

import itertools
import random

import pytest

from graphc.builder import Builder
from graphc.errors import GraphcError
from graphc.op import recording
from graphc.ops.elementwise import exp
from graphc.passes import (
    algebra_rules,
    apply_rules,
    canonicalize_rules,
    fold_batch_norm_rules,
    split_rules,
)
from graphc.passes.rewrite_pattern import Part, Variable
from graphc.text.parser import parse
from graphc.types import TensorType, bool_, f16, f32, f64, i8, i64, u8
from graphc.verify import verify
from pass_equivalence import assert_equivalent

EXACT = [*algebra_rules, *canonicalize_rules]
OF_REAL_NUMBERS = [*split_rules, *fold_batch_norm_rules]

DTYPES = [f32, f64, i8, u8, bool_, i64, f16]
SHAPES = [(4, 3), ()]
NUMBERS = [2.0, 0.5, -3.0, 1.5, 0.25, 4, -7, 100, True]
ATTRIBUTES = {
    "shape": [(2, 4, 3), (4, 3), (6, 2)],
    "inner": [(4, 3), (1, 4, 3), (2, 6), (1,)],
    "outer": [(2, 4, 3), (3, 4), (0,)],
    "axis": [(0, 1), (0,)],
    "between": [f32, f64, i64, f16, i8],
    "last": [i8, f16, f32, bool_, u8],
    "p": [(1, 0)],
    "q": [(1, 0), (0, 1)],
    "a": [(0,), (0, 1), (1, 0)],
    "b": [(1,), (0,), (4, 3)],
}
FIRINGS = 12  # per rule

EXAMPLES = {
    "literal_on_the_right": """(%x: f32[4], %c: bool[4]) {
        %y: f32[4] = add(1.5, %x) %z: f32[4] = minimum(nan, %x) %d: bool[4] = logical_xor(True, %c)
        return %y, %z, %d }""",
    "compared_with_literal": "(%x: f32[4]) { %y: bool[4] = less_equal(1.0, %x) return %y }",
    "full_as_literal": "(%x: f32[4]) { %y: f32[4] = full(value=-0.0, shape=(4,), dtype=f32) return %y }",
    "splat_as_scalar": """(%s: f32[], %x: f32[N,3]) {
        %a: f32[N,3] = broadcast_to(%s, shape=(N, 3)) %y: f32[N,3] = div(%a, %x) return %y }""",
    "repetition_after_arithmetic": """(%x: f32[N], %s: f32[3], %t: f32[3]) {
        %a: f32[N,3] = broadcast_to(%s, shape=(N, 3)) %b: f32[N,3] = broadcast_to(%t, shape=(N, 3))
        %c: bool[N,3] = less(%a, %b) %y: f32[N,3] = where(%c, %a, 2.0:f32) return %y }""",
    "nothing_done": "(%x: f32[4]) { %a: f32[4] = identity(%x) %y: f32[4] = stop_gradient(%a) return %y }",
    "cast_to_own_dtype": "(%x: f32[4]) { %y: f32[4] = cast(%x, dtype=f32) return %y }",
    "shape_as_it_is": "(%x: f32[N]) { %a: f32[N] = reshape(%x, shape=(N,)) return %a }",
    "axes_in_order": "(%x: f32[N,3]) { %a: f32[N,3] = permute_dims(%x, axes=(0, 1)) return %a }",
    "whole_slice": """(%x: f32[N,3]) {
        %a: f32[N,3] = slice(%x, starts=(0, 0), limits=(N, 3), strides=(1, 1)) return %a }""",
    "no_padding": "(%x: f32[N]) { %a: f32[N] = pad(%x, low=(0,), high=(0,), interior=(0,), value=2.0) return %a }",
    "no_flip": "(%x: f32[N]) { %a: f32[N] = flip(%x, axis=()) return %a }",
    "concat_of_one": "(%x: f32[N], %y: f32[0]) { %a: f32[N] = concat(%y, %x, axis=0) return %a }",
    "fold_over_nothing": """(%x: f32[1,4], %c: bool[4,1]) {
        %a: f32[4] = max(%x, axis=(0,), keepdims=False) %b: f32[1,4] = prod(%x, axis=(0,), keepdims=True)
        %d: bool[4] = any(%c, axis=(1,), keepdims=False) %e: f32[1,4] = min(%x, axis=(), keepdims=False)
        return %a, %b, %d, %e }""",
    "slice_of_slice": """(%x: f32[9,N]) {
        %a: f32[4,N] = slice(%x, starts=(1, 0), limits=(9, N), strides=(2, 1))
        %b: f32[2,N] = slice(%a, starts=(0, 0), limits=(3, N), strides=(2, 1)) return %b }""",
    "heads_of_slice": """(%x: f32[N,12,2]) {
        %a: f32[N,4,2] = slice(%x, starts=(0, 4, 0), limits=(N, 8, 2))
        %y: f32[N,2,2,2] = reshape(%a, shape=(N, 2, 2, 2)) return %y }""",
    "slice_of_concat": """(%x: f32[N,2], %z: f32[N,3]) {
        %a: f32[N,5] = concat(%x, %z, axis=1)
        %b: f32[N,3] = slice(%a, starts=(0, 2), limits=(N, 5), strides=None) return %b }""",
    "concat_of_concat": """(%x: f32[N], %z: f32[3]) {
        %a: f32[N+3] = concat(%x, %z, axis=0) %b: f32[2*N+3] = concat(%a, %x, axis=0) return %b }""",
    "rearranged_splat": """(%s: f32[], %x: f32[N,3]) {
        %a: f32[N,3] = broadcast_to(%s, shape=(N, 3)) %b: f32[3,N] = permute_dims(%a, axes=(1, 0)) return %b }""",
    "permutation_of_repetition": """(%x: f32[N,1,2]) {
        %a: f32[N,3,2] = broadcast_to(%x, shape=(N, 3, 2))
        %b: f32[2,3,N] = permute_dims(%a, axes=(2, 1, 0)) return %b }""",
    "broadcast_of_unit_axes": """(%v: f32[3]) {
        %a: f32[1,3] = reshape(%v, shape=(1, 3)) %b: f32[2,3] = broadcast_to(%a, shape=(2, 3)) return %b }""",
    "fold_without_keepdims": """(%x: f32[N,3,2]) {
        %a: f32[1,3,1] = max(%x, axis=(2, 0), keepdims=True) return %a }""",
    "transposed_operand": """(%x: f32[3,2,N], %w: f32[3,4,2]) {
        %a: f32[2,N,3] = permute_dims(%x, axes=(1, 2, 0))
        %b: f32[2,N,4] = dot_general(%a, %w, contract=((2,), (0,)), batch=((0,), (2,))) return %b }""",
    "contracted_axes_in_order": """(%x: f32[3,2], %w: f32[2,3]) {
        %b: f32[] = dot_general(%x, %w, contract=((1, 0), (0, 1)), batch=((), ())) return %b }""",
    "transposed_product": """(%x: f32[2,3,4], %w: f32[2,4,5]) {
        %a: f32[2,3,5] = dot_general(%x, %w, contract=((2,), (1,)), batch=((0,), (0,)))
        %b: f32[2,5,3] = permute_dims(%a, axes=(0, 2, 1))
        %c: f32[2,3,4,4,5] = dot_general(%x, %w, contract=((), ()), batch=((0,), (0,)))
        %d: f32[2,4,5,3,4] = permute_dims(%c, axes=(0, 3, 4, 1, 2)) return %b, %d }""",
    "even_function": """(%x: f32[N], %i: i8[N], %u: u8[N]) {
        %a: f32[N] = neg(%x) %b: f32[N] = cosh(%a) %c: f32[N] = abs(%x) %d: f32[N] = cos(%c) %e: f32[N] = square(%c)
        %f: f32[N] = abs(%a) %j: i8[N] = neg(%i) %k: i8[N] = abs(%j) %l: i8[N] = square(%j)
        %v: u8[N] = neg(%u) %w: u8[N] = abs(%v) return %b, %d, %e, %f, %k, %l, %w }""",
    "idempotent": """(%x: f32[N], %i: i8[N]) {
        %a: f32[N] = relu(%x) %b: f32[N] = relu(%a) %c: f32[N] = sign(%x) %d: f32[N] = sign(%c)
        %e: f32[N] = floor(%x) %f: f32[N] = floor(%e) %g: i8[N] = abs(%i) %h: i8[N] = abs(%g)
        return %b, %d, %f, %h }""",
    "round_whole_numbers": """(%x: f32[N]) {
        %a: f32[N] = round(%x) %b: f32[N] = floor(%a) %c: f32[N] = ceil(%x) %d: f32[N] = trunc(%c)
        return %b, %d }""",
    "already_positive": """(%x: f32[N], %c: bool[N], %i: i8[N], %u: u8[N]) {
        %a: f32[N] = exp(%x) %b: f32[N] = relu(%a) %d: f32[N] = cast(%c, dtype=f32) %e: f32[N] = abs(%d)
        %j: i8[N] = square(%i) %k: i8[N] = relu(%j) %v: i8[N] = cast(%u, dtype=i8) %w: i8[N] = abs(%v)
        return %b, %e, %k, %w }""",
    "factor_out_of_sum": """(%x: f32[N,3], %v: f32[3], %s: f32[]) {
        %a: f32[N,3] = broadcast_to(%v, shape=(N, 3)) %b: f32[N,3] = div(%x, %a) %c: f32[N,3] = mul(%b, %s)
        %d: f32[N,3] = neg(%c) %y: f32[3] = sum(%d, axis=(0,), keepdims=False) return %y }""",
    "sum_of_known_sums": """(%x: f32[N,3], %y: f32[N,3], %s: f32[]) {
        %a: f32[3] = sum(%x, axis=(0,), keepdims=False) %b: f32[3] = sum(%y, axis=(0,), keepdims=False)
        %m: f32[N,3] = mul(%x, %s) %d: f32[N,3] = sub(%m, %y) %e: f32[3] = sum(%d, axis=(0,), keepdims=False)
        return %a, %b, %e }""",
    "sum_of_repeated": """(%n: f32[N], %x: f32[4,1,3]) {
        %a: f32[2,4,N,3] = broadcast_to(%x, shape=(2, 4, N, 3))
        %b: f32[4] = sum(%a, axis=(0, 2, 3), keepdims=False) return %b }""",
    "sum_of_single_terms": "(%x: f32[N,1]) { %a: f32[N] = sum(%x, axis=(1,), keepdims=False) return %a }",
    "sum_of_permuted": """(%x: f32[2,3,4]) {
        %a: f32[4,2,3] = permute_dims(%x, axes=(2, 0, 1)) %b: f32[2] = sum(%a, axis=(0, 2), keepdims=False)
        return %b }""",
    "extremum_of_repeated": """(%x: f32[3]) {
        %a: f32[2,3] = broadcast_to(%x, shape=(2, 3)) %b: f32[3] = min(%a, axis=(0,), keepdims=False) return %b }""",
    "sum_of_contraction": """(%x: f32[2,N,4], %w: f32[2,4,3]) {
        %h: f32[2,N,3] = dot_general(%x, %w, contract=((2,), (1,)), batch=((0,), (0,)))
        %a: f32[2,3] = sum(%h, axis=(1,), keepdims=False) return %a }""",
    "contraction_with_scalar": """(%x: f32[3,2,4], %s: f32[]) {
        %a: f32[4,3,5] = broadcast_to(%s, shape=(4, 3, 5))
        %h: f32[3,2,5] = dot_general(%x, %a, contract=((2,), (0,)), batch=((0,), (1,)))
        %g: f32[3,5,2] = dot_general(%a, %x, contract=((0,), (2,)), batch=((1,), (0,)))
        return %h, %g }""",
    "contraction_in_sum": """(%x: f32[2,N,4], %w: f32[4,3], %r: f32[2,N,3], %b: f32[3]) {
        %h: f32[2,N,3] = dot_general(%x, %w, contract=((2,), (0,)))
        %bias: f32[2,N,3] = broadcast_to(%b, shape=(2, N, 3)) %a: f32[2,N,3] = add(%h, %bias)
        %c: f32[2,N,3] = add(%r, %a) %y: f32[2,3] = sum(%c, axis=(1,), keepdims=False) return %y }""",
    "contraction_of_repeated": """(%s: f32[2,1,4], %w: f32[4,3], %g: f32[2,5,3]) {
        %b: f32[2,5,4] = broadcast_to(%s, shape=(2, 5, 4))
        %y: f32[2,5,3] = dot_general(%b, %w, contract=((2,), (0,)))
        %z: f32[3,2,5] = dot_general(%w, %b, contract=((0,), (2,)))
        %d: f32[4,3] = dot_general(%b, %g, contract=((0, 1), (0, 1)))
        %e: f32[2,3,4] = dot_general(%g, %b, contract=((1,), (1,)), batch=((0,), (0,)))
        return %y, %z, %d, %e }""",
    "into_affine": """(%x: f32[N,8], %w: f32[4,8], %m: f32[4], %b: f32[4]) {
        buffer %var: f32[4]
        %h: f32[N,4] = affine(%x, %w) %y: f32[N,4] = batch_norm_inference(%h, %m, %var, %m, %b, eps=0.1)
        return %y }""",
    "into_convolution": """(%x: f32[N,2,9], %w: f32[4,2,3], %m: f32[4], %b: f32[4]) {
        buffer %var: f32[4]
        %h: f32[N,4,7] = conv(%x, %w, stride=(1,), low=(0,), high=(0,), dilation=(1,))
        %y: f32[N,4,7] = batch_norm_inference(%h, %m, %var, %m, %b, eps=0.1)
        return %y }""",
    "into_transposed_convolution": """(%x: f32[N,2,4], %w: f32[2,4,3], %m: f32[4], %b: f32[4]) {
        buffer %var: f32[4]
        %h: f32[N,4,6] = conv_transpose(%x, %w, stride=(1,), padding=(0,), output_padding=(0,), dilation=(1,))
        %y: f32[N,4,6] = batch_norm_inference(%h, %m, %var, %m, %b, eps=0.1)
        return %y }""",
}


def drawn(rule):
    """What the pattern's variables are: input types, numbers and attributes, in a random but fixed order."""
    operands, attributes = {}, {}
    for call in rule.pattern.calls.values():
        operands.update((v.name, v) for v in call.operands if isinstance(v, Variable))
        attributes.update((v.name, v) for v in call.attributes.values() if isinstance(v, Variable))
    choices = [NUMBERS if v.is_number else SHAPES for v in operands.values()]
    choices += [ATTRIBUTES[name] for name in attributes]
    every = list(itertools.product(DTYPES, (False, True), *choices))
    random.Random(rule.name).shuffle(every)
    for dtype, positive, *values in every:
        chosen = dict(zip([*operands, *attributes], values, strict=True))
        yield dtype, positive, [name for name, v in operands.items() if not v.is_number], chosen


def instance(pattern, dtype, positive, tensors, chosen):
    """The pattern as a graph over inputs; GraphcError where the choices do not fit it."""
    builder = Builder(pattern.function.__name__)
    bound = dict(chosen)
    with recording(builder):
        for name in tensors:
            conditional = any(
                call.op.name == "where" and getattr(call.operands[0], "name", None) == name
                for call in pattern.calls.values()
            )
            bound[name] = builder.input(name, TensorType(bool_ if conditional else dtype, chosen[name]))
            if positive and not conditional:
                bound[name] = exp(bound[name])
        made = {}
        for position, call in pattern.calls.items():
            operands = [of(operand, bound, made) for operand in call.operands]
            made[position] = call.op(*operands, **{k: of(v, bound, made) for k, v in call.attributes.items()})
        return verify(builder.finish([made[pattern.root.position]]))


def of(given, bound, made):
    if isinstance(given, Variable):
        return bound[given.name]
    return made[given.call.position] if isinstance(given, Part) else given


def firing_instances(rule):
    """Graphs that a rule changes, and what they become."""
    if rule.name in EXAMPLES:
        graph = verify(parse(f"graph @{rule.name}{EXAMPLES[rule.name]}"))
        after, counts = apply_rules(graph, [rule])
        if counts:
            yield graph, after
    if rule.pattern is None or rule.name in EXAMPLES:
        return
    firings = 0
    for choice in itertools.islice(drawn(rule), 4000):
        try:
            graph = instance(rule.pattern, *choice)
        except GraphcError:
            continue
        after, counts = apply_rules(graph, [rule])
        if counts:
            firings += 1
            yield graph, after
        if firings == FIRINGS:
            return


def prove(rule, special):
    fired = 0
    for before, after in firing_instances(rule):
        fired += 1
        assert_equivalent(before, verify(after, after=rule.name), special=special, seeds=2)
    assert fired, f"{rule!r} never fires; give it a graph in EXAMPLES"


@pytest.mark.parametrize("rule", EXACT, ids=lambda rule: rule.name)
def test_rule_holds_exactly(rule):
    prove(rule, special=True)


@pytest.mark.parametrize("rule", OF_REAL_NUMBERS, ids=lambda rule: rule.name)
def test_rule_holds_up_to_rounding(rule):
    prove(rule, special=False)


def test_rules_have_names_of_their_own():
    names = [rule.name for rule in EXACT + OF_REAL_NUMBERS]
    assert len(set(names)) == len(names)
    assert EXAMPLES.keys() <= set(names)


def test_every_rule_has_its_formula():
    for rule in EXACT + OF_REAL_NUMBERS:
        assert "→" in rule.doc.splitlines()[0], rule
