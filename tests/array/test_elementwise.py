"""Elementwise functions against NumPy: every dtype they take, special values, promotion, broadcasting, scalars."""

import math

import numpy as np
import pytest

from graphc import array as xp
from graphc.dsl.trace import trace
from graphc.errors import DTypeError, ShapeError
from graphc.types import bf16, bool_, f16, f32, i8, i64, u64

SPECIAL = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 1.5, -2.5, 3.0, 30.0, 1e-30, math.inf, -math.inf, math.nan]
FLOATS = ("float32", "float64")
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")

UNARY_FLOAT = [
    "acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "exp", "exp2", "expm1", "log", "log10", "log1p",
    "log2", "reciprocal", "sin", "sinh", "sqrt", "tan", "tanh", "signbit",
]  # fmt: skip
UNARY_NUMERIC = [
    "abs", "ceil", "floor", "isfinite", "isinf", "isnan", "negative", "positive", "round", "sign", "square", "trunc",
]  # fmt: skip
BINARY_FLOAT = ["atan2", "copysign", "divide", "hypot", "logaddexp", "nextafter"]
BINARY_NUMERIC = [
    "add", "floor_divide", "fmod", "maximum", "minimum", "multiply", "pow", "remainder", "subtract",
]  # fmt: skip
COMPARISONS = ["equal", "greater", "greater_equal", "less", "less_equal", "not_equal"]
BITWISE = ["bitwise_and", "bitwise_or", "bitwise_xor"]
LOGICAL = ["logical_and", "logical_or", "logical_xor"]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", [*UNARY_FLOAT, *UNARY_NUMERIC])
def test_unary_on_floats(check, name, dtype):
    check(lambda xp, x: getattr(xp, name)(x), np.array(SPECIAL, dtype))
    check(lambda xp, x: getattr(xp, name)(x), np.zeros((0, 3), dtype))
    check(lambda xp, x: getattr(xp, name)(x), np.array(0.5, dtype))


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", UNARY_NUMERIC)
def test_unary_on_integers(check, make, name, dtype):
    extremes = np.array([np.iinfo(dtype).min, np.iinfo(dtype).max, 0, 1], dtype)
    check(lambda xp, x: getattr(xp, name)(x), extremes)
    check(lambda xp, x: getattr(xp, name)(x), make((2, 3), dtype))


