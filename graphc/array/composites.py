"""Functions that stay one named node in the graph until the pass `decompose`.

softmax(x, axis=-1)   x: f32[N,10]   ->   f32[N,10]: %softmax = softmax(%x, axis=(1,))
"""

from __future__ import annotations

from graphc.array.operands import Axis, Operand, as_tensor, call, reduced_axes
from graphc.tensor import Tensor


def softmax(x: Operand, axis: Axis = -1) -> Tensor:
    """eˣ / Σ eˣ along an axis or over several, without overflow; rows of -inf alone give NaN, as the formula does."""
    return _along("softmax", x, axis)


def log_softmax(x: Operand, axis: Axis = -1) -> Tensor:
    """x - log Σ eˣ along an axis or over several, without overflow."""
    return _along("log_softmax", x, axis)


def _along(op: str, x: Operand, axis: Axis) -> Tensor:
    tensor = as_tensor(x, op)
    return call(op, tensor, axis=reduced_axes(axis, tensor.ndim, op))


def stop_gradient(x: Operand) -> Tensor:
    """x, with a derivative of zero (torch's `detach`)."""
    return call("stop_gradient", x)


__all__ = ["log_softmax", "softmax", "stop_gradient"]
