"""Integers: every operation is defined for every operand. They wrap around, and division by zero gives 0."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ops.one_op import value

INTEGERS = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]
each_integer = pytest.mark.parametrize("dtype", INTEGERS, ids=lambda dtype: np.dtype(dtype).name)


def wrapped(number: int, dtype: Any) -> int:
    """What is left of a number in so many bits."""
    info = np.iinfo(dtype)
    return (number - info.min) % 2**info.bits + info.min


def edges(dtype: Any) -> list[int]:
    info = np.iinfo(dtype)
    return sorted(
        {info.min, info.min + 1, info.min // 2, 0, 1, 2, 7, info.max // 3, info.max - 1, info.max}
        | ({-1, -7} if info.min else set())
    )


def pairs(dtype: Any) -> tuple[list[int], list[int]]:
    points = edges(dtype)
    return [a for a in points for _ in points], [b for _ in points for b in points]


@each_integer
@pytest.mark.parametrize(
    ("op", "exact"),
    [
        ("add", lambda a, b: a + b),
        ("sub", lambda a, b: a - b),
        ("mul", lambda a, b: a * b),
        ("floordiv", lambda a, b: a // b if b else 0),
        ("rem", lambda a, b: a % b if b else 0),
        ("fmod", lambda a, b: (abs(a) % abs(b)) * (1 if a >= 0 else -1) if b else 0),
        ("maximum", max),
        ("minimum", min),
        ("bitwise_and", lambda a, b: a & b),
        ("bitwise_or", lambda a, b: a | b),
        ("bitwise_xor", lambda a, b: a ^ b),
    ],
)
def test_binary(op: str, exact: Any, dtype: Any) -> None:
    left, right = pairs(dtype)
    got = value(op, np.array(left, dtype), np.array(right, dtype))
    assert got.dtype == dtype
    assert got.tolist() == [wrapped(exact(a, b), dtype) for a, b in zip(left, right, strict=True)]


@each_integer
@pytest.mark.parametrize(
    ("op", "exact"),
    [
        ("neg", lambda a: -a),
        ("abs", abs),
        ("square", lambda a: a * a),
        ("sign", lambda a: (a > 0) - (a < 0)),
        ("relu", lambda a: max(a, 0)),
        ("bitwise_not", lambda a: -1 - a),
    ],
)
def test_unary(op: str, exact: Any, dtype: Any) -> None:
    points = edges(dtype)
    got = value(op, np.array(points, dtype))
    assert got.dtype == dtype
    assert got.tolist() == [wrapped(exact(a), dtype) for a in points]


@each_integer
def test_pow(dtype: Any) -> None:
    signed = np.iinfo(dtype).min < 0
    left = [a for a in edges(dtype) for _ in range(10)]
    right = [b for _ in edges(dtype) for b in ([-3, -2, -1] if signed else [9, 20, 21]) + [0, 1, 2, 3, 4, 5, 8]]

    def exact(a: int, b: int) -> int:
        if b >= 0:
            return wrapped(a**b, dtype)
        return a**-b if abs(a) == 1 else 0  # the truncated 1/a⁻ᵇ

    got = value("pow", np.array(left, dtype), np.array(right, dtype))
    assert got.tolist() == [exact(a, b) for a, b in zip(left, right, strict=True)]


@each_integer
def test_shifts(dtype: Any) -> None:
    info = np.iinfo(dtype)
    counts = [0, 1, info.bits - 1, info.bits, info.bits + 1, 100] + ([-1, -100] if info.min else [])
    left, right = [a for a in edges(dtype) for _ in counts], [b for _ in edges(dtype) for b in counts]
    got = value("shift_left", np.array(left, dtype), np.array(right, dtype)).tolist()
    inside = [0 <= b < info.bits for b in right]
    assert got == [wrapped(a << b, dtype) if i else 0 for a, b, i in zip(left, right, inside, strict=True)]
    got = value("shift_right", np.array(left, dtype), np.array(right, dtype)).tolist()
    assert got == [a >> b if i else -(a < 0) for a, b, i in zip(left, right, inside, strict=True)]


@each_integer
def test_sums_and_products_wrap(dtype: Any) -> None:
    x = np.array(edges(dtype) * 3, dtype)
    total, product = 0, 1
    for number in x.tolist():
        total, product = total + number, product * (number | 1)
    assert value("sum", x, axis=(0,)) == wrapped(total, dtype)
    assert value("prod", x | np.array(1, dtype), axis=(0,)) == wrapped(product, dtype)
    assert value("cumulative_sum", x, axis=0)[-1] == wrapped(total, dtype)
    assert value("cumulative_prod", x | np.array(1, dtype), axis=0, reverse=True)[0] == wrapped(product, dtype)


def test_products_of_matrices_wrap() -> None:
    got = value("dot_general", np.full((1, 3), 100, np.int8), np.full((3, 1), 7, np.int8), contract=((1,), (0,)))
    assert got.tolist() == [[wrapped(2100, np.int8)]]
