"""Pooling tap by tap: what is folded over small windows is a chain of elementwise steps over shifted images.

    %windows: f32[N,8,6,6,3,3] = windows(%x: f32[N,8,8,8], size=(3, 3), …)
    %y: f32[N,8,6,6] = sum(%windows, axis=(4, 5))
    ->
    %y: f32[N,8,6,6] = %x[:, :, 0:6, 0:6] + %x[:, :, 0:6, 1:7] + … + %x[:, :, 2:8, 2:8]

A loop over a window of few elements takes longer than they do; each of these steps is vectors over all places, in
whatever order their axes lie. The gradient, an `overlap_add` of what is the same all over a window, is a sum over the
taps of an image with margins. Of more taps than a kernel should have statements the axes are folded one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any

from graphc.builder import Builder
from graphc.dim import Extent
from graphc.ir import Graph, Literal, Node, Value
from graphc.ops.creation import full
from graphc.ops.elementwise import add, maximum, minimum
from graphc.ops.reduction import max as max_op
from graphc.ops.reduction import min as min_op
from graphc.ops.reduction import sum as sum_op
from graphc.ops.shape import broadcast_to, reshape
from graphc.ops.slicing import pad, slice
from graphc.ops.window import overlap_add, windows
from graphc.passes.fuse.product import product_of_extents
from graphc.tensor import Tensor
from graphc.types import TensorType, f32, f64

MOST_TAPS = 25  # statements of one kernel
STEPS = {sum_op: add, max_op: maximum, min_op: minimum}

Form = Callable[[Node, list[Tensor]], Any]


def form_by_taps(node: Node, graph: Graph) -> Form | None:
    """How a fold over small windows, or the sum of such windows at their places, is written; None for all else."""
    if node.op in STEPS:
        seen = _windows_folded(node, graph)
        return None if seen is None else lambda fold, operands: _fold(fold, seen, operands[0].builder)
    if node.op is overlap_add and _few(node.operands[0].type.shape[-len(node.attributes["stride"]) :]):
        given = _same_all_over(node, graph)
        return None if given is None else lambda spread, operands: _spread(spread, given, operands[0].builder)
    return None


def _few(size: Sequence[Extent]) -> bool:
    """Whether windows are small, along each axis at least."""
    return all(isinstance(k, int) and 0 < k <= MOST_TAPS for k in size)


def _windows_folded(node: Node, graph: Graph) -> Node | None:
    """The `windows` that are folded whole."""
    made = graph.producers.get(node.operands[0])
    if made is None or made.op is not windows or node.result.type.dtype not in (f32, f64):
        return None
    size, rank = made.attributes["size"], made.result.type.rank
    is_whole = node.attributes["axis"] == tuple(range(rank - len(size), rank))
    return made if is_whole and _few(size) and 0 not in made.result.type.shape else None


def _same_all_over(node: Node, graph: Graph) -> Value | Literal | None:
    """What an `overlap_add` finds at all places of a window: one number for each window."""
    made = graph.producers.get(node.operands[0])
    if made is None or made.op is not broadcast_to or node.result.type.dtype not in (f32, f64):
        return None
    (given,), count = made.operands, len(node.attributes["stride"])
    whole = (1,) * (made.result.type.rank - given.type.rank) + given.type.shape
    return given if all(extent == 1 for extent in whole[-count:]) and 0 not in made.result.type.shape else None


def _fold(node: Node, seen: Node, builder: Builder) -> Any:
    """The fold of windows, from their first element to their last."""
    count, attributes = len(seen.attributes["size"]), seen.attributes
    starts = [[k * d for k in range(taps)] for taps, d in zip(attributes["size"], attributes["dilation"], strict=True)]
    places = seen.result.type.shape[-2 * count : -count]
    image = builder.tensor(seen.operands[0])
    result = _over_taps(STEPS[node.op], image, starts, places, attributes["stride"])
    return reshape(result, shape=node.result.type.shape) if node.attributes["keepdims"] else result


def _places(windows: TensorType, count: int, given: Value | Literal, builder: Builder) -> Any:
    """The number of each window."""
    shape = windows.shape[:-count]
    if isinstance(given, Literal):
        return full(value=given.value, shape=shape, dtype=windows.dtype)
    whole = (1,) * (windows.rank - given.type.rank) + given.type.shape
    image = reshape(builder.tensor(given), shape=whole[: len(shape)])
    return image if image.shape == shape else broadcast_to(image, shape=shape)


def _spread(node: Node, given: Value | Literal, builder: Builder) -> Any:
    """Every element gets the numbers of all windows over it: of the last tap first, as its window begins first."""
    shape, attributes = node.operands[0].type.shape, node.attributes
    count = len(attributes["stride"])
    places, size = shape[-2 * count : -count], shape[-count:]
    image = _places(node.operands[0].type, count, given, builder)
    reach = [(k - 1) * far for k, far in zip(size, attributes["dilation"], strict=True)]
    high = [e - (n - 1) * s - 1 for e, n, s in zip(attributes["extents"], places, attributes["stride"], strict=True)]
    zeros = (0,) * (image.ndim - count)
    between = (*zeros, *(step - 1 for step in attributes["stride"]))
    image = pad(image, low=(*zeros, *reach), high=(*zeros, *high), interior=between if any(between) else None)
    starts = [
        [last - k * far for k in range(taps)]
        for last, taps, far in zip(reach, size, attributes["dilation"], strict=True)
    ]
    return _over_taps(add, image, starts, attributes["extents"], (1,) * count)


def _over_taps(step: Any, image: Any, starts: list[list[int]], places: Sequence[Extent], stride: Sequence[int]) -> Any:
    """A fold of the shifted images that begin at `starts` of the last axes."""
    taps = product_of_extents(map(len, starts))
    if isinstance(taps, int) and taps <= MOST_TAPS:
        return _chain(step, image, product(*starts), places, stride)
    for axis in reversed(range(len(starts))):
        whole = [*image.shape[image.ndim - len(starts) :]]
        whole[axis] = places[axis]
        steps = [stride[axis] if i == axis else 1 for i in range(len(starts))]
        shifts = ([start if i == axis else 0 for i in range(len(starts))] for start in starts[axis])
        image = _chain(step, image, shifts, whole, steps)
    return image


def _chain(
    step: Any, image: Any, shifts: Iterable[Sequence[int]], places: Sequence[Extent], stride: Sequence[int]
) -> Any:
    """step(step(first, second), third) … of what is seen from each of the shifts."""
    lead = image.ndim - len(places)
    result = None
    for shift in shifts:
        limits = [first + (n - 1) * s + 1 for first, n, s in zip(shift, places, stride, strict=True)]
        starts = (*(0,) * lead, *shift)
        strides = (*(1,) * lead, *stride) if any(s != 1 for s in stride) else None
        part = slice(image, starts=starts, limits=(*image.shape[:lead], *limits), strides=strides)
        result = part if result is None else step(result, part)
    return result
