"""The lines of a kernel that compute its matrix product: packing, and one gemm for each block of columns or of rows.

    pack_f32(784, 64, address(weight_in, block * 784), 1, 784, address(weight_panels, slice * 50176))
    gemm_f32(n0, 64, 784, address(input_in, 0), 784, 1, address(weight_panels, slice * 50176), …, 64)

A kernel that is cut by columns computes a block of them at a time, for all rows, and its passes over the block follow
while the block is in the cache. Then the product needs no memory but the block's, unless an output is to hold it.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc.backends.cpu.vector_ir import Tiling
from graphc.backends.cpu.writer import Writer
from graphc.backends.nests.nest import Buffer, Nest, Product
from graphc.backends.nests.scalar import computing
from graphc.dim import Extent
from graphc.passes.fuse.place import Cut


@dataclass(frozen=True)
class Block:
    """Columns that a kernel handles together: how many, and whether every block is a whole one."""

    columns: int
    is_exact: bool

    @property
    def count(self) -> str:
        """The number of columns of a block, as text."""
        return str(self.columns) if self.is_exact else "stop - block"

    @property
    def stop(self) -> str:
        """Where a block ends, as text."""
        return f"block + {self.columns}" if self.is_exact else "stop"


def panel_width(product: Product) -> int:
    """Columns of a panel of the packed right operand."""
    return Tiling.of(computing(product.result.dtype).numpy.name).width


class ProductLines:
    """Writes the product of a nest; `block` is None where the kernel is cut by rows."""

    def __init__(self, nest: Nest, product: Product, block: Block | None, writer: Writer) -> None:
        self.nest = nest
        self.product = product
        self.block = block
        self.writer = writer
        self.width = panel_width(product)
        self.name = computing(product.result.dtype).name

    # -- memory -------------------------------------------------------------------------------------------------------

    def temporaries(self) -> dict[Buffer, Extent]:
        """Scratch for a slice: packed panels, and the block of the product that no output holds."""
        product, found = self.product, {}
        if product.panels is not None:
            found[product.panels] = self._panel_elements
        if self.nest.product_home is None:
            found[product.result] = self._result_elements
        return found

    @property
    def _panel_elements(self) -> Extent:
        columns: Extent = self.product.columns if self.block is None else self.block.columns
        return self.product.depth * (((columns + (self.width - 1)) // self.width) * self.width)

    @property
    def _result_elements(self) -> Extent:
        rows = self.product.batch * self.product.rows
        return rows * (self.product.columns if self.block is None else self.block.columns)

    def element(self) -> str | None:
        """The product at row i and column j, where it is a block of the slice's own."""
        if self.nest.product_home is not None or self.block is None:
            return None
        start = f"slice * {self.writer.extent(self._result_elements)}"
        return f"{self.product.result.name}[{start} + i * {self.block.columns} + j - block]"

    # -- lines --------------------------------------------------------------------------------------------------------

    def write(self) -> None:
        """Pack and multiply: for the block of columns, or for the rows of the slice."""
        writer, product = self.writer, self.product
        writer.node(product.node)
        if product.batch == 1:
            self._multiply("")
            return
        batches = writer.extent(product.batch)
        span = f"share({batches}, slice, slices), share({batches}, slice + 1, slices)"
        writer.line(f"for b in range({batches if self.block is not None else span}):")
        with writer.indented():
            self._multiply("b")

    def _multiply(self, batch: str) -> None:
        product, ex, call = self.product, self.writer.extent, self._call
        lhs, rhs = product.lhs, product.rhs
        by_columns = self.block is not None
        columns = self.block.count if self.block is not None else ex(product.columns)
        row = "" if by_columns or batch else "begin"
        rows = ex(product.rows) if by_columns or batch else "end - begin"
        column = "block" if by_columns else ""
        left = self._address(lhs.buffer, (batch, lhs.batch), (row, lhs.line))
        right = self._address(rhs.buffer, (batch, rhs.batch), (column, rhs.line))
        panel, step = str(self.width), ex(rhs.depth)
        if product.panels is not None:
            packed = self._address(product.panels, ("slice", self._panel_elements))
            call(f"pack_{self.name}", ex(product.depth), columns, right, ex(rhs.depth), ex(rhs.line), packed)
            right, panel, step = packed, ex(product.depth * self.width), str(self.width)
        target, stride = self._target(batch, row, column)
        call(
            f"gemm_{self.name}", rows, columns, ex(product.depth), left, ex(lhs.line), ex(lhs.depth), right, panel,
            step, target, ex(stride),
        )  # fmt: skip

    def _target(self, batch: str, row: str, column: str) -> tuple[str, Extent]:
        """Where the product goes, and how far its rows are apart."""
        product, home = self.product, self.nest.product_home
        if home is None and self.block is not None:
            size = product.rows * self.block.columns
            return self._address(product.result, ("slice", self._result_elements), (batch, size)), self.block.columns
        target = home or product.result
        whole = product.rows * product.columns
        return self._address(target, (batch, whole), (row, product.columns), (column, 1)), product.columns

    def _address(self, buffer: Buffer, *terms: tuple[str, Extent]) -> str:
        """The address of an element: Σ index · stride."""
        parts = [i if s == 1 else f"{i} * {self.writer.extent(s)}" for i, s in terms if i and s != 0]
        return f"address({buffer.name}, {' + '.join(parts) or '0'})"

    def _call(self, function: str, *arguments: str) -> None:
        self.writer.line(self.writer.called(f"{function}({', '.join(arguments)})"))


def cut_by_columns(nest: Nest, unit: int, least: int) -> Block | None:
    """The blocks of a kernel that is cut by columns and has rows; None for others."""
    if nest.cut is not Cut.COLUMNS or not nest.split:
        return None
    columns = nest.columns
    size = max(least, unit)
    if isinstance(columns, int):
        size = min(size, -(-max(columns, 1) // unit) * unit)
    return Block(size, isinstance(columns, int) and columns % size == 0)
