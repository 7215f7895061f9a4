"""The lines of a kernel for a convolution of 3×3 by Winograd's tiles: a band of lines at a time, and what follows it.

    for band in range(begin, end):
        band1 = band % 16
        band0 = band // 16
        winograd_f32(2, 32, 16, 16, address(pad_in, band0 * 18496 + band1 * 1088), 544, 16, address(w_in_panels, 0),
                     address(y_out, band * 1024), 512, 16, address(pad_in_tiles, slice * 8704))
        line_begin = band * 64

The kernel finds its weights transformed: a step of its own does that, once for all slices (`emit_pack.py`). A gradient
for a kernel gathers the sums of 16 matrices from all images of its slice, and makes nine of them at its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from graphc.backends.cpu.blocks import Block
from graphc.backends.cpu.emit_parts import ProductParts
from graphc.backends.cpu.emit_product import ProductLines
from graphc.backends.cpu.winograd_shape import POINTS, TiledConvolution, scratch_elements, tiles_of
from graphc.backends.cpu.writer import Writer
from graphc.backends.nests.nest import Buffer, Nest, Product
from graphc.dim import Extent
from graphc.passes.fuse.place import Cut
from graphc.passes.fuse.product import Axis, extent_of


def product_lines(nest: Nest, product: Product, block: Block | None, writer: Writer) -> ProductLines:
    """What writes the product of a nest."""
    if nest.cut is Cut.DEPTH:
        gradient = TiledConvolution.of_gradient(product.axes)
        return WinogradParts(nest, product, gradient, writer) if gradient else ProductParts(nest, product, None, writer)
    tiled = TiledConvolution.of(product.axes) if product.is_packed_before else None
    return WinogradLines(nest, product, tiled, writer) if tiled else ProductLines(nest, product, block, writer)


class WinogradLines(ProductLines):
    """A convolution: its kernel walks bands of lines."""

    def __init__(self, nest: Nest, product: Product, tiled: TiledConvolution, writer: Writer) -> None:
        super().__init__(nest, product, None, writer)
        self.tiled = tiled
        elements = scratch_elements(tiles_of(tiled.lines, tiled.width), tiled.channels, tiled.columns)
        self.scratch = Buffer(f"{product.lhs.name}_tiles", product.result.dtype, "temporary", elements, per_slice=True)
        writer.buffers.append(self.scratch)

    @property
    def bands(self) -> int:
        """Bands of an image."""
        return -(-self.tiled.height // self.tiled.lines)

    @property
    def units(self) -> Extent:
        return extent_of(self.tiled.outer) * self.bands

    @property
    def _result_elements(self) -> Extent:
        return self.tiled.lines * self.tiled.width * self.tiled.columns

    @contextmanager
    def each_line(self) -> Iterator[None]:
        tiled, writer, product = self.tiled, self.writer, self.product
        band = Axis(self.bands, tiled.line.left * tiled.lines, 0)
        with self._walk("band", (*tiled.outer, band), "begin", "end") as (left, _):
            writer.node(product.node)
            lines, first = str(tiled.lines), f"band * {tiled.lines}"
            if tiled.height % tiled.lines:
                writer.line(f"line = band // {self.bands} * {tiled.height} + band % {self.bands} * {tiled.lines}")
                writer.line(f"lines = min({tiled.lines}, {tiled.height} - band % {self.bands} * {tiled.lines})")
                lines, first = "lines", "line"
            row, line = tiled.columns, tiled.width * tiled.columns
            to = self._address(self.nest.product_home or product.result, 0, *self._start(first, line))
            assert product.panels is not None
            self._call(
                f"winograd_{self.name}", lines, str(tiled.width), str(tiled.channels), str(tiled.columns),
                self._address(product.lhs, product.axes.left.offset, *left), str(tiled.line.left),
                str(tiled.pixel.left), self._address(product.panels, 0), to, str(line), str(row),
                self._address(self.scratch, 0, ("slice", self.scratch.extent)),
            )  # fmt: skip
            self._bounds = first, lines
            yield

    def _start(self, first: str, line: int) -> list[tuple[str, Extent]]:
        """Where the band lies: among the lines of an output, or in the slice's own memory."""
        return [(f"({first})", line)] if self.nest.product_home is not None else [("slice", self._result_elements)]

    def write_bounds(self) -> None:
        first, lines = self._bounds
        self.writer.line(f"line_begin = {first} * {self.tiled.width}")
        self.writer.line(f"line_end = line_begin + {lines} * {self.tiled.width}")


class WinogradParts(ProductParts):
    """A gradient for a kernel: the sums of a slice over bands of its images."""

    def __init__(self, nest: Nest, product: Product, tiled: TiledConvolution, writer: Writer) -> None:
        super().__init__(nest, product, None, writer)
        self.tiled = tiled
        tiles = tiles_of(tiled.lines_of_gradient, tiled.width) * tiled.images_of_gradient
        name, dtype, sums = product.lhs.name, product.result.dtype, POINTS * tiled.channels * tiled.columns
        self.sums = Buffer(f"{name}_sums", dtype, "temporary", sums, per_slice=True)
        elements = scratch_elements(tiles, tiled.channels, tiled.columns)
        self.scratch = Buffer(f"{name}_tiles", dtype, "temporary", elements, per_slice=True)
        writer.buffers += [self.sums, self.scratch]

    @property
    def parts(self) -> Extent:
        return self.tiled.outer[0].extent

    def write_parts(self) -> None:
        writer, product, tiled = self.writer, self.product, self.tiled
        (image,) = tiled.outer
        lines, images, channels, columns = (
            tiled.lines_of_gradient,
            tiled.images_of_gradient,
            tiled.channels,
            tiled.columns,
        )
        sums = self._address(self.sums, 0, ("slice", self.sums.extent))
        writer.line(f"for k in range({self.sums.extent}):")
        with writer.indented():
            writer.line(f"{self.sums.name}[slice * {self.sums.extent} + k] = 0.0")
        writer.line(f"for deep in range(begin, end, {images}):")
        with writer.indented():
            writer.node(product.node)
            count = f"min({images}, end - deep)" if images > 1 else "1"
            bands = -(-tiled.height // lines)
            band = Axis(bands, tiled.line.left * lines, tiled.line.right * lines)
            with self._walk("band", (band,) if bands > 1 else (), "0", str(bands)) as (left, right):
                height = str(lines) if tiled.height % lines == 0 else f"min({lines}, {tiled.height} - band * {lines})"
                self._call(
                    f"winograd_gradient_{self.name}", count, height, str(tiled.width), str(channels), str(columns),
                    self._address(product.lhs, product.axes.left.offset, ("deep", image.left), *left),
                    writer.extent(image.left), str(tiled.line.left), str(tiled.pixel.left),
                    self._address(product.rhs, product.axes.right.offset, ("deep", image.right), *right),
                    writer.extent(image.right), str(tiled.line.right), str(tiled.pixel.right), sums,
                    self._address(self.scratch, 0, ("slice", self.scratch.extent)),
                )  # fmt: skip
        parts = self._address(product.result, 0, ("slice", product.lines * product.rows * product.columns))
        self._call(f"winograd_kernel_{self.name}", str(channels), str(columns), sums, parts)
