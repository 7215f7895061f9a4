"""Arithmetic of symbolic extents obeys the laws of integers, and commutes with evaluation."""

import math
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from graphc.dim import (
    Dim,
    Extent,
    bind_extent,
    dim,
    evaluate_extent,
    max_extent,
    min_extent,
    parse_extent,
    substitute_extent,
)
from graphc.dim_opaque import bounds, maximum, minimum

H, N, T = dim("H"), dim("N"), dim("T")


class Expression(NamedTuple):
    """An extent and, computed apart from it, its value under bindings."""

    extent: Extent
    value: Callable[[dict[str, int]], int]


OPERATIONS: list[tuple[Callable[..., Any], Callable[..., Any]]] = [
    *((f, f) for f in (operator.add, operator.sub, operator.mul, operator.floordiv, operator.mod)),
    (max, max_extent),
    (min, min_extent),
]


def leaf(extent: Extent) -> Expression:
    return Expression(extent, (lambda b: b[str(extent)]) if isinstance(extent, Dim) else (lambda b: extent))


@st.composite
def combined(draw: st.DrawFn, children: st.SearchStrategy[Expression]) -> Expression:
    a, b = draw(children), draw(children)
    number, symbolic = draw(st.sampled_from(OPERATIONS))
    try:
        extent = symbolic(a.extent, b.extent)
    except ZeroDivisionError:
        assume(False)
    return Expression(extent, lambda bindings: number(a.value(bindings), b.value(bindings)))


expressions = st.recursive(st.one_of(st.sampled_from([H, N, T]), st.integers(-5, 9)).map(leaf), combined, max_leaves=8)
extents = expressions.map(lambda e: e.extent)
polynomials = st.recursive(
    st.one_of(st.sampled_from([H, N, T]), st.integers(-5, 9)),
    lambda inner: st.builds(
        lambda f, a, b: f(a, b), st.sampled_from([operator.add, operator.sub, operator.mul]), inner, inner
    ),
    max_leaves=6,
)
bindings_of = st.fixed_dictionaries({name: st.integers(0, 12) for name in "HNT"})


@settings(max_examples=500)
@given(expressions, bindings_of)
def test_an_expression_has_the_value_that_integers_give(expression: Expression, bindings: dict[str, int]) -> None:
    try:
        expected = expression.value(bindings)
    except ZeroDivisionError:
        assume(False)
    assert evaluate_extent(expression.extent, bindings) == expected


@settings(max_examples=300)
@given(expressions, bindings_of)
def test_bounds_hold_every_value(expression: Expression, bindings: dict[str, int]) -> None:
    low, high = bounds(expression.extent)
    try:
        value = expression.value(bindings)
    except ZeroDivisionError:
        assume(False)
    assert (-math.inf if low is None else low) <= value <= (math.inf if high is None else high)


@settings(max_examples=300)
@given(extents)
def test_text_reads_back_as_the_extent(extent: Extent) -> None:
    text = str(extent)
    assert " " not in text
    assert parse_extent(text) == extent
    assert str(parse_extent(text)) == text
    assert parse_extent(f" ( {text.replace('//', ' // ').replace('+', ' + ')} ) ") == extent


@given(extents, bindings_of)
def test_text_means_in_python_what_the_extent_means(extent: Extent, bindings: dict[str, int]) -> None:
    try:
        expected = evaluate_extent(extent, bindings)
    except ZeroDivisionError:
        assume(False)
    assert eval(str(extent), {"max": max, "min": min}, bindings) == expected


@given(polynomials, polynomials, polynomials)
def test_polynomials_form_a_commutative_ring(a: Extent, b: Extent, c: Extent) -> None:
    assert a + b == b + a
    assert a * b == b * a
    assert (a + b) + c == a + (b + c)
    assert (a * b) * c == a * (b * c)
    assert a * (b + c) == a * b + a * c
    assert a - b == -(b - a)
    assert a + 0 == a * 1 == a
    assert a - a == a * 0 == 0
    assert (a + b) ** 2 == a**2 + 2 * a * b + b**2
    assert hash(a * (b + c)) == hash(a * b + a * c)


@given(extents, extents)
def test_opaque_terms_add_and_multiply_like_names(a: Extent, b: Extent) -> None:
    assert (a + b) * (a - b) == a**2 - b**2
    assert type(a - a) is int


@given(polynomials, polynomials)
def test_a_product_divides_by_its_factor(a: Extent, b: Extent) -> None:
    assume(b != 0)
    assert (a * b) // b == a
    assert (a * b) % b == 0


@given(extents, st.integers(1, 6), st.integers(1, 6), st.integers(-20, 20))
def test_division_by_integers_has_one_form(a: Extent, m: int, n: int, k: int) -> None:
    assert (a + k * m) // m == a // m + k
    assert (a + k * m) % m == a % m
    assert -((-a) // m) == (a + m - 1) // m
    assert a // -m == (-a) // m
    assert a % -m == -((-a) % m)
    assert (a * n) // (m * n) == a // m
    assert (a * n) % (m * n) == (a % m) * n


@given(extents, extents, extents)
def test_maximum_and_minimum_have_one_form(a: Extent, b: Extent, c: Extent) -> None:
    for extremum in (max_extent, min_extent):
        assert extremum(a, a) == a
        assert extremum(a, b) == extremum(b, a)
        assert extremum(extremum(a, b), b) == extremum(a, b)
        assert str(extremum(a, b)) == str(extremum(b, a))
    assert maximum(a, b, c) == maximum(c, b, a)
    assert minimum(a, b, c) == minimum(c, b, a)


@given(expressions, extents, extents, bindings_of)
def test_substitution_is_simultaneous(e: Expression, n: Extent, t: Extent, bindings: dict[str, int]) -> None:
    """Values of the substituted extents must be legal dims, so negative ones are left out."""
    try:
        inner = {"N": evaluate_extent(n, bindings), "T": evaluate_extent(t, bindings), "H": bindings["H"]}
        assume(min(inner.values()) >= 0)
        expected = e.value(inner)
        substituted = substitute_extent(e.extent, {"N": n, "T": t})
    except ZeroDivisionError:
        assume(False)
    assert evaluate_extent(substituted, bindings) == expected


@given(expressions, bindings_of)
def test_substituting_all_values_evaluates(e: Expression, bindings: dict[str, int]) -> None:
    try:
        expected = evaluate_extent(e.extent, bindings)
    except ZeroDivisionError:
        assume(False)
    assert substitute_extent(e.extent, bindings) == expected


@given(extents, extents, bindings_of)
def test_a_decided_comparison_is_true_of_the_values(a: Extent, b: Extent, bindings: dict[str, int]) -> None:
    try:
        left, right = evaluate_extent(a, bindings), evaluate_extent(b, bindings)
    except ZeroDivisionError:
        assume(False)
    for compare in (operator.lt, operator.le, operator.gt, operator.ge):
        try:
            decided = compare(a, b)
        except TypeError:
            continue
        assert decided == compare(left, right)


@given(st.integers(1, 9), st.integers(-9, 9), st.integers(0, 50))
def test_binding_solves_a_linear_extent(factor: int, shift: int, value: int) -> None:
    bindings: dict[str, int] = {"T": 2}
    assert bind_extent(factor * T * N + shift, 2 * factor * value + shift, bindings)
    assert bindings == {"T": 2, "N": value}
    assert bind_extent(N + 1, value + 1, bindings)
    assert not bind_extent(N + 1, value, bindings)
