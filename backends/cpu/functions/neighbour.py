"""The next number towards another: its bits, as an integer, are one more or one less.

    next_after(1.0, 2.0) = 1.0000001        next_after(0.0, -1.0) = -1e-45        next_after_f16(1.0, 2.0) = 1.0009766

Of 16-bit floats, carried in float32, the neighbour is that in 16 bits. Of equal operands, zeros of both signs too,
it is the second; of float16, as in NumPy, the first.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from graphc.backends.cpu.functions.conversion import (
    load_bf16_bits,
    load_f16_bits,
    store_bf16_bits,
    store_f16_bits,
)
from graphc.backends.cpu.functions.vocabulary import Number, bits, full_like, is_nan, select, sign_bit


def next_after(a: Number, b: Number) -> Number:
    """The next representable number after a towards b; b where they are equal."""
    neighbour = _step(a, b, bits(a), sign_bit(b)).view(a.dtype)
    return select(is_nan(a) | is_nan(b), a + b, select(a == b, b, neighbour))


def next_after_f16(a: Number, b: Number) -> Number:
    """The same among the numbers of float16."""
    neighbour = _among_halves(a, b, store_f16_bits, load_f16_bits)
    return select(is_nan(a) | is_nan(b), a + b, select(a == b, a, neighbour))


def next_after_bf16(a: Number, b: Number) -> Number:
    """The same among the numbers of bfloat16."""
    neighbour = _among_halves(a, b, store_bf16_bits, load_bf16_bits)
    return select(is_nan(a) | is_nan(b), a + b, select(a == b, b, neighbour))


def _among_halves(a: Number, b: Number, store: Callable[[Number], Number], load: Callable[[Number], Number]) -> Number:
    word, sign = store(a).astype(np.int32), store(b).astype(np.int32) & 0x8000
    neighbour = load(_step(a, b, word, sign).astype(np.uint16))
    return select(is_nan(a) | is_nan(b), a + b, select(a == b, b, neighbour))


def _step(a: Number, b: Number, word: Number, sign: Number) -> Number:
    """The bits of the neighbour: one less towards 0, one more away from it, the least number of b's sign next to 0."""
    towards_0 = (a > b) == (a > 0)
    stepped = word + select(towards_0, full_like(word, -1), full_like(word, 1))
    return select(a == 0, sign | 1, stepped)
