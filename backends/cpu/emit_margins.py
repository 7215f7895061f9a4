"""The lines of a kernel that fill the margins of an array, around what the passes store in it.

    for m0 in range(share(n0, slice, slices), share(n0, slice + 1, slices)):
        for m in range(272):                                    # the line above an image f32[N,32,32,8]
            pad_out[9248 * m0 + m] = float32(0.0)

Each slice fills those of its own part of the first axis, so that no two write to one place.
"""

from __future__ import annotations

from graphc.backends.cpu.writer import Writer
from graphc.backends.nests.nest import Margins
from graphc.dim import Extent
from graphc.passes.fuse.strided import strides_of


def write_margins(margins: Margins, writer: Writer) -> None:
    """Fill what lies before and behind the elements, axis by axis."""
    strides, first = strides_of(margins.shape), writer.extent(margins.shape[0])
    writer.line(f"for m0 in range(share({first}, slice, slices), share({first}, slice + 1, slices)):")
    with writer.indented():
        _axis(margins, 1, strides, [f"{writer.extent(strides[0])} * m0"], writer)


def _axis(margins: Margins, axis: int, strides: list[Extent], start: list[str], writer: Writer) -> None:
    """Both margins of an axis, for all places of the axes around it; then those of the axes within."""
    low, high = margins.low[axis], margins.high[axis]
    inside = margins.shape[axis] + (-low - high)
    for count, offset in ((low, 0), (high, (inside + low) * strides[axis])):
        if count:
            at = " + ".join([*start, *([writer.extent(offset)] if offset != 0 else []), "m"])
            writer.line(f"for m in range({writer.extent(strides[axis] * count)}):")
            with writer.indented():
                writer.line(f"{margins.buffer.name}[{at}] = {margins.value}")
    if any(margins.low[axis + 1 :]) or any(margins.high[axis + 1 :]):
        name = f"m{axis}"
        writer.line(f"for {name} in range({low}, {writer.extent(inside + low)}):")
        with writer.indented():
            _axis(margins, axis + 1, strides, [*start, f"{writer.extent(strides[axis])} * {name}"], writer)
