"""Conversions between dtypes, and 16-bit floats, which are stored in 16 bits and computed with as float32.

    to_u8(-5.0) = 0     to_u8(300.0) = 255      to_i8(i32 300) = 44     to_f16(1e-8) = 0.0     to_bf16(1.01) = 1.0078125

Floats become integers towards zero, saturating, NaN as 0; integers wrap around; what is not 0 becomes True. Rounding to
16 bits is to the nearest, ties to even, overflow to infinity, by integer arithmetic on the bits of float32: no F16C
instruction and no C library is asked for, and loops over them vectorise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.backends.cpu.functions.value import F32, F64
from graphc.backends.cpu.functions.vocabulary import (
    Number,
    bits,
    full_like,
    is_nan,
    magnitude,
    select,
    sign_bit,
    with_sign,
)

_QUIET = 0x00400000
_F16_LEAST_NORMAL = 2.0**-14
_F16_OVERFLOW = 65520.0  # halfway between the greatest float16 and the one that would follow
_F16_SHIFT, _F16_SHIFT_BITS = 0.5, 0x3F000000  # the last place of 0.5 in float32 is the least float16, 2⁻²⁴
_F16_EXPONENTS = (127 - 15) << 23


def converter(dtype: Any) -> Callable[[Number], Number]:
    """The conversion of any scalar to the dtype, with the semantics of the op `cast`."""
    target = np.dtype(dtype)

    def convert(x: Number) -> Number:
        if x.dtype.kind == "f" and target.kind in "iu":
            return _saturated(x, target)
        return x.astype(target)

    return convert


def _saturated(x: Number, target: Any) -> Number:
    """A float as an integer: the bounds are the least integer and the power of two after the greatest, both floats."""
    info = np.iinfo(target)
    inside = (x >= float(info.min)) & (x < float(info.max + 1))
    whole = x.astype(target)
    beyond = select(x > 0, full_like(whole, info.max), select(x < 0, full_like(whole, info.min), full_like(whole, 0)))
    return select(inside, whole, beyond)


# -- float16 ----------------------------------------------------------------------------------------------------------


def _narrowed(x: Number) -> Number:
    """float32 that rounds to the same float16: of float64, towards 0 and with the last bit set where bits are lost."""
    single = x.astype(F32)
    if x.dtype != F64:
        return single
    back = single.astype(F64)
    word = bits(single) - (magnitude(back) > magnitude(x)).astype(np.int32)
    return (word | (back != x).astype(np.int32)).view(F32)


def to_f16(x: Number) -> Number:
    """The float32 that is nearest among the numbers of float16."""
    x = _narrowed(x)
    size = magnitude(x)
    normal = (_rounded(bits(size), 13) & -0x2000).view(F32)
    rounded = select(size < _F16_LEAST_NORMAL, (size + _F16_SHIFT) - _F16_SHIFT, normal)
    return with_sign(select(size < _F16_OVERFLOW, rounded, size * np.inf), sign_bit(x))


def store_f16_bits(x: Number) -> Number:
    """The bits of the nearest float16."""
    x = _narrowed(x)
    size = magnitude(x)
    word = bits(size)
    subnormal = bits(size + _F16_SHIFT) - _F16_SHIFT_BITS
    normal = (_rounded(word, 13) - _F16_EXPONENTS) >> 13
    half = select(size < _F16_LEAST_NORMAL, subnormal, normal)
    half = select(size >= _F16_OVERFLOW, 0x7C00, half)
    half = select(is_nan(x), 0x7E00 | ((word >> 13) & 0x3FF), half)
    return (half | ((bits(x) >> 16) & 0x8000)).astype(np.uint16)


def load_f16_bits(half: Number) -> Number:
    """The number whose float16 has these bits; a subnormal one is its integer times 2⁻²⁴."""
    word = half.astype(np.int32)
    size = word & 0x7FFF
    shifted = size << 13
    normal = select(size >= 0x7C00, shifted + 2 * _F16_EXPONENTS, shifted + _F16_EXPONENTS).view(F32)
    number = select(size < 0x0400, size.astype(F32) * 2.0**-24, normal)
    return with_sign(number, (word & 0x8000) << 16)


# -- bfloat16: the upper half of float32 ------------------------------------------------------------------------------


def to_bf16(x: Number) -> Number:
    """The float32 that is nearest among the numbers of bfloat16; float64 is rounded to float32 first, as by `cast`."""
    return (_bf16_word(x.astype(F32)) & -0x10000).view(F32)


def store_bf16_bits(x: Number) -> Number:
    """The bits of the nearest bfloat16."""
    return (_bf16_word(x.astype(F32)) >> 16).astype(np.uint16)


def load_bf16_bits(half: Number) -> Number:
    """The number whose bfloat16 has these bits."""
    return (half.astype(np.int32) << 16).view(F32)


def _bf16_word(x: Number) -> Number:
    word = bits(x)
    return select(is_nan(x), word | _QUIET, _rounded(word, 16))


def _rounded(word: Number, dropped: int) -> Number:
    """Bits with one in the last place kept added where those below call for it: above the half, or to the even."""
    return word + ((1 << dropped - 1) - 1) + ((word >> dropped) & 1)
