"""The lines of a kernel whose product is cut along its depth: every slice adds up a part of all results.

    for deep in range(begin, end):
        gemm_segments_f32(192, 64, 8, 8, address(x_in, deep * 6400), …, address(y_parts, slice * 36864), 64, 1)

The gradients for weights that are used at many places are such: those of convolutions above all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from graphc.backends.cpu.emit_product import ProductLines, Terms, names_of
from graphc.dim import Extent
from graphc.passes.fuse.product import Axis

DEPTH_OF_PART = 512  # places of a depth of one axis that stay together when it is cut


class ProductParts(ProductLines):
    """Writes the product of a slice's part of the depth."""

    @property
    def parts(self) -> Extent:
        """How many places of the depth, or groups of them, can be given to slices."""
        first, *inner = self.product.axes.depth
        return first.extent if inner else (first.extent + (DEPTH_OF_PART - 1)) // DEPTH_OF_PART

    def write_parts(self) -> None:
        """The product over the slice's part of the depth, added to its own sums."""
        writer, product = self.writer, self.product
        axes, ex = product.axes, writer.extent
        writer.line("for deep in range(begin, end):")
        with writer.indented():
            writer.node(product.node)
            first, *inner = axes.depth
            if inner:
                deep, run = [("deep", first.left)], inner.pop()
                far = [("deep", first.right)]
                count = ex(run.extent)
            else:
                run, count = first, f"min({DEPTH_OF_PART}, {ex(first.extent)} - deep * {DEPTH_OF_PART})"
                deep = [("deep", first.left * DEPTH_OF_PART)]
                far = [("deep", first.right * DEPTH_OF_PART)]
            segment = inner.pop() if inner and not axes.is_by_lanes else Axis(1, 0, 0)
            with self._lines_and_parts(inner) as ((left, right), (a_depth, b_depth)):
                start = ("slice", product.lines * product.rows * product.columns)
                line: Terms = [("line", product.rows * product.columns)] if axes.lines else []
                with self._each_group() as (a_group, b_group, group):
                    a = self._address(product.lhs, axes.left.offset, *deep, *a_depth, *left, *a_group)
                    b = self._address(product.rhs, axes.right.offset, *far, *b_depth, *right, *b_group)
                    to = self._address(product.result, 0, start, *line, *group)
                    self._call(
                        self._gemm_segments, ex(product.rows), ex(axes.column.extent), count, ex(segment.extent), a,
                        ex(axes.row.left), ex(run.left), ex(segment.left), b, str(self.width), ex(run.right),
                        ex(segment.right), to, ex(product.columns), "1",
                        *self._margins(zip(["deep", *names_of(a_depth), *names_of(left)],
                                           [first, *inner, *axes.lines], strict=True), segment),
                    )  # fmt: skip

    @contextmanager
    def _lines_and_parts(self, inner: Sequence[Axis]) -> Iterator[tuple[tuple[Terms, Terms], tuple[Terms, Terms]]]:
        """Loops over the lines and what is left of the depth.

        Of a depthwise gradient the lines are the innermost: a line of the image serves all rows of taps in the cache.
        """
        axes = self.product.axes
        lines = self._walk("line", axes.lines, "0", self.writer.extent(self.product.lines))
        parts = self._each("part", inner)
        if axes.is_by_lanes:
            with parts as deep, lines as line:
                yield line, deep
        else:
            with lines as line, parts as deep:
                yield line, deep
