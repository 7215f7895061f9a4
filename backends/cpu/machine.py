"""The machine that kernels are compiled for: its CPU, vectors, caches and cores.

    >>> print(machine())
    CPU                znver4
    vectors            32 bytes, 16 registers
    caches             L1 32 KiB, L2 1 MiB, L3 32 MiB
    cores              2

GRAPHC_VECTOR_BITS (128, 256 or 512) stands in for the width of the vectors, so that one machine can test the code of
another; NUMBA_CPU_NAME and NUMBA_CPU_FEATURES choose another CPU, as they do for Numba.
"""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from graphc.backends.cpu.threads import available_cores
from graphc.errors import ArgumentError

VECTOR_BITS = "GRAPHC_VECTOR_BITS"

LINE = 64  # bytes that a cache brings in at once
COLLIDING = 2048  # rows that are a multiple of this many bytes apart crowd into few sets of the caches

_TYPICAL_CACHES = (32 << 10, 1 << 20, 8 << 20)  # where the system does not say
_KIB = 1024


@dataclass(frozen=True)
class Machine:
    """What the choice of a kernel depends on; sizes in bytes.

    `cores` are those that this process may use. `caches` are the data caches of one core, L1 to L3, an L3 with all
    that share it.
    """

    cpu: str
    features: str
    vector_bytes: int
    vector_registers: int
    caches: tuple[int, int, int]
    cores: int

    @property
    def row_bytes(self) -> int:
        """What half of the vector registers hold: so much of a matrix's row is multiplied with one number at once."""
        return max(256, self.vector_registers // 2 * self.vector_bytes)

    def crowds(self, apart: int) -> bool:
        """Whether rows of a matrix, so many bytes apart, crowd the caches where they are read panel by panel."""
        return apart > self.panel_bytes and apart % self.crowding == 0

    @property
    def panel_bytes(self) -> int:
        """A row of a panel: the two vectors of the right operand that a tile is multiplied with at each depth."""
        return 2 * self.vector_bytes

    @property
    def crowding(self) -> int:
        """Rows of a panel that are a multiple of this many bytes apart, and not side by side, crowd the caches.

        A panel whose rows are a cache line each asks for a set, and every few rows for a page, with each line: more
        than the first level of either has, so that such a panel is worth a copy wherever its rows lie. One with longer
        rows is too large for the first level in any case, and finds room in the second unless the rows collide.
        """
        return COLLIDING if self.panel_bytes > LINE else 1

    def __str__(self) -> str:
        levels = ", ".join(f"L{level} {_size(size)}" for level, size in enumerate(self.caches, 1))
        rows = {
            "CPU": self.cpu,
            "vectors": f"{self.vector_bytes} bytes, {self.vector_registers} registers",
            "caches": levels,
            "cores": self.cores,
        }
        return "\n".join(f"{name:<18} {value}" for name, value in rows.items())


def machine() -> Machine:
    """The machine that this process runs on. Raises ArgumentError for a GRAPHC_VECTOR_BITS that is no width."""
    environment = os.environ
    return _machine(
        environment.get(VECTOR_BITS, ""),
        environment.get("NUMBA_CPU_NAME", ""),
        environment.get("NUMBA_CPU_FEATURES"),
    )


@cache
def _machine(bits: str, name: str, chosen: str | None) -> Machine:
    import llvmlite.binding as llvm

    features: str = llvm.get_host_cpu_features().flatten() if chosen is None else chosen
    has = set(features.split(","))
    is_arm = platform.machine().lower() in ("arm64", "aarch64")
    widest = 16 if is_arm else 64 if "+avx512f" in has else 32 if "+avx2" in has else 16
    vector_bytes = _bytes_of(bits) if bits else widest
    many = is_arm or ("+avx512f" in has and vector_bytes == 64)
    return Machine(
        cpu=name or llvm.get_host_cpu_name(),
        features=features,
        vector_bytes=vector_bytes,
        vector_registers=32 if many else 16,
        caches=_caches(),
        cores=available_cores(),
    )


def _bytes_of(bits: str) -> int:
    if bits.strip() not in ("128", "256", "512"):
        raise ArgumentError(f"{VECTOR_BITS} is to be 128, 256 or 512, but is {bits!r}")
    return int(bits) // 8


def _caches() -> tuple[int, int, int]:
    found: dict[int, int] = {}
    if sys.platform == "linux":
        found = _linux_caches(Path("/sys/devices/system/cpu/cpu0/cache"))
    elif sys.platform == "darwin":
        found = _macos_caches()
    first, second, third = (found.get(level, typical) for level, typical in enumerate(_TYPICAL_CACHES, 1))
    return first, second, third


def _linux_caches(folder: Path) -> dict[int, int]:
    """The sizes of the data caches by level, of those that the kernel tells."""
    found = {}
    for index in sorted(folder.glob("index*")):
        try:
            if (index / "type").read_text().strip() == "Instruction":
                continue
            level = int((index / "level").read_text())
            found[level] = int((index / "size").read_text().strip().removesuffix("K")) * _KIB
        except (OSError, ValueError):
            continue
    return found


def _macos_caches() -> dict[int, int]:
    import ctypes

    system = ctypes.CDLL(None)
    found = {}
    # Performance cores have names of their own; those that there are not leave the older name's answer.
    names = {"hw.l1dcachesize": 1, "hw.l2cachesize": 2, "hw.l3cachesize": 3}
    names |= {"hw.perflevel0.l1dcachesize": 1, "hw.perflevel0.l2cachesize": 2}
    for name, level in names.items():
        value, length = ctypes.c_int64(0), ctypes.c_size_t(8)
        failed = system.sysctlbyname(name.encode(), ctypes.byref(value), ctypes.byref(length), None, 0)
        if not failed and value.value > 0:
            found[level] = value.value
    return found


def _size(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size // _KIB} KiB"
