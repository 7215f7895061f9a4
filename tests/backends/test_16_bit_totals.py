"""Totals of 16-bit floats: summed in f32, rounded once, and read by the rest of their kernel as they were rounded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.interpret import run
from graphc.types import DType

# Sums of small whole numbers are exact in f32 in any order, and few of them are numbers of 16 bits.
TOTALS: dict[str, Callable[[Any], Any]] = {
    "of columns, read by columns": lambda x: gc.sum(x, axis=0) * 3.0,
    "of columns, read by elements": lambda x: x * gc.sum(x, axis=0),
    "of columns, read by both, and given": lambda x: (lambda s: (s, s * 3.0, x * s))(gc.sum(x, axis=0)),
    "of columns, read by a later total": lambda x: gc.sum(gc.abs(x - gc.sum(x, axis=0)), axis=0) * 3.0,
    "of columns, read in two later passes": lambda x: (lambda s: x * gc.max(x * s, axis=0) - s)(gc.sum(x, axis=0)),
    "of two columns": lambda x: gc.sum(x, axis=0) * gc.sum(x * 2.0, axis=0),
    "of columns, at the finish": lambda x: gc.sum(x[:, :8] * 1.0, axis=0) * 3.0,
    "of totals of columns": lambda x: gc.sum(gc.sum(x, axis=0) * 3.0),
    "mean and variance of columns": lambda x: (x - gc.mean(x, axis=0)) * gc.var(x, axis=0),
    "of rows, read by rows": lambda x: gc.sum(x, axis=1) * 3.0,
    "of rows, read by elements": lambda x: x * gc.sum(x, axis=1, keepdims=True),
    "of rows, read by a later total": lambda x: gc.sum(x * gc.sum(x, axis=1, keepdims=True), axis=1) * 3.0,
    "of totals of rows": lambda x: gc.sum(gc.sum(x, axis=1) * 3.0),
    "of all": lambda x: gc.sum(x) * 3.0,
    "mean of all": lambda x: gc.mean(x) * 3.0,
    "extrema": lambda x: (gc.max(x * 3.0, axis=0) * 3.0, gc.min(x * 3.0, axis=1) * 3.0, gc.argmax(x * 3.0, axis=1)),
}


@pytest.mark.parametrize("dtype", [gc.bf16, gc.f16], ids=str)
@pytest.mark.parametrize("name", TOTALS)
def test_total(name: str, dtype: DType) -> None:
    executable = gc.compile(TOTALS[name], dtype["N", 64], backend="cpu")
    array = np.random.default_rng(3).integers(0, 40, (257, 64)).astype(dtype.numpy)
    with np.errstate(over="ignore"):
        expected, _ = run(executable.stages["trace"].graph, [array])
    given = executable(array)
    for got, want in zip(given if isinstance(given, tuple) else (given,), expected, strict=True):
        np.testing.assert_array_equal(got, want, strict=True)


def test_a_total_is_rounded_once_for_a_column() -> None:
    executable = gc.compile(lambda x: x * gc.sum(x, axis=0), gc.bf16["N", 64], backend="cpu")
    (kernel,) = executable.kernels
    assert [str(kernel.nest).count(text) for text in ("sum_rounded = to_bf16(", "to_bf16(")] == [1, 2]
    ones = np.ones((257, 64), gc.bf16.numpy)
    assert float(gc.compile(lambda x: gc.sum(x, axis=0) * 3.0, gc.bf16["N", 64])(ones)[0]) == 768
