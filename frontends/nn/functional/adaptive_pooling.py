"""Pooling to a given number of windows, whatever the extent of the input.

adaptive_avg_pool2d(x, 1)           f32[N,C,H,W] -> f32[N,C,1,1]: the mean of each channel
adaptive_max_pool2d(x, (7, None))   f32[N,C,H,W] -> f32[N,C,7,W]

Window o of O over an extent I holds the elements from ⌊o·I/O⌋ up to ⌈(o + 1)·I/O⌉, so windows overlap where O does not
divide I; that takes an I that is a number, not a named dim.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from graphc.errors import OpAttributeError
from graphc.nn.functional.pooling import Maxima
from graphc.nn.functional.shape import call, fail
from graphc.nn.functional.sliding import examples, per_axis
from graphc.op import find_op
from graphc.tensor import Tensor

Wanted: TypeAlias = int | Sequence[int | None] | None


def adaptive_avg_pool1d(input: Any, output_size: Wanted) -> Tensor:
    """The mean of each window: f32[N,C,L] -> f32[N,C,output_size]."""
    return _avg("adaptive_avg_pool1d", 1, input, output_size)


def adaptive_avg_pool2d(input: Any, output_size: Wanted) -> Tensor:
    """f32[N,C,H,W] -> f32[N,C,*output_size]; one number is for both axes, None keeps an extent."""
    return _avg("adaptive_avg_pool2d", 2, input, output_size)


def adaptive_avg_pool3d(input: Any, output_size: Wanted) -> Tensor:
    """f32[N,C,D,H,W] -> f32[N,C,*output_size]; as `adaptive_avg_pool2d`."""
    return _avg("adaptive_avg_pool3d", 3, input, output_size)


def adaptive_max_pool1d(input: Any, output_size: Wanted, return_indices: bool = False) -> Maxima:
    """The greatest element of each window, and with `return_indices` where it is first: f32[N,C,L] -> f32[N,C,O]."""
    return _max("adaptive_max_pool1d", 1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Any, output_size: Wanted, return_indices: bool = False) -> Maxima:
    """f32[N,C,H,W] -> f32[N,C,*output_size]; one number is for both axes, None keeps an extent."""
    return _max("adaptive_max_pool2d", 2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Any, output_size: Wanted, return_indices: bool = False) -> Maxima:
    """f32[N,C,D,H,W] -> f32[N,C,*output_size]; as `adaptive_max_pool2d`."""
    return _max("adaptive_max_pool3d", 3, input, output_size, return_indices)


def _avg(what: str, count: int, input: Any, output_size: Any) -> Tensor:
    x = examples(what, input, count)
    return call("adaptive_avg_pool", x, output_size=_wanted(what, x, count, output_size))


def _max(what: str, count: int, input: Any, output_size: Any, return_indices: bool) -> Maxima:
    x = examples(what, input, count)
    y, indices = find_op("adaptive_max_pool")(x, output_size=_wanted(what, x, count, output_size))
    return (y, indices) if return_indices else y


def _wanted(what: str, x: Tensor, count: int, output_size: Any) -> tuple[Any, ...]:
    """The extents of the result; None is the input's own."""
    given = tuple(output_size) if isinstance(output_size, Sequence) else (output_size,) * count
    if len(given) != count:
        fail(OpAttributeError(f"{what}: output_size is one number or {count}, not {output_size!r}"))
    return tuple(
        own if wanted is None else per_axis(what, "output_size", wanted, 1, 1)[0]
        for own, wanted in zip(x.shape[x.ndim - count :], given, strict=True)
    )
