"""A call of a cpu executable: what it does to state, what it gives to the caller, what it takes from the caller.

State may be written in place, but no one can tell: whatever order a graph reads and writes cells in, and whoever holds
their arrays, the values are the interpreter's.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.backends.cpu.array_address import _ask, address_of
from graphc.errors import ArgumentError, ShapeError

sys.path.insert(0, str(Path(__file__).parent))
from against_interpreter import as_tuple, same_results

Array = np.ndarray[Any, Any]
N = 40  # N·N f32 are more than what is copied instead of written in place


def swap(a: gc.Cell, b: gc.Cell, x: Any) -> Any:
    a.assign(b)
    b.assign(a)
    return gc.sum(x)


def swap_through_arithmetic(a: gc.Cell, b: gc.Cell, x: Any) -> Any:
    a.assign(b + x)
    b.assign(a - x)
    return a + b


def give_the_old_value(a: gc.Cell, b: gc.Cell, x: Any) -> Any:
    a.assign(a * 0.5 + x)
    return a, gc.sum(a)


def give_old_and_new(a: gc.Cell, b: gc.Cell, x: Any) -> Any:
    new = a * 0.5 + x
    a.assign(new)
    return new, a, new


def average_of_the_new(a: gc.Cell, b: gc.Cell, x: Any) -> Any:
    new = a - 0.1 * gc.tanh(a @ x)
    a.assign(new)
    b.assign(0.9 * b + 0.1 * new)
    return gc.sum(new * a)


def one_value_twice(a: gc.Cell, b: gc.Cell, x: Any) -> Any:
    new = gc.exp(-gc.abs(x)) * b
    a.assign(new)
    b.assign(new)
    return new


def take_the_input(a: gc.Cell, b: gc.Cell, x: Any) -> Any:
    a.assign(x)
    b.assign(gc.zeros((N, N), dtype=gc.f32))
    return a @ b


def transpose_in_place(a: gc.Cell, b: gc.Cell, x: Any) -> Any:
    a.assign(a.T + x)
    b.assign(gc.flip(b, axis=0))
    return gc.sum(a, axis=0)


def multiply_in_place(a: gc.Cell, b: gc.Cell, x: Any) -> Any:
    a.assign(a @ x)
    b.assign(gc.matmul(b.T, b) / 40.0 + b)
    return gc.sum(b)


def read_after_the_write(a: gc.Cell, b: gc.Cell, x: Any) -> Any:
    a.assign(a + 1.0)
    return gc.cumulative_sum(a, axis=0) @ b + a[::-1]


def rows_and_their_sums(a: gc.Cell, b: gc.Cell, x: Any) -> Any:
    a.assign(a - gc.mean(a, axis=1, keepdims=True) + gc.mean(a, axis=0))
    b.assign(b / gc.sqrt(gc.sum(b * b)))
    return gc.sum(a * b, axis=1)


UPDATES = [
    swap, swap_through_arithmetic, give_the_old_value, give_old_and_new, average_of_the_new, one_value_twice,
    take_the_input, transpose_in_place, multiply_in_place, read_after_the_write, rows_and_their_sums,
]  # fmt: skip


@pytest.mark.parametrize("update", UPDATES, ids=lambda update: update.__name__)
def test_updates(update: Callable[..., Any]) -> None:
    generator = np.random.default_rng(0)
    a, b = (gc.Cell(generator.standard_normal((N, N)).astype(np.float32), name=name) for name in "ab")
    executable = gc.compile(lambda x: update(a, b, x), inputs=gc.f32[N, N])
    held: list[tuple[Array, Array]] = []
    for hold in (False, False, True, True, False, False):
        for cell in (a, b) if hold else ():
            held.append((cell.array, cell.array.copy()))
        same_results(executable, generator.standard_normal((N, N)).astype(np.float32))
        for array, copy in held:
            np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("update", [swap, give_old_and_new, one_value_twice, read_after_the_write])
def test_addresses_stay_where_new_values_cannot_be_written_over_the_old(update: Callable[..., Any]) -> None:
    """What such a call costs does not depend on how much other state there is: no address is looked up again."""
    generator = np.random.default_rng(0)
    values = [generator.standard_normal((N, N)) for _ in range(2)]
    pairs = [[gc.Cell(value) for value in values] for _ in range(2)]
    compiled, interpreted = (
        gc.compile(lambda x, pair=pair: update(*pair, x), inputs=gc.f64[N, N], backend=backend)
        for pair, backend in zip(pairs, ("cpu", "interpreter"), strict=True)
    )
    (a, b), changes = pairs[0], []
    for _ in range(5):
        x = generator.standard_normal((N, N))
        for got, want in zip(as_tuple(compiled(x)), as_tuple(interpreted(x)), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-10)
        for cell, other in zip(*pairs, strict=True):
            np.testing.assert_allclose(np.array(cell, copy=True), np.array(other, copy=True), rtol=1e-12, atol=1e-10)
        changes.append((a.storage.ctypes.data, b.storage.ctypes.data, a.version))
    assert changes == [(*changes[0][:2], changes[0][2] + i) for i in range(5)]


def test_a_profile_that_is_interrupted_leaves_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = gc.Cell(np.zeros((N, N), np.float32))

    def count(x: Any) -> Any:
        cell.assign(cell + x)
        return gc.sum(x)

    executable = gc.compile(count, inputs=gc.f32[N, N])
    executable(np.ones((N, N), np.float32))

    def interrupted(native: Any, binding: Any, repeats: int) -> None:
        native.run(binding)
        raise KeyboardInterrupt

    monkeypatch.setattr("graphc.backends.cpu.executable.profile", interrupted)
    with pytest.raises(KeyboardInterrupt):
        executable.profile(np.ones((N, N), np.float32))
    np.testing.assert_array_equal(np.array(cell, copy=True), 1.0)


# -- results ----------------------------------------------------------------------------------------------------------


def several(x: Any) -> Any:
    y = gc.exp(x)
    return y, gc.sum(y), y, x, gc.reshape(x, (x.size,)), gc.asarray(np.arange(5.0)), gc.full((2,), 3.0, dtype=gc.f64)


@pytest.mark.parametrize("rows", [3, 300], ids=["small", "large"])
def test_results_belong_to_the_caller(rows: int) -> None:
    executable = gc.compile(several, inputs=gc.f64["N", 7])
    generator = np.random.default_rng(1)
    kept = []
    for _ in range(6):
        x = generator.standard_normal((rows, 7))
        results = executable(x)
        expected = as_tuple(gc.evaluate(executable.stages["trace"].graph, x))
        for first in results:
            assert not np.shares_memory(first, x)
            assert sum(np.shares_memory(first, second) for second in results) == 1
        kept.append((results, expected))
    for results, expected in kept:
        for got, want in zip(results, expected, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-14)
            got += 1.0  # they may be written to, even those that are constants
    same_results(executable, x)


def test_memory_of_dropped_results_is_used_again() -> None:
    executable = gc.compile(lambda x: gc.exp(x), inputs=gc.f64["N"])
    x = np.ones(10_000)
    addresses = set()
    for _ in range(8):
        addresses.add(executable(x).ctypes.data)
    assert len(addresses) == 1
    view = executable(x)[5:10]
    for _ in range(8):
        executable(np.zeros(10_000))
    np.testing.assert_array_equal(view, np.exp(1.0))


def test_tables_of_sizes_that_have_not_been_seen_for_long_are_dropped() -> None:
    executable = gc.compile(lambda x: (gc.exp(x), gc.sum(x)), inputs=gc.f64["N"])
    for _ in range(2):
        for size in range(4200, 4340):
            result, total = executable(np.full(size, 2.0))
            np.testing.assert_array_equal(result, np.exp(np.full(size, 2.0)))
            assert total == 2.0 * size
    assert len(executable._bindings) == 64
    kept = executable._bindings[(4300,),]
    for size in range(4400, 4500):
        executable(np.full(size, 2.0))
        executable(np.full(4300, 2.0))
    assert executable._bindings[(4300,),] is kept
    assert len(executable._memory.results._shelves) == 64


@pytest.mark.parametrize("take", [lambda a: a, lambda a: a[3:, 1:], lambda a: a[::-1], lambda a: a[2, 2, ...]])
def test_the_address_of_an_array(take: Callable[[Array], Array]) -> None:
    for dtype in (np.int8, np.float32, gc.bf16.numpy):
        array = take(np.zeros((5, 4), dtype))
        assert address_of(array) == _ask(array) == array.ctypes.data


def test_out() -> None:
    executable = gc.compile(lambda x: (gc.exp(x), gc.sum(x)), inputs=gc.f64["N"])
    for size in (5, 5000):
        x = np.linspace(0, 1, size)
        out = np.empty(size), np.empty(())
        given = executable(x, out=out)
        assert given[0] is out[0]
        assert given[1] is out[1]
        np.testing.assert_allclose(out[0], np.exp(x), rtol=1e-14)
        strided = np.zeros((size, 2))
        executable(x, out=[strided[:, 1], out[1]])
        np.testing.assert_array_equal(strided, np.stack([np.zeros(size), out[0]], axis=1))
        executable(x, out=(x, out[1]))  # the caller may ask for its own array to be written
        np.testing.assert_array_equal(x, out[0])


def test_an_out_that_does_not_fit_changes_no_state() -> None:
    cell = gc.Cell(np.zeros(3))

    def f(x: Any) -> Any:
        cell.assign(cell + x)
        return x * 2.0

    executable, x = gc.compile(f, inputs=gc.f64[3]), np.ones(3)
    executable(x)
    read_only = np.empty(3)
    read_only.flags.writeable = False
    for out, error in [
        (np.empty(4), ShapeError), (np.empty(3, np.float32), ShapeError), ([np.empty(3)] * 2, ArgumentError),
        ([1.0, 2.0, 3.0], ArgumentError), (read_only, ArgumentError),
    ]:  # fmt: skip
        with pytest.raises(error):
            executable(x, out=out)
    np.testing.assert_array_equal(cell.storage, x)


# -- arguments --------------------------------------------------------------------------------------------------------


def layouts(x: Array) -> dict[str, Any]:
    """The same numbers, as arrays lie in memory that others hand over."""
    wide = np.full((x.shape[0] * 2, x.shape[1] + 3), np.nan, x.dtype)
    wide[::2, 2:-1] = x
    shifted = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    shifted[:] = x
    read_only = x.copy()
    read_only.flags.writeable = False
    assert not (x.size and shifted.flags.aligned)
    return {
        "part": wide[::2, 2:-1], "columns": np.asfortranarray(x), "backwards": x[::-1].copy()[::-1],
        "misaligned": shifted, "read-only": read_only, "foreign": x.astype(x.dtype.newbyteorder()), "list": x.tolist(),
        "bytes": np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
        "annotated": x.astype(np.dtype(x.dtype, metadata={"unit": "m"})), "subclass": x.view(np.memmap),
    }  # fmt: skip


@pytest.mark.parametrize("shape", [(3, 4), (1, 5), (130, 4), (0, 4)])
def test_inputs_of_any_layout(shape: tuple[int, int]) -> None:
    executable = gc.compile(lambda x, i: (gc.tanh(x) @ x.T, gc.sum(i)), inputs=(gc.f64["N", "M"], gc.i64[2]))
    x = np.random.default_rng(2).standard_normal(shape)
    i = np.array([3, 4])
    expected = executable(x, i)
    for name, given in layouts(x).items():
        if name == "list" and not x.size:
            continue
        before = np.array(given)
        for got, want in zip(executable(given, i), expected, strict=True):
            np.testing.assert_array_equal(got, want, err_msg=name)
        np.testing.assert_array_equal(given, before)
    for indices in (i.astype(">i8"), np.array([3, 0, 4])[::2], [3, 4]):
        for got, want in zip(executable(x, indices), expected, strict=True):
            np.testing.assert_array_equal(got, want)


# -- threads of the caller --------------------------------------------------------------------------------------------


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Run work(0), work(1), … at once; fail where one fails."""
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def test_threads_that_call_one_executable_take_turns() -> None:
    cell = gc.Cell(np.zeros(4))

    def f(x: Any) -> Any:
        cell.assign(cell + 1.0)
        return gc.softmax(x @ x.T, axis=1), gc.sum(x)

    executable = gc.compile(f, inputs=gc.f64["N", 40], threads=2)
    inputs = [np.random.default_rng(number).standard_normal((30 + 50 * number, 40)) for number in range(4)]
    expected = [executable(x) for x in inputs]

    def call(number: int) -> None:
        for turn in range(20):
            at = (number + turn) % 4
            for got, want in zip(executable(inputs[at]), expected[at], strict=True):
                np.testing.assert_array_equal(got, want)

    in_threads(4, call)
    np.testing.assert_array_equal(cell.storage, 84.0)


def test_executables_run_side_by_side() -> None:
    executables = [gc.compile(lambda x, k=k: gc.tanh(x) * k, inputs=gc.f64["N"], threads=2) for k in (1.0, 2.0, 3.0)]
    x = np.linspace(-1, 1, 300_000)
    expected = [executable(x) for executable in executables]

    def call(number: int) -> None:
        for _ in range(10):
            np.testing.assert_array_equal(executables[number](x), expected[number])

    in_threads(3, call)


@pytest.mark.parametrize("write", [gc.Cell.assign, lambda cell, value: cell.commit(value.copy(order="K"))])
def test_state_that_is_written_as_a_transpose_lies_row_by_row(write: Callable[[gc.Cell, Array], None]) -> None:
    """Kernels read state by its address: `w.assign(v.T)` must not leave the columns of w side by side."""
    w = gc.Cell(np.zeros((3, 4), np.float32), name="w")
    value = np.arange(12, dtype=np.float32).reshape(4, 3).T
    executable = gc.compile(gc.trace(lambda x: w + x, gc.f32[3, 4]))
    x = np.zeros((3, 4), np.float32)
    for _ in range(3):
        write(w, value)
        assert w.storage.flags.c_contiguous
        np.testing.assert_array_equal(executable(x), value)
