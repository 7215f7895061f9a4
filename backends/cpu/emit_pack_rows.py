"""The kernel that packs the left operand of a product once, for all blocks of columns.

    pack_rows_f32(here, deep, address(relu_in, top * 2048 + left), 2048, 1, address(panels_out, …), 2048)

A kernel that is cut by columns reads all of its left operand for each block of them. Where its rows are a multiple of
4 KB apart, or it is read by columns, `gemm` would copy it to the stack as often. So would each of two weight gradients,
cut by rows, which read one gradient by columns: those of a recurrent layer do.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

from graphc.backends.cpu.emit import TILED_ROWS
from graphc.backends.cpu.emit_product import tile_height
from graphc.backends.cpu.kernel_source import MOVED, KernelSource
from graphc.backends.cpu.left_operand import SETS_OF_CACHE
from graphc.backends.cpu.row_words import RowWords
from graphc.backends.nests.nest import Buffer, Nest, Product
from graphc.backends.nests.scalar import computing
from graphc.dim import Extent
from graphc.ir import Value
from graphc.passes.fuse.place import Cut
from graphc.types import TensorType

LEAST_COLUMNS = 128  # two blocks at least
LEAST_ROWS = 64  # of an operand that is read by columns
DEPTH_OF_UNIT = 256  # columns of a panel that one slice packs: what threads have written, all of them read again
PANELS_OF_UNIT = 8  # side by side in memory, where columns are contiguous


def packs_rows(nest: Nest) -> bool:
    """Whether a nest would copy its left operand for each of several blocks of columns."""
    product = nest.product
    if product is None or nest.cut is not Cut.COLUMNS or not nest.split or product.axes.keeps_columns:
        return False
    columns, axes = product.columns, product.axes
    if len(axes.depth) != 1 or not isinstance(columns, int) or columns < LEAST_COLUMNS:
        return False
    row, (depth,) = axes.row, axes.depth
    if depth.left == 1:
        size = computing(product.result.dtype).itemsize
        return isinstance(row.left, int) and row.left * size % SETS_OF_CACHE == 0 and row.extent != 1
    return row.left == 1 and not (isinstance(row.extent, int) and row.extent < LEAST_ROWS)


def reads_columns(nest: Nest) -> bool:
    """Whether a nest that is cut by rows, in whole tiles, copies the columns of its left operand."""
    product = nest.product
    if product is None or nest.cut is not Cut.ROWS or product.axes.keeps_columns or product.axes.is_by_lanes:
        return False
    axes, rows = product.axes, product.rows
    return len(axes.depth) == 1 and axes.row.left == 1 and isinstance(rows, int) and rows >= TILED_ROWS


def left_panels_key(product: Product) -> Hashable:
    """What the panels of a matrix depend on besides the matrix."""
    axes, (depth,) = product.axes, product.axes.depth
    dtype = computing(product.result.dtype)
    return "left", dtype, (axes.row.extent, axes.row.left), (depth.extent, depth.left), axes.left.offset


def with_packed_rows(nest: Nest) -> Nest:
    """The nest with panels of its left operand as an input, which somebody else fills."""
    product = nest.product
    assert product is not None
    dtype = computing(product.result.dtype)
    value = Value(f"{product.lhs.name}_rows", TensorType(dtype, (_elements(product),)))
    panels = Buffer(value.name, dtype, "input", value.type.size, value)
    (product, *beside) = (replace(each, left_panels=panels) for each in nest.products)
    return replace(nest, buffers=[*nest.buffers, panels], product=product, beside=beside)


def _elements(product: Product) -> Extent:
    height = tile_height(product)
    (depth,) = product.axes.depth
    return (product.rows + (height - 1)) // height * height * depth.extent


def emit_pack_rows(product: Product, source: Buffer, panels: Buffer) -> KernelSource:
    """The source of the kernel that fills the panels: one for all matrices, but for what is contiguous."""
    height, name = tile_height(product), computing(product.result.dtype).name
    axes, (depth,) = product.axes, product.axes.depth
    row = RowWords(source, panels)
    blocks = (depth.extent + (DEPTH_OF_UNIT - 1)) // DEPTH_OF_UNIT
    tall = height * (PANELS_OF_UNIT if axes.row.left == 1 else 1)
    units = (product.rows + (tall - 1)) // tall * blocks
    start, rows = row.named("start", axes.left.offset), row.named("rows", product.rows)
    k = row.named("depth", depth.extent)
    count, across = row.named("units", units), row.named("across", blocks)
    by_row, by_depth = row.stride("by_row", axes.row.left), row.stride("by_depth", depth.left)
    text = "\n".join(
        [
            f"from graphc.backends.cpu.left_panels import pack_rows_{name}",
            f"from graphc.backends.cpu.pointer import address, extent, {name}, share",
            "",
            "",
            "def kernel(row, slice, slices):",
            f'    """{height} rows side by side, of a matrix that products read as their left operand."""',
            f"    matrix_in = {name}(row, 1)",
            f"    panels_out = {name}(row, 2)",
            *row.lines,
            f"    for unit in range(share({count}, slice, slices), share({count}, slice + 1, slices)):",
            f"        top = unit // {across} * {tall}",
            f"        left = unit % {across} * {DEPTH_OF_UNIT}",
            f"        here = min({tall}, {rows} - top)",
            f"        deep = min({DEPTH_OF_UNIT}, {k} - left)",
            f"        matrix = address(matrix_in, {start} + top * {by_row} + left * {by_depth})",
            f"        panel = address(panels_out, top * {k} + left * {height})",
            f"        pack_rows_{name}(here, deep, matrix, {by_row}, {by_depth}, panel, {k})",
            "",
        ]
    )
    return KernelSource("pack_rows", text, row.words, {}, units, product.rows * depth.extent * MOVED)
