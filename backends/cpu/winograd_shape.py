"""Which products are convolutions of 3×3 that Winograd's tiles compute, and how many lines a kernel takes at once.

    TiledConvolution.of(product.axes)         # for f32[N,32,32,16] and 3·3·16·16: bands of 2 lines, 16 tiles each

A product is one where its windows overlap as those of a stride of 1 do: a step along the lines of the results is a step
along the lines of the image, and so for pixels. With a dilation of d the taps are d lines and d pixels apart, and every
d-th line and pixel make an image by themselves, a *grid*: there are d·d of them, and each is convolved as an image is.
The groups of a convolution are convolutions side by side. A gradient for a kernel is the same product with other sums.

Lines and pixels may be named: bands are then of as many lines as suit an image of common width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import overload

from graphc.dim import Extent
from graphc.passes.fuse.product import Axis, MatrixProduct, extent_of

TAPS = 3
POINTS = 16  # multiplications of a tile: one for each of its places
APART = 16  # elements between the matrices of two points, or stores to all of them would fall into one set of the cache
LEAST_CHANNELS = 8  # on either side: for fewer the additions cost what the multiplications save
LEAST_TILES = 8  # rows of a product that keep its tiles busy
MOST_TILES_OF_GRADIENT = 64  # the depth of a product that pays for reading and writing its sums
COMMON_ACROSS = 16  # tiles beside each other that an image of named width is taken to have


@dataclass(frozen=True)
class TiledConvolution:
    """A convolution of 3×3 with a stride of 1, its channels last: extents and strides of image, kernel and result.

    Extents and strides of lines and pixels are those of the image; `lines` of a band are those of one of its grids.
    Channels and columns are those of a group.
    `outer` are the axes around an image: lines of the result where it is a convolution, depth where it is a gradient.
    """

    outer: tuple[Axis, ...]
    height: Extent
    width: Extent
    channels: int
    columns: int
    line: Axis  # from one line of results to the next: in the image, and in what the gradient multiplies it with
    pixel: Axis
    tap_line: Axis  # from one tap to the next: in the image and the kernel
    tap_pixel: Axis
    tap_depth: Axis
    dilation: int
    groups: int

    @classmethod
    def of(cls, product: MatrixProduct) -> TiledConvolution | None:
        """The convolution that a product is: rows over lines and pixels, depth over taps and channels."""
        return cls._of(product, product.rows, product.depth)

    @classmethod
    def of_gradient(cls, product: MatrixProduct) -> TiledConvolution | None:
        """The gradient for a kernel that a product is: rows over taps and channels, depth over lines and pixels."""
        found = cls._of(product, product.depth, product.rows)
        return found if found is not None and len(found.outer) == 1 else None

    @classmethod
    def _of(cls, product: MatrixProduct, places: tuple[Axis, ...], taps: tuple[Axis, ...]) -> TiledConvolution | None:
        taps = _with_channels(taps, places)
        if len(places) < 2 or len(taps) != 3 or len(product.columns) != 1:
            return None
        if (product.batch and not product.inside) or product.is_packed or product.is_by_lanes:
            return None
        *outer, line, pixel = places
        tap_line, tap_pixel, tap_depth = taps
        dilation = _quotient(tap_pixel.left, pixel.left)
        strides = (line.left * dilation, pixel.left * dilation, 1)
        extents = (tap_depth.extent, product.column.extent, extent_of(product.groups))
        if (tap_line.left, tap_pixel.left, tap_depth.left) != strides:
            return None
        if (tap_line.extent, tap_pixel.extent) != (TAPS, TAPS) or not all(isinstance(x, int) for x in extents):
            return None
        channels, columns, groups = (int(str(x)) for x in extents)
        if min(channels, columns) < LEAST_CHANNELS or not _saves(line.extent, pixel.extent, dilation):
            return None
        return cls(
            tuple(outer), line.extent, pixel.extent, channels, columns, line, pixel, tap_line, tap_pixel, tap_depth,
            dilation, groups,
        )  # fmt: skip

    @property
    def grid_width(self) -> Extent:
        """Pixels of the widest grid."""
        return parts_of(self.width, self.dilation)

    @property
    def across(self) -> int:
        """Tiles beside each other, or what they are taken to be."""
        return parts_of(self.grid_width, 2) if isinstance(self.grid_width, int) else COMMON_ACROSS

    @property
    def lines(self) -> int:
        """Lines of results of a band."""
        return self._at_most_all(2 * parts_of(LEAST_TILES, self.across))

    @property
    def lines_of_gradient(self) -> int:
        """The same for the gradient, whose sums are read and written once for each band."""
        return self._at_most_all(2 * max(1, MOST_TILES_OF_GRADIENT // self.across))

    def _at_most_all(self, lines: int) -> int:
        """No more lines than the highest grid has."""
        return min(lines, parts_of(self.height, self.dilation)) if isinstance(self.height, int) else lines

    @property
    def images_of_gradient(self) -> int:
        """Images that a band of the gradient is taken from."""
        return max(1, MOST_TILES_OF_GRADIENT // (self.across * parts_of(self.lines_of_gradient, 2)))


def _with_channels(taps: tuple[Axis, ...], places: tuple[Axis, ...]) -> tuple[Axis, ...]:
    """Taps and channels as axes of their own, where pixels lie side by side and the two are one."""
    if len(taps) != 2 or not places:
        return taps
    line, run = taps
    channels = places[-1].left
    if not isinstance(channels, int) or run.extent != TAPS * channels or run.left != 1:
        return taps
    return line, Axis(TAPS, channels, run.right * channels), Axis(channels, 1, run.right)


def _quotient(tap: Extent, step: Extent) -> int:
    """How many steps from one tap to the next, where that is a whole number; else 1."""
    if isinstance(tap, int) and isinstance(step, int) and step > 0 and tap > 0 and tap % step == 0:
        return tap // step
    return 1


def _saves(height: Extent, width: Extent, dilation: int) -> bool:
    """Whether there are fewer multiplications by a fifth, even where the last tiles reach beyond the grids.

    Those of named extents are taken to be many.
    """
    if not isinstance(height, int) or not isinstance(width, int):
        known = [extent for extent in (height, width) if isinstance(extent, int)]
        return dilation == 1 and all(_saves(extent, 2 * COMMON_ACROSS, 1) for extent in known)
    multiplications = height * width * TAPS * TAPS
    tiled = POINTS * _pairs(height, dilation) * _pairs(width, dilation)
    return 5 * tiled <= 4 * multiplications


def _pairs(extent: int, dilation: int) -> int:
    """Pairs of lines or pixels in all grids, in the last one of each perhaps of one."""
    return sum(parts_of(len(range(first, extent, dilation)), 2) for first in range(dilation))


@overload
def parts_of(extent: int, size: int) -> int: ...
@overload
def parts_of(extent: Extent, size: int) -> Extent: ...
def parts_of(extent: Extent, size: int) -> Extent:
    """Parts of some size, the last one perhaps smaller."""
    return (extent + (size - 1)) // size


def tiles_of(lines: int, width: Extent) -> Extent:
    """Tiles of some lines."""
    return parts_of(lines, 2) * parts_of(width, 2)


def scratch_elements(tiles: Extent, channels: int, columns: int) -> Extent:
    """Elements of scratch for so many tiles, of a convolution or a gradient."""
    return POINTS * (tiles * (channels + columns) + 2 * APART)


def matrix_elements(tiled: TiledConvolution, panel: int) -> int:
    """Elements of one of the 16 matrices of a transformed kernel, in panels of so many columns."""
    return tiled.channels * -(-tiled.columns // panel) * panel
