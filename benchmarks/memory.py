"""Resident memory of this process, now and at its peak, as Linux tells it; None elsewhere.

    forget_peak()
    step(x, y)
    peak() - before        # bytes

Memory of other processes, such as a compiler's, is not in it.
"""

from __future__ import annotations

from pathlib import Path

STATUS = Path("/proc/self/status")
FORGET = Path("/proc/self/clear_refs")


def resident() -> int | None:
    """Bytes in memory now."""
    return _bytes("VmRSS")


def peak() -> int | None:
    """The most bytes that were in memory at once, since the start or the last `forget_peak`."""
    return _bytes("VmHWM")


def forget_peak() -> None:
    """Let the peak be what is in memory now."""
    if FORGET.exists():
        FORGET.write_text("5", encoding="ascii")


def _bytes(field: str) -> int | None:
    if not STATUS.exists():
        return None
    for line in STATUS.read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    return None
