"""Symbolic extents print canonically, and text reads back or is refused with its column."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from graphc.dim import (
    Extent,
    dim,
    max_extent,
    min_extent,
    parse_extent,
)
from graphc.errors import ShapeError
from graphc.types import f32

H, N, T = dim("H"), dim("N"), dim("T")


@pytest.mark.parametrize(
    ("extent", "text"),
    [
        (4 * N, "4*N"),
        (N * T + 2 * N - 1, "N*T+2*N-1"),
        ((H - 1) // 2 + 1, "(H-1)//2+1"),
        (N**2, "N**2"),
        (max_extent(3, N), "max(N,3)"),
        (min_extent(T, N), "min(N,T)"),
        (N % 4, "N%4"),
        (1 - N, "-N+1"),
        (-(N // 2), "-(N//2)"),
        (2 * (N // 2), "2*(N//2)"),
        (T - N // 2, "T-N//2"),
        ((N // 2) ** 2 * T, "T*(N//2)**2"),
        ((N // T) % 2, "(N//T)%2"),
        ((N * T) // 3, "(N*T)//3"),
        (N // (T + 1), "N//(T+1)"),
        (7 // N, "7//N"),
        (-7 % N, "(-7)%N"),
        (max_extent(N, 3) // 2, "max(N,3)//2"),
        (max_extent(max_extent(N, T), 3), "max(N,T,3)"),
    ],
)
def test_text(extent: Extent, text: str) -> None:
    assert str(extent) == repr(extent) == f"{extent}" == text
    assert parse_extent(text) == extent


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column 1 of '': expected an integer, a name or '(', found the end"),
        ("4*", "column 3 of '4*': expected an integer, a name or '(', found the end"),
        ("N T", "column 3 of 'N T': expected an operator or the end, found 'T'"),
        ("2N", "column 2 of '2N': expected an operator or the end, found 'N'"),
        ("(N+1", "column 5 of '(N+1': expected ')', found the end"),
        ("N / 2", "column 3 of 'N / 2': expected an operator or the end, found '/'"),
        ("N + $", "column 5 of 'N + $': expected an integer, a name or '(', found '$'"),
        ("N//0", "column 4 of 'N//0': the divisor is 0"),
        ("N % (T-T)", "column 5 of 'N % (T-T)': the divisor is 0"),
        ("N**T", "column 4 of 'N**T': expected an integer of at most 100 digits, found 'T'"),
        ("max N", "column 5 of 'max N': expected '(', found 'N'"),
        ("min(N,)", "column 7 of 'min(N,)': expected an integer, a name or '(', found ')'"),
        (
            "1+if",
            "column 3 of '1+if': 'if' cannot name a dim: a name is letters, digits and _, and no keyword, max or min",
        ),
        ("é", "column 1 of 'é': expected an integer, a name or '(', found 'é'"),
        ("1.5", "column 2 of '1.5': expected an operator or the end, found '.'"),
    ],
)
def test_text_outside_the_grammar(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="column") as caught:
        parse_extent(text)
    assert str(caught.value) == message


def test_deep_text_is_refused_in_bounded_depth() -> None:
    for text in ("(" * 100_000, "-" * 100_000 + "N", "max(" * 100_000):
        with pytest.raises(ValueError, match="expected at most 100 nested parentheses and signs"):
            parse_extent(text)
    assert parse_extent("(" * 90 + "N" + ")" * 90) == N


@given(st.text("NT0123 +-*/%(),max", max_size=20))
def test_any_text_is_an_extent_or_a_value_error(text: str) -> None:
    assume("**" not in text)  # a power of powers takes its time
    try:
        extent = parse_extent(text)
    except ValueError as error:
        refusal = str(error)
    else:
        refusal = ""
        assert parse_extent(str(extent)) == extent
    assert not refusal or refusal.startswith("column ")


def test_text_may_have_spaces_and_parentheses() -> None:
    assert parse_extent(" ((H - 1)) //2 + 1 ") == (H - 1) // 2 + 1
    assert parse_extent("-N//2") == (-N) // 2
    assert parse_extent("-N**2") == -(N**2)
    assert parse_extent("N - T - 1") == N - T - 1
    assert parse_extent("max(N, T, 3, N)") == max_extent(max_extent(N, T), 3)
    assert parse_extent("007") == 7
    assert type(parse_extent("2*3-1")) is int


@pytest.mark.parametrize("text", ["-1", "2-3", "N-N-1"])
def test_text_of_a_negative_extent_is_refused(text: str) -> None:
    with pytest.raises(ShapeError, match="an extent is at least 0, but this one is -1"):
        f32[text]
