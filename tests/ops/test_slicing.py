"""Slices, padding, concatenation and flips against NumPy's, with named extents, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.dim import dim
from graphc.errors import ArgumentError, DTypeError, OpAttributeError, ShapeError
from graphc.op import find_op
from ops.one_op import pulled, value

N = dim("N")


def normalised(part: slice, extent: int) -> dict[str, Any]:
    start, limit, stride = part.indices(extent)
    return {"starts": (start,), "limits": (limit,), "strides": (stride,)}


@pytest.mark.parametrize("extent", [1, 5, 6])
@pytest.mark.parametrize("stride", [1, 2, 3, 7, -1, -2, -3, -7])
def test_every_slice_of_a_line_is_pythons(extent: int, stride: int) -> None:
    x = np.arange(float(extent))
    for start in range(extent + 1):
        for stop in [None, *range(extent + 1)]:
            part = slice(start, stop, stride)
            if start == extent and (stride > 0 or len(x[part]) == 0):
                continue  # Python's slice starts beyond the axis; array functions begin it at an element
            attributes = normalised(part, extent)
            if len(x[part]) == 0:
                attributes["limits"] = attributes["starts"]
            got = value("slice", x, **attributes)
            np.testing.assert_array_equal(got, x[part])
            expected = np.zeros(extent)
            expected[part] = 1 + np.arange(len(got))
            np.testing.assert_array_equal(pulled("slice", 1.0 + np.arange(len(got)), x, **attributes), expected)


def test_slices_of_named_extents() -> None:
    take = find_op("slice")

    def parts(x: Any) -> Any:
        rows = x.shape[0]
        return (
            take(x, starts=(1, 0), limits=(rows, 2)),
            take(x, starts=(0, 0), limits=(rows, 2), strides=(2, 1)),
            take(x, starts=(rows - 1, 0), limits=(-1, 2), strides=(-1, 1)),
            take(x, starts=(rows - 1, 0), limits=(-1, 2), strides=(-3, 1)),
        )

    graph = gc.trace(parts, gc.f64["N", 2])
    assert [output.type.shape[0] for output in graph.outputs] == [N - 1, (N + 1) // 2, N, (N + 2) // 3]
    derivative = gc.vjp(graph)
    for count in (1, 2, 5, 6, 7):
        x = np.random.default_rng(0).standard_normal((count, 2))
        expected = [x[1:], x[::2], x[::-1], x[::-3]]
        for got, want in zip(gc.evaluate(graph, x), expected, strict=True):
            np.testing.assert_array_equal(got, want)
        gradient = np.zeros_like(x)
        for part in (slice(1, None), slice(None, None, 2), slice(None), slice(None, None, -3)):
            gradient[part] += 1
        np.testing.assert_array_equal(gc.evaluate(derivative, x, *map(np.ones_like, expected)), gradient)


def test_a_named_extent_that_is_too_small() -> None:
    graph = gc.trace(lambda x: find_op("slice")(x, starts=(2,), limits=(5,)), gc.f64["N"])
    np.testing.assert_array_equal(gc.evaluate(graph, np.arange(6.0)), [2.0, 3.0, 4.0])
    with pytest.raises(ShapeError, match="slice: axis 0 has extent 4, but 2:5:1 does not lie within"):
        gc.evaluate(graph, np.arange(4.0))


def test_pad() -> None:
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    expected = np.pad(x, ((1, 0), (0, 2)), constant_values=9)
    np.testing.assert_array_equal(value("pad", x, low=(1, 0), high=(0, 2), value=9.0), expected)
    got = value("pad", x, low=(0, 1), high=(-1, 0), interior=(1, 2))
    np.testing.assert_array_equal(got, [[0, 1, 0, 0, 2, 0, 0], [0] * 7, [0, 3, 0, 0, 4, 0, 0]])
    assert value("pad", np.array([True]), low=(1,), high=(0,), value=True).tolist() == [True, True]
    assert value("pad", np.zeros((0,)), low=(2,), high=(1,), interior=(3,)).tolist() == [0.0, 0.0, 0.0]
    assert np.isneginf(value("pad", x, low=(1, 0), high=(0, 0), value=-np.inf)[0]).all()


def test_pad_takes_the_gradient_of_the_elements_alone() -> None:
    gradient = pulled("pad", np.arange(7.0), np.zeros(2), low=(1,), high=(0,), interior=(2,), value=5.0)
    np.testing.assert_array_equal(gradient, [1.0, 4.0])


def test_concat_and_flip() -> None:
    x, y = np.ones((2, 3)), np.zeros((2, 1))
    np.testing.assert_array_equal(value("concat", x, y, x, axis=1), np.concatenate([x, y, x], axis=1))
    z = np.random.default_rng(0).standard_normal((2, 3, 4))
    np.testing.assert_array_equal(value("flip", z, axis=(0, 2)), np.flip(z, (0, 2)))
    joined = gc.trace(lambda a, b: find_op("concat")(a, b, axis=0), gc.f32["N", 3], gc.f32["M", 3])
    assert joined.outputs[0].type == gc.f32["N+M", 3]


def test_one_tensor_twice_collects_both_gradients() -> None:
    graph = gc.vjp(gc.trace(lambda x: find_op("concat")(x, x, axis=0), gc.f64[2]))
    np.testing.assert_array_equal(gc.evaluate(graph, np.zeros(2), np.array([1.0, 2.0, 10.0, 20.0])), [11.0, 22.0])


@pytest.mark.parametrize(
    ("op", "types", "attributes", "error", "message"),
    [
        ("slice", (gc.f32[4],), {"starts": (0,), "limits": (5,)}, ShapeError, "axis 0 has extent 4, but 0:5:1"),
        ("slice", (gc.f32[4],), {"starts": (-1,), "limits": (2,)}, ShapeError, "has extent 4, but -1:2:1"),
        ("slice", (gc.f32[4],), {"starts": (3,), "limits": (1,)}, ShapeError, "has extent 4, but 3:1:1"),
        ("slice", (gc.f32[4],), {"starts": (0,), "limits": (4,), "strides": (0,)}, OpAttributeError, "other than 0"),
        ("slice", (gc.f32[4],), {"starts": (0, 0), "limits": (4,)}, OpAttributeError, "2 numbers for the 1 axes"),
        ("pad", (gc.f32[4],), {"low": (-1,), "high": (0,)}, ShapeError, "elements would be lost"),
        ("pad", (gc.f32[4],), {"low": (0,), "high": (-1,)}, ShapeError, "elements would be lost"),
        ("pad", (gc.f32[4],), {"low": (0,), "high": (-2,), "interior": (1,)}, ShapeError, "elements would be lost"),
        ("pad", (gc.f32["N"],), {"low": (0,), "high": (-1,)}, ShapeError, "elements would be lost"),
        ("pad", (gc.u8[4],), {"low": (0,), "high": (1,), "value": 256}, DTypeError, "with 256, which is no u8"),
        ("pad", (gc.i32[4],), {"low": (0,), "high": (1,), "value": 0.5}, DTypeError, "with 0.5, which is no i32"),
        ("pad", (gc.i32[4],), {"low": (0,), "high": (1,), "value": np.inf}, DTypeError, "with inf, which is no i32"),
        ("pad", (gc.i32[4],), {"low": (0,), "high": (1,), "value": np.nan}, DTypeError, "with nan, which is no i32"),
        ("concat", (gc.f32[4], gc.f64[4]), {"axis": 0}, DTypeError, r"xs\[0\] is f32\[4\], but xs\[1\] is f64\[4\]"),
        ("concat", (gc.f32[4, 2], gc.f32[4, 3]), {"axis": 0}, ShapeError, "they may differ along axis 0 alone"),
        ("concat", (gc.f32[4],), {"axis": 1}, OpAttributeError, "axis 1 is out of range"),
        ("concat", (), {"axis": 0}, ArgumentError, "one tensor at least"),
        ("flip", (gc.f32[4],), {"axis": (0, 0)}, OpAttributeError, r"axes \(0, 0\) do not name distinct axes"),
    ],
)
def test_what_they_refuse(op: str, types: Any, attributes: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        gc.trace(lambda *xs: find_op(op)(*xs, **attributes), *types)