@pytest.mark.parametrize("dtype", [f16, bf16])
@pytest.mark.parametrize("name", ["exp", "tanh", "square", "floor", "isnan", "negative"])
def test_unary_on_16_bits_rounds_the_result_of_f32_once(check, make, name, dtype):
    x = make((4, 5), dtype.name)
    wanted = np.asarray(getattr(np, name)(x.astype(np.float32)))
    check(
        lambda xp, x: getattr(xp, name)(x), x, expected=wanted.astype(dtype.numpy) if wanted.dtype != bool else wanted
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", [*BINARY_FLOAT, *BINARY_NUMERIC, *COMPARISONS])
def test_binary_on_all_pairs_of_special_values(check, name, dtype):
    a, b = np.meshgrid(np.array(SPECIAL, dtype), np.array(SPECIAL, dtype))
    check(lambda xp, a, b: getattr(xp, name)(a, b), a, b)


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", [*BINARY_NUMERIC, *COMPARISONS, *BITWISE])
def test_binary_on_integers(check, make, name, dtype):
    a, b = make((5, 4), dtype, 1), make((5, 4), dtype, 2)
    if name in ("floor_divide", "remainder", "fmod"):
        b = np.where(b == 0, 1, b).astype(dtype)
    if name == "pow":
        b = np.abs(b)
    check(lambda xp, a, b: getattr(xp, name)(a, b), a, b)


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers_overflow_by_wrapping_around(check, dtype):
    info = np.iinfo(dtype)
    a, b = np.array([info.max, info.min], dtype), np.array([1, 1], dtype)
    for name in ("add", "subtract", "multiply"):
        check(lambda xp, a, b, name=name: getattr(xp, name)(a, b), a, b)


@pytest.mark.parametrize("name", [*LOGICAL, *BITWISE, "equal", "not_equal"])
def test_binary_on_booleans(check, name):
    a, b = np.array([True, True, False, False]), np.array([True, False, True, False])
    check(lambda xp, a, b: getattr(xp, name)(a, b), a, b)


def test_not(check, make):
    check(lambda xp, x: xp.logical_not(x), make((4,), "bool"))
    check(lambda xp, x: xp.bitwise_invert(x), make((4,), "bool"))
    for dtype in INTEGERS:
        check(lambda xp, x: xp.bitwise_invert(x), make((4,), dtype))


@pytest.mark.parametrize("dtype", INTEGERS)
def test_shifts(check, dtype):
    x = np.array([0, 1, 5, 100, np.iinfo(dtype).max, np.iinfo(dtype).min], dtype)
    count = np.array([0, 1, 3, 2, 7, 1], dtype)
    check(lambda xp, x, n: xp.bitwise_left_shift(x, n), x, count)
    check(lambda xp, x, n: xp.bitwise_right_shift(x, n), x, count)


PROMOTING = [
    ("int8", "int16"), ("int8", "uint8"), ("uint8", "uint32"), ("uint32", "int8"), ("int64", "int32"),
    ("float32", "float64"), ("float16", "float32"),
]  # fmt: skip


@pytest.mark.parametrize("dtypes", PROMOTING, ids="-".join)
@pytest.mark.parametrize("name", ["add", "maximum", "less"])
def test_operands_promote(check, make, name, dtypes):
    a, b = make((3, 2), dtypes[0], 1), make((3, 2), dtypes[1], 2)
    check(lambda xp, a, b: getattr(xp, name)(a, b), a, b)
    check(lambda xp, a, b: getattr(xp, name)(b, a), a, b)


BROADCASTING = [((3, 4), (4,)), ((3, 1), (1, 4)), ((2, 1, 4), (3, 1)), ((3, 4), ()), ((0, 3), (1,)), ((), ())]


@pytest.mark.parametrize("shapes", BROADCASTING, ids=str)
def test_operands_broadcast(check, make, shapes):
    a, b = make(shapes[0], seed=1), make(shapes[1], seed=2)
    check(lambda xp, a, b: xp.subtract(a, b), a, b)
    check(lambda xp, a, b: xp.less(b, a), a, b)


def test_python_scalars_take_the_tensors_dtype(check, make):
    for dtype in ("int8", "float16", "float32", "float64"):
        check(lambda xp, x: xp.multiply(2, xp.add(x, 1)), make((3,), dtype))
    check(lambda xp, x: xp.logical_and(x, True), make((3,), "bool"))


def test_lists_of_python_numbers_have_the_default_dtype():
    g = trace(lambda x: (xp.add(x, [0.5, 1.5]), xp.asarray([1, 2]), xp.asarray([[True], [False]])), f32[2])
    assert [v.type for v in g.outputs] == [f32[2], i64[2], bool_[2, 1]]


MIXED = [
    (i8[2], f32[2], "i8 and f32"),
    (u64[2], i8[2], "u64 and i8"),
    (bool_[2], f32[2], "bool and f32"),
]


@pytest.mark.parametrize(("a", "b", "words"), MIXED, ids=str)
def test_undefined_promotions_raise(a, b, words):
    with pytest.raises(DTypeError, match=words):
        trace(lambda a, b: xp.add(a, b), a, b)


def test_dtypes_that_a_function_does_not_take_raise():
    for name in UNARY_FLOAT:
        with pytest.raises(DTypeError, match=r"takes floating-point numbers.*i64\[3\]"):
            trace(lambda x, name=name: getattr(xp, name)(x), i64[3])
    with pytest.raises(DTypeError, match="a Python float"):
        trace(lambda x: xp.add(x, 0.5), i64[3])
    with pytest.raises(DTypeError, match="takes booleans"):
        trace(lambda x: xp.logical_and(x, x), i64[3])


def test_shapes_that_do_not_broadcast_raise():
    with pytest.raises(ShapeError, match=r"\(3,4\) and \(5,\) do not broadcast"):
        trace(lambda x, y: xp.add(x, y), f32[3, 4], f32[5])


# -- clip and nan_to_num ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bounds", [(-1, 1), (None, 0.5), (0, None), (None, None), (2, -2)], ids=str)
def test_clip(check, bounds):
    low, high = bounds
    x = np.array(SPECIAL, np.float32)
    wanted = x if low is None else np.maximum(x, np.float32(low))
    wanted = wanted if high is None else np.minimum(wanted, np.float32(high))
    check(lambda xp, x: xp.clip(x, low, high), x, expected=wanted)


def test_clip_between_tensors_keeps_the_dtype_of_x(check, make):
    x, low, high = make((3, 4)), make((4,), "float64", 1), make((3, 1), "float64", 2) + 3
    check(lambda xp, x, a, b: xp.clip(x, a, b), x, low, high, expected=np.clip(x, low, high).astype(np.float32))
    check(lambda xp, x: xp.clip(x, min=-2, max=3), make((9,), "int8"))


def test_nan_to_num(check):
    x = np.array(SPECIAL, np.float32)
    check(lambda xp, x: xp.nan_to_num(x), x)
    check(lambda xp, x: xp.nan_to_num(x, nan=1.0, posinf=2.0, neginf=-3.0), x)
    check(lambda xp, x: xp.nan_to_num(x), np.arange(3))


# -- beyond the standard ----------------------------------------------------------------------------------------------


def test_special_functions(check):
    x = np.array([-3.0, -0.7, -0.0, 0.0, 0.2, 1.0, 2.5, math.inf, -math.inf, math.nan])
    check(lambda xp, x: xp.erf(x), x, expected=np.vectorize(math.erf)(x))
    check(lambda xp, x: xp.erfc(x), x, expected=np.vectorize(math.erfc)(x))
    y = np.array([0.3, 1.0, 2.0, 4.5])
    check(lambda xp, x: xp.lgamma(x), y, expected=np.vectorize(math.lgamma)(y))
    check(
        lambda xp, x: xp.digamma(x), np.array([1.0, 2.0]), expected=np.array([-0.5772156649015329, 0.4227843350984671])
    )
    check(lambda xp, x: xp.erf(xp.erfinv(x)), np.linspace(-0.99, 0.99, 9), expected=np.linspace(-0.99, 0.99, 9))


def test_activations(check):
    x = np.array([-1e4, -2.0, 0.0, 0.5, 1e4, math.nan])
    with np.errstate(over="ignore"):
        check(lambda xp, x: xp.sigmoid(x), x, expected=1 / (1 + np.exp(-x)))
    check(lambda xp, x: xp.relu(x), x, expected=np.maximum(x, 0))
    check(lambda xp, x: xp.rsqrt(x), np.array([0.25, 4.0, math.inf, 0.0]), expected=np.array([2.0, 0.5, 0.0, math.inf]))


def test_masked_fill_and_where(check, make):
    x, y, mask = make((3, 4)), make((3, 4), seed=1), make((4,), "bool")
    check(lambda xp, x, mask: xp.masked_fill(x, mask, 7), x, mask, expected=np.where(mask, np.float32(7), x))
    check(lambda xp, mask, x, y: xp.where(mask, x, y), mask, x, y)
    check(lambda xp, mask, x: xp.where(mask, x, 0), mask, x, expected=np.where(mask, x, np.float32(0)))
    check(lambda xp, x: xp.where(x > 0, xp.astype(x, np.float64), x), x)
