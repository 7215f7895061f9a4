"""Initial values of parameters, by torch.nn.init's names and formulas.

    >>> nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")      # std = √(2 / fan_in)
    >>> nn.init.zeros_(layer.bias)

Each fills a parameter, a buffer or a writable NumPy array, and returns it. Random ones draw from `generator`, or from
the generator that `gc.manual_seed` seeds: the same seed gives the same model. fan_in is the number of inputs that one
output sums over, shape[1] · receptive field; fan_out is shape[0] · receptive field.
"""

from __future__ import annotations

import math
import warnings
from typing import Any, TypeVar

import numpy as np

from graphc.errors import ArgumentError, OpAttributeError, ShapeError
from graphc.random import host_generator
from graphc.state import Cell

Array = np.ndarray[Any, Any]
Target = TypeVar("Target", Cell, Array)
Generator = np.random.Generator | None

LINEAR = (
    "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "sigmoid",
)  # fmt: skip


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much to scale the weights before a nonlinearity, so that the variance is kept.

    1 for linear, convolutions and sigmoid; tanh 5/3; relu √2; leaky_relu √(2 / (1 + slope²)), the slope being
    `param` (0.01); selu 3/4. Raises OpAttributeError for others.
    """
    if nonlinearity in LINEAR:
        return 1.0
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise OpAttributeError(f"calculate_gain: the slope of leaky_relu is a number, not {slope!r}")
        return math.sqrt(2.0 / (1 + slope**2))
    gains = {"tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4}
    if nonlinearity not in gains:
        known = ", ".join((*LINEAR, *gains, "leaky_relu"))
        raise OpAttributeError(f"calculate_gain: there is no gain for {nonlinearity!r}; there is for {known}")
    return gains[nonlinearity]


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight; ShapeError below two axes."""
    if len(shape) < 2:
        raise ShapeError(f"fan in and fan out need a weight of two axes or more, but this one has shape {shape}")
    receptive_field = math.prod(shape[2:])
    return shape[1] * receptive_field, shape[0] * receptive_field


def fill(tensor: Target, values: Any) -> Target:
    """Write values, or one value everywhere, in the tensor's own dtype."""
    if isinstance(tensor, Cell):
        tensor.commit(np.array(np.broadcast_to(values, tensor.shape)).astype(tensor.dtype.numpy))
    elif isinstance(tensor, np.ndarray):
        tensor[...] = values
    else:
        raise ArgumentError(f"init fills parameters, buffers and NumPy arrays, not {type(tensor).__name__}")
    return tensor


def uniform_(tensor: Target, a: float = 0.0, b: float = 1.0, generator: Generator = None) -> Target:
    """U(a, b)."""
    return fill(tensor, (generator or host_generator()).uniform(a, b, tensor.shape))


def normal_(tensor: Target, mean: float = 0.0, std: float = 1.0, generator: Generator = None) -> Target:
    """N(mean, std²)."""
    return fill(tensor, (generator or host_generator()).normal(mean, std, tensor.shape))


def trunc_normal_(
    tensor: Target, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Generator = None
) -> Target:
    """N(mean, std²) cut off to [a, b], by drawing again what lies outside; warns where the mean is far outside.

    Far in the tail candidates are drawn from U(a, b) and kept with their relative density, so that it ends.
    """
    if not a < b:
        raise OpAttributeError(f"trunc_normal_: a is {a} and b is {b}, which leaves no interval")
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(f"trunc_normal_: mean {mean} is more than 2 std from [{a}, {b}]", stacklevel=2)
    source = generator or host_generator()

    def cdf(x: float) -> float:
        return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0

    likely = cdf((b - mean) / std) - cdf((a - mean) / std) > 0.3
    peak = (max(a, min(mean, b)) - mean) / std
    values = np.empty(tensor.shape)
    pending = np.ones(tensor.shape, bool)
    while pending.any():
        count = int(pending.sum())
        draws = source.normal(mean, std, count) if likely else source.uniform(a, b, count)
        if likely:
            accepted = (draws >= a) & (draws <= b)
        else:
            accepted = np.log(source.uniform(size=count)) <= 0.5 * (peak**2 - ((draws - mean) / std) ** 2)
        values[pending] = np.where(accepted, draws, np.nan)
        pending = np.isnan(values)
    return fill(tensor, values)


