"""What the machine can do, measured in the same rounds as the contenders: the floors are made of it.

    bandwidth     a ← b + c on arrays larger than any cache: two streams read, one written, as in STREAM
    contraction   a product of two f32[2048,2048] by NumPy's BLAS, where rates are highest

A written line is read first unless the code writes past the caches; like STREAM, we do not count that.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from benchmarks.contenders.runner import Runner
from benchmarks.contenders.serve import serve
from benchmarks.workloads import Workload
from benchmarks.workloads.constants import ITEM, Array

ELEMENTS = 3 << 22  # 50 MB each
SIZE = 2048

BYTES = 3 * ITEM * ELEMENTS
FLOPS = 2 * SIZE**3


def imports() -> dict[str, str]:
    """NumPy is all it takes."""
    return {}


def load(workload: Workload, arrays: dict[str, Array], options: dict[str, Any]) -> Runner:
    """One of the two, whatever the workload."""
    return Bandwidth(options["threads"]) if options["variant"] == "bandwidth" else Contraction()


class Bandwidth:
    """Each thread adds its part of the arrays; NumPy lets the others run meanwhile."""

    def __init__(self, threads: int) -> None:
        self._arrays = [np.ones(ELEMENTS, np.float32) for _ in range(3)]
        bounds = [ELEMENTS * i // threads for i in range(threads + 1)]
        self._parts = [slice(bounds[i], bounds[i + 1]) for i in range(threads)]
        self._pool = ThreadPoolExecutor(threads)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            list(self._pool.map(self._add, self._parts))

    def _add(self, part: slice) -> None:
        a, b, c = self._arrays
        np.add(b[part], c[part], out=a[part])

    def witness(self) -> list[float]:
        return [float(self._arrays[0][0])]


class Contraction:
    """The library takes its number of threads from the environment."""

    def __init__(self) -> None:
        self._arrays = [np.ones((SIZE, SIZE), np.float32) for _ in range(3)]

    def run(self, steps: int) -> None:
        a, b, c = self._arrays
        for _ in range(steps):
            np.matmul(b, c, out=a)

    def witness(self) -> list[float]:
        return [float(self._arrays[0][0, 0])]


if __name__ == "__main__":
    serve(imports, load)
