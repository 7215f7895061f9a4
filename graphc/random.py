"""Random numbers in graphs (`gc.random`), and the seed they start from.

    uniform((N, 3))                 ->   f32[N,3] in [0, 1)
    normal(x.shape, 0.0, 0.02)      ->   f32[N,3]
    bernoulli(0.5, (N,))            ->   bool[N]
    randint(0, 10, (N,))            ->   i64[N]
    permutation(N)                  ->   i64[N]

A graph draws from a counter that is part of its state, (seed, step): each run takes the next step, each draw of a graph
has a stream of its own, and the same seed gives the same numbers on every backend and number of threads (Philox,
`graphc/ops/random.py`). `key=` draws from an explicit (seed, step) instead: the same key gives the same numbers, so
give every draw a key of its own.

Numbers on the host, such as initial parameters, come from a NumPy generator, `host_generator()`. `manual_seed` sets
both seeds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.array.operands import Operand, as_axis, as_tensor, call, cast, fail, shape_of
from graphc.composites.random import top_bits
from graphc.dim import Dim, Extent
from graphc.errors import ArgumentError, DTypeError, OpAttributeError, ShapeError
from graphc.op import current_recorder
from graphc.tensor import Tensor
from graphc.types import DType, Shape, as_dtype, f32, i64, u64

# -- seeds ------------------------------------------------------------------------------------------------------------

_seed = 0
_host = np.random.default_rng(_seed)


def manual_seed(seed: int) -> np.random.Generator:
    """Set the seed of graphs traced from now on, and start the host's generator anew; gives the generator.

    Raises OpAttributeError unless the seed is an integer of at most 64 bits, at least 0.
    """
    global _seed, _host
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 1 << 64:
        raise OpAttributeError(f"manual_seed: the seed is an integer from 0 to 2**64 - 1, not {seed!r}")
    _seed = int(seed)
    _host = np.random.default_rng(_seed)
    return _host


def default_seed() -> int:
    """The seed that a graph's counter starts from where none is given: 0, or what `manual_seed` set."""
    return _seed


def host_generator() -> np.random.Generator:
    """The NumPy generator that initial parameters are drawn from."""
    return _host


# -- draws ------------------------------------------------------------------------------------------------------------


def key(seed: int, step: int = 0) -> Tensor:
    """An explicit source of random numbers, u64[2]; other steps of one seed are independent of each other."""
    return as_tensor(np.array([seed, step], np.uint64), "random.key")


def _source(what: str, given: Operand | None) -> tuple[Tensor, int]:
    """What to draw from, and the stream."""
    if given is not None:
        source = as_tensor(given, f"random.{what}")
        if source.dtype is not u64 or source.shape != (2,):
            fail(ArgumentError(f"random.{what}: key is u64[2] of seed and step, not {source.type}"))
        return source, 0
    builder: Any = current_recorder(f"random.{what}")
    return builder.rng_state(), builder.stream()


def _words(what: str, shape: Shape, given: Operand | None) -> Tensor:
    rng, stream = _source(what, given)
    return call("random_words", rng, stream=stream, shape=shape)


def bits(shape: Any = (), *, dtype: object = "u32", key: Operand | None = None) -> Tensor:
    """Uniform unsigned integers, all bits random: `bits((N, 3))` is u32[N,3]."""
    chosen = as_dtype(dtype)
    if chosen.kind != "unsigned":
        fail(DTypeError(f"random.bits: gives unsigned integers, not {chosen}"))
    target = shape_of(shape, "random.bits")
    return cast(top_bits(*_source("bits", key), target, chosen.bits), chosen)


def uniform(
    shape: Any = (), low: Operand = 0.0, high: Operand = 1.0, *, dtype: object = None, key: Operand | None = None
) -> Tensor:
    """Uniform numbers in [low, high): `uniform((N, 3), -1, 1)` is f32[N,3].

    low and high are numbers, or tensors that broadcast to the shape. Rounding may give high itself where the interval
    is not [0, 1).
    """
    chosen = _float(dtype, "uniform")
    target = shape_of(shape, "random.uniform")
    rng, stream = _source("uniform", key)
    unit = call("random_uniform", rng, stream=stream, shape=target, dtype=chosen)
    is_number = isinstance(low, int | float) and isinstance(high, int | float)
    if is_number and high < low:
        fail(OpAttributeError(f"random.uniform: low {low} is above high {high}"))
    width = high - low if is_number else call("sub", high, low)
    scaled = unit if is_number and width == 1 else call("mul", unit, width)
    return _within(scaled if is_number and low == 0 else call("add", scaled, low), target, "uniform")


