"""Sorting: each line goes to scratch memory, is sorted there by merging, and comes back. NaN is the greatest number.

    sort(x, axis=1): f32[N,500] -> f32[N,500]        topk(x, k=2, axis=1): f32[N,500] -> f32[N,2], i64[N,2]

Runs of 16 are sorted by insertion, then merged pairwise between the two halves of the scratch array: O(n log n)
whatever the order, and stable. NaNs are set apart first, in their order, so that what is merged compares by `<` alone.
Two runs are merged from both ends at once, for as many steps as the shorter one is long: neither pointer can leave its
run, no branch depends on the numbers, and the processor works on the two ends side by side.

The best few (`topk` with k up to 128) are kept in order while the line goes by: most numbers are no better than the
last of them.
"""

from __future__ import annotations

from graphc.backends.nests.special_text import BAD_EXTENT, KernelText, SpecialKernel, computed, nested, split
from graphc.dim import Dim, Extent
from graphc.ir import Node
from graphc.types import i64

SORTS = ("sort", "argsort", "topk")
RUN = 16  # elements that insertion sorts
FEW = 128  # numbers that topk keeps in order while the line goes by


def sort_kernel(node: Node) -> SpecialKernel:
    """The kernel of sort, argsort or topk."""
    name, type = node.op.name, node.operands[0].type
    outer, length, inner = split(type.shape, node.attributes["axis"])
    descending = node.attributes["largest" if name == "topk" else "descending"]
    wanted: Extent = node.attributes["k"] if name == "topk" else length
    few = name == "topk" and node.attributes["k"] <= FEW
    results = {"sort": ("y",), "argsort": ("where",), "topk": ("y", "where")}[name]
    text = KernelText(node, ("x",), results)
    room = wanted if few else 2 * length
    text.temporary("keys", computed(type.dtype), room)
    if "where" in results:
        text.temporary("places", i64, room)
    text.numbers(outer=outer, length=length, inner=inner)
    if name == "topk":
        text.numbers(k=wanted)
    if few:
        body = _few(text, results, descending, inner) if wanted != 0 else "return"
    else:
        body = _merged(text, results, descending, inner, "k" if name == "topk" else "length")
    if name == "topk" and isinstance(length, Dim):
        body = f"if length < k:\n    {text.fail(BAD_EXTENT, 'length')}\n    return\n{body}"
    order = ("the greatest" if descending else "the least") + " first"
    doc = {
        "sort": f"The elements of x[outer, length, inner] in order along its length, {order}.",
        "argsort": f"Where the elements of x[outer, length, inner] in order along its length are, {order}.",
        "topk": f"The first k of x[outer, length, inner] in order along its length and where they are, {order}.",
    }[name]
    steps = 4 if few else 3 * (length.bit_length() if isinstance(length, int) else 16)
    return text.kernel(name, doc, body, units=outer * inner, cost=steps * type.size, per_slice=True)


def _start(length: str, inner: Extent) -> str:
    return f"line * {length}" if inner == 1 else f"line // inner * {length} * inner + line % inner"


def _at(start: str, t: str, inner: Extent) -> str:
    return f"{start} + {t}" if inner == 1 else f"{start} + {t} * inner"


def _lines(text: KernelText, results: tuple[str, ...], *statements: str) -> str:
    """Statements about keys, each followed by the like about places where those are wanted."""
    both: list[str] = []
    for statement in statements:
        both.append(statement)
        if "where" in results and "key" in statement:
            both.append(statement.replace("keys", "places").replace("key", "place"))
    return "\n".join(both)


def _out(text: KernelText, results: tuple[str, ...], inner: Extent, scratch: str) -> str:
    """The statements that put place `t` of the order where it belongs."""
    at = _at("out", "t", inner)
    values = [text.copy("y", at, "keys", scratch)] if "y" in results else []
    return "\n".join(values + ([f"where[{at}] = places[{scratch}]"] if "where" in results else []))


# -- the best few -----------------------------------------------------------------------------------------------------


def _few(text: KernelText, results: tuple[str, ...], descending: bool, inner: Extent) -> str:
    def better(other: str) -> str:
        compared = f"key {'>' if descending else '<'} {other}"
        if not text.dtype("keys").is_float:
            return compared
        nan, number = ("key", other) if descending else (other, "key")
        return f"(({compared}) | (({nan} != {nan}) & ({number} == {number})))"

    template = f"""
    here = slice * k  # the scratch memory of this slice
    last = here + k - 1
    for line in range(share(outer * inner, slice, slices), share(outer * inner, slice + 1, slices)):
        start, out = {_start("length", inner)}, {_start("k", inner)}
        end = here
        for t in range(length):
            key = {text.read("x", _at("start", "t", inner))}
            if end > last and not {better("keys[last]")}:
                continue
            j = min(end, last)
            while j > here and {better("keys[j - 1]")}:
                <shift>
                j -= 1
            keys[j], places[j] = key, t
            end = min(end, last) + 1
        for t in range(k):
            <out>
    """
    return nested(
        template,
        shift=_lines(text, results, "keys[j] = keys[j - 1]"),
        out=_out(text, results, inner, "here + t"),
    )


