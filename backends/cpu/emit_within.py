"""What `gemm_lanes_within` is told of the margins of an image: where its lines begin and end, and which of them exist.

gemm_lanes_within_f32(…, 64, 2112, max(0, 1 - line1), min(3, 33 - line1))
    of 3 lines of taps those between 0 and 32 lie in the image, and in each of them 32 pixels of 64 channels
"""

from __future__ import annotations

from collections.abc import Iterable

from graphc.backends.cpu.writer import Writer
from graphc.backends.nests.nest import Product
from graphc.dim import Extent
from graphc.passes.fuse.product import Axis

Indices = Iterable[tuple[str, Axis]]  # the indices of the loops around a call, and what they walk along


def margin_arguments(product: Product, around: Indices, segment: Axis, writer: Writer) -> list[str]:
    """The last arguments of the call: a_first, a_last, first, last."""
    axes, margins = product.axes, product.axes.left.margins
    assert axes.row.along is not None
    ends = margins[axes.row.along]
    found = [writer.extent(ends.low * ends.apart), writer.extent((ends.low + ends.extent) * ends.apart)]
    lines = next((number for number in range(len(margins)) if number != axes.row.along), None)
    if lines is None:
        return [*found, "0", writer.extent(segment.extent)]
    margin = margins[lines]
    terms = [(name, axis.left // margin.apart) for name, axis in around if axis.along == lines]
    place = "".join(f" - {name}" if step == 1 else f" - {name} * {writer.extent(step)}" for name, step in terms)
    apart = segment.left // margin.apart if segment.along == lines else 1

    def taps(places: Extent) -> str:
        """How many of the taps lie before a place of the image."""
        before = f"max(0, {writer.extent(places)}{place})"
        if apart != 1:
            before = f"({before} + {writer.extent(apart + -1)}) // {writer.extent(apart)}"
        return f"min({writer.extent(segment.extent)}, {before})"

    return [*found, taps(margin.low), taps(margin.low + margin.extent)]