def normal(
    shape: Any = (), mean: Operand = 0.0, std: Operand = 1.0, *, dtype: object = None, key: Operand | None = None
) -> Tensor:
    """Normal numbers: `normal((N, 3), 0.0, 0.02)` is f32[N,3]; never infinite.

    mean and std are numbers, or tensors that broadcast to the shape.
    """
    chosen = _float(dtype, "normal")
    target = shape_of(shape, "random.normal")
    rng, stream = _source("normal", key)
    drawn = call("random_normal", rng, stream=stream, shape=target, dtype=chosen)
    scaled = drawn if isinstance(std, int | float) and std == 1 else call("mul", drawn, std)
    shifted = scaled if isinstance(mean, int | float) and mean == 0 else call("add", scaled, mean)
    return _within(shifted, target, "normal")


def bernoulli(p: Operand = 0.5, shape: Any = None, *, key: Operand | None = None) -> Tensor:
    """True with probability p: `bernoulli(0.5, (N,))` is bool[N]; without a shape, that of p."""
    given = shape if shape is not None else () if isinstance(p, int | float) else as_tensor(p, "random.bernoulli").shape
    target = shape_of(given, "random.bernoulli")
    if isinstance(p, int | float) and not 0 <= p <= 1:
        fail(OpAttributeError(f"random.bernoulli: p is a probability, but {p} is not in [0, 1]"))
    rng, stream = _source("bernoulli", key)
    unit = call("random_uniform", rng, stream=stream, shape=target, dtype=f32)
    return _within(call("less", unit, p), target, "bernoulli")


def randint(
    low: Extent, high: Extent | None = None, shape: Any = (), *, dtype: object = i64, key: Operand | None = None
) -> Tensor:
    """Integers from low up to and without high, or from 0 to low: `randint(0, 10, (N,))` is i64[N].

    Bounds may be extents. Each number has the probability 1 / (high - low) but for a share of at most
    (high - low) / 2⁶⁴. Raises OpAttributeError where no integer lies between.
    """
    if high is None:
        low, high = 0, low
    chosen = as_dtype(dtype)
    if not chosen.is_integer:
        fail(DTypeError(f"random.randint: gives integers, not {chosen}"))
    width = high - low
    if isinstance(width, int):
        info = np.iinfo(chosen.numpy)
        if width <= 0:
            fail(OpAttributeError(f"random.randint: no integer is at least {low} and below {high}"))
        if isinstance(low, int) and not info.min <= low <= low + width - 1 <= info.max:
            fail(OpAttributeError(f"random.randint: {low} to {high} is beyond {chosen} ({info.min} to {info.max})"))
    target = shape_of(shape, "random.randint")
    drawn = _words("randint", target, key)
    number = cast(drawn if width == 1 << 64 else call("rem", drawn, width), u64 if chosen is u64 else i64)
    return cast(number if low == 0 else call("add", number, low), chosen)


def permutation(x: Any, *, axis: int = 0, key: Operand | None = None) -> Tensor:
    """The integers below x in random order, or the slices of a tensor: `permutation(N)` is i64[N].

    Sorts by 64 random bits each, so that ties, which would keep their order, do not occur in practice.
    """
    if isinstance(x, int | Dim):
        return _order(shape_of(x, "random.permutation")[0], key)
    tensor = as_tensor(x, "random.permutation")
    if tensor.ndim == 0:
        fail(ShapeError(f"random.permutation: takes an extent or a tensor with an axis, not {tensor.type}"))
    at = as_axis(axis, tensor.ndim, "random.permutation")
    return call("take", tensor, _order(tensor.shape[at], key), axis=at)


def _order(count: Extent, key: Operand | None) -> Tensor:
    return call("argsort", _words("permutation", (count,), key), axis=0)


def _float(dtype: object, what: str) -> DType:
    chosen = f32 if dtype is None else as_dtype(dtype)
    if not chosen.is_float:
        fail(DTypeError(f"random.{what}: gives floating-point numbers, not {chosen}"))
    return chosen


def _within(drawn: Tensor, shape: Shape, what: str) -> Tensor:
    """ShapeError where a parameter is larger than the shape of the draw."""
    if drawn.shape != shape:
        fail(
            ShapeError(f"random.{what}: the parameters stretch the shape {shape} to {drawn.shape}; draw in that shape")
        )
    return drawn


__all__ = [
    "bernoulli", "bits", "default_seed", "host_generator", "key", "manual_seed", "normal", "permutation", "randint",
    "uniform",
]  # fmt: skip
