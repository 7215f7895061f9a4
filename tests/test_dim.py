"""Symbolic extents simplify where that is exact, compare where provable, and bind to shapes."""

import copy
import math
import operator
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphc.dim import (
    Dim,
    Extent,
    UnboundDimError,
    UnsolvedExtent,
    bind_extent,
    broadcast_extent,
    dim,
    evaluate_extent,
    max_extent,
    min_extent,
    substitute_extent,
)

H, N, T = dim("H"), dim("N"), dim("T")


@pytest.mark.parametrize(
    ("extent", "simple"),
    [
        ((4 * N) // 4, N),
        ((4 * N + 2) // 4, N),
        ((4 * N - 1) // 4, N - 1),
        ((4 * N + T) // 4, N + T // 4),
        ((2 * N + 1) // 4, N // 2),
        ((4 * N) % 4, 0),
        ((4 * N + 3) % 4, 3),
        ((N * T) // N, T),
        ((N * T + N) // N, T + 1),
        ((2 * N * T) // (4 * N), T // 2),
        ((4 * N + 4) // (N + 1), 4),
        ((N**2 - T**2) // (N - T), N + T),
        (N // N, 1),
        (N % N, 0),
        (0 // N, 0),
        (-1 // N, -1),
        (N // (N + 1), 0),
        (N % (N + 1), N),
        ((N % 4) // 4, 0),
        ((N % 4) % 4, N % 4),
        ((N // 2) // 3, N // 6),
        (((H - 1) // 2) // 2 + 1, (H - 1) // 4 + 1),  # two convolutions of stride 2
        (-(-N // 4), (N + 3) // 4),
        ((H + 1) // 2, (H - 1) // 2 + 1),
        (max_extent(N, 0), N),
        (max_extent(N, N + 1), N + 1),
        (min_extent(N, N + T), N),
        (min_extent(min_extent(N, 5), 3), min_extent(N, 3)),
        (min_extent(N, -1), -1),
        (N**0, 1),
    ],
)
def test_simplification(extent: Extent, simple: Extent) -> None:
    assert extent == simple
    assert type(extent) is type(simple)


@pytest.mark.parametrize("extent", [N // 2 + T, max_extent(N, 3) * T, N])
def test_copies_are_equal(extent: Extent) -> None:
    assert pickle.loads(pickle.dumps(extent)) == copy.deepcopy(extent) == copy.copy(extent) == extent


def test_an_extent_equals_no_number() -> None:
    assert N != 1
    assert N != "N"
    assert N != 1.0
    assert np.int64(1) != N
    assert {N: "n", 1: "one"}[dim("N")] == "n"
    assert dim("N").names == {"N"}
    assert {name for e in (N + T, max_extent(N // H, 2)) if isinstance(e, Dim) for name in e.names} == {"H", "N", "T"}


def test_an_extent_is_immutable() -> None:
    with pytest.raises(AttributeError, match="extent N is immutable"):
        N.text = "M"
    with pytest.raises(AttributeError, match="extent N is immutable"):
        del N.text


def test_numpy_integers_count_as_integers() -> None:
    three: Any = np.int64(3)
    assert three * N == N * three == 3 * N
    assert three - N == 3 - N
    assert (3 * N) // three == N
    assert N**three == N * N * N


class Tensor:
    """Stands for a traced tensor, which takes extents by its reflected operators."""

    def __radd__(self, other: object) -> tuple[str, object]:
        return "add", other

    __rmul__ = __rsub__ = __rtruediv__ = __rfloordiv__ = __rmod__ = __rpow__ = __radd__

    def __gt__(self, other: object) -> tuple[str, object]:
        return "greater", other


@pytest.mark.parametrize(
    "apply",
    [
        operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow,
        operator.lt,
    ],
)  # fmt: skip
def test_other_operands_take_over(apply: Callable[[Any, Any], Any]) -> None:
    assert apply(N, Tensor())[1] is N


@pytest.mark.parametrize(
    ("comparison", "answer"),
    [
        (N >= 0, True), (N < 0, False), (N + 1 > 0, True), (T >= 0, True), (-N <= 0, True), (-N - 1 >= 0, False),
        (N + T >= T, True), (N - 1 < N, True), (N % 4 < 4, True), (max_extent(N, 3) >= 3, True),
        (min_extent(N, 3) > 3, False), (N // 2 >= 0, True), (N + T > N - 1, True), (N % 3 < 3, True),
    ],
)  # fmt: skip
def test_comparisons_that_hold_for_all_values(comparison: bool, answer: bool) -> None:
    assert comparison is answer


def test_truth_that_holds_for_all_values() -> None:
    assert N + 1
    assert -N - 1
    assert max_extent(N, 1)


@pytest.mark.parametrize(
    ("wrong", "error", "text"),
    [
        (
            lambda: N > 3,
            TypeError,
            "extent N is symbolic: its value is known only at run time, so N > 3 cannot be decided here",
        ),
        (
            lambda: 3 * N <= T,
            TypeError,
            "extent 3*N is symbolic: its value is known only at run time, so 3*N <= T cannot be decided here",
        ),
        (lambda: bool(N), TypeError, "extent N is symbolic: its value is known only at run time, and it may be 0"),
        (
            lambda: int(2 * N),
            TypeError,
            "extent 2*N is symbolic: its value is known only at run time, so it is no Python integer",
        ),
        (lambda: range(N), TypeError, "extent N is symbolic"),
        (lambda: float(N), TypeError, "extent N is symbolic"),
        (lambda: math.sqrt(N), TypeError, "extent N is symbolic"),
        (lambda: [1, 2][N], TypeError, "extent N is symbolic"),
        (lambda: N // 0, ZeroDivisionError, "extent N is divided by 0"),
        (lambda: N % (T - T), ZeroDivisionError, "remainder of extent N divided by 0"),
        (lambda: N / 0, ZeroDivisionError, "N is divided by 0"),
        (lambda: N / 2 / 0.0, ZeroDivisionError, "N/2 is divided by 0"),
        (lambda: N**-1, ValueError, "the power of an extent is an integer >= 0, not -1 as in N**-1"),
        (lambda: operator.pow(2, N), TypeError, "unsupported operand"),
        (lambda: operator.add(N, 0.5), TypeError, "unsupported operand"),
        (lambda: operator.add(N, "1"), TypeError, "unsupported operand"),
        (lambda: dim("3x"), ValueError, "'3x' cannot name a dim: a name is letters, digits and _"),
        (
            lambda: dim("lambda"),
            ValueError,
            "'lambda' cannot name a dim: a name is letters, digits and _, and no keyword, max or min",
        ),
        (lambda: dim("max"), ValueError, "'max' cannot name a dim"),
        (lambda: Dim("H"), TypeError, "a dim is named where a type is written: gc.f32['H', 3], not by Dim('H')"),
        (lambda: dim(""), ValueError, "'' cannot name a dim"),
        (lambda: dim("ν"), ValueError, "'ν' cannot name a dim"),
        (lambda: evaluate_extent(N * T, {"N": 3}), UnboundDimError, "extent N*T needs the value of T; N=3"),
        (lambda: evaluate_extent(N, {}), UnboundDimError, "extent N needs the value of N; none is known"),
        (
            lambda: evaluate_extent(N // T + 1, {"N": 3, "T": 0}),
            ZeroDivisionError,
            "extent N//T+1 has no value where the divisor T is 0",
        ),
        (lambda: substitute_extent(N // T, {"T": 0}), ZeroDivisionError, "extent N is divided by 0"),
    ],
)
def test_errors(wrong: Callable[[], object], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        wrong()


def test_binding_checks_what_is_known() -> None:
    bindings = {"N": 3}
    assert bind_extent(5, 5, bindings)
    assert not bind_extent(5, 6, bindings)
    assert bind_extent((N - 1) // 2 + 1, 2, bindings)
    assert not bind_extent(4 * N, 13, bindings)
    assert not bind_extent(N // (N - 3), 1, bindings)
    assert bindings == {"N": 3}


def test_binding_refuses_what_no_dim_solves() -> None:
    bindings: dict[str, int] = {}
    assert not bind_extent(4 * N, 13, bindings)
    assert not bind_extent(N + 5, 3, bindings)
    assert bindings == {}
    assert bind_extent(5 - N, 3, bindings)
    assert bindings == {"N": 2}


@pytest.mark.parametrize(
    ("extent", "actual", "text"),
    [
        (N * T, 6, "extent N*T = 6 does not determine N, T"),
        (N + T, 6, "extent N+T = 6 does not determine N, T"),
        (N // 2, 3, "extent N//2 = 3 does not determine N"),
        (N**2, 9, "extent N**2 = 9 does not determine N"),
        (max_extent(N, 3), 3, "extent max(N,3) = 3 does not determine N"),
        (N * H, 0, "extent H*N is 0 for any N"),
    ],
)
def test_binding_waits_for_other_extents(extent: Extent, actual: int, text: str) -> None:
    bindings = {"H": 0}
    with pytest.raises(UnsolvedExtent) as caught:
        bind_extent(extent, actual, bindings)
    assert str(caught.value) == text
    assert bindings == {"H": 0}


def test_broadcasting_takes_no_named_dim_for_one() -> None:
    assert broadcast_extent(N, dim("N")) == N
    assert broadcast_extent(1, N) == broadcast_extent(N, 1) == N
    assert broadcast_extent(1, 1) == 1
    assert broadcast_extent(3, 1) == 3
    assert broadcast_extent(0, 1) == 0
    assert broadcast_extent(N, T) is None
    assert broadcast_extent(N, 3) is None
    assert broadcast_extent(2, 3) is None
