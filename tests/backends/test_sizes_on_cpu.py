"""One compile with named dims serves every size, odd ones and none: elementwise chains, folds, products, indexing.

Each executable is called for sizes around those of vectors, panels and slices; f32 to 1e-5, f64 to 1e-12.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.nn import functional as F

sys.path.insert(0, str(Path(__file__).parent))
from against_interpreter import normal, same_results

SIZES = (0, 1, 2, 3, 5, 7, 17, 31, 33, 127, 1000)
PAIRS = [(n, m) for n in SIZES for m in SIZES if n * m <= 1000 or m == 33 or n == 17]
TRIPLES = [(n, k, m) for n in SIZES for k, m in ((7, 33), (33, 7), (1, 17), (0, 5), (127, 1), (5, 1000))]
TRIPLES += [(n, k, m) for k in SIZES for n, m in ((5, 7), (33, 17))] + [(7, 31, m) for m in SIZES]


def checked(function: Any, *specs: Any) -> Any:
    """The executable of a function, and the check that a call of it compiles nothing and is right."""
    executable = gc.compile(function, inputs=specs)
    kernels = len(executable.kernels)

    def check(*arrays: Any, scale: float = 0.0) -> None:
        same_results(executable, *arrays, scale=scale)
        assert len(executable.kernels) == kernels

    return check


@pytest.mark.parametrize("dtype", [gc.f32, gc.f64], ids=str)
def test_chains_and_folds(dtype: Any) -> None:
    def folds(x: Any, row: Any, column: Any) -> Any:
        chain = gc.tanh(x * row + 1.0) - gc.exp(-gc.abs(x)) / (1.0 + gc.square(row))
        return (
            chain, gc.sum(x, axis=1), gc.sum(x, axis=0), gc.sum(x), gc.mean(chain * column, axis=1),
            gc.mean(gc.square(x), axis=0), x - gc.mean(x, axis=0), gc.prod(row), gc.any(x > 2.0, axis=1),
            gc.all(x < 3.0, axis=0), gc.cumulative_sum(row), x.T + 1.0, gc.concat([x, x * 2.0], axis=0)[::2],
        )  # fmt: skip

    check = checked(folds, dtype["N", "M"], dtype["M"], dtype["N", 1])
    generator = np.random.default_rng(0)
    for n, m in PAIRS:
        arrays = normal(generator, dtype, n, m), normal(generator, dtype, m), normal(generator, dtype, n, 1)
        check(*arrays, scale=float(np.abs(arrays[0]).sum()) ** 0.5)


def test_normalized_rows_and_columns() -> None:
    def normalized(x: Any) -> Any:
        return F.layer_norm(x, (x.shape[1],)), F.rms_norm(x, (x.shape[1],)), gc.cumulative_sum(x, axis=0)

    def extrema(x: Any) -> Any:
        return (
            F.softmax(x, 1), F.log_softmax(x, 1), F.softmax(x, 0), gc.logsumexp(x, axis=1), gc.max(x, axis=1),
            gc.min(x, axis=0), gc.max(x), gc.argmax(x, axis=1), gc.argmin(x, axis=0), gc.argmax(x),
            gc.sort(x, axis=1), gc.argsort(x, axis=0),
        )  # fmt: skip

    of_any, of_some = checked(normalized, gc.f32["N", "M"]), checked(extrema, gc.f32["N", "M"])
    generator = np.random.default_rng(0)
    for n, m in PAIRS:
        x = normal(generator, gc.f32, n, m)
        of_any(x, scale=n**0.5)
        if n and m:
            of_some(x)
        else:
            with pytest.raises(gc.errors.ShapeError, match="of no elements is undefined"):
                of_some(x)


def test_what_folds_nothing_is_refused_on_cpu() -> None:
    predict = gc.compile(lambda x: F.softmax(x, 1), inputs=gc.f32["N", "M"])
    for _ in range(2):
        with pytest.raises(gc.errors.ShapeError, match="of no elements is undefined"):
            predict(np.zeros((3, 0), np.float32))
    assert predict(np.zeros((0, 3), np.float32)).shape == (0, 3)
    np.testing.assert_array_equal(predict(np.zeros((2, 2), np.float32)), 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [gc.f32, gc.f64], ids=str)
def test_products(dtype: Any) -> None:
    def products(a: Any, b: Any) -> Any:
        """All four ways in which two matrices lie, with something to do before and after."""
        at, bt = gc.tanh(a).T, gc.tanh(b).T
        return (
            a @ b, gc.relu(gc.matmul(at.T, bt.T) + 1.0), gc.einsum("nk,km->mn", a, b), gc.einsum("kn,mk->nm", at, bt),
            a @ a.T, b.T @ b, gc.einsum("nk,nk->n", a, a), gc.sum(a @ b, axis=0),
        )  # fmt: skip

    check = checked(products, dtype["N", "K"], dtype["K", "M"])
    generator = np.random.default_rng(0)
    for n, k, m in TRIPLES:
        check(normal(generator, dtype, n, k), normal(generator, dtype, k, m), scale=k**0.5)


def test_batched_products_and_einsum() -> None:
    def attention(q: Any, k: Any, v: Any) -> Any:
        scores = gc.einsum("bthd,bshd->bhts", q, k) / 2.0
        return gc.einsum("bhts,bshd->bthd", F.softmax(scores, -1), v), gc.einsum("bthd->hd", q)

    def stacked(x: Any, y: Any) -> Any:
        return (
            gc.matmul(x, y), gc.matmul(x.mT, y * 2.0), gc.einsum("bnk,bkm->nm", x, y),
            gc.sum(gc.matmul(x.mT, y), axis=0), gc.sum(gc.matmul(x, y) + 1.0, axis=(1, 2)),
            gc.sum(gc.matmul(x, y * 3.0), axis=2),
        )  # fmt: skip

    check = checked(attention, gc.f32["B", "T", 3, 4], gc.f32["B", "S", 3, 4], gc.f32["B", "S", 3, 4])
    check_stacked = checked(stacked, gc.f64["B", "N", "N"], gc.f64["B", "N", "M"])
    generator = np.random.default_rng(0)
    for b, t, s in [(1, 1, 1), (2, 5, 7), (3, 17, 31), (0, 2, 3), (2, 0, 5), (1, 33, 127)]:
        q, k, v = (normal(generator, gc.f32, b, each, 3, 4) for each in (t, s, s))
        check(q, k, v, scale=t**0.5)
        check_stacked(normal(generator, gc.f64, b, t, t), normal(generator, gc.f64, b, t, s), scale=b * t**0.5)


def test_indexing() -> None:
    """Embedding, take, one-hot, cross-entropy and their gradients, over rows, positions and classes that are named."""

    def loss(table: Any, ids: Any, scores: Any, labels: Any) -> Any:
        return gc.sum(gc.sin(F.embedding(ids, table))) + F.cross_entropy(scores, labels)

    def values(table: Any, ids: Any, scores: Any, labels: Any) -> Any:
        return (
            F.embedding(ids, table), gc.take(table, ids[0], axis=0), F.one_hot(labels, scores.shape[1]),
            F.cross_entropy(scores, labels, reduction="none"), gc.take_along_axis(scores, labels[:, None], axis=1),
        )  # fmt: skip

    specs = gc.f32["V", 5], gc.i64["N", "T"], gc.f32["N", "C"], gc.i64["N"]
    forward = checked(values, *specs)
    executable = gc.compile(gc.value_and_grad(gc.trace(loss, *specs), wrt=["table", "scores"]))
    generator = np.random.default_rng(0)
    for n, t, v, c in [(1, 1, 1, 1), (2, 3, 5, 7), (7, 2, 17, 3), (33, 31, 127, 10), (127, 1, 3, 33), (1000, 2, 9, 17)]:
        arrays = (
            normal(generator, gc.f32, v, 5), generator.integers(0, v, (n, t)), normal(generator, gc.f32, n, c),
            generator.integers(0, c, n),
        )  # fmt: skip
        forward(*arrays)
        same_results(executable, *arrays, scale=(n * t) ** 0.5)
