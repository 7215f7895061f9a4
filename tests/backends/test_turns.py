"""Executables over the same state, and who reads or writes that state, in several threads: one after another."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from graphc.nn import functional as F
from graphc.state import NO_TURN, Cell
from graphc.turns import turn_over

sys.path.insert(0, str(Path(__file__).parent))
from test_calls_on_cpu import in_threads


def cells(count: int) -> list[Cell]:
    return [Cell(np.zeros(3)) for _ in range(count)]


def test_executables_over_common_cells_share_a_turn() -> None:
    a, b, c = cells(3)
    first, second, other = turn_over([a, b]), turn_over([b]), turn_over([c])
    assert first is second
    assert other is not first
    assert turn_over([]) is not turn_over([])


def test_turns_over_several_families_of_cells_never_wait_for_each_other() -> None:
    a, b = cells(2)
    turn_over([a]), turn_over([b])
    forward, backward = turn_over([a, b]), turn_over([b, a])
    count = 0

    def take(number: int) -> None:
        nonlocal count
        for _ in range(200):
            with forward if number % 2 else backward:
                seen = count
                time.sleep(0)
                count = seen + 1

    in_threads(4, take)
    assert count == 800


def test_an_error_gives_the_turn_back() -> None:
    a, b = cells(2)
    turn_over([a]), turn_over([b])
    turn = turn_over([a, b])
    with pytest.raises(ZeroDivisionError), turn:
        raise ZeroDivisionError
    for part in (a.turn, b.turn):
        got = threading.Thread(target=lambda part=part: part.acquire(timeout=5) and part.release())
        got.start()
        got.join(6)
        assert not got.is_alive()


def test_cells_without_an_executable_have_no_lock() -> None:
    (cell,) = cells(1)
    assert cell.turn is NO_TURN
    gc.compile(lambda x: x + cell, inputs=gc.f64[3])
    assert cell.turn is not NO_TURN


@pytest.mark.parametrize("backend", ["cpu", "interpreter"])
def test_training_and_predicting_and_reading_at_once(backend: str) -> None:
    """What is predicted or read is the state between two steps, never one that is half written."""
    size = 20_000 if backend == "cpu" else 50

    class Twins(nn.Module):
        """Two parameters that every step moves alike."""

        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Parameter(np.zeros(size, np.float32))
            self.b = nn.Parameter(np.zeros(size, np.float32))

        def forward(self, x: Any) -> Any:
            return gc.sum((self.a + self.b) * x)

    model = Twins()
    step = gc.training_step(
        model, lambda y: y, optim.SGD(lr=1.0), inputs=gc.f32[size], targets=(), backend=backend, threads=2
    )
    predict = gc.compile(
        lambda x: (gc.max(model.a * x), gc.min(model.a * x), gc.max(model.b * x), gc.min(model.b * x)),
        inputs=gc.f32[size], backend=backend, threads=2,
    )  # fmt: skip
    x = np.ones(size, np.float32)
    steps = 60

    def work(number: int) -> None:
        for _ in range(steps):
            if number == 0:
                step(x)
            elif number == 1:
                assert len({float(v) for v in predict(x)}) == 1
            else:
                values = np.asarray(model.a)
                time.sleep(0.0002)
                assert len(np.unique(values)) == 1

    in_threads(3, work)
    np.testing.assert_array_equal(np.asarray(model.a), -float(steps))
    assert model.a.version == steps


def busy(cell: Cell) -> Any:
    """An executable that adds 1 to every element of a cell, in place."""

    def step(x: Any) -> Any:
        cell.assign(cell + x)
        return gc.sum(x)

    return gc.compile(step, inputs=gc.f64[()])


@pytest.fixture
def hasty() -> Any:
    """Threads change at every chance."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.parametrize("backend", ["cpu", "interpreter"])
