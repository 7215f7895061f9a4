"""Random bits by Philox4x32-10, as `graphc/ops/random.py` defines them: a function of the position, so of no order.

random_bits(seed, step, stream, position)       u32: word position mod 4 of the block ⌊position/4⌋
"""

from __future__ import annotations

import numpy as np

from graphc.backends.cpu.functions.vocabulary import Number, select
from graphc.ops.random import MULTIPLIERS, ROUNDS, WEYL

_U32, _U64 = np.dtype(np.uint32), np.dtype(np.uint64)


def random_bits(seed: Number, step: Number, stream: Number, position: Number) -> Number:
    """The word at a position."""
    where = position.astype(_U64)
    seed, step = seed.astype(_U64), step.astype(_U64)
    c0, c1, c2, c3 = (where >> 2).astype(_U32), stream.astype(_U32), step.astype(_U32), (step >> 32).astype(_U32)
    k0, k1 = seed.astype(_U32), (seed >> 32).astype(_U32)
    for _ in range(ROUNDS):
        p0, p1 = c0.astype(_U64) * MULTIPLIERS[0], c2.astype(_U64) * MULTIPLIERS[1]
        c0, c1, c2, c3 = _high(p1) ^ c1 ^ k0, p1.astype(_U32), _high(p0) ^ c3 ^ k1, p0.astype(_U32)
        k0, k1 = k0 + WEYL[0], k1 + WEYL[1]
    word = where.astype(_U32)
    odd, upper = (word & 1) == 1, (word & 2) == 2
    return select(upper, select(odd, c3, c2), select(odd, c1, c0))


def _high(product: Number) -> Number:
    return (product >> 32).astype(_U32)
