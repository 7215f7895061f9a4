"""What an emitter gives: the text of a kernel, and what each word of its row stands for.

    source = emit(nest)
    print(source.text)          # def kernel(row, slice, slices): …
    source.words                # after the status word: arrays, and numbers

A word is the address of a `Buffer`, or an extent, whose value is known when the arrays of a call are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from graphc.backends.nests.nest import Buffer
from graphc.dim import Extent

MOVED = 3  # operations that an element counts for which is put elsewhere: who reads it next shall have it in its cache


@dataclass
class KernelSource:
    """The text of a kernel and what its row holds."""

    title: str
    text: str
    words: list[Buffer | Extent] = field(default_factory=list)  # after the status word
    temporaries: dict[Buffer, Extent] = field(default_factory=dict)  # elements, of each slice where per_slice
    units: Extent = 1  # what slices share
    cost: Extent = 1  # about how many elementary operations
    most_slices: int | None = None  # where every slice adds to what the finish has to do
    together: int = 1  # units that a slice should have, where a few slices have as many
    has_finish: bool = False
