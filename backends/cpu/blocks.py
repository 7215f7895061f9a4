"""The parts in which a kernel that is cut by columns is computed: blocks of columns, stretches of rows of a product.

    block = cut_by_columns(nest, unit=32, least=64)     # 64 columns; every pass over them, then the next ones
    goes_by_stretches(nest)                             # of a block's product 72 rows, then what follows for these rows

What belongs to a block is in the second-level cache when the passes come, and what belongs to a stretch in the first.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc.backends.cpu.machine import machine
from graphc.backends.cpu.read_beside import read_beside
from graphc.backends.nests.nest import Nest, Product
from graphc.passes.fuse.place import Cut
from graphc.passes.fuse.product import at_least

FEW_ROWS = 64  # over which the walk is short: what counts is how long a row's few vectors take
LEAST_OF_BLOCK = 64  # columns of a block of a product
STRETCH = 72  # rows that stay in the first-level cache until the pass over them: a number of whole tiles


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


def goes_by_stretches(nest: Nest, *, packed_before: bool = False) -> bool:
    """Whether a kernel that is cut by columns computes some rows at a time in memory of its own, each followed by its
    only pass. Not where every stretch would copy parts of the right operand, nor where the product is an output. An
    operand that is read in place pays where the product of all rows is too large for the caches.
    """
    product = nest.product
    if product is None or product.axes.lines or product.axes.groups:
        return False
    if nest.cut is not Cut.COLUMNS or not nest.split:
        return False
    if product.panels is None and not packed_before and not (_is_long(nest, product) and not crowds_caches(product)):
        return False
    if any(home.value is product.node.result for home in nest.product_homes):
        return False
    is_short = isinstance(product.rows, int) and product.rows <= STRETCH
    return not is_short and len(nest.passes) == 1 and nest.passes[0].needs_elements


def copies_in_every_stretch(nest: Nest) -> bool:
    """Whether a kernel would go by stretches, were its right operand packed before: each would copy what crowds."""
    product = nest.product
    if product is None or product.panels is not None or not (_is_long(nest, product) and crowds_caches(product)):
        return False
    return goes_by_stretches(nest, packed_before=True)


def _is_long(nest: Nest, product: Product) -> bool:
    """Whether a block of the product, with what is read beside it, fills much of the second-level cache."""
    return isinstance(product.rows, int) and not stays_with(len(read_beside(nest, product)), product)


def stays_with(arrays: int, product: Product) -> bool:
    """Whether a block of columns of the product, and of so many arrays, stays in the second-level cache."""
    rows, size = product.rows, product.result.dtype.itemsize
    return isinstance(rows, int) and (1 + arrays) * rows * LEAST_OF_BLOCK * size <= machine().caches[1] // 2


def crowds_caches(product: Product) -> bool:
    """Whether rows of the right operand crowd the caches, so that a kernel copies what it reads."""
    depth = product.axes.depth[-1].right
    return not isinstance(depth, int) or machine().crowds(depth * product.result.dtype.itemsize)


def has_few_rows(nest: Nest, block: Block | None) -> bool:
    """Whether rows may be few, such as those of a small batch: then a block's vectors are written out one by one, and
    sums of columns stay in registers from row to row. Loops over many rows wait for memory in any case.
    """
    return block is not None and block.is_exact and at_least(nest.rows) <= FEW_ROWS


def cut_by_columns(nest: Nest, unit: int, least: int) -> Block | None:
    """The blocks of a kernel that is cut by columns and has rows; None for others.

    `least` is a multiple of the unit, or less than it.
    """
    if nest.cut is not Cut.COLUMNS or not (nest.split or nest.product is not None):
        return None
    columns = nest.columns
    size = max(least, unit)
    if isinstance(columns, int):
        size = min(size, -(-max(columns, 1) // unit) * unit)
    return Block(size, isinstance(columns, int) and columns % size == 0)
