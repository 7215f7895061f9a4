"""Sorting: stable in both directions, NaN as the greatest number, gradients to where the elements came from."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.errors import DTypeError, OpAttributeError, ShapeError
from graphc.op import find_op
from ops.one_op import pulled, value

TIES = np.array([2.0, np.nan, -np.inf, 0.0, np.inf, -0.0, np.nan, 2.0])


def test_nan_is_the_greatest() -> None:
    np.testing.assert_array_equal(value("sort", TIES, axis=0), np.sort(TIES))
    descending = value("sort", TIES, axis=0, descending=True)
    np.testing.assert_array_equal(descending, [np.nan, np.nan, np.inf, 2.0, 2.0, 0.0, -0.0, -np.inf])


def test_equal_elements_keep_their_order_in_both_directions() -> None:
    assert value("argsort", TIES, axis=0).tolist() == [2, 3, 5, 0, 7, 4, 1, 6]
    assert value("argsort", TIES, axis=0, descending=True).tolist() == [1, 6, 4, 0, 7, 3, 5, 2]


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.int8, np.uint64], ids=lambda dtype: np.dtype(dtype).name)
def test_sort_is_numpys(axis: int, descending: bool, dtype: type) -> None:
    x = np.random.default_rng(0).integers(0, 9, (3, 4, 5)).astype(dtype)
    expected = np.sort(x, axis=axis)
    if descending:
        expected = np.flip(expected, axis)
    np.testing.assert_array_equal(value("sort", x, axis=axis, descending=descending), expected)
    order = value("argsort", x, axis=axis, descending=descending)
    np.testing.assert_array_equal(np.take_along_axis(x, order, axis), expected)


def test_topk() -> None:
    x = np.array([[3.0, 1.0, 3.0, 2.0], [0.0, np.nan, 5.0, 4.0]])
    values, indices = value("topk", x, k=2, axis=1)
    np.testing.assert_array_equal(values, [[3.0, 3.0], [np.nan, 5.0]])
    assert indices.tolist() == [[0, 2], [1, 2]]
    values, indices = value("topk", x, k=3, axis=1, largest=False)
    np.testing.assert_array_equal(values, [[1.0, 2.0, 3.0], [0.0, 4.0, 5.0]])
    assert indices.tolist() == [[1, 3, 0], [0, 3, 2]]
    assert [result.shape for result in value("topk", x, k=0, axis=1)] == [(2, 0), (2, 0)]


def test_the_gradient_goes_where_the_element_came_from() -> None:
    x = np.array([2.0, 1.0, 2.0, 0.0])
    g = np.array([1.0, 10.0, 100.0, 1000.0])
    np.testing.assert_array_equal(pulled("sort", g, x, axis=0), [100.0, 10.0, 1000.0, 1.0])
    np.testing.assert_array_equal(pulled("sort", g, x, axis=0, descending=True), [1.0, 100.0, 10.0, 1000.0])
    np.testing.assert_array_equal(pulled("topk", np.array([1.0, 10.0]), x, k=2, axis=0), [1.0, 0.0, 10.0, 0.0])


def test_what_they_refuse() -> None:
    sort, topk = find_op("sort"), find_op("topk")
    with pytest.raises(DTypeError, match=r"sort: takes numbers, but x is bool\[3\]"):
        gc.trace(lambda x: sort(x, axis=0), gc.bool[3])
    with pytest.raises(OpAttributeError, match=r"sort: axis 1 is out of range for f32\[3\]"):
        gc.trace(lambda x: sort(x, axis=1), gc.f32[3])
    with pytest.raises(ShapeError, match="topk: k is 4, but axis 0 has extent 3"):
        gc.trace(lambda x: topk(x, k=4, axis=0), gc.f32[3])
    with pytest.raises(OpAttributeError, match="topk: k is -1, not a non-negative integer"):
        gc.trace(lambda x: topk(x, k=-1, axis=0), gc.f32[3])
    named = gc.trace(lambda x: topk(x, k=4, axis=0), gc.f32["N"])
    with pytest.raises(ShapeError, match="topk: k is 4, but axis 0 has extent 3"):
        gc.evaluate(named, np.ones(3, np.float32))
