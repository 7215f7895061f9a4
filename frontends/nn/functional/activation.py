"""Activations, elementwise unless they have a `dim`; torch's names, arguments and values at the kinks.

    relu(x)  leaky_relu(x, 0.1)  gelu(x, "tanh")  softmax(x, dim=1)  glu(x, dim=-1)  maxout(x, 2)

`inplace` is accepted where torch has it and has no effect.
"""

from __future__ import annotations

import warnings
from typing import Any

from graphc import array as xp
from graphc.errors import OpAttributeError, ShapeError
from graphc.nn.functional.shape import as_axis, as_tensor, call, fail, floating, shape_text
from graphc.tensor import Tensor
from graphc.types import as_dtype

# -- smooth -----------------------------------------------------------------------------------------------------------


def sigmoid(input: Any) -> Tensor:
    """1 / (1 + e^−x)."""
    return call("sigmoid", input)


def logsigmoid(input: Any) -> Tensor:
    """log σ(x) = −softplus(−x), stable for any x."""
    return call("log_sigmoid", input)


def tanh(input: Any) -> Tensor:
    """tanh x."""
    return call("tanh", input)


def tanhshrink(input: Any) -> Tensor:
    """x − tanh x."""
    x = as_tensor(input, "tanhshrink")
    return xp.subtract(x, xp.tanh(x))


def softsign(input: Any) -> Tensor:
    """x / (1 + |x|)."""
    x = as_tensor(input, "softsign")
    return xp.divide(x, 1 + xp.abs(x))


def softplus(input: Any, beta: float = 1, threshold: float = 20) -> Tensor:
    """log(1 + e^(βx)) / β, and x itself where βx > threshold."""
    return call("softplus", input, beta=float(beta), threshold=float(threshold))


def silu(input: Any, inplace: bool = False) -> Tensor:
    """x · σ(x), also called Swish."""
    return call("silu", input)


def mish(input: Any, inplace: bool = False) -> Tensor:
    """x · tanh(softplus(x))."""
    return call("mish", input)


def gelu(input: Any, approximate: str = "none") -> Tensor:
    """x · Φ(x), Φ being the normal distribution; "tanh" for ½x·(1 + tanh(√(2/π)·(x + 0.044715x³)))."""
    return call("gelu", input, approximate=approximate)


def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else α(e^x − 1)."""
    return call("elu", input, alpha=float(alpha))


def celu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else α(e^(x/α) − 1)."""
    return call("celu", input, alpha=float(alpha))


def selu(input: Any, inplace: bool = False) -> Tensor:
    """1.0507 · elu(x, 1.6733)."""
    return call("selu", input)


# -- piecewise linear -------------------------------------------------------------------------------------------------


def relu(input: Any, inplace: bool = False) -> Tensor:
    """max(0, x)."""
    return call("relu", input)


def relu6(input: Any, inplace: bool = False) -> Tensor:
    """min(max(0, x), 6)."""
    return hardtanh(input, 0.0, 6.0)


def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, else negative_slope · x."""
    return call("leaky_relu", input, negative_slope=float(negative_slope))


def prelu(input: Any, weight: Any) -> Tensor:
    """x where x > 0, else a · x; the weight a has one number, or one for each channel (axis 1)."""
    return call("prelu", input, weight)


def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x limited to [min_val, max_val]; gradient 0 at the limits."""
    x = as_tensor(input, "hardtanh")
    if min_val > max_val:
        fail(OpAttributeError(f"hardtanh: min_val {min_val} is above max_val {max_val}"))
    return xp.where(x <= min_val, min_val, xp.where(x >= max_val, max_val, x))


def hardsigmoid(input: Any, inplace: bool = False) -> Tensor:
    """x/6 + ½ limited to [0, 1]."""
    return call("hard_sigmoid", input)


def hardswish(input: Any, inplace: bool = False) -> Tensor:
    """x · hardsigmoid(x)."""
    return call("hard_swish", input)


