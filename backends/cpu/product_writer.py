"""Which writer the product of a nest has: lines, few of them, Winograd's tiles, or parts of a sum over the depth."""

from __future__ import annotations

from graphc.backends.cpu.blocks import Block
from graphc.backends.cpu.emit_few_lines import FewLines, rows_together
from graphc.backends.cpu.emit_parts import ProductParts
from graphc.backends.cpu.emit_product import ProductLines
from graphc.backends.cpu.emit_winograd import WinogradLines
from graphc.backends.cpu.emit_winograd_gradient import WinogradChannels, WinogradParts
from graphc.backends.cpu.winograd_shape import TiledConvolution
from graphc.backends.cpu.writer import Writer
from graphc.backends.nests.nest import Nest, Product
from graphc.passes.fuse.place import Cut


def product_lines(nest: Nest, product: Product, block: Block | None, writer: Writer) -> ProductLines:
    """What writes the product of a nest."""
    gradient = TiledConvolution.of_gradient(product.axes)
    if nest.cut is Cut.DEPTH:
        return WinogradParts(nest, product, gradient, writer) if gradient else ProductParts(nest, product, None, writer)
    if gradient is not None:
        return WinogradChannels(nest, product, gradient, writer)
    tiled = TiledConvolution.of(product.axes) if product.is_packed_before else None
    if tiled is not None:
        return WinogradLines(nest, product, tiled, writer)
    rows = rows_together(nest, product)
    return FewLines(nest, product, rows, writer) if rows else ProductLines(nest, product, block, writer)
