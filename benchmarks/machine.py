"""What must be known of a machine to read its figures: processor, cores, system, Python.

describe()["processor"]      # "AMD EPYC"
"""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any


def describe() -> dict[str, Any]:
    """Processor, its vector extensions, cores, memory, system and Python."""
    cpuinfo = _fields(Path("/proc/cpuinfo"))
    flags = set(cpuinfo.get("flags", "").split())
    return {
        "processor": cpuinfo.get("model name", platform.processor() or platform.machine()),
        "vectors": [name for name in ("avx2", "fma", "avx512f") if name in flags],
        "cores": os.cpu_count(),
        "memory": _fields(Path("/proc/meminfo")).get("MemTotal", "unknown"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _fields(path: Path) -> dict[str, str]:
    """`name: value` lines, the first of each name; {} where the system has no such file."""
    found: dict[str, str] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            found.setdefault(name.strip(), value.strip())
    return found
