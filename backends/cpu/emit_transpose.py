"""The kernel of a view that is written to memory, where it turns matrices around: f32[N,64,H,W] to f32[N,H,W,64], say.

    for line in range(begin, end):
        transpose_f32(64, 1024, address(x_in, line * 65536), 1024, address(y_out, line * 65536), 64)

The axis along which the operand lies in memory and the axis along which the result does make a matrix; all others are
lines, a matrix for each of their places.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.backends.cpu.kernel_source import MOVED, KernelSource
from graphc.backends.cpu.row_words import RowWords
from graphc.backends.nests.nest import Buffer
from graphc.dim import Extent
from graphc.ir import Graph
from graphc.passes.fuse.product import product_of_extents
from graphc.passes.fuse.strided import strided
from graphc.passes.fuse.turned import Axis, turned_axes
from graphc.passes.fuse.views import is_floating

BAND = 16  # rows of one matrix that stay together when it is shared by threads


def emit_transpose(region: Graph, source: Buffer, target: Buffer) -> KernelSource | None:
    """The kernel of a region that turns matrices around, and does nothing else; None for any other region."""
    if not all(is_floating(node) for node in region.nodes) or len(region.outputs) != 1 or len(region.inputs) != 1:
        return None
    result = region.outputs[0]
    view = strided(result, region.producers.get)
    axes = turned_axes(result, view)
    if axes is None or view.base is not region.inputs[0]:
        return None
    along_source = next(axis for axis in axes if axis.read in (1, -1))
    along_target = axes[-1]
    lines = [axis for axis in axes if axis is not along_source and axis is not along_target]
    row = RowWords(source, target)
    number = row.number
    name, bits = source.dtype.name, f"f{8 * source.dtype.itemsize}"  # integers are moved as floats of their width are
    rows, columns = number(along_target.extent), number(along_source.extent)
    offset, target_row, begin = view.offset, along_source.written, ""
    if along_source.read == -1:  # from the lowest address on, into rows from the last one back
        last = along_source.extent - 1
        offset, target_row, begin = offset - last, target_row * -1, number(last * target_row)
    source_row, target_step = number(along_target.read), number(target_row)
    if lines:
        units = product_of_extents(axis.extent for axis in lines)
        body = _lines(lines, number, number(offset), begin)
        body.append(f"        transpose_{bits}({rows}, {columns}, read, {source_row}, turned, {target_step})")
    else:
        units = (along_target.extent + (BAND - 1)) // BAND
        is_exact = isinstance(along_target.extent, int) and along_target.extent % BAND == 0
        band = str(BAND) if is_exact else "rows"
        body = [
            *([] if is_exact else [f"        rows = min({BAND}, {rows} - line * {BAND})"]),
            f"        read = address(read_in, line * {BAND} * ({source_row}) + {number(offset)})",
            f"        turned = address(turned_out, line * {BAND}{begin and ' + '}{begin})",
            f"        transpose_{bits}({band}, {columns}, read, {source_row}, turned, {target_step})",
        ]
    count = number(units)
    used = "address, extent" if row.lines else "address"
    text = "\n".join(
        [
            f"from graphc.backends.cpu.pointer import {used}, {name}, share",
            f"from graphc.backends.cpu.transposing import transpose_{bits}",
            "",
            "",
            "def kernel(row, slice, slices):",
            '    """Matrices turned around, one for each line."""',
            f"    read_in = {name}(row, 1)",
            f"    turned_out = {name}(row, 2)",
            *row.lines,
            f"    for line in range(share({count}, slice, slices), share({count}, slice + 1, slices)):",
            *body,
            "",
        ]
    )
    return KernelSource("transpose", text, row.words, {}, units, result.type.size * MOVED)


def _lines(lines: list[Axis], number: Callable[[Extent], str], offset: str, begin: str) -> list[str]:
    """Where a line begins in the operand, and in the result, whose first row is the one at `begin`."""
    body, rest = [], "line"
    for k in range(len(lines) - 1, 0, -1):
        extent = number(lines[k].extent)
        body.append(f"        line{k} = {rest} % {extent}")
        following = "line0" if k == 1 else "line_rest"
        body.append(f"        {following} = {rest} // {extent}")
        rest = following
    names = ["line"] if len(lines) == 1 else [f"line{k}" for k in range(len(lines))]
    read = [f"{name} * ({number(axis.read)})" for name, axis in zip(names, lines, strict=True)]
    written = [f"{name} * {number(axis.written)}" for name, axis in zip(names, lines, strict=True)]
    body.append(f"        read = address(read_in, {' + '.join([*read, offset])})")
    body.append(f"        turned = address(turned_out, {' + '.join([*written, *([begin] if begin else [])])})")
    return body