def test_cells_of_others_as_arguments(hasty: None, backend: str) -> None:
    pair = [Cell(np.zeros(50)) for _ in range(2)]

    def adding(cell: Cell) -> Any:
        def step(x: Any) -> Any:
            cell.assign(cell + 1.0)
            return gc.sum(x)

        return gc.compile(step, inputs=gc.f64[50], backend=backend)

    executables = [adding(cell) for cell in pair]

    def call(number: int) -> None:
        for _ in range(60):
            executables[number](pair[1 - number])

    in_threads(2, call)
    assert {float(v) for cell in pair for v in np.asarray(cell)} == {60.0}


def test_cells_that_are_set_to_each_other(hasty: None) -> None:
    a, b = Cell(np.ones(50)), Cell(np.ones(50))
    busy(a), busy(b)

    def swap(number: int) -> None:
        for _ in range(200):
            if number:
                a[...] = b
            else:
                b[...] = a

    in_threads(2, swap)
    assert {float(v) for cell in (a, b) for v in np.asarray(cell)} == {1.0}


def test_what_is_read_or_converted_is_of_one_moment(hasty: None) -> None:
    cell = Cell(np.zeros(100_000))
    step, one = busy(cell), np.float64(1.0)
    step(one)

    def work(number: int) -> None:
        for _ in range(40):
            if number == 0:
                step(one)
                continue
            held = np.asarray(cell) if number == 1 else np.array(cell, copy=True)
            values = held.copy()
            time.sleep(0.0005)
            assert len(np.unique(values)) == 1
            np.testing.assert_array_equal(held, values)

    in_threads(3, work)
    other = Cell(np.zeros(100_000))
    step_of_other = busy(other)
    in_threads(2, lambda number: [step_of_other(one) for _ in range(30)] and None if number else other.convert(gc.f64))
    assert len(np.unique(np.asarray(other))) == 1


FORK = """
import os, sys, threading, time
import numpy as np
import graphc as gc

cell = gc.Cell(np.zeros(2_000_000))

def f(x):
    cell.assign(cell + x)
    return gc.sum(x)

step = gc.compile(f, inputs=gc.f64[()])
step(1.0)
going = True

def run():
    while going:
        step(1.0)

thread = threading.Thread(target=run)
thread.start()
for _ in range(4):
    time.sleep(0.01)
    child = os.fork()
    if child == 0:
        np.asarray(cell)
        os._exit(0)
    until = time.monotonic() + 20
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        if time.monotonic() > until:
            os.kill(child, 9)
            going = False
            sys.exit("the child hangs")
        time.sleep(0.01)
going = False
thread.join()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_forked_child_reads_what_a_thread_of_the_parent_was_writing() -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], check=True, timeout=120)


class Named(Cell):
    """A user's kind of cell."""


def test_copies_are_of_the_same_class_and_lend_nothing() -> None:
    import copy

    cell = Named(np.ones(3), "buffer", "table")
    twin = copy.deepcopy(cell)
    assert type(twin) is Named
    assert not cell.is_lent


def test_a_copied_cell_has_no_part_in_the_turn() -> None:
    import copy

    model = nn.Linear(3, 2)
    gc.compile(model, inputs=gc.f32["N", 3])
    twin = copy.deepcopy(model)
    assert twin.weight.turn is NO_TURN
    slot = copy.deepcopy(Cell(np.ones(2), "slot", "momentum"))
    assert (slot.kind, slot.name) == ("slot", "momentum")
    np.testing.assert_array_equal(slot.array, 1.0)


def test_labels_of_a_model_in_use_from_another_thread() -> None:
    """A step that fails in one thread changes nothing for the other."""
    model = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 4))
    step = gc.training_step(model, F.cross_entropy, optim.SGD(lr=0.0), gc.f32["N", 6], gc.i64["N"], threads=2)
    x, y = np.ones((5, 6), np.float32), np.arange(5) % 4
    expected = step(x, y)

    def work(number: int) -> None:
        for _ in range(50):
            if number:
                with pytest.raises(gc.errors.IndexRangeError):
                    step(x, y + 3)
            else:
                assert step(x, y) == expected

    in_threads(2, work)
