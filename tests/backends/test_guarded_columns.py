"""Joined arrays and margins are read in parts of a row, where each part knows what it reads."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc

sys.path.insert(0, str(Path(__file__).parent))
from against_interpreter import same_on_both

CASES: dict[str, tuple[Any, list[tuple[int, ...]]]] = {
    "two arrays": (lambda x, y: gc.concat([x, y], axis=1), [(5, 40), (5, 30)]),
    "three, with what follows": (lambda x, y: gc.exp(gc.concat([x, y, x], axis=1)) + 1, [(5, 40), (5, 30)]),
    "short rows": (lambda x, y: gc.concat([x, y], axis=1), [(37, 3), (37, 4)]),
    "folded": (lambda x, y: gc.sum(gc.exp(gc.concat([x, y], axis=1)), axis=1), [(37, 30), (37, 14)]),
    "where the largest is": (lambda x, y: gc.argmax(gc.concat([x, y], axis=1), axis=1), [(37, 30), (37, 14)]),
    "lines": (lambda x, y: gc.concat([x, y], axis=1), [(20, 3, 5, 6), (20, 2, 5, 6)]),
    "one line": (lambda x, y: gc.concat([x, y], axis=1), [(1, 3, 5, 6), (1, 2, 5, 6)]),
    "vectors": (lambda x: gc.concat([x[5:], x[:5], x]), [(1000,)]),
    "rolled along rows": (lambda x: gc.roll(x, 3, axis=1), [(7, 100)]),
    "rolled along columns": (lambda x: gc.roll(x, -2, axis=0), [(7, 100)]),
    "rolled along both": (lambda x: gc.roll(x, (3, 2), axis=(0, 1)), [(7, 100)]),
    "rolled, flat": (lambda x: gc.roll(x, 11), [(7, 100)]),
    "every other column": (lambda x: gc.concat([x[:, ::2], x[:, 1::2]], axis=1), [(7, 90)]),
    "flipped": (lambda x: gc.concat([gc.flip(x, axis=1), x], axis=1), [(7, 90)]),
    "repeated rows": (lambda x, y: gc.concat([x, gc.broadcast_to(y, (7, 90))], axis=1), [(7, 90), (1, 90)]),
    "margins": (lambda x: gc.exp(gc.pad(x, ((0, 0), (2, 1)))) * 2, [(7, 90)]),
    "margins on both axes": (lambda x: gc.exp(gc.pad(x, ((1, 2), (2, 1)))) * 2, [(7, 90)]),
    "shifted sums": (lambda x: gc.pad(x, ((0, 0), (2, 0))) + gc.pad(x, ((0, 0), (0, 2))) * 3, [(7, 90)]),
}


@pytest.mark.parametrize("name", CASES)
def test_parts_of_rows(name: str) -> None:
    function, shapes = CASES[name]
    arrays = [np.random.default_rng(0).normal(size=shape).astype(np.float32) for shape in shapes]
    exe = same_on_both(gc.trace(function, *arrays), *arrays)
    for kernel in exe.kernels:
        assert not re.search(r"<= j\b", kernel.source)


@pytest.mark.parametrize("dtype", [gc.f64, gc.i32, gc.bool, gc.f16], ids=str)
def test_other_dtypes(dtype: Any) -> None:
    x = np.random.default_rng(0).integers(0, 2, size=(9, 70)).astype(dtype.numpy)
    same_on_both(gc.trace(lambda x: (gc.concat([x, x[:, 3:]], axis=1), gc.roll(x, 5, axis=1)), x), x)


def test_named_extents() -> None:
    """Bounds whose order is known for all values of the dims cut the loop, too."""
    graph = gc.trace(lambda x, y: gc.concat([x, y, x], axis=1), gc.f32["N", "M"], gc.f32["N", "K"])
    exe = gc.compile(graph)
    (kernel,) = exe.kernels
    assert kernel.source.count("for j in range(") == 3
    for n, m, k in ((3, 5, 7), (1, 1, 1), (4, 100, 3), (0, 3, 2), (2, 0, 3), (2, 3, 0)):
        x, y = np.ones((n, m), np.float32), np.zeros((n, k), np.float32)
        assert np.array_equal(exe(x, y), np.concatenate([x, y, x], axis=1))


def test_bounds_of_unknown_order_are_asked_element_by_element() -> None:
    graph = gc.trace(
        lambda x, y: gc.exp(gc.concat([x, y], axis=1)) + gc.concat([y, x], axis=1), gc.f32["N", "M"], gc.f32["N", "K"]
    )
    for m, k in ((5, 7), (7, 5)):
        rng = np.random.default_rng(0)
        same_on_both(graph, rng.normal(size=(3, m)).astype(np.float32), rng.normal(size=(3, k)).astype(np.float32))
