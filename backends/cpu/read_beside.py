"""What a kernel reads beside its product, element by element: a weight's gradient is followed by the weight's update.

    read_beside(nest, product)      # %w, %w.exp_avg, %w.exp_avg_sq: 256 bytes of a row for each block of columns

The tiles of the product ask for these parts before they start (`fetching.py`).
"""

from __future__ import annotations

from graphc.backends.nests.nest import Buffer, Load, Nest, Product, Store
from graphc.dim import Extent
from graphc.passes.fuse.product import at_least

MOST_ASKED = 4  # arrays that tiles ask for: a weight and what AMSGrad keeps beside it
LEAST_ASKED = 1 << 18  # bytes of such an array: smaller ones are in the cache


def read_beside(nest: Nest, product: Product) -> list[Buffer]:
    """The large arrays, with elements as wide as the product's, that its only pass reads where its elements are."""
    size = product.result.dtype.itemsize
    if len(nest.passes) != 1 or at_least(nest.rows * nest.columns) * size < LEAST_ASKED:
        return []
    found = {
        each.buffer: None
        for each in nest.passes[0].elements
        if isinstance(each, Load) and each.buffer.dtype.itemsize == size and walks_row_by_row(nest, each)
    }
    return [each for each in found if each is not product.result and each is not nest.product_home][:MOST_ASKED]


def walks_row_by_row(nest: Nest, statement: Load | Store) -> bool:
    """Whether the statement walks over an array of the kernel's own shape: row i, column j."""
    index = statement.index
    if statement.buffer.role == "temporary" or index.computed or index.offset != 0:
        return False
    if isinstance(statement, Load) and statement.guards:
        return False
    stride: Extent = 1
    for axis in reversed(range(len(nest.domain))):
        if index.coefficient(axis) != stride and nest.domain[axis] != 1:
            return False
        stride = stride * nest.domain[axis]
    return True
