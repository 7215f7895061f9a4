"""The kernel that transforms the weights of a 3×3 convolution once, for all slices: 16 matrices instead of nine taps.

winograd_weights_f32(16, last - first, taps, 768, 256, 16, matrices, 512)
"""

from __future__ import annotations

from graphc.backends.cpu.emit_product import panel_width
from graphc.backends.cpu.kernel_source import KernelSource
from graphc.backends.cpu.row_words import RowWords
from graphc.backends.cpu.winograd_shape import POINTS, TiledConvolution, matrix_elements
from graphc.backends.nests.nest import Buffer, Product
from graphc.backends.nests.scalar import computing


def emit_transform(product: Product, tiled: TiledConvolution, source: Buffer, panels: Buffer) -> KernelSource:
    """The source of the kernel that makes 16 matrices of a 3×3 kernel."""
    width, name = panel_width(product), computing(product.result.dtype).name
    point = matrix_elements(tiled, width)
    row = RowWords(source, panels)
    line, pixel, depth = (row.number(axis.right) for axis in (tiled.tap_line, tiled.tap_pixel, tiled.tap_depth))
    start, units = row.number(product.axes.right.offset), -(-tiled.columns // width)
    count, lines = "last - first", [
        f"    first = share({units}, slice, slices) * {width}",
        f"    last = min(share({units}, slice + 1, slices) * {width}, {tiled.columns})",
        f"    taps = address(kernel_in, {start} + first)",
        f"    matrices = address(matrices_out, first * {tiled.channels})",
    ]  # fmt: skip
    if product.axes.groups:
        (group,) = product.axes.groups
        units, count, indent = tiled.groups, str(tiled.columns), "    "
        lines = [
            f"    for group in range(share({units}, slice, slices), share({units}, slice + 1, slices)):",
            f"        taps = address(kernel_in, {start} + group * {row.number(group.right)})",
            f"        matrices = address(matrices_out, group * {POINTS * point})",
        ]
    else:
        indent = ""
    read = "address, extent" if row.lines else "address"
    text = "\n".join(
        [
            f"from graphc.backends.cpu.pointer import {read}, {name}, share",
            f"from graphc.backends.cpu.winograd_calls import winograd_weights_{name}",
            "",
            "",
            "def kernel(row, slice, slices):",
            '    """The 3×3 kernel of a convolution as 16 matrices, one for each place of a tile of its image."""',
            f"    kernel_in = {name}(row, 1)",
            f"    matrices_out = {name}(row, 2)",
            *row.lines,
            *lines,
            f"{indent}    winograd_weights_{name}("
            f"{tiled.channels}, {count}, taps, {line}, {pixel}, {depth}, matrices, {point})",
            "",
        ]
    )
    cost = POINTS * tiled.channels * tiled.columns * tiled.groups
    return KernelSource("transform", text, row.words, {}, units, cost)