def constant_(tensor: Target, val: float) -> Target:
    """`val` everywhere."""
    return fill(tensor, val)


def ones_(tensor: Target) -> Target:
    """1 everywhere."""
    return fill(tensor, 1)


def zeros_(tensor: Target) -> Target:
    """0 everywhere."""
    return fill(tensor, 0)


def eye_(tensor: Target) -> Target:
    """The identity, of a matrix; ShapeError otherwise."""
    _only_matrices("eye_", tensor)
    rows, columns = tensor.shape
    return fill(tensor, np.eye(rows, columns))


def xavier_uniform_(tensor: Target, gain: float = 1.0, generator: Generator = None) -> Target:
    """U(−l, l) with l = gain · √(6 / (fan_in + fan_out)).

    Source: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010.
    """
    limit = gain * math.sqrt(6.0 / sum(fans(tensor.shape)))
    return uniform_(tensor, -limit, limit, generator)


def xavier_normal_(tensor: Target, gain: float = 1.0, generator: Generator = None) -> Target:
    """N(0, σ²) with σ = gain · √(2 / (fan_in + fan_out)); source as `xavier_uniform_`."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(fans(tensor.shape))), generator)


def kaiming_uniform_(
    tensor: Target,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator = None,
) -> Target:
    """U(−l, l) with l = √3 · gain / √fan; `a` is leaky_relu's slope, `mode` "fan_in" or "fan_out".

    Source: He et al., Delving deep into rectifiers, 2015.
    """
    limit = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -limit, limit, generator)


def kaiming_normal_(
    tensor: Target,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator = None,
) -> Target:
    """N(0, σ²) with σ = gain / √fan; arguments and source as `kaiming_uniform_`."""
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def _kaiming_std(tensor: Target, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise OpAttributeError(f'kaiming: mode is {mode!r}, but it is "fan_in" or "fan_out"')
    fan = fans(tensor.shape)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan) if fan else 0.0


def orthogonal_(tensor: Target, gain: float = 1, generator: Generator = None) -> Target:
    """Orthonormal rows or columns, whichever are fewer, times `gain`; axes after the first count as columns.

    Source: Saxe et al., Exact solutions to the nonlinear dynamics of learning in deep linear neural networks, 2014;
    uniform over orthogonal matrices as in Mezzadri, How to generate random matrices from the classical compact groups.
    """
    if len(tensor.shape) < 2:
        raise ShapeError(f"orthogonal_ takes two axes or more, but the tensor has shape {tensor.shape}")
    if math.prod(tensor.shape) == 0:
        return tensor
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    drawn = (generator or host_generator()).normal(size=(rows, columns))
    q, r = np.linalg.qr(drawn if rows >= columns else drawn.T)
    q = q * np.sign(np.diag(r))
    return fill(tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape))


def sparse_(tensor: Target, sparsity: float, std: float = 0.01, generator: Generator = None) -> Target:
    """N(0, std²) with a share `sparsity` of each column set to 0 (rounded up), of a matrix.

    Source: Martens, Deep learning via Hessian-free optimization, 2010.
    """
    _only_matrices("sparse_", tensor)
    rows, columns = tensor.shape
    source = generator or host_generator()
    values = source.normal(0.0, std, (rows, columns))
    zeros = math.ceil(sparsity * rows)
    for column in range(columns):
        values[source.permutation(rows)[:zeros], column] = 0.0
    return fill(tensor, values)


def _only_matrices(what: str, tensor: Cell | Array) -> None:
    if len(tensor.shape) != 2:
        raise ShapeError(f"{what} takes a matrix, but the tensor has shape {tensor.shape}")
