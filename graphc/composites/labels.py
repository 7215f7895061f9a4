"""Integer labels beside the scores of their classes: picked, compared, weighted, ignored.

    labels = Labels(scores, target, ignore_index)      scores: f32[N,10], target: i64[N]
    labels.score()                                     f32[N,1]    the score of each row's label
    labels.is_label()                                  bool[N,10]  where each row's label is
    labels.kept(rows)                                  f32[N]      0 in rows that are ignored

Classes lie along axis 1, or along axis 0 of a vector; what has one number per row has the other axes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.dim import Extent
from graphc.ops.creation import iota
from graphc.ops.elementwise import cast, logical_not, where
from graphc.ops.indexing import take, take_along_axis
from graphc.ops.reduction import sum
from graphc.ops.shape import broadcast_to, reshape
from graphc.types import Shape, i64


def class_axis(scores: Any) -> int:
    """The axis of the classes, of a tensor or a type."""
    return min(1, len(scores.shape) - 1)


def row_shape(scores: Any) -> Shape:
    """The shape of what has one number per row."""
    axis = class_axis(scores)
    return (*scores.shape[:axis], *scores.shape[axis + 1 :])


def rows_of(scores: Any) -> Extent:
    """The number of rows."""
    rows: Extent = 1
    for extent in row_shape(scores):
        rows = rows * extent
    return rows


def _with_class_axis(rows: Any, scores: Any) -> Any:
    axis = class_axis(scores)
    return reshape(rows, shape=(*rows.shape[:axis], 1, *rows.shape[axis:]))


def as_rows(picked: Any, scores: Any) -> Any:
    """What has one number per row, without the class axis."""
    return reshape(picked, shape=row_shape(scores))


def along_classes(rows: Any, scores: Any) -> Any:
    """A number per row, spread over the classes."""
    return broadcast_to(_with_class_axis(rows, scores), shape=scores.shape)


def weights_along(weight: Any, scores: Any) -> Any:
    """A number per class, spread over the rows."""
    after = len(scores.shape) - class_axis(scores) - 1
    column = reshape(weight, shape=(*weight.shape, *(1,) * after)) if after else weight
    return broadcast_to(column, shape=scores.shape)


class Labels:
    """Labels of rows. Ignored ones read class 0, so that any number may stand for them; `kept` drops what they read."""

    def __init__(self, scores: Any, target: Any, ignore_index: int | None) -> None:
        self.scores = scores
        held = np.iinfo(target.dtype.numpy)
        occurs = ignore_index is not None and held.min <= ignore_index <= held.max
        self.ignored = target == ignore_index if occurs else None
        labels = target if self.ignored is None else where(self.ignored, 0, target)
        self.labels = labels if labels.dtype is i64 else cast(labels, dtype=i64)

    def score(self) -> Any:
        """The score of each row's label; a label that is out of range raises IndexRangeError when the graph runs."""
        indices = _with_class_axis(self.labels, self.scores)
        return take_along_axis(self.scores, indices, axis=class_axis(self.scores))

    def is_label(self) -> Any:
        """Where each row's label is, among the classes."""
        positions = iota(shape=self.scores.shape, axis=class_axis(self.scores), dtype=i64)
        return positions == along_classes(self.labels, self.scores)

    def kept(self, values: Any) -> Any:
        """A number per row, or the numbers of all classes, 0 in rows that are ignored."""
        if self.ignored is None:
            return values
        ignored = self.ignored if values.ndim == self.ignored.ndim else along_classes(self.ignored, self.scores)
        return where(ignored, 0, values)

    def weight(self, weight: Any) -> Any:
        """The weight of each row's label."""
        return take(weight, self.labels, axis=0)

    def total(self, weight: Any) -> Any:
        """What the rows weigh together: their number, or the sum of their labels' weights, without those ignored."""
        if weight is None and self.ignored is None:
            return rows_of(self.scores)
        if weight is None:
            rows = cast(logical_not(self.ignored), dtype=self.scores.dtype)
        else:
            rows = self.kept(self.weight(weight))
        return sum(rows, axis=tuple(range(rows.ndim)))
