"""Comparing the cpu backend with the interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.builder import Builder
from graphc.ir import Graph
from graphc.op import Op, recording
from graphc.types import TensorType

Array = np.ndarray[Any, Any]

# Of the largest number of the result, or of the operands' if told so: sums cancel.
TOLERANCE = {"float16": 2e-3, "bfloat16": 1.6e-2, "float32": 1e-5, "float64": 1e-12}


def one_node(op: Op, types: list[TensorType], attributes: dict[str, Any]) -> Graph:
    """A graph that applies an op to its inputs and gives its results."""
    builder = Builder(op.name)
    operands = [builder.input(op.signature.name_of(i), type) for i, type in enumerate(types)]
    with recording(builder):
        return builder.finish(builder.emit(op, tuple(x.value for x in operands), attributes))


def agree(got: Array, want: Array, scale: float = 0.0) -> None:
    """The same dtype and shape, the same NaN and infinities, and numbers within the tolerance of the dtype."""
    assert isinstance(got, np.ndarray)
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    tolerance = TOLERANCE.get(want.dtype.name)
    if tolerance is None:
        np.testing.assert_array_equal(got, want)
        return
    got, want = got.astype(np.float64), want.astype(np.float64)
    finite = np.isfinite(want)
    np.testing.assert_array_equal(got[~finite], want[~finite])
    assert np.isfinite(got[finite]).all()
    bound = tolerance * max(1.0, scale, float(np.abs(want[finite]).max(initial=0.0)))
    np.testing.assert_allclose(got[finite], want[finite], rtol=tolerance, atol=bound)
