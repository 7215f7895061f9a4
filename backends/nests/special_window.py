"""overlap_add: the sum of windows at their places. Every element gathers what the windows over it hold there.

    overlap_add(x, extents=(9,), stride=(2,), dilation=(1,)): f32[N,4,3] -> f32[N,9]

Element p of an axis is in window o at place k where o·stride + k·dilation = p. Nobody else writes to it, so slices are
independent, and the order of the sum is that of the places.
"""

from __future__ import annotations

from textwrap import indent

from graphc.backends.nests.special_text import KernelText, SpecialKernel, computed, product
from graphc.ir import Node

WINDOWS = ("overlap_add",)


def window_kernel(node: Node) -> SpecialKernel:
    """The kernel of overlap_add."""
    stride, dilation = node.attributes["stride"], node.attributes["dilation"]
    given, type = node.operands[0].type, node.results[0].type
    count = len(stride)
    lead = given.rank - 2 * count
    outer = product(type.shape[:lead])
    counts, size = given.shape[lead : lead + count], given.shape[lead + count :]
    text = KernelText(node, ("x",), ("y",))
    numbers = {"outer": outer}
    for i in range(count):
        numbers |= {f"extent{i}": type.shape[lead + i], f"windows{i}": counts[i], f"size{i}": size[i]}
    text.numbers(**numbers)
    zero = {"f": f"np.{computed(type.dtype).numpy.name}(0)"}.get(computed(type.dtype).numpy.kind, "0")
    taps = product(size)
    return text.kernel(
        "overlap_add", "The sum of the windows x[outer, windows…, size…] at their places.",
        _body(text, stride, dilation, zero), units=outer, cost=2 * type.size * taps,
    )  # fmt: skip


def _body(text: KernelText, stride: tuple[int, ...], dilation: tuple[int, ...], zero: str) -> str:
    """Loops over the elements of an outer line, and within them over the places of a window."""
    axes = range(len(stride))
    here, there = "line", "line"
    for i in axes:
        here = f"({here}) * extent{i} + p{i}" if i else f"{here} * extent0 + p0"
        there = f"({there}) * windows{i} + o{i}" if i else f"{there} * windows0 + o0"
    for i in axes:
        there = f"({there}) * size{i} + k{i}"
    lines = [(0, "for line in range(share(outer, slice, slices), share(outer, slice + 1, slices)):")]
    depth = 1
    for i in axes:
        lines.append((depth, f"for p{i} in range(extent{i}):"))
        depth += 1
    lines.append((depth, f"total = {zero}"))
    inside = depth
    for i in axes:
        lines.append((inside, f"for k{i} in range(size{i}):"))
        inside += 1
        lines.append((inside, f"begin{i} = p{i} - k{i}{'' if dilation[i] == 1 else f' * {dilation[i]}'}"))
        divides = "" if stride[i] == 1 else f" and begin{i} % {stride[i]} == 0"
        at = f"begin{i}" if stride[i] == 1 else f"begin{i} // {stride[i]}"
        lines.append((inside, f"if begin{i} >= 0 and {at} < windows{i}{divides}:"))
        inside += 1
        lines.append((inside, f"o{i} = {at}"))
    lines.append((inside, f"total += {text.read('x', there)}"))
    lines.append((depth, text.write("y", here, "total")))
    return "\n".join(indent(line, "    " * level) for level, line in lines)
