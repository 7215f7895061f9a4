"""The lines of a kernel for a convolution of 3×3 by Winograd's tiles: a band of lines at a time, and what follows it.

    for band in range(begin, end):
        band1 = band % 16
        band0 = band // 16
        winograd_f32(2, 32, 16, 16, address(pad_in, band0 * 18496 + band1 * 1088), 544, 16, address(w_in_panels, 0),
                     address(y_out, band * 1024), 512, 16, address(pad_in_tiles, slice * 8704))
        line_begin = band * 64

The kernel finds its weights transformed: a step of its own does that, once for all slices (`emit_transform.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from graphc.backends.cpu.emit_product import ProductLines, Terms
from graphc.backends.cpu.winograd_shape import (
    POINTS,
    TiledConvolution,
    matrix_elements,
    parts_of,
    scratch_elements,
    tiles_of,
)
from graphc.backends.cpu.writer import Writer
from graphc.backends.nests.nest import Buffer, Nest, Product
from graphc.dim import Extent
from graphc.passes.fuse.product import Axis, extent_of


@dataclass(frozen=True)
class Grid:
    """One of the images that a band consists of: its lines and pixels, as text, and where it begins."""

    lines: str
    width: str
    place: tuple[str, ...] = ()  # the numbers of its first line and pixel; none where the band is the only image

    def of(self, *steps: Extent) -> Terms:
        """The terms of an address at which it begins, for the steps from one line, and one pixel, to the next."""
        return list(zip(self.place, steps, strict=False))


@contextmanager
def each_grid(tiled: TiledConvolution, lines: str, writer: Writer) -> Iterator[Grid]:
    """A loop over the grids of some lines: every d-th line and pixel, where taps are d of them apart."""
    d, width = tiled.dilation, tiled.width
    if d == 1:
        yield Grid(lines, writer.extent(width))
        return
    assert isinstance(width, int)  # taps of images of named sizes are not apart
    whole = lines.isdecimal() and int(lines) % d == 0
    writer.line(f"for grid_line in range({d if whole else f'min({d}, {lines})'}):")
    with writer.indented():
        if not whole:
            writer.line(f"grid_lines = ({lines} - grid_line + {d - 1}) // {d}")
        writer.line(f"for grid_pixel in range({min(d, width)}):")
        with writer.indented():
            if width % d:
                writer.line(f"grid_pixels = ({width} - grid_pixel + {d - 1}) // {d}")
            height = str(int(lines) // d) if whole else "grid_lines"
            yield Grid(height, "grid_pixels" if width % d else str(width // d), ("grid_line", "grid_pixel"))


def deep_of(tiled: TiledConvolution, lines: int) -> int:
    """Lines of a band, of all grids, for so many of one of them."""
    deep = lines * tiled.dilation
    return min(deep, tiled.height) if isinstance(tiled.height, int) else deep


def is_whole(height: Extent, deep: int) -> bool:
    """Whether all bands of an image have the same lines."""
    return isinstance(height, int) and height % deep == 0


class WinogradLines(ProductLines):
    """A convolution: its kernel walks bands of lines."""

    def __init__(self, nest: Nest, product: Product, tiled: TiledConvolution, writer: Writer) -> None:
        super().__init__(nest, product, None, writer)
        self.tiled = tiled
        elements = scratch_elements(tiles_of(tiled.lines, tiled.grid_width), tiled.channels, tiled.columns)
        self.scratch = Buffer(f"{product.lhs.name}_tiles", product.result.dtype, "temporary", elements, per_slice=True)
        writer.buffers.append(self.scratch)

    @property
    def bands(self) -> Extent:
        """Bands of an image."""
        return parts_of(self.tiled.height, self.deep)

    @property
    def deep(self) -> int:
        """Lines of a band, of all grids."""
        return deep_of(self.tiled, self.tiled.lines)

    @property
    def units(self) -> Extent:
        return extent_of(self.tiled.outer) * self.bands

    @property
    def _result_elements(self) -> Extent:
        return self.deep * self.tiled.width * self.tiled.columns * self.tiled.groups

    @contextmanager
    def each_line(self) -> Iterator[None]:
        tiled, writer, product, deep = self.tiled, self.writer, self.product, self.deep
        band = Axis(self.bands, tiled.line.left * deep, 0)
        with self._walk("band", (*tiled.outer, band), "begin", "end") as (left, _):
            writer.node(product.node)
            lines, first = str(deep), f"band * {deep}"
            if not is_whole(tiled.height, deep):
                height, bands = writer.extent(tiled.height), writer.extent(self.bands)
                writer.line(f"line = band // {bands} * {height} + band % {bands} * {deep}")
                writer.line(f"lines = min({deep}, {height} - band % {bands} * {deep})")
                lines, first = "lines", "line"
            ex, row = writer.extent, tiled.columns * tiled.groups
            line = tiled.width * row
            assert product.panels is not None
            group_size = POINTS * matrix_elements(tiled, self.width)
            with each_grid(tiled, lines, writer) as grid, self._each_group() as (a_group, _, group):
                to = self._address(
                    self.nest.product_home or product.result, 0, *self._start(first, line), *grid.of(line, row), *group
                )  # fmt: skip
                pixels = *left, *grid.of(tiled.line.left, tiled.pixel.left), *a_group
                weights = [("group", group_size)] if group else []
                self._call(
                    f"winograd_{self.name}", grid.lines, grid.width, str(tiled.channels), str(tiled.columns),
                    self._address(product.lhs, product.axes.left.offset, *pixels), ex(tiled.tap_line.left),
                    ex(tiled.tap_pixel.left), self._address(product.panels, 0, *weights), to,
                    ex(line * tiled.dilation), str(row * tiled.dilation),
                    self._address(self.scratch, 0, ("slice", self.scratch.extent)),
                )  # fmt: skip
            self._bounds = first, lines
            yield

    def _start(self, first: str, line: Extent) -> Terms:
        """Where the band lies: among the lines of an output, or in the slice's own memory."""
        return [(f"({first})", line)] if self.nest.product_home is not None else [("slice", self._result_elements)]

    @contextmanager
    def each_stretch_of_rows(self) -> Iterator[tuple[str, str]]:
        first, lines = self._bounds
        width = self.writer.extent(self.tiled.width)
        self.writer.line(f"line_begin = {first} * {width}")
        self.writer.line(f"line_end = line_begin + {lines} * {width}")
        yield "line_begin", "line_end"
