"""The driver as sources to compile: three functions of one file, and those that read a call's arrays."""

from __future__ import annotations

from pathlib import Path

from graphc.backends.cpu.kernels import Source

_SIGNATURES = {
    "driver": {
        "run": "int64(uintp, int64, uintp)",
        "run_serial": "int64(uintp, int64, uintp)",
        "help": "void(uintp)",
    },
    "fitting": {"fits": "int64(uintp, uintp)"},
    "repeating": {"repeat": "int64(uintp, uintp)"},
}


def sources() -> list[Source]:
    """`run`, `run_serial`, `help`, `fits` and `repeat`, in this order."""
    return [
        Source(title, text, function, signature)
        for title, functions in _SIGNATURES.items()
        for text in [Path(__file__).with_name(f"{title}.py").read_text(encoding="utf-8")]
        for function, signature in functions.items()
    ]
