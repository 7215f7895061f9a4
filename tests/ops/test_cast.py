"""Casts: defined for every number and every pair of dtypes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from graphc.types import DTYPES, DType, as_dtype, bf16, bool_, f16, f32
from ops.one_op import value

INTEGERS = [dtype for dtype in DTYPES.values() if dtype.is_integer]
FLOATS = [np.float64, np.float32, np.float16, bf16.numpy]


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize("source", FLOATS, ids=lambda source: np.dtype(source).name)
def test_floats_become_integers_towards_zero_and_saturate(dtype: DType, source: Any) -> None:
    info = np.iinfo(dtype.numpy)
    numbers = [0.0, -0.0, 0.9, -0.9, 1.5, -1.5, 100.7, 300.0, -300.0, 1e30, -1e30, math.inf, -math.inf, math.nan]
    numbers += [float(info.max), float(info.max) / 2 + 0.5, float(info.min), float(info.min) - 1.0]
    with np.errstate(over="ignore"):
        x = np.array(numbers, source)

    def exact(number: float) -> int:
        if math.isnan(number):
            return 0
        if math.isinf(number):
            return info.max if number > 0 else info.min
        return min(max(int(number), info.min), info.max)

    assert value("cast", x, dtype=dtype).tolist() == [exact(float(number)) for number in x]


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_integers_wrap(dtype: DType) -> None:
    info = np.iinfo(dtype.numpy)
    numbers = [-(2**63), -300, -129, -128, -1, 0, 127, 128, 255, 256, 65536, 2**31, 2**32 + 5, 2**63 - 1]
    expected = [(number - info.min) % 2**info.bits + info.min for number in numbers]
    assert value("cast", np.array(numbers), dtype=dtype).tolist() == expected


@pytest.mark.parametrize("source", DTYPES.values(), ids=str)
@pytest.mark.parametrize("target", DTYPES.values(), ids=str)
def test_small_numbers_keep_their_value(source: DType, target: DType) -> None:
    x = np.array([0, 1, 1, 0], source.numpy)
    got = value("cast", x, dtype=target)
    assert as_dtype(got.dtype) is target
    assert got.astype(float).tolist() == [0, 1, 1, 0]


def test_numbers_become_booleans() -> None:
    assert value("cast", np.array([0.0, -0.0, 1e-300, math.nan, -math.inf]), dtype=bool_).tolist() == [0, 0, 1, 1, 1]
    assert value("cast", np.array([0, -1, 256]), dtype=bool_).tolist() == [0, 1, 1]


def test_narrowing_floats_rounds_to_even_and_overflows_to_infinity() -> None:
    assert value("cast", np.array([1e300, -1e300, 1 + 2**-24, 1 + 3 * 2**-24]), dtype=f32).tolist() == [
        math.inf, -math.inf, 1.0, 1 + 2**-22,
    ]  # fmt: skip
    assert value("cast", np.array([65520.0, 65519.0], np.float32), dtype=f16).tolist() == [math.inf, 65504.0]
    assert value("cast", np.array([1 + 2**-8, 1 + 3 * 2**-8], np.float32), dtype=bf16).astype(float).tolist() == [
        1.0, 1 + 2**-6,
    ]  # fmt: skip
