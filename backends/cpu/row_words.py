"""The words of a row, for kernels that are written without a nest: arrays first, then the extents that they ask for.

words = RowWords(source, target)
words.number(64)                 # "64"
words.number(4 * N)              # "n3": the kernel reads word 3, in a line of words.lines
words.named("depth", 64)         # "depth": the kernel reads word 4, and is the same whatever the depth
"""

from __future__ import annotations

from graphc.backends.nests.nest import Buffer
from graphc.dim import Dim, Extent


class RowWords:
    """Collects the words, and the lines that read extents from them."""

    def __init__(self, *arrays: Buffer) -> None:
        self.words: list[Buffer | Extent] = list(arrays)
        self.lines: list[str] = []

    def number(self, extent: Extent) -> str:
        """An extent as text: a number, or the variable that its word is read into."""
        return self.word(extent) if isinstance(extent, Dim) else str(extent)

    def word(self, extent: Extent) -> str:
        """The variable that an extent's word is read into."""
        self.words.append(extent)
        place = len(self.words)
        self.lines.append(f"    n{place} = extent(row, {place})  # {extent}")
        return f"n{place}"

    def named(self, name: str, extent: Extent) -> str:
        """The same under a name, in a kernel that is one for all numbers."""
        self.words.append(extent)
        self.lines.append(f"    {name} = extent(row, {len(self.words)})")
        return name

    def stride(self, name: str, extent: Extent) -> str:
        """A distance between elements: whether they are neighbours makes another kernel."""
        return "1" if extent == 1 else self.named(name, extent)
