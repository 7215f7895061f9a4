"""Special functions in NumPy, to a few units in the last place of float64; the reference of the ops of these names.

    erf(np.array([0.0, 1.0], np.float32))   ->   float32, computed in float64 and rounded once
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def _elementwise(function: Callable[[float], float]) -> Callable[[Array], Array]:
    def over(x: Array) -> Array:
        flat = map(function, x.astype(np.float64).ravel().tolist())
        return np.fromiter(flat, np.float64, count=x.size).reshape(x.shape).astype(x.dtype)

    return over


erf = _elementwise(math.erf)
erfc = _elementwise(math.erfc)
