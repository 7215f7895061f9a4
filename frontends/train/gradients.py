"""What happens to gradients before the optimizer sees them: clipping, and averages over several calls.

`clip_by_norm` and `clip_by_value` are torch's `clip_grad_norm_` and `clip_grad_value_` as formulas in the graph.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphc.builder import Builder
from graphc.op import recording
from graphc.ops.creation import full
from graphc.ops.elementwise import cast, maximum, minimum, sqrt
from graphc.provenance import Provenance
from graphc.state import Cell
from graphc.tensor import Tensor
from graphc.types import DType, f32, promote

Gradients = dict[Cell, Tensor]


def clip_by_norm(gradients: Mapping[Cell, Tensor], max_norm: float) -> Gradients:
    """g ← g · min(1, max_norm / (‖g‖ + 1e-6)), where ‖g‖ is the 2-norm of all gradients together.

    A gradient that is NaN or infinite makes all of them NaN, as in torch.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html
    """
    dtype = promote(f32, *(g.dtype for g in gradients.values()))
    total: Tensor | None = None
    for g in reversed(list(gradients.values())):  # as the backward pass gives them: each kernel adds its own
        wide = _in(dtype, g)
        squares = (wide * wide).sum()
        total = squares if total is None else total + squares
    share = minimum(max_norm / (sqrt(total) + 1e-6), 1.0)
    return {cell: g * _in(g.dtype, share) for cell, g in gradients.items()}


def _in(dtype: DType, x: Tensor) -> Tensor:
    result: Tensor = x if x.dtype is dtype else cast(x, dtype=dtype)
    return result


def clip_by_value(gradients: Mapping[Cell, Tensor], limit: float) -> Gradients:
    """g ← max(min(g, limit), −limit), element by element; NaN stays.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_value_.html
    """
    return {cell: maximum(minimum(g, limit), -limit) for cell, g in gradients.items()}


def clip(builder: Builder, gradients: Mapping[Cell, Tensor], norm: float | None, value: float | None) -> Gradients:
    """The clipped gradients, appended to a graph."""
    with recording(builder), builder.provenance(Provenance(rule="clip")):
        clipped = dict(gradients)
        if norm is not None:
            clipped = clip_by_norm(clipped, norm)
        if value is not None:
            clipped = clip_by_value(clipped, value)
        return clipped


def add_up(builder: Builder, gradients: Mapping[Cell, Tensor], sums: Mapping[Cell, Cell]) -> None:
    """Add this call's gradients to the sums."""
    with recording(builder), builder.provenance(Provenance(rule="accumulate")):
        for cell, gradient in gradients.items():
            builder.update(sums[cell], builder.read(sums[cell]) + gradient)


def average(builder: Builder, gradients: Mapping[Cell, Tensor], sums: Mapping[Cell, Cell], count: int) -> Gradients:
    """The mean of this call's gradients and those summed before; the sums start again at zero."""
    averages = {}
    with recording(builder), builder.provenance(Provenance(rule="accumulate")):
        for cell, gradient in gradients.items():
            averages[cell] = (builder.read(sums[cell]) + gradient) / count
            builder.update(sums[cell], full(value=0.0, shape=cell.shape, dtype=cell.dtype))
    return averages
