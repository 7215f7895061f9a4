"""The lines of a kernel for the gradient of a 3×3 kernel by Winograd's tiles: sums of 16 matrices, and nine of them.

    for deep in range(begin, end, 4):                                    # few results: slices share the images
        winograd_gradient_f32(min(4, end - deep), 8, 8, 64, 64, address(pad_in, deep * 6400), …, address(x_sums, …), …)
    winograd_kernel_f32(64, 64, address(x_sums, slice * 65536), address(y_parts, slice * 36864), 4096, 64)

    for line in range(begin, end):                                       # many results: slices share the channels
        for deep in range(0, n0, 4):
            winograd_gradient_f32(min(4, n0 - deep), 8, 8, 32, 128, address(pad_in, deep * 25600 + line * 32), …)
        winograd_kernel_f32(32, 128, address(x_sums, slice * 65536), address(y_out, line * 8192), 65536, 256)

Where slices share the images, each has all results once more, and their sum is taken at the finish. Where they share
the channels, a slice has its results whole, and what follows the product follows at once. It transforms the gradients
that all slices read once more: little beside its products, as it has many channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from graphc.backends.cpu.emit_parts import ProductParts
from graphc.backends.cpu.emit_product import ProductLines, Terms
from graphc.backends.cpu.emit_winograd import deep_of, each_grid, is_whole
from graphc.backends.cpu.winograd_shape import (
    POINTS,
    TAPS,
    TiledConvolution,
    parts_of,
    scratch_elements,
    tiles_of,
)
from graphc.backends.cpu.writer import Writer
from graphc.backends.nests.nest import Buffer, Nest, Product
from graphc.dim import Extent
from graphc.passes.fuse.product import Axis

LEAST_SHARED = 8  # channels that a slice has at once, at least
MOST_SHARED = 64  # at most
MANY_CHANNELS = 256  # which eight slices share
SUMS = 8192  # results of a tap that are summed at once: with the transformed tiles they lie in the second-level cache


class WinogradSums(ProductLines):
    """The 16 matrices to which images contribute, for some channels and columns of a group at once."""

    def __init__(self, nest: Nest, product: Product, tiled: TiledConvolution, writer: Writer) -> None:
        super().__init__(nest, product, None, writer)
        self.tiled = tiled
        self.channels, self.across = self._at_once()
        tiles = tiles_of(tiled.lines_of_gradient, tiled.grid_width) * tiled.images_of_gradient
        name, dtype = product.lhs.name, product.result.dtype
        self.sums_of_group = POINTS * self.channels * self.across
        sums = self.sums_of_group * self._groups_at_once
        self.sums = Buffer(f"{name}_sums", dtype, "temporary", sums, per_slice=True)
        elements = scratch_elements(tiles, self.channels, self.across)
        self.scratch = Buffer(f"{name}_tiles", dtype, "temporary", elements, per_slice=True)
        writer.buffers += [self.sums, self.scratch]

    def _at_once(self) -> tuple[int, int]:
        """How many channels and columns there are at once."""
        return self.tiled.channels, self.tiled.columns

    @property
    def _groups_at_once(self) -> int:
        return self.tiled.groups

    def _zeros(self) -> None:
        """Sums over nothing."""
        self.writer.line(f"for k in range({self.sums.extent}):")
        with self.writer.indented():
            self.writer.line(f"{self.sums.name}[slice * {self.sums.extent} + k] = 0.0")

    @contextmanager
    def _each_band(self, begin: str, end: str) -> Iterator[tuple[list[str], Terms, Terms]]:
        """Loops over images and bands of their lines: images, lines and pixels of one, and where it begins in both."""
        writer, product, tiled = self.writer, self.product, self.tiled
        (image,) = tiled.outer
        deep, images = deep_of(tiled, tiled.lines_of_gradient), tiled.images_of_gradient
        writer.line(f"for deep in range({begin}, {end}, {images}):")
        with writer.indented():
            writer.node(product.node)
            count = f"min({images}, {end} - deep)" if images > 1 else "1"
            bands, ex = parts_of(tiled.height, deep), writer.extent
            band = Axis(bands, tiled.line.left * deep, tiled.line.right * deep)
            with self._walk("band", () if bands == 1 else (band,), "0", ex(bands)) as (left, right):
                whole = is_whole(tiled.height, deep)
                lines = str(deep) if whole else f"min({deep}, {ex(tiled.height)} - band * {deep})"
                with each_grid(tiled, lines, writer) as grid:
                    yield (
                        [count, grid.lines, grid.width],
                        [("deep", image.left), *left, *grid.of(tiled.line.left, tiled.pixel.left)],
                        [("deep", image.right), *right, *grid.of(tiled.line.right, tiled.pixel.right)],
                    )

    def _gather(self, band: list[str], channels: str, columns: str, left: Terms, right: Terms, sums: str) -> None:
        """What a band contributes."""
        product, tiled, ex = self.product, self.tiled, self.writer.extent
        (image,) = tiled.outer
        line, pixel = (tiled.dilation * axis.right for axis in (tiled.line, tiled.pixel))
        self._call(
            f"winograd_gradient_{self.name}", *band, channels, columns,
            self._address(product.lhs, product.axes.left.offset, *left), ex(image.left), ex(tiled.tap_line.left),
            ex(tiled.tap_pixel.left), self._address(product.rhs, product.axes.right.offset, *right), ex(image.right),
            ex(line), ex(pixel), sums, self._address(self.scratch, 0, ("slice", self.scratch.extent)),
        )  # fmt: skip

    def _sums(self, group: Terms) -> str:
        """Where the 16 matrices of a group are."""
        start: Terms = [("slice", self.sums.extent), *((name, self.sums_of_group) for name, _ in group)]
        return self._address(self.sums, 0, *start)

    def _finish(self, channels: str, columns: str, sums: str, to: str, tap: int) -> None:
        """The nine matrices out of the 16."""
        row = str(self.tiled.columns * self.tiled.groups)
        self._call(f"winograd_kernel_{self.name}", channels, columns, sums, to, str(tap), row)


class WinogradParts(WinogradSums, ProductParts):
    """A gradient of which every slice has all results: their sums over bands of its images."""

    @property
    def parts(self) -> Extent:
        return self.tiled.outer[0].extent

    def write_parts(self) -> None:
        tiled, product = self.tiled, self.product
        channels, columns = str(tiled.channels), str(tiled.columns)
        self._zeros()
        with self._each_band("begin", "end") as (band, left, right), self._each_group() as (a_group, b_group, group):
            self._gather(band, channels, columns, [*left, *a_group], [*right, *b_group], self._sums(group))
        start: Terms = [("slice", product.lines * product.rows * product.columns)]
        with self._each_group() as (_, _, group):
            to = self._address(product.result, 0, *start, *group)
            self._finish(channels, columns, self._sums(group), to, tiled.channels * tiled.columns * tiled.groups)


class WinogradChannels(WinogradSums):
    """A gradient whose channels slices share: the sums over all images, for some columns after others."""

    def _at_once(self) -> tuple[int, int]:
        """As many channels as leave slices enough for threads, and few columns with many channels.

        The fewer channels, the more it counts that each slice transforms all gradients.
        """
        channels, columns = self.tiled.channels, self.tiled.columns
        slices = 8 if channels >= MANY_CHANNELS else min(4, channels // LEAST_SHARED)
        shared = parts_of(channels, max(slices, parts_of(channels, MOST_SHARED)))
        across = parts_of(columns, parts_of(columns, SUMS // shared))
        return shared, min(columns, parts_of(across, self.width) * self.width)

    @property
    def _groups_at_once(self) -> int:
        return 1

    @property
    def by_lines(self) -> bool:
        return True

    @property
    def units(self) -> Extent:
        return parts_of(self.tiled.channels, self.channels)

    @property
    def _row(self) -> int:
        """Elements of a row of results."""
        return self.tiled.columns * self.tiled.groups

    @property
    def _result_elements(self) -> Extent:
        return TAPS * TAPS * self.channels * self._row

    def _element(self) -> str | None:
        if self.home is not None:
            return None
        row = f"(tap * {self.channels} + i - line_begin)"
        return f"{self.product.result.name}[slice * {self._result_elements} + {row} * {self._row} + j]"

    def before_lines(self) -> None:
        """Nothing serves all channels."""

    @contextmanager
    def each_line(self) -> Iterator[None]:
        writer, tiled, (image,) = self.writer, self.tiled, self.tiled.outer
        writer.line("for line in range(begin, end):")
        with writer.indented():
            channels = _count(tiled.channels, self.channels, "line * {size}")
            columns = _count(tiled.columns, self.across, "column")
            with self._each_group() as (a_group, b_group, group), self._each_block() as block:
                self._zeros()
                with self._each_band("0", writer.extent(image.extent)) as (band, left, right):
                    left += [("line", self.channels), *a_group]
                    self._gather(band, channels, columns, left, [*right, *b_group, *block], self._sums([]))
                self._finish(channels, columns, self._sums([]), self._to([*group, *block]), self._tap)
            yield

    @contextmanager
    def _each_block(self) -> Iterator[Terms]:
        """A loop over blocks of columns, where there are several."""
        if self.across == self.tiled.columns:
            yield []
            return
        self.writer.line(f"for column in range(0, {self.tiled.columns}, {self.across}):")
        with self.writer.indented():
            yield [("column", 1)]

    @property
    def _tap(self) -> int:
        """Elements from the results of one tap to those of the next."""
        return (self.tiled.channels if self.home is not None else self.channels) * self._row

    def _to(self, terms: Terms) -> str:
        if self.home is None:
            return self._address(self.product.result, 0, ("slice", self._result_elements), *terms)
        return self._address(self.home, 0, ("line", self.channels * self._row), *terms)

    @contextmanager
    def each_stretch_of_rows(self) -> Iterator[tuple[str, str]]:
        """The rows of a tap are neighbours; those of the next are further on."""
        writer, channels = self.writer, self.tiled.channels
        writer.line(f"for tap in range({TAPS * TAPS}):")
        with writer.indented():
            writer.line(f"line_begin = tap * {channels} + line * {self.channels}")
            writer.line(f"line_end = line_begin + {_count(channels, self.channels, 'line * {size}')}")
            yield "line_begin", "line_end"


def _count(whole: int, size: int, start: str) -> str:
    """How many there are from `start` on, of so many at once."""
    return str(size) if whole % size == 0 else f"min({size}, {whole} - {start.format(size=size)})"
