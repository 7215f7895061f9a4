"""The driver as sources to compile: three functions of one file."""

from __future__ import annotations

from pathlib import Path

from graphc.backends.cpu.kernels import Source

_PATH = Path(__file__).parent / "driver.py"
SIGNATURES = {
    "run": "int64(uintp, int64, uintp)",
    "run_serial": "int64(uintp, int64, uintp)",
    "help": "void(uintp)",
}


def sources() -> list[Source]:
    """`run`, `run_serial` and `help`, in this order."""
    text = _PATH.read_text(encoding="utf-8")
    return [Source("driver", text, function, signature) for function, signature in SIGNATURES.items()]
