"""A view as numbers: where each of its elements lies in the array that it is a view of.

    %h: f32[N,T,4,64] -> permute_dims(%h, axes=(0, 2, 1, 3))      base %h, offset 0, strides (256*T, 64, 256, 1)

Views that are affine in their indices have such numbers: what moves, cuts, repeats or slides over elements, but not a
`reshape` that merges axes of another order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from graphc.dim import Extent
from graphc.ir import Literal, Node, Value
from graphc.passes.fuse.place import whole_axes
from graphc.passes.fuse.views import is_floating
from graphc.types import Shape

Producer = Callable[[Value], Node | None]


@dataclass(frozen=True)
class Margin:
    """Zeros before and behind the places of an axis: `extent` of them are in memory, so many elements apart."""

    low: Extent
    extent: Extent
    apart: Extent


@dataclass(frozen=True)
class Strided:
    """Element (i, j, …) of a value is element offset + i·strides[0] + j·strides[1] + … of the base's memory.

    Where the base is an array without its margins, `along` has for each axis the number of the margin that a step along
    it leads to; what lies in margins is zero, and not in memory.
    """

    base: Value
    offset: Extent
    strides: tuple[Extent, ...]
    margins: tuple[Margin, ...] = ()
    along: tuple[int | None, ...] = ()


def contiguous(value: Value) -> Strided:
    """A value that lies in memory itself, row by row."""
    return Strided(value, 0, tuple(strides_of(value.type.shape)))


def strides_of(shape: Shape) -> list[Extent]:
    """Row-major strides, in elements."""
    strides: list[Extent] = []
    step: Extent = 1
    for extent in reversed(shape):
        strides.append(step)
        step = step * extent
    return strides[::-1]


def strided(value: Value, producer: Producer) -> Strided:
    """A value through the views that it consists of; by itself where there is no array below them."""
    found = through(value, producer)
    node = producer(found.base)
    return found if node is None or not is_floating(node) else contiguous(value)


def through(value: Value, producer: Producer, bases: Mapping[Value, tuple[int, ...]] | None = None) -> Strided:
    """The value as a view of what `bases` has strides for, else of an array in memory."""
    if bases is not None and value in bases:
        return Strided(value, 0, bases[value])
    node = None if isinstance(value, Literal) else producer(value)
    if node is None or not is_floating(node) or not node.operands:
        return contiguous(value)
    source = through(node.operands[0], producer, bases)
    if node.op.name == "reshape":
        return Strided(source.base, source.offset, _squeezed(source.strides, node))
    offset, strides = _VIEWS[node.op.name](source.strides, node)
    return Strided(source.base, source.offset + offset, tuple(strides))


Moved = tuple[Extent, "list[Extent]"]  # what is added to the offset, and the strides


def _squeezed(strides: tuple[Extent, ...], node: Node) -> tuple[Extent, ...]:
    """Axes of extent 1 come and go; their strides do not matter."""
    whole = [s for s, extent in zip(strides, node.operands[0].type.shape, strict=True) if extent != 1]
    return tuple(0 if number is None else whole[number] for number in whole_axes(node.result.type.shape))


def _permute(strides: tuple[Extent, ...], node: Node) -> Moved:
    return 0, [strides[axis] for axis in node.attributes["axes"]]


def _broadcast(strides: tuple[Extent, ...], node: Node) -> Moved:
    source, shape = node.operands[0].type.shape, node.result.type.shape
    lead = len(shape) - len(source)
    kept = [0 if a == 1 else s for s, a in zip(strides, source, strict=True)]
    return 0, [*(0 for _ in range(lead)), *kept]


def _slice(strides: tuple[Extent, ...], node: Node) -> Moved:
    steps = node.attributes["strides"] or (1,) * len(strides)
    offset: Extent = 0
    for start, stride in zip(node.attributes["starts"], strides, strict=True):
        offset = offset + start * stride
    return offset, [stride * step for stride, step in zip(strides, steps, strict=True)]


def _flip(strides: tuple[Extent, ...], node: Node) -> Moved:
    offset: Extent = 0
    turned = list(strides)
    for axis in node.attributes["axis"]:
        offset = offset + strides[axis] * (node.result.type.shape[axis] - 1)
        turned[axis] = strides[axis] * -1
    return offset, turned


def _windows(strides: tuple[Extent, ...], node: Node) -> Moved:
    count = len(node.attributes["size"])
    lead, space = strides[: len(strides) - count], strides[len(strides) - count :]
    places = [s * step for s, step in zip(space, node.attributes["stride"], strict=True)]
    within = [s * step for s, step in zip(space, node.attributes["dilation"], strict=True)]
    return 0, [*lead, *places, *within]


_VIEWS = {
    "permute_dims": _permute,
    "broadcast_to": _broadcast,
    "slice": _slice,
    "flip": _flip,
    "windows": _windows,
}
