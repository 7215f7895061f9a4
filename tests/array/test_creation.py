"""Creation and data type functions: values, default dtypes, named extents, limits."""

import numpy as np
import pytest

from graphc import array as xp
from graphc.dim import dim
from graphc.dsl.trace import trace
from graphc.errors import ArgumentError, DTypeError, OpAttributeError, ShapeError, TraceError
from graphc.interpret import evaluate
from graphc.types import DTYPES, bf16, bool_, f16, f32, f64, i8, i16, i32, i64, u8, u64

N = dim("N")


def given(function):
    """The value of a graph without inputs."""
    return evaluate(trace(lambda: function()))


def over(function, n):
    """The value of a graph over the extent N."""
    return evaluate(trace(lambda x: function(), f32["N"]), np.zeros(n, np.float32))


def same(got, wanted):
    assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
    np.testing.assert_array_equal(got, wanted)


def test_filled():
    same(given(lambda: xp.zeros((2, 3))), np.zeros((2, 3), np.float32))
    same(given(lambda: xp.ones(3, dtype=np.int8)), np.ones(3, np.int8))
    same(given(lambda: xp.ones((), dtype=bool)), np.ones((), bool))
    same(given(lambda: xp.empty((0, 2))), np.zeros((0, 2), np.float32))
    same(given(lambda: xp.full((2,), 7)), np.full(2, 7))
    same(given(lambda: xp.full(2, 0.5)), np.full(2, 0.5, np.float32))
    same(given(lambda: xp.full((2,), True)), np.full(2, True))
    same(given(lambda: xp.full((2,), np.float64(0.1))), np.full(2, 0.1))
    same(given(lambda: xp.full((2,), 1, dtype="f16")), np.full(2, 1, np.float16))
    same(given(lambda: xp.full((2,), np.nan)), np.full(2, np.nan, np.float32))
    same(over(lambda: xp.full((2, "N"), N), 3), np.full((2, 3), 3))
    same(over(lambda: xp.zeros(N, dtype=i8), 3), np.zeros(3, np.int8))


def test_like():
    x = np.ones((2, 3), np.int16)
    for name in ("zeros_like", "ones_like", "empty_like"):
        wanted = np.ones_like(x) if name == "ones_like" else np.zeros_like(x)
        graph = trace(lambda x, name=name: (getattr(xp, name)(x), getattr(xp, name)(x, dtype=f32)), i16["N", 3])
        plain, cast = evaluate(graph, x)
        same(plain, wanted)
        same(cast, wanted.astype(np.float32))
    same(evaluate(trace(lambda x: xp.full_like(x, 7), i16[2, 3]), x), np.full_like(x, 7))
    tensor_fill = trace(lambda x, v: xp.full_like(x, v), f32["N"], f32())
    same(evaluate(tensor_fill, np.zeros(2, np.float32), np.float32(3)), np.full(2, 3, np.float32))


ARANGES = [(5,), (0,), (2, 7), (2, 8, 3), (5, 0, -2), (3, 3), (7, 2), (-3, 4, 2)]


@pytest.mark.parametrize("arguments", ARANGES, ids=str)
def test_arange_of_integers(arguments):
    same(given(lambda: xp.arange(*arguments)), np.arange(*arguments))
    same(given(lambda: xp.arange(*arguments, dtype=f64)), np.arange(*arguments, dtype=np.float64))


def test_arange_of_floats_and_extents():
    same(given(lambda: xp.arange(0.0, 1.0, 0.25)), np.arange(0, 1, 0.25, dtype=np.float32))
    same(given(lambda: xp.arange(1.5)), np.array([0, 1], np.float32))
    same(given(lambda: xp.arange(2.0, 1.0)), np.array([], np.float32))
    for n in (0, 1, 2, 5):
        same(over(lambda: xp.arange(N), n), np.arange(n))
        same(over(lambda: xp.arange(N, 0, -1), n), np.arange(n, 0, -1))
        same(over(lambda: xp.arange(1, N + 1, 2), n), np.arange(1, n + 1, 2))
        same(over(lambda: xp.arange(3, N), n), np.arange(3, n))


