"""Random bits that are a function of seed, step, stream and position alone: the same on every backend and thread.

    random_bits(rng, stream=0, shape=(N, 3)): u64[2] -> u32[N,3]

Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3. SC 2011). `rng` is (seed, step);
the halves of the seed are the key, and element i in row-major order is word i mod 4 of the block for the counter
(⌊i/4⌋, stream, low half of step, high half of step). A graph gives each of its random ops a stream of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import DTypeError, OpAttributeError, ShapeError
from graphc.op import Kind, define_op, no_gradient, no_tangent
from graphc.samples import exactly, sample
from graphc.types import Shape, TensorType, u32, u64

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
_WORD = 0xFFFFFFFF
_MOST = 1 << 34  # elements that a 32-bit block number counts


def philox(counter: Any, key: tuple[int, int]) -> Any:
    """The blocks of four words for counters (4, n) of 32-bit words under a key of two."""
    c0, c1, c2, c3 = (np.asarray(word, np.uint64) for word in counter)
    k0, k1 = key
    for _ in range(ROUNDS):
        p0, p1 = c0 * np.uint64(MULTIPLIERS[0]), c2 * np.uint64(MULTIPLIERS[1])
        c0, c1, c2, c3 = _high(p1) ^ c1 ^ np.uint64(k0), _low(p1), _high(p0) ^ c3 ^ np.uint64(k1), _low(p0)
        k0, k1 = (k0 + WEYL[0]) & _WORD, (k1 + WEYL[1]) & _WORD
    return np.stack([c0, c1, c2, c3]).astype(np.uint32)


def _high(product: Any) -> Any:
    return product >> np.uint64(32)


def _low(product: Any) -> Any:
    return product & np.uint64(_WORD)


def _infer(rng: TensorType, *, stream: int, shape: Shape) -> TensorType:
    if rng.dtype is not u64:
        raise DTypeError(f"random_bits: rng is {rng}, not u64[2] of seed and step")
    if rng.shape != (2,):
        raise ShapeError(f"random_bits: rng is {rng}, not u64[2] of seed and step")
    if not isinstance(stream, int) or not 0 <= stream <= _WORD:
        raise OpAttributeError(f"random_bits: stream {stream} is not an integer of 32 bits")
    result = TensorType(u32, shape)
    _check_size(result.size)
    return result


def _check_size(size: Any) -> None:
    if isinstance(size, int) and size > _MOST:
        raise ShapeError(f"random_bits: {size} elements are more than the {_MOST} of one stream")


def _reference(rng: Any, *, stream: int, shape: tuple[int, ...]) -> Any:
    size = int(np.prod(shape, dtype=np.int64))
    _check_size(size)
    seed, step = map(int, rng)
    block = np.arange(-(-size // 4), dtype=np.uint64)
    rest = (np.full_like(block, word) for word in (stream, step & _WORD, step >> 32))
    words = philox((block, *rest), (seed & _WORD, seed >> 32))
    return words.T.reshape(-1)[:size].reshape(shape)


random_bits = define_op(
    "random_bits",
    kind=Kind.RANDOM,
    infer=_infer,
    reference=_reference,
    vjp=no_gradient,
    jvp=no_tangent,
    samples=[
        sample(exactly([7, 0], u64), stream=0, shape=(3, 5)),
        sample(exactly([2**40 + 1, 2**33 + 5], u64), stream=3, shape=(6,)),
        sample(exactly([7, 0], u64), stream=0, shape=()),
        sample(exactly([7, 0], u64), stream=0, shape=(0, 2)),
    ],
    doc="Uniform bits by Philox4x32-10, a function of (seed, step), the stream and the position.",
)
