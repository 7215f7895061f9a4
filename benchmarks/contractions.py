"""The contractions of generated kernels against NumPy's OpenBLAS, on the same number of threads.

    python benchmarks/contractions.py [--threads 1] [--rounds 15] [--json benchmarks/results/contractions.json]

Shapes are those of layers: `forward` reads the weight from panels, `pack` makes these from the weight kept row by row,
`input gradient` reads the weight as it is, `weight gradient` reads the activations by columns. Both sides take turns
within every round; the table has the best round of each, in GFLOP/s (GB/s of the matrix that is read, for `pack`).
With several threads each takes its part of the columns.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

THREADS = int(sys.argv[sys.argv.index("--threads") + 1]) if "--threads" in sys.argv else 1
for name in ("OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = str(THREADS)

import numpy as np  # noqa: E402  (the number of threads is read when it is loaded)
from numba import njit, prange  # noqa: E402

from graphc.backends.cpu.contraction import gemm_f32, pack_f32, panel_width  # noqa: E402
from graphc.backends.cpu.machine import machine  # noqa: E402

W = panel_width("float32")
FORWARD = [
    (128, 784, 512),
    (512, 1024, 2048),
    (128, 512, 512),
    (32, 64, 32),
    (128, 512, 10),
    (1, 784, 512),
    (4, 784, 512),
]
INPUT_GRADIENT = [(128, 512, 784), (512, 2048, 1024)]
WEIGHT_GRADIENT = [(784, 128, 512), (1024, 512, 2048), (512, 128, 10)]

Array = np.ndarray[Any, Any]
Run = Callable[[], object]


def compiled(source: str) -> Any:
    """A function of addresses, made by Numba; its strides are literals, as in a generated kernel."""
    scope = {"gemm_f32": gemm_f32, "pack_f32": pack_f32, "prange": prange, "W": W, "T": THREADS}
    exec(source, scope)
    return njit(nogil=True, parallel=THREADS > 1)(scope["run"])


LOOP = """
def run(a, b, c):
    for t in {threads}:
        first, last = {n} // W * t // T * W, {n} // W * (t + 1) // T * W
        if t == T - 1:
            last = {n}
        {call}
"""


def gemm(m: int, n: int, k: int, a_row: int, a_depth: int, panel: str, depth: int, at: str, A: Array, B: Array) -> Run:
    """C = A · B, the columns shared out among threads in whole panels."""
    columns = "last - first" if THREADS > 1 else n
    call = f"gemm_f32({m}, {columns}, {k}, a, {a_row}, {a_depth}, b + {at} * 4, {panel}, {depth}, c + first * 4, {n})"
    function = compiled(LOOP.format(n=n, call=call, threads="prange(T)" if THREADS > 1 else "range(1)"))
    return on(function, A, B, np.empty((m, n), np.float32))


def on(function: Any, *arrays: Array) -> Run:
    """A call with the addresses of arrays, which stay alive as long as it does."""
    addresses = [array.ctypes.data for array in arrays]

    def run(held: tuple[Array, ...] = arrays) -> None:
        function(*addresses)

    return run


def numbers(*shape: int) -> Array:
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


def blas(A: Array, B: Array) -> Run:
    C = np.empty((A.shape[0], B.shape[1]), np.float32)
    return lambda: np.matmul(A, B, out=C)


def forward(m: int, k: int, n: int) -> tuple[Run, Run]:
    x, w = numbers(m, k), numbers(n, k)
    panels = np.zeros((-(-n // W), k, W), np.float32)
    panels[:] = np.pad(w.T, ((0, 0), (0, -n % W))).reshape(k, -1, W).transpose(1, 0, 2)
    return gemm(m, n, k, k, 1, f"{k} * W", W, f"first * {k}", x, panels), blas(x, w.T)


def input_gradient(m: int, k: int, n: int) -> tuple[Run, Run]:
    g, w = numbers(m, k), numbers(k, n)
    return gemm(m, n, k, k, 1, "W", n, "first", g, w), blas(g, w)


def weight_gradient(m: int, k: int, n: int) -> tuple[Run, Run]:
    x, g = numbers(k, m), numbers(k, n)
    return gemm(m, n, k, 1, m, "W", n, "first", x, g), blas(x.T, g)


def pack(m: int, k: int, n: int) -> tuple[Run, Run]:
    w, panels = numbers(n, k), np.empty((-(-n // W), k, W), np.float32)
    call = f"pack_f32({k}, last - first, a + first * {k} * 4, 1, {k}, b + first * {k} * 4)"
    function = compiled(LOOP.format(n=n, call=call, threads="prange(T)" if THREADS > 1 else "range(1)"))
    whole = np.empty((k, n), np.float32)
    return on(function, w, panels, whole), lambda: np.copyto(whole, w.T)


def repeated(run: Run) -> tuple[Run, int]:
    """A run that takes ten milliseconds, and how many times it does the thing."""
    run()
    start = time.perf_counter()
    run()
    count = max(1, int(1e-2 / (time.perf_counter() - start)))

    def many() -> None:
        for _ in range(count):
            run()

    return many, count


def compare(ours: Run, theirs: Run, rounds: int) -> tuple[float, float]:
    """The least seconds of both, taking turns: what else runs on the machine only ever adds."""
    sides = [repeated(ours), repeated(theirs)]
    seconds: list[list[float]] = [[], []]
    for _ in range(rounds):
        for side, (many, count) in enumerate(sides):
            start = time.perf_counter()
            many()
            seconds[side].append((time.perf_counter() - start) / count)
    return min(seconds[0]), min(seconds[1])


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="", help="kinds whose name contains this")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    cases = [("forward", forward, shape) for shape in FORWARD]
    cases += [("pack", pack, shape) for shape in FORWARD[:2]]
    cases += [("input gradient", input_gradient, shape) for shape in INPUT_GRADIENT]
    cases += [("weight gradient", weight_gradient, shape) for shape in WEIGHT_GRADIENT]
    rows = []
    print(f"{'m x k x n':<32}{'graphc':>9}{'NumPy':>9}{'ratio':>8}      microseconds")
    for kind, build, (m, k, n) in cases:
        if options.only not in kind:
            continue
        ours, theirs = compare(*build(m, k, n), options.rounds)
        work = 4 * n * k if kind == "pack" else 2 * m * n * k
        name = f"{kind} {m}x{k}x{n}"
        print(f"{name:<32}{work / ours / 1e9:9.1f}{work / theirs / 1e9:9.1f}{theirs / ours:8.2f}{ours * 1e6:12.1f}")
        rows.append({"kind": kind, "m": m, "k": k, "n": n, "seconds": ours, "numpy seconds": theirs})
    if options.json:
        report = {"machine": str(machine()), "panel": W, "threads": THREADS, "contractions": rows}
        options.json.parent.mkdir(exist_ok=True)
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
