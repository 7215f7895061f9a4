"""What functions with sliding windows share: one number for each axis that is slid over, and inputs of the right rank.

per_axis("conv2d", "stride", 2, 2)          ->   (2, 2)
per_axis("conv2d", "stride", (2, 1), 2)     ->   (2, 1)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from graphc.errors import OpAttributeError, ShapeError
from graphc.nn.functional.shape import fail, floating
from graphc.tensor import Tensor

Sizes: TypeAlias = int | Sequence[int]
AXES = {1: "L", 2: "H, W", 3: "D, H, W"}


def per_axis(what: str, name: str, value: Any, count: int, least: int = 0) -> tuple[int, ...]:
    """A number for each of `count` axes, from one for all or as many; OpAttributeError otherwise, or below `least`."""
    given = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
    if len(given) not in (1, count) or not all(map(_is_integer, given)):
        many = f" or {count} of them" if count > 1 else ""
        fail(OpAttributeError(f"{what}: {name} is an integer{many}, not {value!r}"))
    numbers = tuple(int(number) for number in given) * (count if len(given) == 1 else 1)
    if any(number < least for number in numbers):
        fail(OpAttributeError(f"{what}: {name} is at least {least}, not {value!r}"))
    return numbers


def _is_integer(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def examples(what: str, input: Any, count: int) -> Tensor:
    """The input as a tensor of floats, (N, C, …) or (C, …) with `count` axes behind; ShapeError otherwise."""
    (x,) = floating(what, input=input)
    if x.ndim not in (count + 1, count + 2):
        axes = AXES[count]
        fail(ShapeError(f"{what}: the input has shape (N, C, {axes}) or (C, {axes}), but this one is {x.type}"))
    return x
