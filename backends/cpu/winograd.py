"""Convolutions of 3×3 with fewer multiplications, by Winograd's tiles.

    winograd_weights(channels, columns, b, b_line, b_pixel, b_depth, packed, point)
        16 matrices of channels × columns out of the kernel's nine, packed in panels, `point` elements from each other
    winograd(lines, width, channels, columns, a, a_line, a_pixel, b, c, c_line, c_row, scratch)
        C[y·c_line + x·c_row + o] = sum over h, w < 3 and all i of A[(y+h)·a_line + (x+w)·a_pixel + i] · g[h, w, i, o]
        for the weights g that the matrices B were made of

The image is cut into tiles of 2×2 results, each a function of 4×4 pixels. Additions transform the tiles; then the 16
places of a tile are 16 products of matrices (tiles × channels by channels × columns), where the convolution has 36; and
additions make four results of the 16 sums (Lavin and Gray 2015, "Fast Algorithms for Convolutional Neural Networks",
F(2×2, 3×3)). The gradient for the kernel is in `winograd_gradient.py`.

Tiles that reach beyond an image of odd size read its last line or pixel again: no result depends on it. A result
depends on the pixels of its window alone, so NaN goes where it should go; an infinity may become NaN on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llvmlite import ir

from graphc.backends.cpu.vector_ir import Word, at, carry, count_up, smaller, times, word
from graphc.backends.cpu.winograd_part import Matrices, Part
from graphc.backends.cpu.winograd_shape import APART, POINTS
from graphc.backends.cpu.winograd_transforms import both_ways, of_image, of_kernel, to_image

WEIGHTS = ("channels", "columns", "b", "b_line", "b_pixel", "b_depth", "packed", "point")
FORWARD = (
    "lines", "width", "channels", "columns", "a", "a_line", "a_pixel", "b", "c", "c_line", "c_row", "scratch",
)  # fmt: skip


class WinogradWeights(Part):
    """G g Gᵀ for the kernel of every pair of a channel and a column, into panels."""

    title, names = "winograd_weights", WEIGHTS

    def body(self) -> None:
        b, v = self.b, self.v
        channels, width = self["channels"], self.tiling.width
        point = self.bytes_of(self["point"])

        def channel(c: ir.Value) -> None:
            from_c = at(b, self.given["b"], self.bytes_of(self["b_depth"], c))
            to_c = at(b, self.given["packed"], self.bytes_of(width, c))

            def column(o: ir.Value, mask: ir.Value | None) -> None:
                from_o = at(b, from_c, self.bytes_of(o))
                taps = [
                    [v.load(at(b, from_o, self.bytes_of(self["b_line"], h), self.bytes_of(self["b_pixel"], w)), mask)
                     for w in range(3)] for h in range(3)
                ]  # fmt: skip
                first = b.srem(o, word(width))
                to_o = at(b, to_c, self.bytes_of(b.sub(o, first), channels), self.bytes_of(first))
                for p, value in enumerate(both_ways(of_kernel, taps, b)):
                    v.store(value, at(b, to_o, times(b, point, p)))

            self.each_vector("columns", column)

        count_up(b, 0, word(channels), 1, channel, "channel")


class Tiles(Part):
    """Tiles of an image, transformed: a matrix of tiles × channels for each point."""

    def transform_image(self, a: ir.Value, to: ir.Value, first: Word, point: Word) -> None:
        """Bᵀ d B of all tiles of some lines that begin at `a`; the first of them is row `first` of the matrices."""
        b, v = self.b, self.v
        lines, width = self["lines"], self["width"]
        last_line = self.sum(lines, 1)
        a_line, a_pixel, row = (self.bytes_of(self[x]) for x in ("a_line", "a_pixel", "channels"))
        across = self.half(width)

        def down(start: Sequence[ir.Value], c: ir.Value, x: Word, mask: ir.Value | None) -> list[ir.Value]:
            """A column of four pixels, transformed."""
            offset = times(b, a_pixel, x)
            return of_image([v.load(at(b, line, offset, self.bytes_of(c)), mask) for line in start], b)

        def tile_row(t: ir.Value) -> None:
            y = times(b, t, 2)
            numbers = [self.sum(y, k) for k in range(4)]
            if not (isinstance(lines, int) and lines % 2 == 0):
                numbers[3] = smaller(b, word(numbers[3]), last_line)
            start = [at(b, a, times(b, a_line, k)) for k in numbers]
            to_t = at(b, to, times(b, row, self.sum(first, times(b, t, across))))

            def channels(c: ir.Value, mask: ir.Value | None) -> None:
                before = [*down(start, c, 0, mask), *down(start, c, 1, mask)]

                def tile(u: ir.Value, *carried: ir.Value) -> list[ir.Value]:
                    x = times(b, u, 2)
                    third, fourth = self.sum(x, 2), self.sum(x, 3)
                    if not (isinstance(width, int) and width % 2 == 0):
                        fourth = smaller(b, word(fourth), self.sum(width, 1))
                    after = [*down(start, c, third, mask), *down(start, c, fourth, mask)]
                    here = at(b, to_t, times(b, row, u), self.bytes_of(c))
                    for k in range(4):
                        columns = [carried[k], carried[4 + k], after[k], after[4 + k]]
                        for q, value in enumerate(of_image(columns, b)):
                            v.store(value, at(b, here, times(b, point, 4 * k + q)), mask)
                    return [b.add(u, word(1)), *after]

                carry(b, word(across), 1, [word(0), *before], tile, "tile")

            self.each_vector("channels", channels)

        count_up(b, 0, word(self.half(lines)), 1, tile_row, "tiles")

    def following(self, name: str, lines: Word, held: Word) -> tuple[ir.Value, Word]:
        """Where the lines begin that come after those that an operand has here, and the bytes of so many."""
        line = self.bytes_of(self[f"{name}_line"])
        return at(self.b, self.given[name], times(self.b, line, held)), times(self.b, line, lines)

    def second_exists(self, extent: Word, start: Word) -> ir.Value | None:
        """Whether the second of a pair of lines or pixels lies within the image; None where it always does."""
        if isinstance(extent, int) and extent % 2 == 0:
            return None
        return self.b.icmp_signed("<", word(self.sum(start, 1)), word(extent))


class Winograd(Tiles):
    """Some lines of a convolution: tiles transformed, 16 products, results put together."""

    title, names = "winograd", FORWARD

    def body(self) -> None:
        b, channels, columns, lines = self.b, self["channels"], self["columns"], self["lines"]
        tiles = times(b, self.half(self["lines"]), self.half(self["width"]))
        left_point = self.bytes_of(self.sum(times(b, tiles, channels), APART))
        point = self.bytes_of(self.sum(times(b, tiles, columns), APART))
        left = self.given["scratch"]
        sums = at(b, left, times(b, left_point, POINTS))
        panel = self.bytes_of(self.tiling.width, channels)
        panels = b.sdiv(word(self.sum(columns, self.tiling.width - 1)), word(self.tiling.width))
        self.transform_image(self.given["a"], left, 0, left_point)
        self.each_product(
            POINTS,
            tiles,
            channels,
            Matrices(left, left_point, self.bytes_of(channels), self.tiling.size),
            Matrices(self.given["b"], times(b, panel, panels), self.bytes_of(self.tiling.width), panel),
            Matrices(sums, point, self.bytes_of(columns), self.tiling.size),
            resume=False,
            ahead=[self.following("a", lines, self.sum(lines, 2))],
        )
        self._results(sums, point)

    def _results(self, sums: ir.Value, point: Word) -> None:
        """Aᵀ m A of all tiles: what lies within the image."""
        b, v = self.b, self.v
        lines, width, across = self["lines"], self["width"], self.half(self["width"])
        c_line, c_row, row = (self.bytes_of(self[x]) for x in ("c_line", "c_row", "columns"))

        def tile_row(t: ir.Value) -> None:
            def tile(u: ir.Value) -> None:
                y, x = times(b, t, 2), times(b, u, 2)
                here = at(b, sums, times(b, row, self.sum(times(b, t, across), u)))
                there = at(b, self.given["c"], times(b, c_line, y), times(b, c_row, x))

                def vector(o: ir.Value, mask: ir.Value | None) -> None:
                    places = self.places_of_tile(at(b, here, self.bytes_of(o)), point, mask)
                    results = both_ways(to_image, places, b)
                    to_o = at(b, there, self.bytes_of(o))

                    def pair(i: int) -> None:
                        to = at(b, to_o, times(b, c_line, i))
                        v.store(results[2 * i], to, mask)
                        self.if_second(width, x, lambda: v.store(results[2 * i + 1], at(b, to, c_row), mask))

                    pair(0)
                    self.if_second(lines, y, lambda: pair(1))

                self.each_vector("columns", vector)

            count_up(b, 0, word(across), 1, tile, "tile")

        count_up(b, 0, word(self.half(lines)), 1, tile_row, "row")

    def if_second(self, extent: Word, start: Word, body: Callable[[], None]) -> None:
        """body() where the second of a pair lies within the image; the first always does."""
        exists = self.second_exists(extent, start)
        if exists is None:
            body()
            return
        with self.b.if_then(exists):
            body()
