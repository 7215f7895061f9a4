"""Shapes changed, joined, repeated and padded, against NumPy; and with named extents."""

import numpy as np
import pytest

from graphc import array as xp
from graphc.dim import dim
from graphc.dsl.trace import trace
from graphc.errors import ArgumentError, DTypeError, OpAttributeError, ShapeError
from graphc.types import f32, f64, i8, i64, u64

N, T = dim("N"), dim("T")


def shape_of(function, *specs):
    return trace(lambda *xs: function(*xs), *specs).outputs[0].type.shape


@pytest.fixture
def x(make):
    return make((2, 3, 4))


def test_reshape(check, x):
    for shape in [(6, 4), (24,), (-1,), (2, -1), (4, -1, 2), (-1, 1, 24), (2, 3, 4)]:
        check(lambda xp, x, shape=shape: xp.reshape(x, shape), x, symbolic=False)
    check(lambda xp, x: xp.reshape(x, -1), x)
    check(lambda xp, x: xp.reshape(x, ()), np.ones((1, 1)))
    check(lambda xp, x: xp.reshape(x, (3, 0)), np.zeros((0, 5)), symbolic=False)
    check(lambda xp, x: xp.reshape(x, (4, -1)), np.zeros((0, 4)), symbolic=False)
    check(lambda xp, x: xp.reshape(x, (x.shape[0] * x.shape[1], -1)), x)


