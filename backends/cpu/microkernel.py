"""Tiles of a contraction, written as LLVM vector IR: a block of C stays in registers while the depth runs.

    tile = Tile(Tiling.of("float32"), rows=6, vectors=2, masked=False)
    function = emit_tile(module, tile, Strides(row=3136, depth=4))
    # C[i, j] (+)= sum over p of A[i, p] · B[p, j]  for 6 rows i and 2 vectors of columns j

Every element of C is one chain of fused multiply-adds in ascending p, in whatever tile it falls: a sum depends on
neither the extents nor the place of the tile, bit for bit. Strides that are known become part of the addresses
(`vbroadcastss 3136(%rax), %ymm0`), which is what makes A readable without packing it first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

from llvmlite import ir

from graphc.backends.cpu.machine import LINE
from graphc.backends.cpu.vector_ir import (
    I1,
    I64,
    POINTER,
    Tiling,
    Vectors,
    Word,
    at,
    carry,
    count_up,
    new_function,
    times,
    word,
)

TILE = (
    ("k", I64), ("a", POINTER), ("a_row", I64), ("a_depth", I64), ("b", POINTER), ("b_depth", I64),
    ("c", POINTER), ("c_row", I64), ("columns", I64), ("resume", I1),
)  # fmt: skip
SEGMENTS = (("segments", I64), ("a_segment", I64), ("b_segment", I64))
MARGINS = (("first", I64), ("last", I64))
AHEAD = (("ahead", POINTER),)


@dataclass(frozen=True)
class Tile:
    """A tile of `rows` by `vectors`; where `masked`, only some columns of the last vector exist.

    The depth of a `segmented` one is several pieces of k, each so far from the one before. `by_lanes`, A has a number
    for each column, and they lie side by side: C[i, j] (+)= sum over p of A[i, p, j] · B[p, j]. Where a row of A is a
    step of the depth before the next, as the pixels of an image are, `slides` steps are taken at once, and what several
    rows read is loaded once.

    `within` margins, A has elements in the segments from `first` to `last` only. Of a tile at the edge the place that
    row i reads at step p exists where `real` has it, i·row + p·depth bytes behind the first; its depth is `steps` long.
    All else is zero, and is not read. Every sum is the same chain as over zeros in memory.

    One that `fetches` asks for as many bytes from `ahead` on as it reads of A: what a later tile reads, in time. One
    that `fetches_right` asks for a row of B from `ahead` on in every turn of its loop: what the next block of depth
    reads, of which memory sees no pattern where each row is on a page of its own. One that `asks` for arrays asks
    for as many rows and columns as it computes of each of them, before it starts.
    """

    tiling: Tiling
    rows: int
    vectors: int
    masked: bool
    segmented: bool = False
    by_lanes: bool = False
    slides: int = 0
    within: bool = False
    real: range | None = None
    steps: int = 0
    fetches: bool = False
    fetches_right: bool = False
    asks: int = 0

    @property
    def name(self) -> str:
        kind = "m" * self.masked + "s" * self.segmented + "l" * self.by_lanes + "w" * self.within
        kind += "f" * self.fetches + "r" * self.fetches_right + "n" * self.asks + f"{self.slides or ''}"
        if self.real is not None:
            kind += f".{self.steps}.{self.real.start}.{self.real.stop}"
        return f"{self.tiling.suffix}.{self.rows}x{self.vectors}{kind}"

    @property
    def unroll(self) -> int:
        """Depth steps between two tests of the loop; edges are short of work anyway, and quick to compile this way."""
        if self.slides:
            return self.slides
        return 1 if self.masked else 2 if self.rows > 6 else 4


@dataclass(frozen=True)
class Strides:
    """Distances in bytes within A, None where only the run knows."""

    row: int | None
    depth: int | None

    @property
    def name(self) -> str:
        return ".".join("x" if stride is None else str(stride) for stride in (self.row, self.depth))


def each_tile(
    b: ir.IRBuilder, tiling: Tiling, rows: ir.Value, body: Callable[[ir.Value, int], None], *, in_panels: bool = False
) -> None:
    """body(i, height) for the tiles of a column: the tallest while they fit, then shorter ones.

    Two rows have too few sums to keep the machine busy: eight rows are 4 + 4, not 6 + 2, unless rows are `in_panels` of
    the tallest height, which no tile may leave.
    """
    tallest, done = tiling.rows, word(0)
    kept: ir.Value = word(0)
    if tallest == 6 and not in_panels:
        leaves_two = b.icmp_signed("==", b.srem(rows, word(tallest)), word(2))
        kept = b.select(b.and_(leaves_two, b.icmp_signed(">", rows, word(2))), word(tallest), kept)
    for height in [tallest, *(shorter for shorter in (8, 4, 2, 1) if shorter < tallest)]:
        stop = b.sub(rows, kept) if height == tallest else rows
        _tiles(b, done, b.sub(stop, word(height - 1)), height, body)
        done = b.sub(stop, b.srem(b.sub(stop, done), word(height)))


def even_tiles(tiling: Tiling, rows: int) -> list[tuple[int, int]]:
    """Where the tiles of a known number of rows begin, and their heights: 32 are 11, 11 and 10 of at most 12."""
    count = max(1, -(-rows // tiling.rows))
    heights = [rows // count + (number < rows % count) for number in range(count)]
    return list(zip(accumulate(heights, initial=0), heights, strict=False)) if rows else []


def each_even_tile(b: ir.IRBuilder, tiling: Tiling, rows: int, body: Callable[[ir.Value, int], None]) -> None:
    """body(i, height) for these: at most two tiles are compiled."""
    tiles = even_tiles(tiling, rows)
    for height in dict.fromkeys(height for _, height in tiles):
        places = [i for i, each in tiles if each == height]
        _tiles(b, word(places[0]), word(places[-1] + 1), height, body)


def _tiles(
    b: ir.IRBuilder, start: ir.Value, stop: ir.Value, height: int, body: Callable[[ir.Value, int], None]
) -> None:
    """Tiles of one height."""
    if height:
        count_up(b, start, stop, height, lambda i: body(i, height), f"tall{height}")


def _asked(arrays: int) -> tuple[tuple[str, ir.Type], ...]:
    """The arguments of a tile that asks for parts of so many arrays."""
    return (("next_row", I64), *((f"next{number}", POINTER) for number in range(arrays))) if arrays else ()


def emit_tile(module: ir.Module, tile: Tile, strides: Strides) -> ir.Function:
    """The function of a tile, once per module; strides and distances are in bytes, `columns` counts.

    Where `resume` is true the sums go on from what C holds, so that the depth can be cut without changing a bit.
    """
    name = f"graphc.tile.{tile.name}.{strides.name}"
    if name in module.globals:
        return module.globals[name]
    arguments = TILE + SEGMENTS * tile.segmented + MARGINS * tile.within + _asked(tile.asks)
    function, b = new_function(module, name, arguments + AHEAD * (tile.fetches or tile.fetches_right))
    k, a, a_row, a_depth, right, b_depth, c, c_row, columns, resume, *pieces = function.args
    v, rows, vectors = Vectors(tile.tiling, b), range(tile.rows), range(tile.vectors)
    vector_bytes = tile.tiling.lanes * tile.tiling.size
    row: Word = a_row if strides.row is None else strides.row
    depth: Word = a_depth if strides.depth is None else strides.depth
    row_offsets = [times(b, row, i) for i in rows]
    last = v.mask(b.sub(columns, word((tile.vectors - 1) * tile.tiling.lanes))) if tile.masked else None
    masks = [*(None for _ in vectors[:-1]), last]
    places = [(at(b, c, times(b, c_row, i), j * vector_bytes), masks[j]) for i in rows for j in vectors]

    def step(a: ir.Value, right: ir.Value, *sums: ir.Value, real: range | None = None) -> list[ir.Value]:
        """One p: a column of A times a row of B."""
        across = [v.load(at(b, right, j * vector_bytes), masks[j]) for j in vectors]
        result = []
        for i in rows:
            if tile.by_lanes:
                down = lanes(a, row_offsets[i], real)
            else:
                down = [v.splat(v.scalar(at(b, a, row_offsets[i])))] * tile.vectors
            result += [v.multiply_add(down[j], x, sums[i * tile.vectors + j]) for j, x in enumerate(across)]
        return [at(b, a, depth), at(b, right, b_depth), *result]

    def lanes(a: ir.Value, place: Word, real: range | None) -> list[ir.Value]:
        """The elements at a place of A, one for each column; zeros where the place lies in a margin."""
        if real is not None and place not in real:
            return [v.zero] * tile.vectors
        return [v.load(at(b, a, place, j * vector_bytes), masks[j]) for j in vectors]

    def slide(a: ir.Value, right: ir.Value, *values: ir.Value, real: range | None = None) -> list[ir.Value]:
        """Some p, place by place of A: row i reads place t at p = t - i, so that each sum goes on in ascending p."""
        count, sums = tile.slides, list(values)
        across = [[v.load(at(b, right, times(b, b_depth, p), j * vector_bytes), masks[j]) for j in vectors]
                  for p in range(count)]  # fmt: skip
        for t in range(tile.rows + count - 1):
            down = lanes(a, times(b, depth, t), real)
            for p in range(max(0, t - tile.rows + 1), min(count, t + 1)):
                for j in vectors:
                    place = (t - p) * tile.vectors + j
                    sums[place] = v.multiply_add(down[j], across[p][j], sums[place])
        return [at(b, a, times(b, depth, count)), at(b, right, times(b, b_depth, count)), *sums]

    def steps(*values: ir.Value) -> list[ir.Value]:
        if tile.slides:
            return slide(*values)
        result = list(values)
        for _ in range(tile.unroll):
            result = step(*result)
        return result

    def fetching_steps(ahead: ir.Value, *values: ir.Value) -> list[ir.Value]:
        """Steps that ask for as many bytes of what comes next as they read of A."""
        size = tile.unroll * tile.rows * tile.tiling.size
        for offset in range(0, size, LINE):
            v.fetch(at(b, ahead, offset))
        return [at(b, ahead, size), *steps(*values)]

    def fetching_rows(ahead: ir.Value, *values: ir.Value) -> list[ir.Value]:
        """Steps that ask for a row of what comes next of B."""
        for offset in range(0, tile.vectors * vector_bytes, LINE):
            v.fetch(at(b, ahead, offset))
        return [at(b, ahead, b_depth), *steps(*values)]

    if tile.asks:
        next_row, *arrays = pieces[: 1 + tile.asks]
        for array in arrays:
            for i in rows:
                for offset in range(0, tile.vectors * vector_bytes, LINE):
                    v.fetch(at(b, array, times(b, next_row, i), offset))
    start, again, ready = b.block, b.append_basic_block("resume"), b.append_basic_block("ready")
    b.cbranch(resume, again, ready)
    b.position_at_end(again)
    held = [v.load(*place) for place in places]
    b.branch(ready)
    b.position_at_end(ready)
    sums = [b.phi(v.kind) for _ in places]
    for total, value in zip(sums, held, strict=True):
        total.add_incoming(v.zero, start)
        total.add_incoming(value, again)

    def piece(a: ir.Value, right: ir.Value, *sums: ir.Value) -> list[ir.Value]:
        """A run of the depth: k steps."""
        if tile.real is not None:
            return piece_at_edge(tile.real, a, right, *sums)
        if tile.fetches or tile.fetches_right:
            body = fetching_steps if tile.fetches else fetching_rows
            _, *values = carry(b, k, tile.unroll, [function.args[-1], a, right, *sums], body, "steps")
        else:
            values = carry(b, k, tile.unroll, [a, right, *sums], steps, "steps")
        if tile.unroll > 1:
            values = carry(b, b.srem(k, word(tile.unroll)), 1, values, step, "rest")
        return values

    def piece_at_edge(real: range, *values: ir.Value) -> list[ir.Value]:
        """A run whose first and last places may lie in margins: these steps are written out, those between are not."""
        assert isinstance(row, int)
        assert isinstance(depth, int)
        result, p, width = list(values), 0, tile.unroll
        while p < tile.steps:
            count = width if p + width <= tile.steps else 1
            whole = range(p * depth, (p + count - 1) * depth + (tile.rows - 1) * row + 1)
            if whole.start in real and whole[-1] in real and count == width:
                beyond = real[-1] - (width - 1) * depth - (tile.rows - 1) * row  # where the last whole ones begin
                far = min(beyond // depth + width, tile.steps) - p
                result = carry(b, word(far - far % width), width, result, steps, "steps")
                p += far - far % width
                continue
            here = range(real.start - p * depth, real.stop - p * depth)
            if tile.slides:
                result = slide(*result, real=here)
            else:
                for q in range(count):
                    result = step(*result, real=range(here.start - q * depth, here.stop - q * depth))
            p += count
        return result

    def segment(a: ir.Value, right: ir.Value, *sums: ir.Value) -> list[ir.Value]:
        """A run, and on to where the next one begins."""
        a_segment, b_segment = pieces[1:3]
        _, _, *after = piece(a, right, *sums)
        return [at(b, a, a_segment), at(b, right, b_segment), *after]

    def blank_step(right: ir.Value, *sums: ir.Value) -> list[ir.Value]:
        """One p of a segment without elements."""
        across = [v.load(at(b, right, j * vector_bytes), masks[j]) for j in vectors]
        added = [v.multiply_add(v.zero, across[n % tile.vectors], total) for n, total in enumerate(sums)]
        return [at(b, right, b_depth), *added]

    def blank_segment(right: ir.Value, *sums: ir.Value) -> list[ir.Value]:
        _, *after = carry(b, k, 1, [right, *sums], blank_step, "blank")
        return [at(b, right, pieces[2]), *after]

    if tile.within:
        count, a_segment, _, first, last = pieces
        right, *sums = carry(b, first, 1, [right, *sums], blank_segment, "before")
        real = [at(b, a, b.mul(first, a_segment)), right, *sums]
        _, *values = carry(b, b.sub(last, first), 1, real, segment, "segments")
        values = [a, *carry(b, b.sub(count, last), 1, values, blank_segment, "behind")]
    elif tile.segmented:
        values = carry(b, pieces[0], 1, [a, right, *sums], segment, "segments")
    else:
        values = piece(a, right, *sums)
    for value, place in zip(values[2:], places, strict=True):
        v.store(value, *place)
    b.ret_void()
    return function
