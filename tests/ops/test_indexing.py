"""Reading and writing at indices: which element, what repeats, what is out of range, and who gets the gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import DTypeError, IndexRangeError, OpAttributeError, ShapeError
from graphc.op import find_op
from ops.one_op import pulled, pushed, value

X = np.arange(12.0).reshape(3, 4)


# -- reading ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (0,)], ids=str)
def test_take_is_numpys(axis: int, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x, indices = rng.standard_normal((3, 4, 5)), rng.integers(0, 3, shape)
    np.testing.assert_array_equal(value("take", x, indices, axis=axis), np.take(x, indices, axis=axis))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_take_along_axis_is_numpys(axis: int) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 4, 5))
    indices = rng.integers(0, 3, [7 if i == axis else extent for i, extent in enumerate(x.shape)])
    np.testing.assert_array_equal(
        value("take_along_axis", x, indices, axis=axis), np.take_along_axis(x, indices, axis=axis)
    )


def test_take_along_axis_of_the_first_places_is_torchs_gather() -> None:
    got = value("take_along_axis", X, np.array([[3, 0], [1, 1]]), axis=1)
    np.testing.assert_array_equal(got, [[3.0, 0.0], [5.0, 5.0]])


# -- writing ----------------------------------------------------------------------------------------------------------


def test_scatter_add_is_torchs() -> None:
    """The example of torch.Tensor.scatter_add_."""
    index, src = np.array([[0, 1, 2, 0, 0], [0, 1, 2, 2, 2]]), np.ones((2, 5))
    got = value("scatter_add", np.zeros((3, 5)), index, src, axis=0)
    np.testing.assert_array_equal(got, [[2, 0, 0, 1, 1], [0, 2, 0, 0, 0], [0, 0, 2, 1, 1]])


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(("op", "combine"), [("add", np.add), ("max", np.maximum), ("set", None)], ids=str)
def test_writes_combine_in_row_major_order(op: str, combine: Any, axis: int) -> None:
    rng = np.random.default_rng(1)
    x, indices = rng.standard_normal((4, 3)), rng.integers(0, 3, (5, 6))
    slices = rng.standard_normal((5, 6, 3) if axis == 0 else (4, 5, 6))
    expected = x.copy()
    for i, j in np.ndindex(5, 6):
        place: Any = (indices[i, j],) if axis == 0 else (slice(None), indices[i, j])
        update = slices[i, j] if axis == 0 else slices[:, i, j]
        expected[place] = update if combine is None else combine(expected[place], update)
    np.testing.assert_allclose(value(f"index_{op}", x, indices, slices, axis=axis), expected, rtol=1e-14)

    single = indices[:, :3] if axis == 0 else indices[:4]
    updates = rng.standard_normal(single.shape)
    expected = x.copy()
    for i, j in np.ndindex(single.shape):
        place = (single[i, j], j) if axis == 0 else (i, single[i, j])
        expected[place] = updates[i, j] if combine is None else combine(expected[place], updates[i, j])
    np.testing.assert_allclose(value(f"scatter_{op}", x, single, updates, axis=axis), expected, rtol=1e-14)


def test_writes_leave_their_operand_alone() -> None:
    x = np.zeros(3)
    value("index_set", x, np.array([1]), np.array([5.0]), axis=0)
    np.testing.assert_array_equal(x, np.zeros(3))


def test_writes_keep_nan_visible() -> None:
    for op in ("index_max", "scatter_max"):
        got = value(op, np.array([1.0, np.nan, 3.0]), np.array([0, 1, 2, 2]), np.array([np.nan, 1.0, 9.0, 4.0]), axis=0)
        np.testing.assert_array_equal(got, [np.nan, np.nan, 9.0])


# -- gradients --------------------------------------------------------------------------------------------------------


def test_repeated_indices_collect_the_gradient() -> None:
    gradient = pulled("take", np.array([1.0, 10.0, 100.0]), np.zeros(4), np.array([2, 0, 2]), axis=0)
    np.testing.assert_array_equal(gradient, [10.0, 0.0, 101.0, 0.0])


@pytest.mark.parametrize("op", ["index_set", "scatter_set"])
def test_only_the_last_write_gets_the_gradient(op: str) -> None:
    x, indices, updates = np.zeros(3), np.array([1, 0, 1, 1]), np.arange(4.0)
    to_x, to_updates = pulled(op, np.array([1.0, 10.0, 100.0]), x, indices, updates, axis=0)
    np.testing.assert_array_equal(to_x, [0.0, 0.0, 100.0])
    np.testing.assert_array_equal(to_updates, [0.0, 1.0, 0.0, 10.0])
    tangent = pushed(op, (np.ones(3), np.array([2.0, 3.0, 4.0, 5.0])), x, indices, updates, axis=0)
    np.testing.assert_array_equal(tangent, [3.0, 5.0, 1.0])


def test_only_the_last_slice_gets_the_gradient() -> None:
    x, indices, updates = np.zeros((2, 3)), np.array([[2, 2], [0, 2]]), np.zeros((2, 2, 2))
    to_x, to_updates = pulled("index_set", np.array([[1.0, 2, 3], [4, 5, 6]]), x, indices, updates, axis=1)
    np.testing.assert_array_equal(to_x, [[0.0, 2.0, 0.0], [0.0, 5.0, 0.0]])
    np.testing.assert_array_equal(to_updates, [[[0.0, 0.0], [1.0, 3.0]], [[0.0, 0.0], [4.0, 6.0]]])


@pytest.mark.parametrize("op", ["index_max", "scatter_max"])
def test_ties_share_the_gradient_equally(op: str) -> None:
    x, indices, updates = np.array([5.0, 1.0, 0.0]), np.array([0, 0, 1, 1]), np.array([5.0, 2.0, 3.0, 3.0])
    to_x, to_updates = pulled(op, np.array([12.0, 6.0, 1.0]), x, indices, updates, axis=0)
    np.testing.assert_array_equal(to_x, [6.0, 0.0, 1.0])
    np.testing.assert_array_equal(to_updates, [6.0, 0.0, 3.0, 3.0])


# -- what is out of range ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "indices", "updates", "axis", "message"),
    [
        ("take", [0, 1, 3], None, 0, "index 3 at [2] is out of range for axis 0 of extent 3"),
        ("take", [[0, 1], [-1, 3]], None, 1, "index -1 at [1, 0] is out of range for axis 1 of extent 4"),
        ("take", 4, None, 1, "index 4 is out of range for axis 1 of extent 4"),
        ("take_along_axis", [[0], [9], [4]], None, 1, "index 9 at [1, 0] is out of range for axis 1 of extent 4"),
        ("index_add", [3], np.zeros((1, 4)), 0, "index 3 at [0] is out of range for axis 0 of extent 3"),
        ("scatter_set", [[0, 5]], np.zeros((1, 2)), 0, "index 5 at [0, 1] is out of range for axis 0 of extent 3"),
    ],
)
def test_indices_out_of_range(op: str, indices: Any, updates: Any, axis: int, message: str) -> None:
    with pytest.raises(IndexRangeError) as error:
        value(op, X, np.array(indices), *([] if updates is None else [updates]), axis=axis)
    assert error.value.rule == f"{op}: {message}"
    assert error.value.line is not None
    assert error.value.where is not None


def test_unsigned_indices_beyond_i64_are_out_of_range() -> None:
    with pytest.raises(IndexRangeError, match="index 18446744073709551615 at"):
        value("take", X, np.array([2**64 - 1], np.uint64), axis=0)


# -- what does not fit ------------------------------------------------------------------------------------------------


def refused(op: str, *types: Any, **attributes: Any) -> Any:
    return gc.trace(lambda *xs: find_op(op)(*xs, **attributes), *types)


def test_types_that_do_not_fit() -> None:
    with pytest.raises(DTypeError, match=r"take: indices are f32\[2\], not integers"):
        refused("take", gc.f32[3], gc.f32[2], axis=0)
    with pytest.raises(OpAttributeError, match=r"take: axis 1 is out of range for f32\[3\]"):
        refused("take", gc.f32[3], gc.i64[2], axis=1)
    with pytest.raises(
        ShapeError, match=r"take_along_axis: x is f32\[3,4\], but indices are i64\[2\]: they need one rank"
    ):
        refused("take_along_axis", gc.f32[3, 4], gc.i64[2], axis=0)
    with pytest.raises(ShapeError, match="take_along_axis: x has N along axis 0, but indices have 2"):
        refused("take_along_axis", gc.f32["N", 4], gc.i64[2, 4], axis=1)
    with pytest.raises(
        ShapeError, match=r"index_add: updates have shape \(2,3\), but f32\[3,4\] at indices i64\[2\] has \(2,4\)"
    ):
        refused("index_add", gc.f32[3, 4], gc.i64[2], gc.f32[2, 3], axis=0)
    with pytest.raises(DTypeError, match=r"scatter_add: x is f32\[3\], but updates are f64\[2\]"):
        refused("scatter_add", gc.f32[3], gc.i64[2], gc.f64[2], axis=0)
    with pytest.raises(DTypeError, match=r"index_add: takes numbers, but x is bool\[3\]"):
        refused("index_add", gc.bool[3], gc.i64[2], gc.bool[2], axis=0)