@pytest.mark.parametrize("arguments", [(0, 1, 5), (1, 1, 3), (2, -1, 4), (0, 1, 1), (0, 1, 0), (0.1, 0.7, 11)], ids=str)
@pytest.mark.parametrize("endpoint", [True, False])
def test_linspace(arguments, endpoint):
    wanted = np.linspace(*arguments, endpoint=endpoint)
    np.testing.assert_allclose(
        given(lambda: xp.linspace(*arguments, endpoint=endpoint, dtype=f64)), wanted, rtol=1e-15, atol=1e-16
    )
    assert given(lambda: xp.linspace(*arguments, endpoint=endpoint)).dtype == np.float32
    start, stop, num = arguments
    got = over(lambda: xp.linspace(start, stop, N, endpoint=endpoint, dtype=f64), num)
    np.testing.assert_allclose(got, wanted, rtol=1e-15, atol=1e-16)
    if endpoint and num > 1:
        assert got[-1] == stop


@pytest.mark.parametrize("k", [-4, -1, 0, 2, 5])
def test_eye_tril_triu(check, make, k):
    same(given(lambda: xp.eye(3, k=k)), np.eye(3, k=k, dtype=np.float32))
    same(given(lambda: xp.eye(3, 4, k=k, dtype=bool)), np.eye(3, 4, k=k, dtype=bool))
    for dtype in ("float32", "int8", "bool"):
        check(lambda xp, x: xp.tril(x, k=k), make((2, 3, 4), dtype))
        check(lambda xp, x: xp.triu(x, k=k), make((3, 3), dtype))
    same(over(lambda: xp.eye(N, dtype=i8), 4), np.eye(4, dtype=np.int8))


def test_meshgrid(check, make):
    a, b, c = make((2,)), make((3,), seed=1), make((4,), "int8")
    for indexing in ("xy", "ij"):
        check(lambda xp, a, b, i=indexing: xp.meshgrid(a, b, indexing=i), a, b)
        check(lambda xp, a, b, c, i=indexing: xp.meshgrid(a, b, c, indexing=i), a, b, c)
        check(lambda xp, a, i=indexing: xp.meshgrid(a, indexing=i), a)


def test_asarray():
    same(given(lambda: xp.asarray([[1.5, 2], [3, 4]])), np.array([[1.5, 2], [3, 4]], np.float32))
    same(given(lambda: xp.asarray(np.array([1.5]))), np.array([1.5]))
    same(given(lambda: xp.asarray(3)), np.array(3))
    same(given(lambda: xp.asarray([True, False])), np.array([True, False]))
    same(given(lambda: xp.asarray([1, 2], dtype=f16)), np.array([1, 2], np.float16))
    same(given(lambda: xp.asarray([])), np.array([], np.float32))


def test_one_hot():
    labels = np.array([[0, 2], [1, 5]])
    got = evaluate(trace(lambda y: xp.one_hot(y, 3), i64["N", 2]), labels)
    same(got, np.array([[[1, 0, 0], [0, 0, 1]], [[0, 1, 0], [0, 0, 0]]]))
    assert trace(lambda y: xp.one_hot(y, N, dtype=f32), u8["N"]).outputs[0].type == f32["N", "N"]


@pytest.mark.parametrize(
    ("function", "error", "words"),
    [
        (lambda: xp.zeros((2, -1)), ShapeError, "zeros|full: an extent is at least 0"),
        (lambda: xp.full((2,), 0.5, dtype=i8), DTypeError, "0.5 is no i8"),
        (lambda: xp.full((2,), 300, dtype=i8), DTypeError, r"300 is out of range for i8 \(-128 to 127\)"),
        (lambda: xp.full((2,), 2, dtype=bool), DTypeError, "2 is no bool"),
        (lambda: xp.arange(0, 5, 0), OpAttributeError, "step is 0"),
        (lambda: xp.arange(0.5, N), ArgumentError, "floats and extents do not mix"),
        (lambda: xp.arange(xp.ones(())), ArgumentError, "the length must be known"),
        (lambda: xp.linspace(0, 1, 3, dtype=i8), DTypeError, "gives floating-point numbers, not i8"),
        (lambda: xp.meshgrid(xp.ones((2, 2))), ShapeError, "takes tensors of rank 1"),
        (lambda: xp.tril(xp.ones(3)), ShapeError, "takes rank 2 or more"),
        (lambda: xp.one_hot(xp.ones(3), 2), DTypeError, r"indices are integers, but these are f32\[3\]"),
        (lambda: xp.asarray([xp.ones(3), xp.ones(3)]), ArgumentError, "join them with gc.stack"),
        (lambda: xp.full((2,), xp.ones(3)), ShapeError, "the value is a scalar"),
    ],
)
def test_errors(function, error, words):
    with pytest.raises(error, match=words):
        trace(lambda: function())


