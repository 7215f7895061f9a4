"""Reductions, running sums and differences against NumPy: axes, dtypes, empty and NaN-bearing arrays."""

import math

import numpy as np
import pytest

from graphc import array as xp
from graphc.dsl.trace import trace
from graphc.errors import DTypeError, OpAttributeError, ShapeError
from graphc.interpret import evaluate
from graphc.types import bool_, f16, f32, i8, i64

AXES = [None, 0, 1, -1, (0, 2), (-1, 0), (0, 1, 2), ()]
NUMBERS = ["sum", "prod", "max", "min", "any", "all", "count_nonzero"]
FLOATS = ["mean", "var", "std"]
DTYPES = ["bool", "int8", "uint8", "int32", "uint32", "int64", "uint64", "float32", "float64"]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("name", [*NUMBERS, *FLOATS])
def test_axes(check, make, name, axis, keepdims):
    x = np.round(make((2, 3, 4), "float64"))
    check(lambda xp, x: getattr(xp, name)(x, axis=axis, keepdims=keepdims), x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NUMBERS)
def test_dtypes(check, make, name, dtype):
    if dtype == "bool" and name in ("max", "min"):
        pytest.skip("the standard orders numbers only")
    check(lambda xp, x: getattr(xp, name)(x, axis=1), make((3, 4), dtype))


def test_sums_of_small_integers_do_not_overflow(check):
    x = np.full((300,), 127, np.int8)
    check(lambda xp, x: xp.sum(x), x, expected=np.int64(38100))
    check(lambda xp, x: xp.sum(x.astype(np.uint8)), x, expected=np.uint64(38100))
    check(lambda xp, x: xp.sum(x, dtype=np.float32), x, expected=np.float32(38100))
    check(lambda xp, x: xp.prod(x[:2], dtype=np.int32), x, expected=np.int32(16129), symbolic=False)
    check(lambda xp, x: xp.sum(x, dtype=np.int8), x, expected=np.int8(-44))


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
@pytest.mark.parametrize("name", ["sum", "prod", "any", "all", "count_nonzero", *FLOATS])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_of_no_elements(check, name, shape):
    for axis in (None, *range(len(shape))):
        check(lambda xp, x, axis=axis: getattr(xp, name)(x, axis=axis), np.zeros(shape, np.float32))


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin"])
def test_extrema_of_no_elements_raise(name):
    with pytest.raises(ShapeError, match=r"of no elements is undefined"):
        trace(lambda x: getattr(xp, name)(x, axis=0), f32[0, 3])
    graph = trace(lambda x: getattr(xp, name)(x, axis=0), f32["N", 3])
    with pytest.raises(ShapeError, match=r"of no elements is undefined"):
        evaluate(graph, np.zeros((0, 3), np.float32))


@pytest.mark.parametrize("name", ["sum", "prod", "max", "min", *FLOATS, "argmax", "argmin"])
def test_nan_and_infinities(check, name):
    x = np.array([[1, math.nan, 3], [math.inf, 2, 3], [math.inf, -math.inf, 1], [-math.inf, 2, 2]], np.float32)
    check(lambda xp, x: getattr(xp, name)(x, axis=1), x)


