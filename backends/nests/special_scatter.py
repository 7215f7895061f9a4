"""Writing at computed indices, to a copy: no two slices of a kernel write the same lines, so that none waits.

    index_add(x, i, u, axis=0):     f32[10,64], i64[N], f32[N,64] -> f32[10,64]     64 columns, cut into slices
    index_add(x, i, u, axis=0):     f32[V,64], i64[N], f32[N,64] -> f32[V,64]       V rows, cut into slices
    scatter_add(x, i, u, axis=1):   f32[N,4], i64[N,2], f32[N,2] -> f32[N,4]        N rows, cut into slices

A line is what lies along the axis at one place of the other axes. Within it updates come in the order of the reference,
so that sums are its sums, and the last of several assignments stays, for any number of slices. A bad index is reported,
whether or not there is anything to write at it, and nothing is written there.
"""

from __future__ import annotations

from graphc.backends.nests.special_text import BAD_INDEX, KernelText, SpecialKernel, computed, nested, split
from graphc.dim import Extent
from graphc.ir import Node
from graphc.types import Shape

_DOCS = {
    "add": "x[outer, length, inner] with updates added at indices along its length.",
    "max": "x[outer, length, inner] raised to updates at indices along its length; NaN wins.",
    "set": "x[outer, length, inner] set to updates at indices along its length; the last one stays.",
}
LEAST_ROW = 4  # elements of a row from where on lines of columns would share what lies in a cache line
LEAST_ROWS = 64  # that threads can share
SCATTERS = tuple(f"{family}_{what}" for family in ("index", "scatter") for what in _DOCS)


def scatter_kernel(node: Node) -> SpecialKernel:
    """The kernel of an op that writes at indices: whole slices, or single elements.

    What they are written into is an array, or a `Literal` that stands for one of this number everywhere.
    """
    family, what = node.op.name.split("_")
    axis = node.attributes["axis"]
    x, (indices, updates) = node.result.type, (operand.type for operand in node.operands[1:])
    outer, length, inner = split(x.shape, axis)
    text = KernelText(node, ("x", "indices", "updates"), ("y",))
    text.numbers(outer=outer, length=length, inner=inner)
    text.numbers(count=indices.size if family == "index" else indices.shape[axis])
    # Sums of 16-bit floats are kept in f32, and rounded once.
    target = "y" if what != "add" or computed(x.dtype) is x.dtype else "sums"
    if target != "y":
        text.temporary(target, computed(x.dtype), x.size)
    units = outer * inner
    if family == "index" and _has_rows_to_share(outer * length, inner):
        body, units = _by_whole_rows(text, what, target), _slices_of_rows(inner)
    elif family == "scatter" and _others(indices.shape, axis) != _others(x.shape, axis):
        body = _covering(text, what, target, x.shape, indices.shape, axis)
    elif inner == 1:
        body = _along_last(text, family, what, target)
    else:
        body = _by_rows(text, family, what, target)
    check = _check(text, family, indices.size)
    cost = x.size + 4 * updates.size
    return text.kernel(node.op.name, _DOCS[what], f"{check}\n{body}", units=units, cost=cost)


def _has_rows_to_share(rows: Extent, inner: Extent) -> bool:
    """Whether slices are ranges of rows: rows are long, and there are many of them (as many as a named dim has)."""
    return isinstance(inner, int) and inner >= LEAST_ROW and (not isinstance(rows, int) or rows >= LEAST_ROWS)


