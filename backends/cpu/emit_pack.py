"""The kernel that packs the right operand of a product once, for all slices and all kernels that read it.

    pack_f32(784, 512, address(weight_in, 0), 1, 784, address(panels_out, 0))

A kernel that is cut by rows would pack it in every slice. And where the operand depends on the model's state alone,
such as a weight in a prediction, packing belongs to what is done when the state has changed (`preparation.py`).
"""

from __future__ import annotations

from dataclasses import replace

from graphc.backends.cpu.blocks import copies_in_every_stretch, crowds_caches
from graphc.backends.cpu.emit_product import has_few_columns, panel_elements, panel_width
from graphc.backends.cpu.emit_transform import emit_transform
from graphc.backends.cpu.kernel_source import MOVED, KernelSource
from graphc.backends.cpu.row_words import RowWords
from graphc.backends.cpu.winograd_shape import POINTS, TiledConvolution, matrix_elements
from graphc.backends.nests.nest import Buffer, Load, Nest, Product
from graphc.backends.nests.scalar import computing
from graphc.dim import Extent
from graphc.ir import Value
from graphc.passes.fuse.place import Cut
from graphc.passes.fuse.product import at_least
from graphc.types import TensorType

LARGE = 1 << 13  # elements of an operand that is worth a step of its own
MANY_ROWS = 128  # in a batch of one, from where on several slices would copy it


def packs_in_every_slice(nest: Nest) -> bool:
    """Whether a nest would pack one and the same operand again and again, and a large one.

    So it would with an operand that lies row by row, but whose rows crowd the caches.
    """
    product = nest.product
    if product is None or not can_be_packed_before(nest):
        return False
    if nest.cut is not Cut.ROWS:
        return copies_in_every_stretch(nest)
    if tiled_convolution(nest) is not None:
        return True
    if product.panels is None and (not crowds_caches(product) or at_least(product.rows) < MANY_ROWS):
        return False
    size = panel_elements(product)
    return not isinstance(size, int) or size >= LARGE


def packs_operand(nest: Nest) -> bool:
    """Whether a nest packs its right operand, or copies parts of it, and could leave that to somebody else."""
    product = nest.product
    if product is None or not can_be_packed_before(nest):
        return False
    return product.panels is not None or crowds_caches(product)


def can_be_packed_before(nest: Nest) -> bool:
    """Whether a product reads one matrix on the right, the same for all lines, over one axis or nine taps.

    The matrices of groups are packed for Winograd's tiles alone.
    """
    product = nest.product
    if product is None or nest.cut is Cut.DEPTH or has_few_columns(product):
        return False
    if (len(product.axes.depth) != 1 or product.axes.groups) and tiled_convolution(nest) is None:
        return False
    return all(axis.right == 0 for axis in product.axes.lines)


def tiled_convolution(nest: Nest) -> TiledConvolution | None:
    """The convolution that a nest computes by tiles, from weights that are transformed before."""
    if nest.product is None or nest.cut is Cut.DEPTH:
        return None
    return TiledConvolution.of(nest.product.axes)


def elements_of_panels(product: Product) -> Extent:
    """Elements of the right operand, packed or transformed."""
    tiled = TiledConvolution.of(product.axes)
    if tiled is None:
        return panel_elements(product)
    return POINTS * matrix_elements(tiled, panel_width(product)) * tiled.groups


def with_packed_operand(nest: Nest) -> Nest:
    """The nest with the panels of its right operand as an input, which somebody else fills."""
    names = [b.name for b in nest.buffers]
    (product, *beside) = (replace(each, panels=_panels_of(each, names)) for each in nest.products)
    loaded = {statement.buffer for statement in nest.statements() if isinstance(statement, Load)} | {product.lhs}
    unread = {each.rhs for each in nest.products} - loaded | {each.panels for each in nest.products}
    panels = [each.panels for each in (product, *beside) if each.panels is not None]
    buffers = [buffer for buffer in nest.buffers if buffer not in unread] + panels
    return replace(nest, buffers=buffers, product=product, beside=beside)


def _panels_of(product: Product, names: list[str]) -> Buffer:
    """Panels as an input, under a name that is not among `names`; it joins them."""
    name = f"{product.rhs.name}_panels" if product.panels is None else product.panels.name
    while product.panels is None and name in names:
        name += "_"
    names.append(name)
    dtype = computing(product.result.dtype)
    value = Value(name, TensorType(dtype, (elements_of_panels(product),)))
    return Buffer(name, dtype, "input", value.type.size, value)


def emit_pack(product: Product, source: Buffer, panels: Buffer) -> KernelSource:
    """The source of the kernel that fills the panels of a product: one for all matrices, but for what is contiguous."""
    tiled = TiledConvolution.of(product.axes)
    if tiled is not None:
        return emit_transform(product, tiled, source, panels)
    width, name = panel_width(product), computing(product.result.dtype).name
    (depth,) = product.axes.depth
    column, offset = product.axes.column, product.axes.right.offset
    row = RowWords(source, panels)
    start, k = row.named("start", offset), row.named("depth", depth.extent)
    columns = row.named("columns", column.extent)
    by_depth, by_column = row.stride("by_depth", depth.right), row.stride("by_column", column.right)
    count = f"(columns + {width - 1}) // {width}"
    text = "\n".join(
        [
            f"from graphc.backends.cpu.contraction import pack_{name}",
            f"from graphc.backends.cpu.pointer import address, extent, {name}, share",
            "",
            "",
            "def kernel(row, slice, slices):",
            f'    """{width} columns side by side, of a matrix that products read as their right operand."""',
            f"    matrix_in = {name}(row, 1)",
            f"    panels_out = {name}(row, 2)",
            *row.lines,
            f"    first = share({count}, slice, slices) * {width}",
            f"    last = min(share({count}, slice + 1, slices) * {width}, {columns})",
            f"    matrix = address(matrix_in, {start} + first * {by_column})",
            f"    pack_{name}({k}, last - first, matrix, {by_depth}, {by_column}, address(panels_out, first * {k}))",
            "",
        ]
    )
    units = (column.extent + (width - 1)) // width
    return KernelSource("pack", text, row.words, {}, units, depth.extent * column.extent * MOVED)
