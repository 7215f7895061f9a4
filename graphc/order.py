"""The order in which the axes of an array lie in memory, where that is not the order in which they are counted.

>>> order = (2, 3, 1, 0)                    # kernels f32[out,in,3,3] lie in memory as f32[3,3,in,out]
>>> laid_out(kernels, order).transpose(order).flags.c_contiguous
True
"""

from __future__ import annotations

from typing import Any

import numpy as np

Axes = tuple[int, ...]


def inverse(axes: Axes) -> Axes:
    """The permutation that undoes another."""
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


def order_problem(order: object, rank: int) -> str | None:
    """What is wrong with the order of an array of so many axes, to be said after what it is; None where nothing is."""
    if isinstance(order, tuple) and all(type(axis) is int for axis in order) and sorted(order) == list(range(rank)):
        return None
    return f"is stored in the order {order!r}, which is not a permutation of its {rank} axes"


def laid_out(array: np.ndarray[Any, Any], order: Axes | None) -> np.ndarray[Any, Any]:
    """The array with its axes in this order in memory, row by row where it is None; copied where it lies otherwise."""
    if order is None:
        return np.asarray(array, order="C")
    return np.asarray(array.transpose(order), order="C").transpose(inverse(order))
