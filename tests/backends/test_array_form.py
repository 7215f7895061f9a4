"""Arrays of a call, told natively: what fits is placed, all else goes the long way and gets the same answer."""

import ctypes
import gc as collector
import sys
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.backends.cpu import fitting
from graphc.backends.cpu.array_address import structs_are_readable
from graphc.backends.cpu.array_form import NO_FIT, ArrayForm
from graphc.backends.cpu.kernels import interpreted
from graphc.errors import DTypeError, ShapeError

Array = np.ndarray[Any, Any]
pytestmark = pytest.mark.skipif(not structs_are_readable, reason="arrays are read by Python here")

X, Y = np.zeros((3, 4), np.float32), np.arange(3)


def form(rows: Array) -> tuple[ArrayForm, Callable[[tuple[Any, ...]], int]]:
    """The form of (X, Y), and what its native function answers; the plain Python one must say the same."""
    native: int = ctypes.cast(_plain, ctypes.c_void_p).value or 0
    made = ArrayForm(native, rows, [(X.shape, X.dtype, [(1, 0), (3, 16)]), (Y.shape, Y.dtype, [(0, 8)])], [])
    return made, made.place


@ctypes.PYFUNCTYPE(ctypes.c_size_t, ctypes.c_size_t, ctypes.c_size_t)
def _plain(words: int, arrays: int) -> int:
    return fitting.fits(words, arrays)


def test_addresses_go_where_the_form_says() -> None:
    rows = np.zeros(5, np.int64)
    _, place = form(rows)
    assert place((X, Y)) == -1
    assert rows.tolist() == [Y.ctypes.data + 8, X.ctypes.data, 0, X.ctypes.data + 16, 0]


@pytest.mark.parametrize(
    "arrays",
    [
        (), (X,), (X, Y, Y), (X, X), (X.view(np.memmap), Y), (X.astype(np.float64), Y), (X.astype(">f4"), Y),
        (X[:, :3], Y), (np.zeros((3, 8), np.float32)[:, ::2], Y), (np.asfortranarray(X), Y), (X.ravel(), Y),
        (X[None], Y), (X, Y[:2]), (X, Y[::-1]), (X.tolist(), Y), (np.zeros((4, 3), np.float32), Y),
        (np.zeros(49, np.uint8)[1:].view(np.float32).reshape(3, 4), Y),
    ],
)  # fmt: skip
def test_what_does_not_fit(arrays: tuple[Any, ...]) -> None:
    _, place = form(np.zeros(5, np.int64))
    assert place(arrays) == NO_FIT


def test_results_are_placed_with_the_arrays() -> None:
    rows = np.zeros(3, np.int64)
    native: int = ctypes.cast(_plain, ctypes.c_void_p).value or 0
    made = ArrayForm(native, rows, [(X.shape, X.dtype, [(1, 0)])], [(Y.shape, Y.dtype, [(0, 8), (2, 0)])])
    assert made.place_all((X,)) == NO_FIT
    assert made.place((X, Y)) == NO_FIT
    assert made.place_all((X, Y)) == made.run(0, 0, 0)((X, Y)) == -1
    assert rows.tolist() == [Y.ctypes.data + 8, X.ctypes.data, Y.ctypes.data]


def test_calls_leave_the_references_of_all_objects_as_they_were() -> None:
    exe = gc.compile(lambda x: (gc.exp(x), gc.sum(x)), inputs=gc.f32["N", 4])
    x, other, answers = np.ones((6, 4), np.float32), np.ones((6, 4)), (-2, -1, 0)
    for _ in range(3):
        exe(x)
    objects = (x, other, *answers)
    before = [sys.getrefcount(each) for each in objects]
    for _ in range(1000):
        exe(x)
        if exe._again is not None:
            assert exe._again.place((other,)) == NO_FIT
    assert [abs(sys.getrefcount(each) - count) < 100 for each, count in zip(objects, before, strict=True)] == [True] * 5


def test_a_dtype_that_is_an_object_of_its_own_is_remembered() -> None:
    own = np.dtype(np.float32, metadata={"unit": "m"})
    held = weakref.ref(own) if hasattr(own, "__weakref__") else None
    array = np.ones((3, 4), own)
    made, place = form(np.zeros(5, np.int64))
    assert place((array, Y)) == NO_FIT
    made.accept((array, Y))
    assert place((array, Y)) == -1
    assert place((X, Y)) == NO_FIT  # one at a time; the long way accepts it again
    del own, array
    collector.collect()
    assert held is None or held() is not None


def test_an_array_that_changes_between_calls() -> None:
    exe = gc.compile(lambda x: gc.sum(x * 2.0, axis=0), inputs=gc.f32["N", 4])
    x = np.ones((6, 4), np.float32)
    for _ in range(3):
        np.testing.assert_array_equal(exe(x), [12.0] * 4)
    x.shape = (4, 6)
    with pytest.raises(ShapeError):
        exe(x)
    x.shape = (6, 4)
    x[:] = 2
    np.testing.assert_array_equal(exe(x), [24.0] * 4)
    with pytest.raises(DTypeError):
        exe(x.astype(np.float64))
    np.testing.assert_array_equal(exe(np.ones((2, 4), np.float32)), [4.0] * 4)
    np.testing.assert_array_equal(exe(x), [24.0] * 4)


@pytest.mark.parametrize("rows", [3, 3000])
def test_results_of_repeated_calls_are_arrays_of_their_own(rows: int) -> None:
    """Small ones are copied, large ones are written where they are handed out; one may be given twice."""

    def f(x: Any) -> Any:
        y = gc.exp(x)
        return y, gc.sum(y), gc.reshape(y, (-1,)), y, 2.0

    exe = gc.compile(f, inputs=gc.f32["N", 4])
    plain = gc.compile(lambda x: (gc.exp(x), gc.sum(x)), inputs=gc.f32["N", 4])
    kept = []
    for turn in range(8):
        x = np.full((rows, 4), turn / 8, np.float32)
        y, total, flat, again, two = exe(x)
        np.testing.assert_array_equal(flat, y.ravel())
        np.testing.assert_array_equal(again, y)
        assert two == 2.0
        assert total == pytest.approx(4 * rows * np.exp(turn / 8), rel=1e-5)
        first, _ = plain(x)
        np.testing.assert_array_equal(first, y)
        kept.append((turn, y, again, first))
    for turn, *arrays in kept:
        for array in arrays:
            np.testing.assert_allclose(array, np.exp(turn / 8), rtol=1e-6)
    together = [array for _, *arrays in kept for array in arrays]
    assert not any(np.shares_memory(a, b) for i, a in enumerate(together) for b in together[:i])


def test_state_that_is_written_between_calls_is_seen() -> None:
    scale = gc.Cell(np.float32(2.0))
    exe = gc.compile(lambda x: gc.exp(scale) * x, inputs=gc.f32[3])
    x = np.ones(3, np.float32)
    for value in (2.0, 0.5):
        scale.assign(np.float32(value))
        for _ in range(3):
            np.testing.assert_allclose(exe(x), np.exp(value), rtol=1e-6)
        if not interpreted():
            assert exe._again is not None
            assert exe._again.is_same()
