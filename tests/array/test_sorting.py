"""Sorting and searching against NumPy: stability, NaN, directions, ties."""

import math

import numpy as np
import pytest

from graphc import array as xp
from graphc.dsl.trace import trace
from graphc.errors import OpAttributeError, ShapeError
from graphc.types import f32

SPECIAL = np.array([2.0, math.nan, -math.inf, 0.0, math.inf, -0.0, math.nan, 2.0])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint8", "int64"])
def test_sort_and_argsort(check, make, dtype):
    x = make((4, 9), dtype)
    for axis in (0, 1, -1):
        check(lambda xp, x, a=axis: xp.sort(x, axis=a), x)
        check(lambda xp, x, a=axis: xp.argsort(x, axis=a, stable=True), x)
        descending = np.flip(np.sort(x, axis=axis), axis=axis)
        check(lambda xp, x, a=axis: xp.sort(x, axis=a, descending=True), x, expected=descending)


def test_equal_elements_keep_their_order(check):
    x = np.array([3, 1, 3, 1, 2, 3])
    check(lambda xp, x: xp.argsort(x), x, expected=np.array([1, 3, 4, 0, 2, 5]))
    check(lambda xp, x: xp.argsort(x, descending=True), x, expected=np.array([0, 2, 5, 4, 1, 3]))


def test_nan_is_the_greatest(check):
    check(lambda xp, x: xp.sort(x, stable=True), SPECIAL)  # else NumPy orders -0.0 and 0.0 as its vectors do
    check(lambda xp, x: xp.argsort(x, stable=True), SPECIAL)
    check(lambda xp, x: xp.argsort(x, descending=True), SPECIAL, expected=np.array([1, 6, 4, 0, 7, 3, 5, 2]))
    check(lambda xp, x: xp.sort(x), np.zeros((0, 3)))


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_arg_extrema(check, make, name):
    x = np.round(make((3, 4, 5)))
    for axis in (None, 0, 1, -1):
        for keepdims in (False, True):
            check(lambda xp, x, a=axis, k=keepdims: getattr(xp, name)(x, axis=a, keepdims=k), x)
    check(lambda xp, x: getattr(xp, name)(x), SPECIAL)
    check(lambda xp, x: getattr(xp, name)(x), np.float32(3))
    check(lambda xp, x: getattr(xp, name)(x, axis=0), make((4, 3), "uint8"))


def test_topk(check, make):
    x = np.array([[3, 1, 3, 1, 2], [0, 0, 0, 5, 4]])
    wanted = np.array([[3, 3], [5, 4]]), np.array([[0, 2], [3, 4]])
    check(lambda xp, x: xp.topk(x, 2), x, expected=wanted)
    least = np.array([[1, 1, 2], [0, 0, 0]]), np.array([[1, 3, 4], [0, 1, 2]])
    check(lambda xp, x: xp.topk(x, 3, axis=1, largest=False), x, expected=least)
    check(lambda xp, x: xp.topk(x, 1, axis=0), x, expected=(x.max(0, keepdims=True), x.argmax(0)[None]))
    with pytest.raises(OpAttributeError, match=r"topk: k is 6, but axis 1 of f32\[N,5\] has 5 elements"):
        trace(lambda x: xp.topk(x, 6), f32["N", 5])


@pytest.mark.parametrize("side", ["left", "right"])
def test_searchsorted(check, make, side):
    line = np.array([-1.0, 0.0, 0.0, 2.0, 5.0])
    x = np.array([[-2.0, -1.0, 0.0], [1.0, 5.0, 7.0], [math.inf, -math.inf, math.nan]])
    check(lambda xp, a, x: xp.searchsorted(a, x, side=side), line, x)
    check(lambda xp, a, x: xp.searchsorted(a, x, side=side), np.append(line, [math.nan, math.nan]), x)
    check(lambda xp, a, x: xp.searchsorted(a, x, side=side), np.arange(4), np.array([-1, 0, 3, 9]))
    check(lambda xp, a, x: xp.searchsorted(a, x, side=side), np.zeros(0), x)
    shuffled, order = line[[3, 0, 4, 1, 2]], np.argsort(line[[3, 0, 4, 1, 2]])
    check(lambda xp, a, x, s: xp.searchsorted(a, x, side=side, sorter=s), shuffled, x, order)


def test_isin(check):
    x, tests = np.array([[0, 1], [2, 5]]), np.array([[1, 5, 9]])
    check(lambda xp, x, t: xp.isin(x, t), x, tests)
    check(lambda xp, x, t: xp.isin(x, t, invert=True), x, tests)
    check(lambda xp, x, t: xp.isin(x, t), x, np.zeros(0, int))


def test_count_nonzero(check, make):
    for axis in (None, 0, (0, 1)):
        check(lambda xp, x, a=axis: xp.count_nonzero(x, axis=a), np.round(make((3, 4))))


def test_errors():
    with pytest.raises(OpAttributeError, match="sort: axis 1 is out of range for rank 1"):
        trace(lambda x: xp.sort(x, axis=1), f32[3])
    with pytest.raises(ShapeError, match=r"searchsorted: x1 has rank 1, but it is f32\[2,3\]"):
        trace(lambda x: xp.searchsorted(x, x), f32[2, 3])
    with pytest.raises(OpAttributeError, match='side is "left" or "right", not \'middle\''):
        trace(lambda x: xp.searchsorted(x, x, side="middle"), f32[3])