def hardshrink(input: Any, lambd: float = 0.5) -> Tensor:
    """x where |x| > λ, else 0."""
    x = as_tensor(input, "hardshrink")
    return xp.where(xp.logical_and(x >= -lambd, x <= lambd), 0, x)


def softshrink(input: Any, lambd: float = 0.5) -> Tensor:
    """x moved towards 0 by λ, and 0 within λ of it."""
    x = as_tensor(input, "softshrink")
    if lambd < 0:
        fail(OpAttributeError(f"softshrink: lambd is at least 0, but it is {lambd}"))
    return xp.where(x > lambd, x - lambd, xp.where(x >= -lambd, 0, x + lambd))


def threshold(input: Any, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > threshold, else value."""
    x = as_tensor(input, "threshold")
    return xp.where(x <= threshold, value, x)


# -- along an axis ----------------------------------------------------------------------------------------------------


def softmax(input: Any, dim: int | None = None, dtype: object = None) -> Tensor:
    """e^x / Σ e^x along an axis; `dtype` converts x first."""
    return _along("softmax", input, dim, dtype)


def log_softmax(input: Any, dim: int | None = None, dtype: object = None) -> Tensor:
    """x − log Σ e^x along an axis, stable for logits of any size; `dtype` converts x first."""
    return _along("log_softmax", input, dim, dtype)


def softmin(input: Any, dim: int | None = None, dtype: object = None) -> Tensor:
    """softmax(−x)."""
    return _along("softmax", -as_tensor(input, "softmin"), dim, dtype, "softmin")


def _along(op: str, input: Any, dim: int | None, dtype: object, name: str | None = None) -> Tensor:
    what = name or op
    x = as_tensor(input, what)
    if dim is None:
        dim = 0 if x.ndim in (0, 1, 3) else 1
        message = f"{what}: without dim the axis is {dim} for rank {x.ndim}, as in torch; this is deprecated, give dim"
        warnings.warn(message, DeprecationWarning, stacklevel=3)
    if dtype is not None:
        x = xp.astype(x, as_dtype(dtype))
    if x.ndim == 0:
        return xp.reshape(call(op, xp.reshape(x, (1,)), axis=(0,)), ())
    return call(op, x, axis=(as_axis(dim, x.ndim, what, name="dim"),))


def glu(input: Any, dim: int = -1) -> Tensor:
    """a · σ(b), where a and b are the halves of the input along an axis: f32[N,6] -> f32[N,3].

    Source: Dauphin et al., Language Modeling with Gated Convolutional Networks, 2017.
    """
    x = as_tensor(input, "glu")
    return call("glu", x, axis=as_axis(dim, x.ndim, "glu", name="dim"))


def maxout(input: Any, num_pieces: int, dim: int = 1) -> Tensor:
    """The maximum of each group of `num_pieces` neighbours along an axis: f32[N,6] -> f32[N,3] for 2 pieces.

    The gradient goes to the winner only, the first where several are equal. Source: Goodfellow et al., Maxout
    Networks, 2013.
    """
    (x,) = floating("maxout", input=input)
    axis = as_axis(dim, x.ndim, "maxout", name="dim")
    if num_pieces < 1:
        fail(OpAttributeError(f"maxout: num_pieces is at least 1, but it is {num_pieces}"))
    extent = x.shape[axis]
    if extent % num_pieces != 0:
        fail(
            ShapeError(
                f"maxout: {extent} along axis {axis} of {shape_text(x.shape)} do not divide into groups of {num_pieces}"
            )
        )
    groups = (*x.shape[:axis], extent // num_pieces, num_pieces, *x.shape[axis + 1 :])
    pieces = xp.reshape(x, groups)
    winner = xp.argmax(pieces, axis=axis + 1, keepdims=True)
    return xp.squeeze(xp.take_along_axis(pieces, winner, axis=axis + 1), axis=axis + 1)