@pytest.mark.parametrize("correction", [0, 1, 2, 0.5, 1.5, 3, 7])
@pytest.mark.parametrize("name", ["var", "std"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_correction(check, make, name, correction):
    x = make((3, 5), "float64")
    for axis in (0, 1, None):
        check(lambda xp, x, axis=axis: getattr(xp, name)(x, axis=axis, correction=correction), x)


def test_means_divide_by_the_named_extent():
    graph = trace(lambda x: xp.mean(x, axis=0), f32["N", 3])
    assert "div(%sum, N)" in str(graph)


def test_16_bit_floats_are_averaged_in_f32(check):
    x = np.full((70, 1000), 1.5, np.float16)
    check(lambda xp, x: xp.mean(x), x, expected=np.float16(1.5))
    check(lambda xp, x: xp.std(x), x, expected=np.float16(0))
    assert trace(lambda x: xp.var(x), f16["N"]).outputs[0].type == f16[()]


def test_logsumexp(check):
    x = np.array([[1e4, 1e4], [-1e4, 0], [-math.inf, -math.inf]])
    wanted = np.array([1e4 + math.log(2), 0.0, -math.inf])
    check(lambda xp, x: xp.logsumexp(x, axis=1), x, expected=wanted)
    check(lambda xp, x: xp.logsumexp(x, axis=-1, keepdims=True), x, expected=wanted[:, None])
    check(lambda xp, x: xp.logsumexp(x), np.zeros((2, 3)), expected=np.float64(math.log(6)))


def test_softmax(check, make):
    x = make((3, 4, 5), "float64")
    y = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    check(lambda xp, x: xp.softmax(x, axis=1), x, expected=y)
    check(lambda xp, x: xp.log_softmax(x, axis=-2), x, expected=np.log(y))


# -- running sums -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("include_initial", [False, True])
@pytest.mark.parametrize("name", ["cumulative_sum", "cumulative_prod"])
def test_cumulative(check, make, name, include_initial):
    for axis in (0, -1):
        x = make((3, 4), "float64")
        check(lambda xp, x, axis=axis: getattr(xp, name)(x, axis=axis, include_initial=include_initial), x)
    for dtype in ("int8", "uint16", "int32", "bool"):
        wide = np.uint64 if dtype == "uint16" else np.int64
        x = make((5,), dtype)
        wanted = getattr(np, name)(x, dtype=wide, include_initial=include_initial)
        check(lambda xp, x: getattr(xp, name)(x, include_initial=include_initial), x, expected=wanted)
    check(lambda xp, x: getattr(xp, name)(x, dtype=np.float32), make((5,), "int8"))
    check(lambda xp, x: getattr(xp, name)(x, axis=1, include_initial=include_initial), np.zeros((2, 0)))


def test_logcumsumexp(check):
    x = np.array([[1e4, -1e4, 1e4], [0.0, 1.0, 2.0]])
    check(lambda xp, x: xp.logcumsumexp(x, axis=1), x, expected=np.logaddexp.accumulate(x, axis=1))
    check(lambda xp, x: xp.logcumsumexp(x), x[1], expected=np.logaddexp.accumulate(x[1]))


def test_diff(check, make):
    x, y = make((4, 5)), make((4, 2), seed=1)
    for n in range(4):
        check(lambda xp, x, n=n: xp.diff(x, n=n), x)
    check(lambda xp, x: xp.diff(x, axis=0), x)
    check(lambda xp, x, y: xp.diff(x, axis=1, prepend=y, append=y), x, y)
    check(lambda xp, x: xp.diff(x, axis=0), make((4, 3), "bool"))
    check(lambda xp, x: xp.diff(x), make((4, 3), "uint8"))
    check(lambda xp, x: xp.diff(x, n=3), make((2,)), symbolic=False)


# -- errors -----------------------------------------------------------------------------------------------------------


def test_axes_out_of_range_name_the_axis_and_the_rank():
    with pytest.raises(OpAttributeError, match=r"sum: axis 2 is out of range for rank 2 \(allowed: -2 to 1\)"):
        trace(lambda x: xp.sum(x, axis=2), f32[3, 4])
    with pytest.raises(OpAttributeError, match=r"max: axis \(0, -2\) names an axis twice for rank 2"):
        trace(lambda x: xp.max(x, axis=(0, -2)), f32[3, 4])
    with pytest.raises(OpAttributeError, match=r"softmax: axis -1 is out of range for rank 0"):
        trace(lambda x: xp.softmax(x), f32())
    with pytest.raises(OpAttributeError, match=r"sum: axis is an integer, not 1.5"):
        trace(lambda x: xp.sum(x, axis=1.5), f32[3, 4])
    with pytest.raises(OpAttributeError, match=r"cumulative_sum: axis must be given for f32\[3,4\]"):
        trace(lambda x: xp.cumulative_sum(x), f32[3, 4])


def test_the_users_line_is_named():
    with pytest.raises(OpAttributeError, match=r"declared at .*test_reductions.py:\d+"):
        trace(lambda x: xp.sum(x, axis=2), f32[3, 4])


def test_dtypes_out_of_place():
    with pytest.raises(DTypeError, match=r"mean: takes floating-point numbers, but x is i64\[3\]"):
        trace(lambda x: xp.mean(x), i64[3])
    with pytest.raises(DTypeError, match=r"sum: f32\[3\] has floating-point elements, but dtype is i8"):
        trace(lambda x: xp.sum(x, dtype=i8), f32[3])
    with pytest.raises(DTypeError, match=r"takes numbers"):
        trace(lambda x: xp.max(x), bool_[3])
