"""Sizes as people write them: 4096, "512MB", "2 GiB"."""

from __future__ import annotations

import re

from graphc.errors import ArgumentError

_UNITS = {"": 1, "B": 1} | {
    f"{letter}{infix}B": base**power
    for power, letter in enumerate("KMGT", 1)
    for infix, base in (("", 1000), ("I", 1024))
}


def parse_bytes(given: object, what: str) -> int:
    """A number of bytes from a number or from text such as `512MB` or `2 GiB`; ArgumentError names `what` is wrong.

    >>> parse_bytes("1.5KiB", "memory_budget")
    1536
    """
    if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
        return given
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", given.strip()) if isinstance(given, str) else None
    if match is None or match[2].upper() not in _UNITS:
        raise ArgumentError(f'{what} is to be a number of bytes or such as "512MB" or "2GiB", but is {given!r}')
    return int(float(match[1]) * _UNITS[match[2].upper()])
