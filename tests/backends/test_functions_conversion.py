"""Conversions of the CPU backend between all dtypes, and its 16-bit floats bit for bit."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from compiled_functions import FLOATS, INTEGERS, Array, compiled, walk, walk64
from graphc import ops
from graphc.backends.cpu.functions.intrinsic import TWINS
from graphc.op import REGISTRY
from graphc.types import DTYPES

assert ops

TARGETS = [name for name in DTYPES if name not in ("f16", "bf16")]
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def numbers(dtype: Any) -> Array:
    """What is hard to convert from a dtype: its own ends, and the ends of every integer dtype with what lies beside."""
    if dtype.kind == "b":
        return np.array([False, True])
    ends = [edge for each in INTEGERS for edge in (np.iinfo(each).min, np.iinfo(each).max)]
    near = [edge + step for edge in ends for step in (-2, -1, 0, 1, 2)]
    if dtype.kind != "f":
        info = np.iinfo(dtype)
        return np.array(sorted({number for number in near if info.min <= number <= info.max}), dtype)
    floats = np.array([float(number) for number in near], dtype)
    beside = [np.nextafter(floats, dtype.type(side)) for side in (-np.inf, np.inf)]
    fractions = np.array([0.0, -0.0, 0.5, -0.5, 0.99, -0.99, 1.5, -1.5, 254.9, np.nan, -np.nan, np.inf, -np.inf], dtype)
    some = walk(4) if dtype == np.float32 else walk64()
    return np.concatenate([floats, *beside, fractions, some]).astype(dtype)


@pytest.mark.parametrize("dtype", [np.dtype(bool), *INTEGERS, *FLOATS], ids=str)
def test_conversions_are_those_of_cast(dtype: Any) -> None:
    cast: Any = REGISTRY["cast"].reference
    x = numbers(dtype)
    names = tuple(f"to_{target}" for target in TARGETS)
    for target, name, y in zip(TARGETS, names, compiled(names, dtype)(x), strict=True):
        expected = cast(x, dtype=DTYPES[target])
        np.testing.assert_array_equal(y, expected, err_msg=name, strict=True)
        np.testing.assert_array_equal(TWINS[name](x), expected, err_msg=f"{name} in Python", strict=True)


def halves(dtype: Any) -> Array:
    """float32 at, beside and between all numbers of a 16-bit dtype, and of every exponent."""
    all_of_them = np.arange(1 << 16, dtype=np.uint16).view(dtype).astype(np.float32)
    finite = np.unique(all_of_them[np.isfinite(all_of_them)])
    between = (finite[1:].astype(np.float64) + finite[:-1]) / 2  # exact: one bit more
    middle = between.astype(np.float32)
    inf = np.float32(np.inf)
    around = [np.nextafter(each, side) for each in (finite, middle) for side in (-inf, inf)]
    return np.concatenate([all_of_them, middle, *around, walk()])


@pytest.mark.parametrize(("name", "dtype"), [("f16", np.dtype(np.float16)), ("bf16", BFLOAT16)])
def test_rounding_to_16_bits(name: str, dtype: Any) -> None:
    x = halves(dtype)
    with np.errstate(all="ignore"):
        expected = x.astype(dtype)
    for run in (compiled((f"to_{name}", f"store_{name}_bits"), np.float32), _twins(f"to_{name}", f"store_{name}_bits")):
        rounded, word = run(x)
        np.testing.assert_array_equal(rounded, expected.astype(np.float32), strict=True)
        np.testing.assert_array_equal(np.signbit(rounded), np.signbit(x))
        number = ~np.isnan(x)
        np.testing.assert_array_equal(word[number], expected.view(np.uint16)[number], strict=True)
        stored = word[~number].view(dtype)
        assert np.isnan(stored.astype(np.float32)).all()
        np.testing.assert_array_equal(np.signbit(stored), np.signbit(x[~number]))


@pytest.mark.parametrize("dtype", [np.dtype(bool), *INTEGERS, np.dtype(np.float64)], ids=str)
def test_conversions_to_16_bits_are_those_of_cast(dtype: Any) -> None:
    cast: Any = REGISTRY["cast"].reference
    x = numbers(dtype)
    if dtype.kind == "f":
        narrow = np.linspace(-65000, 65000, 5001).astype(np.float16)
        with np.errstate(all="ignore"):
            middle = (narrow.astype(dtype) + np.nextafter(narrow, np.float16(np.inf)).astype(dtype)) / 2
        x = np.concatenate([x, middle, middle * (1 + 2.0**-45), middle * (1 - 2.0**-45), middle * 2.0**-30])
    names = ("store_f16_bits", "store_bf16_bits", "to_f16", "to_bf16")
    results = dict(zip(names, compiled(names, dtype)(x), strict=True))
    for name in ("f16", "bf16"):
        expected = cast(x, dtype=DTYPES[name])
        number = ~np.isnan(expected)
        rounded, word = results[f"to_{name}"], results[f"store_{name}_bits"]
        np.testing.assert_array_equal(word[number], expected.view(np.uint16)[number], err_msg=name)
        np.testing.assert_array_equal(rounded, expected.astype(np.float32), err_msg=name)
        np.testing.assert_array_equal(TWINS[f"to_{name}"](x), rounded, err_msg=name)


@pytest.mark.parametrize(("name", "dtype"), [("f16", np.dtype(np.float16)), ("bf16", BFLOAT16)])
def test_reading_16_bits(name: str, dtype: Any) -> None:
    words = np.arange(1 << 16, dtype=np.uint16)
    expected = words.view(dtype).astype(np.float32)
    for run in (compiled((f"load_{name}_bits",), np.uint16), _twins(f"load_{name}_bits")):
        (number,) = run(words)
        np.testing.assert_array_equal(number, expected, strict=True)
        np.testing.assert_array_equal(np.signbit(number), np.signbit(expected))


@pytest.mark.parametrize(("name", "dtype"), [("f16", np.dtype(np.float16)), ("bf16", BFLOAT16)])
def test_neighbours_in_16_bits(name: str, dtype: Any) -> None:
    words = np.arange(1 << 16, dtype=np.uint16)
    targets = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan], dtype)
    a, b = (each.ravel() for each in np.meshgrid(words.view(dtype), targets))
    with np.errstate(all="ignore"):
        expected = np.nextafter(a, b).astype(np.float32)
    names = (f"nextafter_{name}",)
    for run in (compiled(names, np.float32, np.float32), _twins(*names)):
        (y,) = run(a.astype(np.float32), b.astype(np.float32))
        np.testing.assert_array_equal(y, expected, strict=True)
        number = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(y[number]), np.signbit(expected[number]))


def _twins(*names: str) -> Any:
    return lambda *arrays: [TWINS[name](*arrays) for name in names]
