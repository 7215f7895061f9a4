"""Remainders of float32 in the CPU backend are exact: over all exponents, next to multiples, at the ends."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from compiled_functions import Array, compiled, dispatcher, walk
from graphc import ops
from graphc.backends.cpu.functions.intrinsic import TWINS
from graphc.backends.cpu.functions.vocabulary import fma
from graphc.op import REGISTRY

assert ops

NAMES = ("fmod", "rem", "floordiv")
GREATEST, LEAST = np.finfo(np.float32).max, np.finfo(np.float32).smallest_subnormal


def assert_exact(a: Array, b: Array) -> None:
    """NumPy's numbers from kernel and twin, with the signs of zeros."""
    for name, native in zip(NAMES, compiled(NAMES, np.float32, np.float32)(a, b), strict=True):
        reference: Any = REGISTRY[name].reference
        with np.errstate(all="ignore"):
            expected = reference(a, b)
        number = ~np.isnan(expected)
        for y in (native, TWINS[name](a, b)):
            np.testing.assert_array_equal(y, expected, err_msg=name, strict=True)
            np.testing.assert_array_equal(np.signbit(y[number]), np.signbit(expected[number]), err_msg=name)


def test_over_every_exponent_of_both() -> None:
    x = walk()
    for shift in (0, 1, 777, 20_483, 30_011):
        assert_exact(x, np.roll(x, shift))


@pytest.mark.parametrize("size", [3.0, 1e3, 1e6, 1e9, 1e12, 1e16])
def test_next_to_multiples(size: float) -> None:
    random = np.random.default_rng(11)
    b = random.uniform(-2, 2, 20_000).astype(np.float32)
    a = (np.rint(random.uniform(-size, size, b.size)) * b.astype(np.float64)).astype(np.float32)
    for near in (a, np.nextafter(a, np.float32(np.inf)), np.nextafter(a, np.float32(-np.inf))):
        assert_exact(near, b)


def test_multiples_by_few_bits_leave_zeros_of_the_dividends_sign() -> None:
    n, b = np.meshgrid(np.arange(-300, 301, dtype=np.float32), np.arange(1, 200, dtype=np.float32))
    a = (n * b).ravel()
    assert_exact(a, b.ravel() / 64)
    (rest,) = compiled(("fmod",), np.float32, np.float32)(a, b.ravel())
    np.testing.assert_array_equal(rest, np.zeros_like(a))
    np.testing.assert_array_equal(np.signbit(rest), a < 0)


def test_the_greatest_quotients() -> None:
    """Up to 2²⁷⁷, by divisors of few and of 24 bits, subnormal ones too."""
    random = np.random.default_rng(12)
    words = random.integers(1, 1 << 24, 20_000, dtype=np.uint32)
    b = np.concatenate([np.arange(1, 5000, dtype=np.uint32), words]).view(np.float32)
    a = GREATEST * random.uniform(0.01, 1, b.size).astype(np.float32)
    a[::3] = GREATEST
    assert_exact(a, b)
    assert_exact(-a, b)
    for first, second in ((GREATEST, LEAST * 3), (np.float32(2.0**127), LEAST * 7), (GREATEST, np.float32(1.0000001))):
        exact = Fraction(float(first)) % Fraction(float(second))
        assert TWINS["fmod"](first, second) == float(exact)


def test_special_values() -> None:
    inf, nan = np.inf, np.nan
    a = np.array([inf, -inf, nan, 1, 0, -0.0, 5, -5, 5, -5, 0, -0.0, inf, LEAST, -LEAST, LEAST, nan], np.float32)
    b = np.array([2, 2, 2, nan, 0, 0, 0, -0.0, inf, -inf, inf, 3, inf, 1, GREATEST, LEAST, nan], np.float32)
    c99 = [nan, nan, nan, nan, nan, nan, nan, nan, 5, -5, 0, -0.0, nan, LEAST, -LEAST, 0, nan]
    (y,) = compiled(("fmod",), np.float32, np.float32)(a, b)
    np.testing.assert_array_equal(y, np.array(c99, np.float32), strict=True)
    assert_exact(a, b)


@pytest.mark.parametrize("name", NAMES)
def test_loops_are_vectorised(name: str) -> None:
    (text,) = dispatcher((name,), np.float32, np.float32).inspect_llvm().values()
    assert "x double>" in text
    assert "frem" not in text


def test_twins_of_fused_sums_are_exact_where_the_result_fits() -> None:
    random = np.random.default_rng(13)
    a = random.uniform(-1, 1, 300) * 2.0 ** random.integers(-60, 60, 300)
    b = random.uniform(-1, 1, 300)
    given = fma(a, b, -a * b)
    exact = [Fraction(x) * Fraction(y) + Fraction(z) for x, y, z in zip(a, b, -a * b, strict=True)]
    assert [Fraction(y) for y in given.tolist()] == exact
    with np.errstate(invalid="ignore"):
        special = fma(np.array([np.inf, 1.0]), 2.0, np.array([1.0, np.nan]))
    np.testing.assert_array_equal(special, [np.inf, np.nan])
