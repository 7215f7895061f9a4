"""What a batch must be for a training step, checked before the step runs: it has rows, and enough for BatchNorm.

    ShapeError: @step: a training step on an empty batch: %x has shape (0, 784)
    ShapeError: batch_norm: training needs more than 1 value per channel, but the input is (1,512)

Extents are not known when a step is traced, so these are conditions on its named dims.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from graphc.arguments import bind_dims
from graphc.dim import evaluate_extent
from graphc.errors import ShapeError
from graphc.ir import Graph
from graphc.operands import shape_text


class Preconditions:
    """The conditions that a traced objective puts on the arrays of a call."""

    def __init__(self, traced: Graph) -> None:
        self._graph = traced
        self._normalizing = [node for node in traced.walk() if node.op.name == "batch_norm"]

    def check(self, arrays: Sequence[Any]) -> None:
        """Raise ShapeError for a batch that cannot be trained on; arrays that fit no input are left to the call."""
        inputs = self._graph.inputs
        shapes = [np.shape(array) for array in arrays]
        for value, shape in zip(inputs, shapes, strict=False):
            if shape and shape[0] == 0:
                raise ShapeError(
                    f"@{self._graph.name}: a training step on an empty batch: %{value.name} has shape {shape}"
                )
        if not self._normalizing or len(arrays) != len(inputs):
            return
        dims = bind_dims(self._graph, [np.asarray(array) for array in arrays])
        for node in self._normalizing:
            shape = tuple(evaluate_extent(extent, dims) for extent in node.operands[0].type.shape)
            if prod(extent for axis, extent in enumerate(shape) if axis != 1) <= 1:
                raise ShapeError(
                    f"batch_norm: training needs more than 1 value per channel, but the input is {shape_text(shape)}",
                    line=str(node),
                    where=node.provenance.where,
                )
