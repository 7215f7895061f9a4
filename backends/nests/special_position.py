"""argmax and argmin: where the extremum of each line is first. A NaN counts as it.

    argmax(x, axis=1): f32[N,10] -> i64[N]

Along the last axis the extremum is found first, then its place, because both loops are quick where one for both is not.
Along any other axis whole rows of lines move on together.
"""

from __future__ import annotations

from graphc.backends.nests.special_text import BAD_EXTENT, KernelText, SpecialKernel, computed, nested, split
from graphc.dim import Dim
from graphc.ir import Node

POSITIONS = {"argmax": ">", "argmin": "<"}


def position_kernel(node: Node) -> SpecialKernel:
    """The kernel of argmax or argmin."""
    name, type = node.op.name, node.operands[0].type
    outer, length, inner = split(type.shape, node.attributes["axis"])
    text = KernelText(node, ("x",), ("y",))
    text.numbers(outer=outer, length=length, inner=inner)
    if inner == 1:
        body = _along_last(text, "maximum" if name == "argmax" else "minimum")
    else:
        text.temporary("bests", computed(type.dtype), outer * inner)
        body = _by_rows(text, POSITIONS[name])
    check = f"if length == 0:\n    {text.fail(BAD_EXTENT, 'length')}\n    return\n" if isinstance(length, Dim) else ""
    which = "greatest" if name == "argmax" else "least"
    doc = f"Where the {which} element of x[outer, length, inner] is first along its length."
    return text.kernel(name, doc, check + body, units=outer * inner, cost=2 * type.size)


def _along_last(text: KernelText, extremum: str) -> str:
    element = text.read("x", "start + place")
    missed = f"{element} != best"
    if text.dtype("x").is_float:
        missed = f"({missed}) & ({element} == {element})"
    return nested(f"""
    for line in range(share(outer, slice, slices), share(outer, slice + 1, slices)):
        start = line * length
        best = {text.read("x", "start")}
        for t in range(1, length):
            best = {text.function(extremum)}(best, {text.read("x", "start + t")})
        place = 0
        while {missed}:
            place += 1
        y[line] = place
    """)


def _by_rows(text: KernelText, sign: str) -> str:
    # Strictly better, so that of equal elements the first stays, and of NaNs too.
    better = f"number {sign} best"
    if text.dtype("x").is_float:
        better = f"({better}) | ((number != number) & (best == best))"
    return nested(f"""
    first, last = share(outer * inner, slice, slices), share(outer * inner, slice + 1, slices)
    if first == last:
        return
    for o in range(first // inner, (last - 1) // inner + 1):
        # The lines of this slice: whole rows of `inner` side by side, but for the first and the last.
        low, high = max(first - o * inner, 0), min(last - o * inner, inner)
        line, at = o * inner, o * length * inner
        for i in range(low, high):
            bests[line + i] = {text.read("x", "at + i")}
            y[line + i] = 0
        for t in range(1, length):
            at += inner
            for i in range(low, high):
                best, number = bests[line + i], {text.read("x", "at + i")}
                better = {better}
                bests[line + i] = number if better else best
                y[line + i] = t if better else y[line + i]
    """)
