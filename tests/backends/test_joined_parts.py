"""A kernel that computes all parts of a concat stores them side by side; others read the whole."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc

sys.path.insert(0, str(Path(__file__).parent))
from against_interpreter import same_on_both


def softmax(x: Any) -> tuple[Any, Any]:
    e = gc.exp(x - gc.max(x, axis=1, keepdims=True))
    return e, e / gc.sum(e, axis=1, keepdims=True)


CASES: dict[str, tuple[Any, list[tuple[int, ...]], int]] = {  # function, shapes, kernels
    "columns": (lambda x, y: gc.concat([gc.exp(x), gc.tanh(x) * y], axis=1), [(3, 5), (3, 5)], 1),
    "rows": (lambda x, y: gc.concat([gc.exp(x), gc.tanh(x) * y], axis=0), [(3, 5), (3, 5)], 1),
    "in the middle": (lambda x: gc.concat([gc.exp(x), x * 2, x + 1], axis=1), [(3, 4, 5)], 1),
    "one part twice": (lambda x: gc.concat([(e := gc.exp(x)), e, x + 1], axis=0), [(40,)], 1),
    "short rows": (lambda x: gc.concat([*softmax(x), x * 2], axis=1), [(37, 10)], 1),
    "rows in passes": (lambda x: gc.concat([*softmax(x), x * 2], axis=1), [(7, 300)], 1),
    "long rows": (lambda x: gc.concat([*softmax(x), x * 2], axis=1), [(5, 3000)], 1),
    "a part that others read": (lambda x: (gc.concat([(e := gc.exp(x)), x * 3], axis=0), e, gc.sum(e)), [(7, 40)], 1),
    "of a product": (lambda x, w: gc.concat([x @ w, gc.tanh(x @ w)], axis=1), [(7, 30), (30, 64)], 1),
    "booleans": (lambda x: gc.concat([x > 0, x < 1], axis=0), [(6, 7)], 1),
    "16 bits": (lambda x: gc.concat([(h := gc.astype(x, gc.f16)) * 2, h + 1], axis=1), [(6, 7)], 1),
    "parts side by side already": (
        lambda x: gc.concat([gc.concat([gc.exp(x), x + 1], axis=1)] * 2, axis=0) * 2, [(7, 30)], 2,
    ),
    "folded at once": (lambda x: gc.sum(gc.concat([gc.exp(x), x + 1], axis=1), axis=1), [(7, 30)], 2),
    "parts of several extents": (lambda x, y: gc.concat([gc.exp(x), y * 2], axis=1), [(3, 5), (3, 4)], 3),
    "numbers of rows": (
        lambda x: gc.concat([gc.exp(s := gc.sum(x, axis=1, keepdims=True)), s + 1], axis=1), [(37, 64)], 2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_joined_parts(name: str) -> None:
    function, shapes, kernels = CASES[name]
    arrays = [np.random.default_rng(0).normal(size=shape).astype(np.float32) for shape in shapes]
    types = [gc.f32["N", *shape[1:]] if shape[0] == shapes[0][0] else gc.f32(*shape) for shape in shapes]
    exe = same_on_both(gc.trace(function, *types), *arrays)
    assert len(exe.kernels) == kernels
