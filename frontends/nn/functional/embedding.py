"""Rows of a table by index, and indices as rows of a unit matrix.

embedding(ids, table)          ids: i64[N,T], table: f32[V,D] -> f32[N,T,D]
one_hot(labels, 10)            labels: i64[N] -> i64[N,10]
"""

from __future__ import annotations

from typing import Any

from graphc import array as xp
from graphc.errors import DTypeError, OpAttributeError, ShapeError
from graphc.nn.functional.shape import as_tensor, call, fail
from graphc.tensor import Tensor


def embedding(input: Any, weight: Any, padding_idx: int | None = None) -> Tensor:
    """`weight[input]`; the row `padding_idx` gets no gradient.

    Raises IndexRangeError, when the graph runs, for an index outside of 0 to V − 1.
    """
    indices, table = as_tensor(input, "embedding"), as_tensor(weight, "embedding")
    if not indices.dtype.is_integer:
        fail(DTypeError(f"embedding: indices are integers, but the input is {indices.type}"))
    if table.ndim != 2:
        fail(ShapeError(f"embedding: the weight is a matrix, but it is {table.type}"))
    rows = table.shape[0]
    if padding_idx is not None:
        if isinstance(rows, int) and not -rows <= padding_idx < rows:
            fail(OpAttributeError(f"embedding: padding_idx is {padding_idx}, but the weight has {rows} rows"))
        position = xp.arange(rows)
        row = padding_idx if padding_idx >= 0 else rows + padding_idx
        is_padding = xp.expand_dims(position == row, axis=1)
        table = xp.where(is_padding, xp.stop_gradient(table), table)
    return call("take", table, indices, axis=0)


def one_hot(tensor: Any, num_classes: int) -> Tensor:
    """1 at the place of each label along a new last axis, 0 elsewhere, in i64.

    torch's default for `num_classes`, the largest label and 1, depends on values, so it is asked for here.
    """
    return xp.one_hot(tensor, num_classes)
