"""Kernels to be compiled by tests, how to call them, and a cache that is empty.

(loaded,), report = load([source(3)])
run(loaded, 14, part=2)                 # 14 · 3 + 2
"""

import ctypes
from pathlib import Path

import pytest

from graphc.backends.cpu import kernels
from graphc.backends.cpu.kernels import Loaded, Report, Source

TEXT = '''"""y = x · FACTOR + slice, for one word each."""

from graphc.backends.cpu.atomics import read, signed, write

FACTOR = {factor}


def kernel(row, slice, slices):
    at = signed(row)
    write(read(at + 16), read(read(at + 8)) * FACTOR + slice)


def half(x):
    return x * 0.5


def count(row):
    return FACTOR
'''
IDENTITY = "def kernel(x):\n    return x\n"
OF_FLOATS = "float64(float64)"


def source(factor: int, title: str = "times") -> Source:
    return Source(title, TEXT.format(factor=factor))


def run(loaded: Loaded, x: int, part: int = 0) -> int:
    """What a kernel of this text writes, from its address or from its Python function."""
    words = (ctypes.c_int64 * 2)(x, 0)
    at = ctypes.addressof(words)
    row = (ctypes.c_int64 * 3)(0, at, at + 8)
    call = loaded.function or ctypes.CFUNCTYPE(None, ctypes.c_size_t, ctypes.c_int64, ctypes.c_int64)(loaded.address)
    call(ctypes.addressof(row), part, 1)
    return words[1]


def of_floats(loaded: Loaded):
    return ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(loaded.address)


def counts(report: Report) -> tuple[int, int, int]:
    return report.compiled, report.loaded, report.reused


def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of kernels, empty, in a process that has loaded nothing."""
    for name in ("GRAPHC_VECTOR_BITS", "GRAPHC_CACHE_SIZE", "GRAPHC_COMPILE_PROCESSES", "NUMBA_DISABLE_JIT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path / "cache"))
    forget(monkeypatch)
    return tmp_path / "cache" / "cpu"


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Go on as if this were a new process."""
    monkeypatch.setattr(kernels, "_addresses", {})
