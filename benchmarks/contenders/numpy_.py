"""NumPy: products by the OpenBLAS that comes with it, on as many threads as the environment says.

load(SINGLES["forward 32x64x32 mk·nk"], arrays, {}).run(1)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.contenders.runner import AbsentError, Runner
from benchmarks.contenders.serve import serve
from benchmarks.workloads import Workload
from benchmarks.workloads.constants import Array
from benchmarks.workloads.single import ProductCase, single_witness


def imports() -> dict[str, str]:
    """NumPy is all it takes."""
    return {}


def load(workload: Workload, arrays: dict[str, Array], options: dict[str, Any]) -> Runner:
    """Products only: NumPy has no convolution over images."""
    if not isinstance(workload, ProductCase):
        raise AbsentError("NumPy has products only")
    return Products(workload, arrays)


class Products:
    """C ← A · B, in place."""

    def __init__(self, case: ProductCase, arrays: dict[str, Array]) -> None:
        a, b = arrays["a"], arrays["b"]
        self._a = a.swapaxes(-1, -2) if case.left == "km" else a
        self._b = b.swapaxes(-1, -2) if case.right == "nk" else b
        self._c = np.empty(case.shape("mn"), np.float32)

    def run(self, steps: int) -> None:
        a, b, c = self._a, self._b, self._c
        for _ in range(steps):
            np.matmul(a, b, out=c)

    def witness(self) -> list[float]:
        return single_witness(self._c)


if __name__ == "__main__":
    serve(imports, load)