def _slices_of_rows(inner: Extent) -> int:
    """At most so many slices, each of which looks at all indices: a little of what it takes to write a row."""
    assert isinstance(inner, int)
    return min(max(4, inner // 16), LEAST_ROWS)


def _others(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], *shape[axis + 1 :])


def _check(text: KernelText, family: str, size: Extent) -> str:
    if family == "scatter":
        text.numbers(size=size)
    count = "count" if family == "index" else "size"
    return nested(f"""
    # Each slice looks at its share of the indices, whether or not there is anything to write.
    for k in range(share({count}, slice, slices), share({count}, slice + 1, slices)):
        place = {text.index("indices", "k")}
        if place < 0 or place >= length:
            {text.fail(BAD_INDEX, "place")}
    """)


def _update(text: KernelText, what: str, target: str, at: str, source: str) -> str:
    """The statements that write one update."""
    if what == "set":
        return text.copy(target, at, "updates", source)
    old, new = text.read(target, at), text.read("updates", source)
    if what == "add":
        return text.write(target, at, f"{old} + {new}")
    rises = "(new > old) | (new != new)" if text.dtype(target).is_float else "new > old"
    return f"old, new = {old}, {new}\n{text.write(target, at, f'new if {rises} else old')}"


def _along_last(text: KernelText, family: str, what: str, target: str) -> str:
    source = "o * count + k"
    template = f"""
    for o in range(share(outer, slice, slices), share(outer, slice + 1, slices)):
        for t in range(length):
            <copy>
        for k in range(count):
            place = {text.index("indices", "k" if family == "index" else source)}
            if 0 <= place < length:
                <update>
        <finish>
    """
    at = "o * length + t"
    return nested(
        template,
        copy=text.copy(target, at, "x", at),
        update=_update(text, what, target, "o * length + place", source),
        finish=f"for t in range(length):\n    {text.copy('y', at, target, at)}" if target != "y" else "",
    )


def _by_whole_rows(text: KernelText, what: str, target: str) -> str:
    template = """
    first, last = share(outer * length, slice, slices), share(outer * length, slice + 1, slices)
    if first == last:
        return
    for o in range(first // length, (last - 1) // length + 1):
        # The rows of this slice: all that are in one place of the outer axes, but for the first and the last.
        low, high = max(first - o * length, 0), min(last - o * length, length)
        for i in range((o * length + low) * inner, (o * length + high) * inner):
            <copy>
        for k in range(count):
            place = <index>
            if low <= place < high:
                at, source = (o * length + place) * inner, (o * count + k) * inner
                for i in range(inner):
                    <update>
        <finish>
    """
    finish = """
    for i in range((o * length + low) * inner, (o * length + high) * inner):
        <copy>
    """
    return nested(
        template.replace("<index>", text.index("indices", "k")),
        copy=text.copy(target, "i", "x", "i"),
        update=_update(text, what, target, "at + i", "source + i"),
        finish=nested(finish, copy=text.copy("y", "i", target, "i")) if target != "y" else "",
    )


def _by_rows(text: KernelText, family: str, what: str, target: str) -> str:
    whole = """
    place = <index>
    if 0 <= place < length:
        at, source = (o * length + place) * inner, (o * count + k) * inner
        for i in range(low, high):
            <update>
    """
    single = """
    source = (o * count + k) * inner
    for i in range(low, high):
        place = <index>
        if 0 <= place < length:
            <update>
    """
    template = """
    first, last = share(outer * inner, slice, slices), share(outer * inner, slice + 1, slices)
    if first == last:
        return
    for o in range(first // inner, (last - 1) // inner + 1):
        # The lines of this slice: whole rows of `inner` side by side, but for the first and the last.
        low, high = max(first - o * inner, 0), min(last - o * inner, inner)
        for t in range(length):
            at = (o * length + t) * inner
            for i in range(low, high):
                <copy>
        for k in range(count):
            <writing>
        <finish>
    """
    finish = """
    for t in range(length):
        at = (o * length + t) * inner
        for i in range(low, high):
            <copy>
    """
    if family == "index":
        update = _update(text, what, target, "at + i", "source + i")
        writing = nested(whole.replace("<index>", text.index("indices", "k")), update=update)
    else:
        update = _update(text, what, target, "(o * length + place) * inner + i", "source + i")
        writing = nested(single.replace("<index>", text.index("indices", "source + i")), update=update)
    return nested(
        template,
        copy=text.copy(target, "at + i", "x", "at + i"),
        writing=writing,
        finish=nested(finish, copy=text.copy("y", "at + i", target, "at + i")) if target != "y" else "",
    )


def _covering(text: KernelText, what: str, target: str, shape: Shape, covered: Shape, axis: int) -> str:
    """Indices that cover only the first places of other axes: a line's place along each of them tells its indices."""
    digits = []
    for i in reversed(range(len(shape))):
        text.numbers(**{f"covered{i}": covered[i]})
        if i == axis:
            digits.append(f"step, stride = stride, stride * covered{i}")
        else:
            text.numbers(**{f"extent{i}": shape[i]})
            digits.append(f"place, rest = rest % extent{i}, rest // extent{i}")
            digits.append(f"inside = inside and place < covered{i}")
            digits.append(f"source, stride = source + place * stride, stride * covered{i}")
    template = f"""
    for line in range(share(outer * inner, slice, slices), share(outer * inner, slice + 1, slices)):
        start = line // inner * length * inner + line % inner
        for t in range(length):
            <copy>
        # Where the indices of this line begin, and how far apart they are, if there are any.
        rest, source, step, stride, inside = line, 0, 1, 1, True
        <digits>
        for k in range(count if inside else 0):
            place = {text.index("indices", "source")}
            if 0 <= place < length:
                <update>
            source += step
        <finish>
    """
    at = "start + t * inner"
    return nested(
        template,
        copy=text.copy(target, at, "x", at),
        digits="\n".join(digits),
        update=_update(text, what, target, "start + place * inner", "source"),
        finish=f"for t in range(length):\n    {text.copy('y', at, target, at)}" if target != "y" else "",
    )