def test_reshape_solves_for_named_extents():
    assert shape_of(lambda x: xp.reshape(x, (-1, 4)), f32["N", 2, 6]) == (3 * N, 4)
    assert shape_of(lambda x: xp.reshape(x, (x.shape[0], -1)), f32["N", 2, "T"]) == (N, 2 * T)
    assert shape_of(lambda x: xp.reshape(x, ("N", 2, -1)), f32["N", 6]) == (N, 2, 3)
    assert shape_of(lambda x: x.reshape(-1), f32["N", "T"]) == (N * T,)
    assert shape_of(lambda x: x.reshape(x.shape[0] // 2, 2), f32["2*N"]) == (N, 2)


@pytest.mark.parametrize(
    ("spec", "shape", "words"),
    [
        (f32["N", 3], (-1, 2), r"f32\[N,3\] to shape \(-1,2\): 3\*N elements are not divisible by 2"),
        (f32[2, 3], (4, 2), r"f32\[2,3\] has 6 elements"),
        (f32[2, 3], (-1, -1), r"one extent may be -1"),
        (f32[0, 3], (-1, 0), r"any number would do for -1"),
        (f32[2, 3], (-2, 3), r"an extent is at least 0"),
    ],
)
def test_reshape_that_cannot_be(spec, shape, words):
    with pytest.raises(ShapeError, match=words):
        trace(lambda x: xp.reshape(x, shape), spec)


def test_axes_moved(check, x):
    check(lambda xp, x: xp.permute_dims(x, (2, 0, 1)), x)
    check(lambda xp, x: xp.permute_dims(x, (-1, 0, 1)), x)
    check(lambda xp, x: xp.matrix_transpose(x), x)
    check(lambda xp, x: x.mT, x)
    check(lambda xp, x: x.T, x)
    check(lambda xp, x: xp.moveaxis(x, 0, -1), x)
    check(lambda xp, x: xp.moveaxis(x, (0, 1), (2, 0)), x)
    check(lambda xp, x: xp.swapaxes(x, 0, -1), x)


def test_axes_added_and_dropped(check, x):
    for axis in (0, 1, -1, 3, -4, (0, 2), (-1, 1)):
        check(lambda xp, x, axis=axis: xp.expand_dims(x, axis=axis), x)
    y = x.reshape(1, 2, 1, 12)
    check(lambda xp, x: xp.squeeze(x, axis=0), y)
    check(lambda xp, x: xp.squeeze(x, axis=(0, -2)), y)
    check(lambda xp, x: xp.squeeze(x), y)
    check(lambda xp, x: xp.flatten(x), x, expected=x.reshape(-1))
    check(lambda xp, x: xp.flatten(x, 1), x, expected=x.reshape(2, 12))
    check(lambda xp, x: xp.flatten(x, 0, 1), x, expected=x.reshape(6, 4))


def test_broadcasting(check, make):
    check(lambda xp, x: xp.broadcast_to(x, (2, 4, 3)), make((4, 1)), symbolic=False)
    check(lambda xp, a, b: xp.broadcast_arrays(a, b), make((3, 1)), make((4,), "int8"))
    assert xp.broadcast_shapes((N, 1), (3,)) == (N, 3)
    assert shape_of(lambda x: xp.broadcast_to(x, ("N", 3)), f32[3]) == (N, 3)
    with pytest.raises(ShapeError, match=r"shapes \(3,\) and \(4,2\) do not broadcast"):
        trace(lambda x: xp.broadcast_to(x, (4, 2)), f32[3])


def test_flip_and_roll(check, x):
    for axis in (None, 0, -1, (0, 2)):
        check(lambda xp, x, axis=axis: xp.flip(x, axis=axis), x)
    for shift, axis in [(1, 0), (-1, 1), (5, 2), (0, 0), ((1, 2), (0, 1)), (2, (0, 1)), (3, None), (-25, None)]:
        check(lambda xp, x, shift=shift, axis=axis: xp.roll(x, shift, axis=axis), x)
    check(lambda xp, x: xp.roll(x, 1, axis=0), np.zeros((0, 2)))


def test_joining(check, make):
    a, b, c = make((2, 3)), make((4, 3), seed=1), make((2, 5), seed=2)
    check(lambda xp, a, b: xp.concat([a, b]), a, b)
    check(lambda xp, a, b: xp.concat((a, b), axis=-1), a, c)
    check(lambda xp, a, b: xp.concat((a, b), axis=None), a, c)
    check(lambda xp, a, b: xp.concat([a, b, a]), np.zeros((0, 3), np.float32), a)
    check(lambda xp, a, b: xp.concat([a, b]), make((3,), "int8"), make((2,), "uint8"))
    for axis in (0, 1, -1, 2):
        check(lambda xp, a, b, axis=axis: xp.stack([a, b], axis=axis), a, a + 1)
    check(lambda xp, a, b: xp.stack([a, b]), np.float32(1), np.float64(2))
    check(lambda xp, a: xp.unstack(a, axis=1), a, symbolic=False)


def test_splitting(check, make):
    x = make((3, 10))
    check(lambda xp, x: xp.split(x, 4, 1), x, expected=(x[:, :4], x[:, 4:8], x[:, 8:]), symbolic=False)
    check(lambda xp, x: xp.split(x, [3, 0, 7], axis=-1), x, expected=(x[:, :3], x[:, 3:3], x[:, 3:]), symbolic=False)
    check(lambda xp, x: xp.chunk(x, 4, 1), x, expected=(x[:, :3], x[:, 3:6], x[:, 6:9], x[:, 9:]), symbolic=False)
    g = trace(lambda x: xp.split(x, [N, T], axis=0), f32["N+T", 3])
    assert [v.type for v in g.outputs] == [f32["N", 3], f32["T", 3]]
    g = trace(lambda x: xp.chunk(x, 3), f32["3*N"])
    assert [v.type for v in g.outputs] == [f32["N"]] * 3


def test_repeating(check, make):
    x = make((2, 3))
    for repetitions in (2, (2, 3), (1, 1), (2, 1, 3), (0, 2)):
        check(lambda xp, x, r=repetitions: xp.tile(x, r), x)
    check(lambda xp, x: xp.tile(x, (2,)), np.float32(3))
    for axis in (None, 0, -1):
        check(lambda xp, x, axis=axis: xp.repeat(x, 3, axis=axis), x)
    check(lambda xp, x: xp.repeat(x, np.array([1, 0, 2]), axis=1), x, symbolic=False)
    check(lambda xp, x: xp.repeat(x, [2, 1], axis=0), x, symbolic=False)
    assert shape_of(lambda x: xp.repeat(x, N, axis=0), f32[3]) == (3 * N,)


@pytest.mark.parametrize("width", [1, (2, 1), ((1, 2), (0, 3)), ((0, 0), (0, 0)), ((1, 2),), ((1,), (2,))], ids=str)
@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric", "wrap"])
def test_pad(check, make, mode, width):
    check(lambda xp, x: xp.pad(x, width, mode), make((4, 5)))


def test_pad_further_than_the_axis(check, make):
    for mode in ("edge", "reflect", "symmetric", "wrap"):
        check(lambda xp, x, mode=mode: xp.pad(x, ((0, 0), (7, 9)), mode), make((2, 3)), symbolic=False)


def test_pad_with_a_value(check, make):
    check(lambda xp, x: xp.pad(x, 1, constant_values=-1.5), make((2, 3)))
    check(lambda xp, x: xp.pad(x, 1, constant_values=7), make((2, 3), "int8"))
    check(lambda xp, x: xp.pad(x, 1, constant_values=True), make((2, 3), "bool"))
    assert shape_of(lambda x: xp.pad(x, ((0, 0), (T, 1))), f32["N", 3]) == (N, T + 4)
    with pytest.raises(DTypeError, match="pad: a Python float"):
        trace(lambda x: xp.pad(x, 1, constant_values=0.5), i8[3])


ERRORS = [
    (lambda x: xp.permute_dims(x, (0, 0, 1)), OpAttributeError, r"names an axis twice"),
    (lambda x: xp.permute_dims(x, (0, 1)), OpAttributeError, r"do not name all 3 axes of f32\[2,3,4\]"),
    (lambda x: xp.squeeze(x, 1), ShapeError, r"squeeze: axis 1 of f32\[2,3,4\] has extent 3, not 1"),
    (lambda x: xp.expand_dims(x, 5), OpAttributeError, r"axis 5 is out of range for rank 4"),
    (lambda x: xp.matrix_transpose(x[0, 0]), ShapeError, r"takes rank 2 or more, but x is f32\[4\]"),
    (lambda x: xp.moveaxis(x, (0, 1), 0), OpAttributeError, r"2 axes in source \(0, 1\), but 1 in 0"),
    (lambda x: xp.concat([x, x[0]]), ShapeError, r"xs\[1\] is f32\[3,4\]"),
    (lambda x: xp.concat([x, x[:, :2]]), ShapeError, r"differ along axis 0 alone"),
    (lambda x: xp.concat([]), ArgumentError, r"non-empty list"),
    (lambda x: xp.concat(x), ArgumentError, r"non-empty list"),
    (lambda x: xp.concat([x[0, 0, 0]]), ShapeError, r"use gc.stack"),
    (lambda x: xp.stack([x, x[0]]), ShapeError, r"one is f32\[2,3,4\] and one f32\[3,4\]"),
    (lambda x: xp.split(x, [1, 1], 1)[0], ShapeError, r"does not split into \[1, 1\], which make 2"),
    (lambda x: xp.split(x, 0)[0], OpAttributeError, r"at least one element, not 0"),
    (lambda x: xp.repeat(x, [1, 2], axis=1), ArgumentError, r"takes 3 counts of at least 0"),
    (lambda x: xp.repeat(x, xp.sum(x), axis=1), ArgumentError, r"would depend on data"),
    (lambda x: xp.roll(x, (1, 2), axis=0), OpAttributeError, r"2 shifts"),
    (lambda x: xp.pad(x, ((1, 1), (0, 0))), OpAttributeError, r"is no \(before, after\) for each axis"),
    (lambda x: xp.pad(x, -1), OpAttributeError, r"widths are at least 0"),
    (lambda x: xp.pad(x, 1, "mean"), OpAttributeError, r"mode is one of 'constant'"),
    (lambda x: xp.flatten(x, 2, 1), OpAttributeError, r"start_axis 2 lies after end_axis 1"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "error", "words"), ERRORS)
def test_errors(function, error, words):
    with pytest.raises(error, match=words):
        trace(lambda x: function(x), f32[2, 3, 4])


def test_errors_over_named_extents():
    with pytest.raises(ShapeError, match=r"unstack: axis 0 of f32\[N,3\] has the extent N; the number of pieces"):
        trace(lambda x: xp.unstack(x), f32["N", 3])
    with pytest.raises(DTypeError, match=r"concat: u64 and i64 do not promote"):
        trace(lambda a, b: xp.concat([a, b]), u64[2], i64[2])
    with pytest.raises(DTypeError, match=r"f64"):
        trace(lambda a, b: xp.concat([a, b]), i64[2], f64[2])
