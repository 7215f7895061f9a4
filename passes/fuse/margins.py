"""Margins that a product reads as zeros, so that no array with margins is ever written.

    %padded = pad(%x: f32[N,32,32,64], low=(0, 1, 1, 0), high=(0, 1, 1, 0))
    %y = grouped_dot(windows of %padded, %w)

    within_margins(windows of %padded, producer)    # base %x, offset -(32*64 + 64), two margins of 1 before 32 places

Of a depthwise product every column has a left operand of its own, so that a vector lies in a margin or does not: the
kernel writes out the few steps at the ends of a line (`graphc/backends/cpu/segments.py`).
"""

from __future__ import annotations

from graphc.dim import Extent
from graphc.ir import Literal, Value
from graphc.passes.fuse.strided import Margin, Producer, Strided, strided, through
from graphc.passes.fuse.views import has_plain_margins, is_floating


def within_margins(value: Value, producer: Producer) -> Strided | None:
    """A value through the views that it consists of, and the margins below them; None where there are none.

    Each axis of the value must lead along one axis of the array at most, as those of windows do.
    """
    padded = strided(value, producer).base
    node = producer(padded)
    if node is None or not has_plain_margins(node) or node.attributes["value"] or isinstance(node.operands[0], Literal):
        return None
    image = strided(node.operands[0], producer)
    below = producer(image.base)
    if below is not None and is_floating(below):  # an `iota`, say: no array is below the margins
        return None
    low, high, shape = node.attributes["low"], node.attributes["high"], node.operands[0].type.shape
    sides = [axis for axis in range(len(shape)) if low[axis] or high[axis]]
    margins = []
    offset = image.offset
    strides: list[Extent] = [0] * value.type.rank
    along: list[int | None] = [None] * value.type.rank
    for axis, apart in enumerate(image.strides):
        unit = tuple(int(axis == other) for other in range(len(shape)))
        steps = through(value, producer, {padded: unit})
        before = low[axis] - steps.offset
        offset = offset + before * apart * -1
        if axis in sides:
            margins.append(Margin(before, shape[axis], apart))
        for number, step in enumerate(steps.strides):
            if step == 0:
                continue
            if strides[number] != 0:
                return None
            strides[number] = apart * step
            along[number] = sides.index(axis) if axis in sides else None
    return Strided(image.base, offset, tuple(strides), tuple(margins), tuple(along))
