"""Scans: one axis folded, every prefix kept. Lines along the axis are independent, and cut into slices.

    cumulative_sum(x, axis=1): f32[N,4,8] -> f32[N,4,8]      8·N lines of 4 elements, 8 of them side by side

Along the last axis a running total is kept in a register. Along any other, whole rows of lines move on together, so
that the inner loop is over neighbours in memory and vectorises. Sums are in the reference's order. `logcumsumexp` has a
long chain of operations from one total to the next: along the last axis it takes 16 lines at once, which vectorises.
"""

from __future__ import annotations

from graphc.backends.nests.special_text import KernelText, SpecialKernel, computed, nested, split
from graphc.ir import Node

_STEPS = {
    "cumulative_sum": "{h} + {x}",
    "cumulative_prod": "{h} * {x}",
    "logcumsumexp": "logaddexp({h}, {x})",
    "linear_recurrence": "{a} * {h} + {x}",
}
_DOCS = {
    "cumulative_sum": "The sums of all prefixes of x[outer, length, inner] along its length",
    "cumulative_prod": "The products of all prefixes of x[outer, length, inner] along its length",
    "logcumsumexp": "log Σ eˣ over all prefixes of x[outer, length, inner] along its length",
    "linear_recurrence": "y = a·(y before) + x, from 0, for x[outer, length, inner] along its length",
}
SCANS = tuple(_STEPS)
TOGETHER = 16  # lines that logcumsumexp takes at once along the last axis


def scan_kernel(node: Node) -> SpecialKernel:
    """The kernel of a scan."""
    name, type = node.op.name, node.results[0].type
    axis, reverse = node.attributes["axis"], node.attributes["reverse"]
    outer, length, inner = split(type.shape, axis)
    text = KernelText(node, ("a", "x") if name == "linear_recurrence" else ("x",), ("y",))
    text.numbers(outer=outer, length=length, inner=inner)
    if name == "logcumsumexp":
        text.function("logaddexp")
    # The totals of 16-bit floats are kept in f32, and rounded once for each result.
    totals = "y" if computed(type.dtype) is type.dtype else "totals"
    if totals != "y" and inner != 1:
        text.temporary(totals, computed(type.dtype), outer * inner)
    together = inner == 1 and name == "logcumsumexp"
    if together:
        text.temporary("numbers", computed(type.dtype), TOGETHER)
        text.temporary("totals", computed(type.dtype), TOGETHER)
        body = _lines_together(text, reverse)
    else:
        body = _along_last(text, name, reverse) if inner == 1 else _by_rows(text, name, reverse, totals)
    doc = f"{_DOCS[name]}{', from the end' if reverse else ''}."
    work = 20 if name == "logcumsumexp" else 1
    return text.kernel(name, doc, body, units=outer * inner, cost=work * type.size, per_slice=together)


def _step(text: KernelText, name: str, before: str, at: str) -> str:
    a = text.read("a", at) if name == "linear_recurrence" else ""
    return _STEPS[name].format(h=before, x=text.read("x", at), a=a)


def _along_last(text: KernelText, name: str, reverse: bool) -> str:
    template = f"""
    if length == 0:
        return
    for line in range(share(outer, slice, slices), share(outer, slice + 1, slices)):
        at = line * length{" + length - 1" if reverse else ""}
        total = {text.read("x", "at")}
        {text.write("y", "at", "total")}
        for _ in range(1, length):
            at {"-=" if reverse else "+="} 1
            total = {_step(text, name, "total", "at")}
            {text.write("y", "at", "total")}
    """
    return nested(template)


def _lines_together(text: KernelText, reverse: bool) -> str:
    start = "(line + j) * length" + (" + length - 1" if reverse else "")
    at = f"{start} {'-' if reverse else '+'} t"
    return nested(f"""
    if length == 0:
        return
    here = slice * {TOGETHER}  # the scratch memory of this slice
    first, last = share(outer, slice, slices), share(outer, slice + 1, slices)
    for line in range(first, last, {TOGETHER}):
        lines = min({TOGETHER}, last - line)
        for j in range(lines):
            totals[here + j] = {text.read("x", start)}
            {text.copy("y", start, "x", start)}
        for t in range(1, length):
            # Collected first and handed out afterwards, so that the loop between runs over neighbours.
            for j in range(lines):
                numbers[here + j] = {text.read("x", at)}
            for j in range(lines):
                totals[here + j] = {text.function("logaddexp")}(totals[here + j], numbers[here + j])
            for j in range(lines):
                {text.write("y", at, "totals[here + j]")}
    """)


def _by_rows(text: KernelText, name: str, reverse: bool, totals: str) -> str:
    kept = totals != "y"
    keep = f"totals[line + i] = total\n{text.write('y', 'at + i', 'total')}"
    before = "totals[line + i]" if kept else text.read("y", "before + i")
    step = _step(text, name, before, "at + i")
    advance = f"at {'-' if reverse else '+'} inner"
    template = f"""
    first, last = share(outer * inner, slice, slices), share(outer * inner, slice + 1, slices)
    if length == 0 or first == last:
        return
    for o in range(first // inner, (last - 1) // inner + 1):
        # The lines of this slice: whole rows of `inner` side by side, but for the first and the last.
        low, high = max(first - o * inner, 0), min(last - o * inner, inner)
        at = {"(o * length + length - 1) * inner" if reverse else "o * length * inner"}
        <line>
        for i in range(low, high):
            <begin>
        for _ in range(1, length):
            {f"at = {advance}" if kept else f"before, at = at, {advance}"}
            for i in range(low, high):
                <step>
    """
    return nested(
        template,
        line="line = o * inner" if kept else "",
        begin=f"total = {text.read('x', 'at + i')}\n{keep}" if kept else text.copy("y", "at + i", "x", "at + i"),
        step=f"total = {step}\n{keep}" if kept else text.write("y", "at + i", step),
    )
