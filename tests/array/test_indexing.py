"""`x[...]` and the gathers and scatters against NumPy: known extents, named extents, traced indices, errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, basic_indices

from graphc import array as xp
from graphc.dim import dim
from graphc.dsl.trace import trace
from graphc.errors import ArgumentError, DTypeError, IndexRangeError, OpAttributeError, ShapeError, TraceError
from graphc.interpret import evaluate
from graphc.types import bool_, f32, i32, i64, u8

N, M = dim("N"), dim("M")

KEYS = [
    0, -1, slice(None), slice(1, None), slice(None, -1), slice(None, None, 2), slice(None, None, -1), slice(-2, None),
    slice(2, 0, -1), slice(1, 1), slice(1, -1), ..., None, (), (0, 1), (0, 1, 2), (-1, -1, -1), (slice(None), -1),
    (slice(None), slice(1, 3)), (..., 0), (0, ...), (..., None), (None, ..., None), (slice(None), None, 0),
    (slice(None, None, 2), slice(None, None, 3), slice(None, None, -2)), (1, slice(None), slice(4, 1, -1)),
    (slice(None), slice(None), -2), (0, ..., slice(1, None)), (slice(None), ..., slice(None)),
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_basic_keys(check, make, key):
    check(lambda xp, x: x[key], make((3, 4, 5)))


CLIPPED = [slice(None, 99), slice(-99, None), slice(99, None), slice(2, 1), slice(99, None, -1), slice(None, -99, -1)]


@pytest.mark.parametrize("key", CLIPPED, ids=str)
def test_bounds_beyond_known_extents_are_clipped(check, make, key):
    check(lambda xp, x: x[key], make((3, 2)), symbolic=False)
    check(lambda xp, x: x[key], make((0, 2)), symbolic=False)


ADVANCED = [
    [0, 2], [2, -1, 0, 0], [[0, 1], [2, 2]], [], ([0, 2], [1, 3]),
    (slice(None), [0, 2]), (slice(None), [0, -1], [1, 1]),
    ([0, 2], slice(None), [1, 1]), (0, slice(None), [1, 2]), (0, [1, 2]), (slice(None), 0, [1, 2]),
    ([[0], [1]], [0, 3]),
    (..., [0, 1]), (..., [1, 0], 0), (None, [0, 2]), ([0, 2], None, [1, 3]), ([0, 1], [0, 1], [0, 1]),
    (slice(1, None), [0, 1]), (slice(None, None, -1), [0, 1], slice(1, 3)), ([True, False, True],),
    (slice(None), [True, False, True, True]), ([0, 1], [True, False, True, False]), (0, ..., [0, 1]),
]  # fmt: skip


def as_arrays(key):
    entries = key if isinstance(key, tuple) else (key,)
    return tuple(np.asarray(e, int if e == [] else None) if isinstance(e, list) else e for e in entries)


@pytest.mark.parametrize("key", ADVANCED, ids=str)
def test_known_index_arrays(check, make, key):
    x = make((3, 4, 5))
    check(lambda xp, x: x[as_arrays(key)], x, symbolic=False)
    check(lambda xp, x: x[key], x, symbolic=False)


@pytest.mark.parametrize("key", [k for k in ADVANCED if "True" not in str(k) and "False" not in str(k)], ids=str)
def test_index_arrays_into_named_extents(check, make, key):
    check(lambda xp, x: x[as_arrays(key)], make((3, 4, 5)))


@given(st.data())
def test_any_key(data):
    shape = data.draw(array_shapes(max_dims=4, max_side=4))
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    key = data.draw(basic_indices(shape, allow_newaxis=True))
    if data.draw(st.booleans()):
        entries = list(key) if isinstance(key, tuple) else [key]
        whole = [i for i, entry in enumerate(entries) if isinstance(entry, slice)]
        for i in data.draw(st.lists(st.sampled_from(whole), max_size=3)) if whole else []:
            entries[i] = np.array(data.draw(st.sampled_from(([0, -1, 0], [[0]], [0, 0, 0], 0))))
        key = tuple(entries)
    got = evaluate(trace(lambda x: x[key], f32[shape]), x)
    np.testing.assert_array_equal(got, x[key], strict=True)


def test_masks(check, make):
    x = make((3, 4))
    mask = make((3, 4), "bool", 1)
    check(lambda xp, x: x[mask], x, symbolic=False)
    check(lambda xp, x: x[np.zeros((3, 4), bool)], x, symbolic=False)
    check(lambda xp, x: x[:, mask[0]], x, symbolic=False)
    with pytest.raises(ShapeError, match=r"a mask of shape \(2,\) does not fit axes 0 and following of f32\[3,4\]"):
        trace(lambda x: x[np.array([True, False])], f32[3, 4])


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "int8"])
def test_traced_indices(check, make, dtype):
    x = make((3, 4, 5))
    i, j = np.array([0, 2, 1], dtype), np.array([[3], [0]], dtype)
    if dtype.startswith("int"):
        i, j = i - np.array([0, 3, 0], dtype), j - np.array([[4], [0]], dtype)
    check(lambda xp, x, i: x[i], x, i)
    check(lambda xp, x, i: x[..., i], x, i)
    check(lambda xp, x, i, j: x[i, j], x, i, j)
    check(lambda xp, x, i, j: x[i, :, j], x, i, j)
    check(lambda xp, x, i, j: x[:, j, i], x, i, j)
    check(lambda xp, x, i: x[i, [0, 1, 2], 1:3], x, i, symbolic=False)
    check(lambda xp, x, i: x[i, [2], 1:3], x, i)
    check(lambda xp, x, i: x[0, i], x, i)
    check(lambda xp, x, i: x[:, 0, i], x, i)
    check(lambda xp, x, i: x[i], x, np.array(1, dtype))
    check(lambda xp, x, i: x[:, i], x, np.array(1, dtype))
    check(lambda xp, x, i: x[i], np.zeros((3, 0)), i)
    check(lambda xp, x, i: x[i], x, np.zeros((0, 2), dtype))


def test_traced_indices_beyond_the_axis_raise_when_the_graph_runs():
    x = np.ones((3, 4), np.float32)
    for index in (3, -4):
        with pytest.raises(IndexRangeError, match=r"out of range for axis 0 of extent 3"):
            evaluate(trace(lambda x, i: x[i], f32[3, 4], i64[1]), x, np.array([index]))
    pairs = trace(lambda x, i, j: x[i, j], f32["N", 4], i64["T"], i64["T"])
    for i, j in [(0, 4), (0, -5), (3, 0), (-4, 0)]:
        with pytest.raises(IndexRangeError, match=r"out of range"):
            evaluate(pairs, x, np.array([i]), np.array([j]))


def test_extents_of_slices():
    g = trace(
        lambda x: (x[1:], x[:-1], x[::2], x[:, -1], x[-3:], x[: x.shape[0] // 2], x[: x.shape[0] - 2]), f32["N", 3]
    )
    assert [v.type.shape for v in g.outputs] == [
        (N - 1, 3), (N - 1, 3), ((N - 1) // 2 + 1, 3), (N,), (3, 3), (N // 2, 3), (N - 2, 3),
    ]  # fmt: skip
    assert trace(lambda t, x: t[: x.shape[0]], f32[512, 8], f32["N"]).outputs[0].type == f32["N", 8]
    assert [node.op.name for node in trace(lambda x: x[0, 1:, None], f32["N", "M", 5]).nodes] == ["slice", "reshape"]
    assert not trace(lambda x: x[:, ...], f32["N", 3]).nodes


def test_slices_beyond_a_named_extent_raise_when_the_graph_runs():
    graph = trace(lambda x: x[:5], f32["N"])
    assert evaluate(graph, np.zeros(7, np.float32)).shape == (5,)
    with pytest.raises(ShapeError, match=r"axis 0 has extent 3, but 0:5:1 does not lie within"):
        evaluate(graph, np.zeros(3, np.float32))


KEY_ERRORS = [
    (lambda x, m, i: x[3], IndexRangeError, r"index 3 is out of range for axis 0 of f32\[3,4\]"),
    (lambda x, m, i: x[:, -5], IndexRangeError, r"index -5 is out of range for axis 1 of f32\[3,4\]"),
    (lambda x, m, i: x[[0, 3]], IndexRangeError, r"index 3 is out of range for axis 0 of f32\[3,4\]"),
    (lambda x, m, i: x[0, 0, 0], IndexRangeError, r"\[0, 0, 0\] names 3 axes, but f32\[3,4\] has rank 2"),
    (lambda x, m, i: x[0, :, 1:, None], IndexRangeError, r"\[0, :, 1:, None\] names 3 axes"),
    (lambda x, m, i: x[..., ...], OpAttributeError, r"\[..., ...\] has `...` more than once"),
    (lambda x, m, i: x[::0], OpAttributeError, r"the step of a slice is an integer other than 0, not 0"),
    (lambda x, m, i: x[0.5], ArgumentError, r"0.5 is no index; use integers, slices"),
    (lambda x, m, i: x[True], ArgumentError, r"True is no index"),
    (lambda x, m, i: x["a"], ArgumentError, r"'a' is no index"),
    (lambda x, m, i: x[[0.5]], ArgumentError, r"\[0.5\] is no index"),
    (lambda x, m, i: x[:"a"], ArgumentError, r"'a' is no bound of a slice"),
    (lambda x, m, i: x[m], TraceError, r"the mask %m: bool\[3\] is traced.*gc.where"),
    (lambda x, m, i: x[x], ArgumentError, r"an index is made of integers, but %x: f32\[3,4\] is not"),
    (lambda x, m, i: x[[0, 1], [0, 1, 2]], ShapeError, r"index arrays: shapes \(2,\) and \(3,\) do not broadcast"),
    (lambda x, m, i: x[[0, i]], ArgumentError, r"join traced integers with gc.stack"),
    (lambda x, m, i: x[:i], TraceError, r"%i: i64\[\] bounds a slice of f32\[3,4\]"),
]


@pytest.mark.parametrize(("function", "error", "words"), KEY_ERRORS)
def test_keys_that_are_wrong(function, error, words):
    with pytest.raises(error, match=words):
        trace(lambda x, m, i: function(x, m, i), f32[3, 4], bool_[3], i64())


# -- gathers and scatters ---------------------------------------------------------------------------------------------


def test_take(check, make):
    x, i = make((3, 4, 5)), np.array([[2, 0], [-1, 1]])
    for axis in (0, 1, -1):
        check(lambda xp, x, i, axis=axis: xp.take(x, i, axis=axis), x, i)
        check(lambda xp, x, axis=axis: xp.take(x, i, axis=axis), x)
    check(lambda xp, x: xp.take(x, [1, 0]), make((4,)))
    check(lambda xp, x: xp.take(x, 1, axis=1), x)
    with pytest.raises(OpAttributeError, match=r"take: axis must be given for f32\[3,4\]"):
        trace(lambda x: xp.take(x, [0]), f32[3, 4])
    with pytest.raises(IndexRangeError, match=r"take: index 3 is out of range for an axis of extent 3"):
        trace(lambda x: xp.take(x, [0, 3], axis=0), f32[3, 4])
    with pytest.raises(DTypeError, match="indices are integers"):
        trace(lambda x: xp.take(x, x[0], axis=0), f32[3, 4])


def test_take_along_axis(check, make):
    x = make((3, 4))
    for axis in (0, 1, -1):
        i = np.array([[1, 0, 2, -1]]) if axis == 0 else np.array([[3], [0], [-2]])
        check(lambda xp, x, i, axis=axis: xp.take_along_axis(x, i, axis=axis), x, i)
    check(lambda xp, x: xp.take_along_axis(x, xp.argsort(x, axis=0), axis=0), x)
    check(lambda xp, x, i: xp.take_along_axis(x, i), x, np.array([[0, 1], [2, 3], [3, 3]], np.uint8))
    with pytest.raises(ShapeError, match=r"x is f32\[3,4\], of rank 2, but indices are i64\[4\]"):
        trace(lambda x, i: xp.take_along_axis(x, i), f32[3, 4], i64[4])


def test_scatters(check, make):
    x, src = make((3, 5)), make((4, 5), seed=1)
    index = np.random.default_rng(0).integers(0, 3, (4, 5))
    added = x.copy()
    np.add.at(added, (index, np.arange(5)), src)
    check(lambda xp, x, i, s: xp.scatter_add(x, 0, i, s), x, index, src, expected=added)
    replaced = x.copy()
    for row in range(4):
        replaced[index[row], np.arange(5)] = src[row]
    check(lambda xp, x, i, s: xp.scatter(x, 0, i, s), x, index, src, expected=replaced)
    filled = x.copy()
    np.put_along_axis(filled, index, 7, axis=0)
    check(lambda xp, x, i: xp.scatter(x, -2, i, 7), x, index, expected=filled)


def test_index_add(check, make):
    x, source, index = make((3, 5)), make((4, 5), seed=1), np.array([2, 0, 2, 1])
    added = x.copy()
    np.add.at(added, index, 2 * source)
    check(lambda xp, x, i, s: xp.index_add(x, 0, i, s, alpha=2), x, index, source, expected=added)
    check(
        lambda xp, x, i, s: xp.index_add(x.T, 1, i, s.T, alpha=2), x, index.astype(np.int32), source, expected=added.T
    )


@pytest.mark.parametrize(
    ("function", "error", "words"),
    [
        (
            lambda x, i, s: xp.scatter_add(x, 2, i, s),
            OpAttributeError,
            "scatter_add: axis 2 is out of range for rank 2",
        ),
        (lambda x, i, s: xp.scatter_add(x, 0, s, s), DTypeError, r"indices are integers"),
        (lambda x, i, s: xp.scatter_add(x, 0, i, i), DTypeError, r"x is f32\[3,5\], but src is i32\[4,5\]"),
        (lambda x, i, s: xp.scatter_add(x, 0, i, s[:2]), ShapeError, r"updates have shape \(2,5\)"),
        (lambda x, i, s: xp.index_add(x, 0, i, s), ShapeError, r"index has rank 1, but it is i32\[4,5\]"),
    ],
)
def test_scatter_errors(function, error, words):
    with pytest.raises(error, match=words):
        trace(lambda x, i, s: function(x, i, s), f32[3, 5], i32[4, 5], f32[4, 5])


def test_scattered_indices_are_checked_when_the_graph_runs():
    graph = trace(lambda x, i, s: xp.scatter_add(x, 0, i, s), f32[3, 5], i64["N", 5], f32["N", 5])
    for index in (3, -1):
        with pytest.raises(IndexRangeError, match=f"index {index} at"):
            evaluate(graph, np.zeros((3, 5), "f"), np.full((2, 5), index), np.ones((2, 5), "f"))
    assert trace(lambda i: xp.one_hot(i, M), u8["N"]).outputs[0].type == i64["N", "M"]
