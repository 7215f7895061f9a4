"""Random numbers as formulas of random bits: one node each in the graph, until the pass `decompose`.

    random_uniform(rng, stream=0, shape=(N, 3), dtype=f32)   rng: u64[2]   ->   f32[N,3] in [0, 1)
    random_normal(rng, stream=1, shape=(N, 3), dtype=f32)    rng: u64[2]   ->   f32[N,3]
    random_words(rng, stream=2, shape=(N, 3))                rng: u64[2]   ->   u64[N,3]

Every number is exact in its dtype, so all backends agree to the bit on uniform numbers; normal ones are as exact as the
backend's erfinv.
"""

from __future__ import annotations

import math
from typing import Any

from graphc.errors import DTypeError
from graphc.op import composite
from graphc.ops.arithmetic import add, mul
from graphc.ops.choice import cast
from graphc.ops.logic import shift_left, shift_right
from graphc.ops.random import random_bits
from graphc.ops.shape import reshape
from graphc.ops.slicing import slice
from graphc.ops.special_functions import erfinv
from graphc.samples import exactly, sample
from graphc.types import DType, Shape, TensorType, f16, f32, f64, u64

SIGNIFICAND = {"f16": 11, "bf16": 8, "f32": 24, "f64": 53}  # bits of a float's significand, the hidden one included


_RNG = exactly([7, 3], u64)


def _infer_words(rng: TensorType, *, stream: int, shape: Shape) -> TensorType:
    return random_bits.infer(rng, stream=stream, shape=(*shape, 2))[0].with_shape(shape).with_dtype(u64)


@composite(
    infer=_infer_words,
    samples=[
        sample(_RNG, stream=0, shape=(3, 5)),
        sample(_RNG, stream=1, shape=()),
        sample(_RNG, stream=1, shape=(0,)),
    ],
)
def random_words(rng: Any, *, stream: int, shape: Shape) -> Any:
    """Uniform integers of 64 bits, each of two words of the stream: the even ones are the low halves.

    random_words(rng, stream=0, shape=(N, 3))   ->   u64[N,3]
    """
    pairs = cast(random_bits(rng, stream=stream, shape=(*shape, 2)), dtype=u64)
    first = (0,) * len(shape)
    low, high = (
        reshape(slice(pairs, starts=(*first, half), limits=(*shape, half + 1)), shape=shape) for half in range(2)
    )
    return add(shift_left(high, 32), low)


def top_bits(rng: Any, stream: int, shape: Shape, count: int) -> Any:
    """Uniform integers of `count` bits: u32 up to 32 of them, else u64."""
    width = 32 if count <= 32 else 64
    bits = (random_bits if width == 32 else random_words)(rng, stream=stream, shape=shape)
    return bits if count == width else shift_right(bits, width - count)


def _infer(what: str) -> Any:
    def infer(rng: TensorType, *, stream: int, shape: Shape, dtype: DType = f32) -> TensorType:
        if not dtype.is_float:
            raise DTypeError(f"{what}: draws floating-point numbers, not {dtype}")
        return random_bits.infer(rng, stream=stream, shape=shape)[0].with_dtype(dtype)

    return infer


_SAMPLES = [
    sample(_RNG, stream=0, shape=(3, 5), dtype=f32),
    sample(_RNG, stream=2, shape=(4,), dtype=f64),
    sample(_RNG, stream=1, shape=(), dtype=f32),
    sample(_RNG, stream=1, shape=(0, 2), dtype=f32),
    sample(_RNG, stream=1, shape=(5,), dtype=f16),
]


@composite(infer=_infer("random_uniform"), samples=_SAMPLES)
def random_uniform(rng: Any, *, stream: int, shape: Shape, dtype: DType = f32) -> Any:
    """Uniform in [0, 1): k·2⁻ᵖ, where k are the top p bits and p is the precision of the dtype (24 for f32).

        random_uniform(rng, stream=0, shape=(N, 3), dtype=f32)   ->   f32[N,3]

    Raises DTypeError for a dtype that is no float.
    """
    precision = SIGNIFICAND[dtype.name]
    return mul(cast(top_bits(rng, stream, shape, precision), dtype=dtype), 2.0**-precision)


@composite(infer=_infer("random_normal"), samples=_SAMPLES)
def random_normal(rng: Any, *, stream: int, shape: Shape, dtype: DType = f32) -> Any:
    """Normal with mean 0 and variance 1: √2·erfinv(u), for u uniform in (-1, 1) and symmetric about 0.

        random_normal(rng, stream=0, shape=(N, 3), dtype=f32)   ->   f32[N,3]

    u = (k + ½)·2⁻ᵖ⁺² - 1 of p - 1 bits is exact and never ±1, so the result is finite: within ±5.3 for f32, ±8.2 for
    f64. 16-bit floats are drawn in f32 and rounded. Raises DTypeError for a dtype that is no float.
    """
    wide = f64 if dtype is f64 else f32
    bits = SIGNIFICAND[wide.name] - 1
    k = cast(top_bits(rng, stream, shape, bits), dtype=wide)
    u = (k + 0.5) * 2.0 ** (1 - bits) - 1
    normal = erfinv(u) * math.sqrt(2)
    return normal if wide is dtype else cast(normal, dtype=dtype)


__all__ = ["random_normal", "random_uniform", "random_words", "top_bits"]