# -- whole lines ------------------------------------------------------------------------------------------------------


def _merged(text: KernelText, results: tuple[str, ...], descending: bool, inner: Extent, wanted: str) -> str:
    template = f"""
    here = slice * 2 * length  # the scratch memory of this slice: two halves that lines are merged to and fro between
    for line in range(share(outer * inner, slice, slices), share(outer * inner, slice + 1, slices)):
        start, out = {_start("length", inner)}, {_start(wanted, inner)}
        source, target = here, here + length
        <load>
        <insertion>
        <merging>
        <store>
    """
    before = ">" if descending else "<"
    floats = text.dtype("keys").is_float
    return nested(
        template,
        load=_load(text, results, floats, inner),
        insertion=_insertion(text, results, before),
        merging=_merging(text, results, before),
        store=_store(text, results, floats, descending, inner, wanted),
    )


def _load(text: KernelText, results: tuple[str, ...], floats: bool, inner: Extent) -> str:
    key = text.read("x", _at("start", "t", inner))
    if not floats:
        places = "\n    places[source + t] = t" if "where" in results else ""
        return f"count = length\nfor t in range(length):\n    keys[source + t] = {key}{places}"
    template = f"""
    # Numbers in their order; NaNs from the end of the first half backwards.
    count, nans, nan = 0, 0, source + length - 1
    for t in range(length):
        key = {key}
        if key == key:
            <number>
            count += 1
        else:
            <nan>
            nans += 1
    """
    return nested(
        template,
        number="keys[source + count] = key" + ("\nplaces[source + count] = t" if "where" in results else ""),
        nan="keys[nan - nans] = key" + ("\nplaces[nan - nans] = t" if "where" in results else ""),
    )


def _insertion(text: KernelText, results: tuple[str, ...], before: str) -> str:
    template = f"""
    # Runs of {RUN}.
    end = source + count
    for low in range(source, end, {RUN}):
        for i in range(low + 1, min(low + {RUN}, end)):
            <take>
            j = i
            while j > low and key {before} keys[j - 1]:
                <shift>
                j -= 1
            <put>
    """
    return nested(
        template,
        take=_lines(text, results, "key = keys[i]"),
        shift=_lines(text, results, "keys[j] = keys[j - 1]"),
        put=_lines(text, results, "keys[j] = key"),
    )


def _merging(text: KernelText, results: tuple[str, ...], before: str) -> str:
    template = f"""
    width = {RUN}
    while width < count:
        low = 0
        while low < count:
            middle, high = min(low + width, count), min(low + 2 * width, count)
            left, right, to = source + low, source + middle, target + low
            left_end, right_end, to_end = right - 1, source + high - 1, target + high - 1
            if right <= right_end and keys[right] {before} keys[left_end]:
                # From both ends at once, as often as the right run is long; of equal elements the left one is first.
                for _ in range(high - middle):
                    later = keys[right] {before} keys[left]
                    chosen = right if later else left
                    <choose>
                    to, right, left = to + 1, right + later, left + 1 - later
                    later = keys[right_end] {before} keys[left_end]
                    chosen = left_end if later else right_end
                    <choose_end>
                    to_end, left_end, right_end = to_end - 1, left_end - later, right_end - 1 + later
                # What a longer left run leaves between.
                while left <= left_end and right <= right_end:
                    later = keys[right] {before} keys[left]
                    chosen = right if later else left
                    <choose>
                    to, right, left = to + 1, right + later, left + 1 - later
                if left > left_end:
                    left = right
            # The rest of one run, or two runs that are in order already.
            for i in range(to_end - to + 1):
                <copy>
            low = high
        source, target, width = target, source, 2 * width
    """
    return nested(
        template,
        copy=_lines(text, results, "keys[to + i] = keys[left + i]"),
        choose=_lines(text, results, "keys[to] = keys[chosen]"),
        choose_end=_lines(text, results, "keys[to_end] = keys[chosen]"),
    )


def _store(
    text: KernelText, results: tuple[str, ...], floats: bool, descending: bool, inner: Extent, wanted: str
) -> str:
    if not floats:
        return nested(f"for t in range({wanted}):\n    <out>", out=_out(text, results, inner, "source + t"))
    first = "nans" if descending else "count"
    if wanted != "length":
        first = f"min({first}, {wanted})"
    template = f"""
    for t in range({first}):
        <first>
    for t in range({first}, {wanted}):
        <second>
    """
    of_nans = _out(text, results, inner, "nan - t" if descending else "nan - (t - count)")
    of_numbers = _out(text, results, inner, "source + t - nans" if descending else "source + t")
    return nested(template, first=of_nans if descending else of_numbers, second=of_numbers if descending else of_nans)
