"""Names of scalars and arrays in kernels: those of the IR as far as Python takes them.

Names().of("0.weight")      -> "v0_weight"
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
        "height", "reach", "reached", "unit", "band_rest", "lines", "images",
        "unit_rest", "runs", "run_rest", "segments", "grid_line", "grid_lines", "grid_pixel", "grid_pixels",
    }
)  # fmt: skip
LOOPS = r"([bijkmn]|line|deep|band|unit|run|group)\d*"  # variables of loops, and the indices that they stand for


class Names:
    """Gives out names that are unique within a kernel."""

    def __init__(self, reserved: frozenset[str] = frozenset()) -> None:
        self._taken = set(RESERVED | reserved)

    def copy(self) -> Names:
        """The same names taken, to try something out."""
        other = Names()
        other.follow(self)
        return other

    def follow(self, other: Names) -> None:
        """Take the names that another one has given out since it was a copy."""
        self._taken = set(other._taken)

    def of(self, wish: str) -> str:
        """A name as near to the wish as can be."""
        name = re.sub(r"\W", "_", wish) or "value"
        if not name[0].isalpha() and name[0] != "_":
            name = f"v{name}"
        base, count = name, 1
        while name in self._taken or keyword.iskeyword(name) or re.fullmatch(LOOPS, name):
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name)
        return name
