"""The gradient for a kernel of 3×3 by Winograd's tiles: 16 products of matrices for 36.

    winograd_gradient(images, lines, width, channels, columns, a, a_image, a_line, a_pixel, b, b_image, b_line, b_pixel,
                      c, scratch)
        adds to the 16 matrices C what some lines of images A, and the gradients B of their results, contribute
    winograd_kernel(channels, columns, source, target, tap, row)
        target[(h·3 + w)·tap + i·row + o] = sum over all images, y, x of A[y+h, x+w, i] · B[y, x, o], out of
        the 16 matrices

A kernel's gradient is a convolution too, of images with gradients: 3×3 results of each tile of 4×4 pixels and 2×2
gradients, F(3×3, 2×2) in the words of Lavin and Gray 2015. The sums over all tiles are taken between the transforms, so
the last one happens once. Gradients beyond an image of odd size are zero.
"""

from __future__ import annotations

from llvmlite import ir

from graphc.backends.cpu.vector_ir import Word, at, count_up, times, word
from graphc.backends.cpu.winograd import Tiles
from graphc.backends.cpu.winograd_part import Matrices, Part
from graphc.backends.cpu.winograd_shape import APART, POINTS
from graphc.backends.cpu.winograd_transforms import both_ways, of_gradient, to_kernel

GRADIENT = (
    "images", "lines", "width", "channels", "columns", "a", "a_image", "a_line", "a_pixel", "b", "b_image", "b_line",
    "b_pixel", "c", "scratch",
)  # fmt: skip
KERNEL = ("channels", "columns", "source", "target", "tap", "row")


class WinogradGradient(Tiles):
    """The contribution of some lines of images to the 16 matrices of a kernel's gradient."""

    title, names = "winograd_gradient", GRADIENT

    def body(self) -> None:
        b = self.b
        channels, columns, images = self["channels"], self["columns"], self["images"]
        lines = self["lines"]
        tiles = times(b, self.half(lines), self.half(self["width"]))
        depth = times(b, images, tiles)
        left_point = self.bytes_of(self.sum(times(b, depth, channels), APART))
        right_point = self.bytes_of(self.sum(times(b, depth, columns), APART))
        left = self.given["scratch"]
        right = at(b, left, times(b, left_point, POINTS))

        def each(n: ir.Value) -> None:
            first = times(b, n, tiles)
            image = at(b, self.given["a"], self.bytes_of(self["a_image"], n))
            self.transform_image(image, left, first, left_point)
            start = at(b, self.given["b"], self.bytes_of(self["b_image"], n))
            self._transform_gradient(start, right, first, right_point)

        count_up(b, 0, word(images), 1, each, "image")
        self.each_product(
            POINTS,
            channels,
            depth,
            Matrices(left, left_point, self.tiling.size, self.bytes_of(channels)),
            Matrices(right, right_point, self.bytes_of(columns), self.bytes_of(self.tiling.width)),
            Matrices(self.given["c"], self.bytes_of(channels, columns), self.bytes_of(columns), self.tiling.size),
            resume=True,
            ahead=[self.following("a", lines, self.sum(lines, 2)), self.following("b", lines, lines)],
        )

    def _transform_gradient(self, start: ir.Value, to: ir.Value, first: Word, point: Word) -> None:
        """H e Hᵀ of the 2×2 gradients of all tiles; those beyond the image are zero."""
        b, v = self.b, self.v
        lines, width, across = self["lines"], self["width"], self.half(self["width"])
        steps, row = [self.bytes_of(self[x]) for x in ("b_line", "b_pixel")], self.bytes_of(self["columns"])

        def tile_row(t: ir.Value) -> None:
            def tile(u: ir.Value) -> None:
                y, x = times(b, t, 2), times(b, u, 2)
                from_u = at(b, start, times(b, steps[0], y), times(b, steps[1], x))
                there = at(b, to, times(b, row, self.sum(first, self.sum(times(b, t, across), u))))
                second = self.second_exists(lines, y), self.second_exists(width, x)

                def vector(o: ir.Value, mask: ir.Value | None) -> None:
                    def pixel(*place: int) -> ir.Value:
                        there = [(step, exists) for k, step, exists in zip(place, steps, second, strict=True) if k]
                        offsets = [step if e is None else b.select(e, word(step), word(0)) for step, e in there]
                        value = v.load(at(b, from_u, self.bytes_of(o), *offsets), mask)
                        for _, exists in there:
                            value = value if exists is None else b.select(exists, value, v.zero)
                        return value

                    square = [[pixel(i, j) for j in range(2)] for i in range(2)]
                    for p, value in enumerate(both_ways(of_gradient, square, b)):
                        v.store(value, at(b, there, times(b, point, p), self.bytes_of(o)), mask)

                self.each_vector("columns", vector)

            count_up(b, 0, word(across), 1, tile, "tile")

        count_up(b, 0, word(self.half(lines)), 1, tile_row, "row")


class WinogradKernel(Part):
    """Cᵀ m C: the gradient for the kernel out of the 16 matrices."""

    title, names = "winograd_kernel", KERNEL

    def body(self) -> None:
        b, v = self.b, self.v
        matrix, tap = self.bytes_of(self["channels"], self["columns"]), self.bytes_of(self["tap"])

        def channel(c: ir.Value) -> None:
            def vector(o: ir.Value, mask: ir.Value | None) -> None:
                offset = self.bytes_of(self.sum(times(b, c, self["columns"]), o))
                places = self.places_of_tile(at(b, self.given["source"], offset), matrix, mask)
                there = at(b, self.given["target"], self.bytes_of(self.sum(times(b, c, self["row"]), o)))
                for number, value in enumerate(both_ways(to_kernel, places, b)):
                    v.store(value, at(b, there, times(b, tap, number)), mask)

            self.each_vector("columns", vector)

        count_up(b, 0, word(self["channels"]), 1, channel, "channel")
