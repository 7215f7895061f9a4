"""Names of scalars and arrays in kernels: those of the IR as far as Python takes them, or numbers alone.

Names().of("0.weight")                  -> "w0_weight"      readable, for the file that people read
Names(canonical=True).of("0.weight")    -> "v0"             equal for kernels that are equal but for their names
"""

from __future__ import annotations

import keyword
import re

# What the text around uses itself: functions and dtypes are reserved by the emitter.
RESERVED = frozenset(
    {
        "row", "slice", "slices", "begin", "end", "first", "last", "rows", "columns", "share", "address", "extent",
        "fail", "inf", "nan", "range", "kernel", "part", "float32", "lambda", "block",
        "fetch", "min", "stop", "tile", "top", "bottom", "line_begin", "line_end", "line_rest", "deep_rest",
    }
)  # fmt: skip


class Names:
    """Gives out names that are unique within a kernel."""

    def __init__(self, canonical: bool = False, reserved: frozenset[str] = frozenset()) -> None:
        self._canonical = canonical
        self._taken = set(RESERVED | reserved)
        self._count = 0

    def of(self, wish: str) -> str:
        """A name as near to the wish as can be."""
        if self._canonical:
            self._count += 1
            return f"v{self._count - 1}"
        name = re.sub(r"\W", "_", wish) or "value"
        if not name[0].isalpha() and name[0] != "_":
            name = f"v{name}"
        base, count = name, 1
        while name in self._taken or keyword.iskeyword(name) or re.fullmatch(r"([bijkmn]|line|deep)\d*", name):
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name)
        return name
