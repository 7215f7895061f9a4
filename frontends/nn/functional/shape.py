"""What `nn.functional` shares: tensors from operands, axes under torch's name `dim`, elements reduced to a loss."""

from __future__ import annotations

import warnings
from typing import Any

from graphc import array as xp
from graphc.array.operands import as_axis, as_tensor, call, fail
from graphc.errors import DTypeError, OpAttributeError, ShapeError
from graphc.operands import shape_text
from graphc.tensor import Tensor

REDUCTIONS = ("none", "mean", "sum")

__all__ = [
    "REDUCTIONS",
    "as_axis",
    "as_tensor",
    "call",
    "fail",
    "floating",
    "legacy",
    "reduced",
    "same_shape",
    "shape_text",
]


def floating(what: str, **operands: Any) -> list[Tensor]:
    """Operands as tensors of floats; DTypeError names the one that is not."""
    tensors = []
    for name, operand in operands.items():
        tensor = as_tensor(operand, what)
        if not tensor.dtype.is_float:
            fail(
                DTypeError(f"{what}: takes floating-point numbers, but {name} is {tensor.type}; convert with gc.astype")
            )
        tensors.append(tensor)
    return tensors


def same_shape(what: str, **tensors: Tensor) -> None:
    """Raise ShapeError unless these have one shape."""
    (first, reference), *others = tensors.items()
    for name, tensor in others:
        if tensor.shape != reference.shape:
            fail(
                ShapeError(
                    f"{what}: {first} has shape {shape_text(reference.shape)}, "
                    f"but {name} has {shape_text(tensor.shape)}"
                )
            )


def legacy(what: str, size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """The reduction, checked; torch's old `size_average` and `reduce` override it where they are given."""
    if size_average is not None or reduce is not None:
        average, reduces = size_average in (None, True), reduce in (None, True)
        reduction = "none" if not reduces else "mean" if average else "sum"
        message = f"{what}: size_average and reduce are deprecated; give reduction={reduction!r}"
        warnings.warn(message, DeprecationWarning, stacklevel=3)
    known = (*REDUCTIONS, "batchmean") if what == "kl_div" else REDUCTIONS
    if reduction not in known:
        fail(OpAttributeError(f"{what}: reduction is one of {', '.join(known)}, not {reduction!r}"))
    return reduction


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """The elements as they are ("none"), their mean (NaN of none) or their sum."""
    if reduction == "none":
        return loss
    return xp.mean(loss) if reduction == "mean" else xp.sum(loss)