def test_outside_of_a_trace():
    for function in (lambda: xp.zeros(3), lambda: xp.exp(np.ones(3)), lambda: xp.sum([1.0]), lambda: xp.eye(2)):
        with pytest.raises(TraceError, match="outside of a trace"):
            function()


# -- data types -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", sorted(set(DTYPES) - {"bf16"}))
@pytest.mark.parametrize("source", ["bool", "int8", "uint8", "int64", "float16", "float32", "float64"])
def test_astype(check, make, source, target):
    numpy = DTYPES[target].numpy
    x = np.abs(make((4, 3), source)) if numpy.kind == "u" else make((4, 3), source)
    check(lambda xp, x: xp.astype(x, numpy), x, expected=x.astype(numpy))
    check(lambda xp, x: x.astype(target), x, expected=x.astype(numpy))


def test_astype_saturates():
    x = np.array([1e9, -1e9, np.nan, np.inf, -2.7])
    same(evaluate(trace(lambda x: xp.astype(x, i8), f64["N"]), x), np.array([127, -128, 0, 127, -2], np.int8))


def test_result_type():
    assert xp.result_type(i8, u8) is i16
    assert xp.result_type(i8, np.int32, "i16") is i32
    assert xp.result_type(f16, 1.5) is f16
    assert xp.result_type(i8, 1) is i8
    assert xp.result_type(1, 1.5) is f32
    assert xp.result_type(True) is bool_
    assert xp.result_type(np.ones(3), f32) is f64
    assert xp.result_type(f16, bf16) is f32
    for given_types in [(u64, i8), (i8, f32), (bool_, i8), (i8, 1.5), (bool_, 1), (f32, True)]:
        with pytest.raises(DTypeError, match="result_type"):
            xp.result_type(*given_types)
    with pytest.raises(ArgumentError, match="at least one"):
        xp.result_type()


def test_can_cast():
    for a, b in [(i8, i16), (u8, i16), (f32, f64), (bool_, bool_), (bf16, f32), (np.int8, "i8")]:
        assert xp.can_cast(a, b)
    for a, b in [(i16, i8), (i8, u8), (f64, f32), (i8, f32), (bool_, i8), (u64, i64), (f16, bf16)]:
        assert not xp.can_cast(a, b)


def test_isdtype():
    assert xp.isdtype(f32, "real floating")
    assert xp.isdtype(np.int8, ("bool", "integral"))
    assert xp.isdtype(u8, "unsigned integer")
    assert xp.isdtype(bool_, "bool")
    assert xp.isdtype(i8, i8)
    assert not xp.isdtype(u8, "signed integer")
    assert not xp.isdtype(bool_, "numeric")
    assert not xp.isdtype(f32, "complex floating")
    with pytest.raises(OpAttributeError, match="'float' is no kind"):
        xp.isdtype(f32, "float")


def test_limits():
    for name in ("f16", "f32", "f64"):
        info, wanted = xp.finfo(DTYPES[name]), np.finfo(DTYPES[name].numpy)
        assert (info.bits, info.eps, info.max, info.min) == (wanted.bits, wanted.eps, wanted.max, wanted.min)
        assert info.smallest_normal == wanted.smallest_normal
        assert info.dtype is DTYPES[name]
    assert xp.finfo(bf16).eps == 2.0**-7
    assert (xp.iinfo(i8).min, xp.iinfo(i8).max, xp.iinfo("u64").max, xp.iinfo(i8).bits) == (-128, 127, 2**64 - 1, 8)
    for function, dtype in ((xp.finfo, i8), (xp.iinfo, f32), (xp.iinfo, bool_)):
        with pytest.raises(DTypeError, match="is not a"):
            function(dtype)
