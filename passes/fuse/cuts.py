"""Which way a kernel is cut: what its shape says where rows and columns are both possible.

    cut_of_product(product, rows=(N,), columns=(512,))      # Cut.COLUMNS: columns enough for all threads
    sums_by_columns(rows=(N, 28, 28), columns=(16,))        # False: 16 channels are one slice, the places are many

Slices are cut by shape, for any number of threads. A slice that has some columns whole, all rows of them, knows their
sums; one that has some rows whole needs a finish for these, but there are as many slices as rows allow.
"""

from __future__ import annotations

from graphc.dim import Extent
from graphc.passes.fuse.place import Cut
from graphc.passes.fuse.product import FEW_COLUMNS, MatrixProduct, at_least, product_of_extents

LEAST_COLUMNS = 32  # below this many, cutting along columns would leave threads without work
MANY_ROWS = 64  # at least, for any batch size, where up to FEW_COLUMNS columns are summed over rows
TALL_ROWS = 512  # the same, of a product of up to FEW_COLUMNS columns
BLOCK_COLUMNS = 64  # of a product that one slice computes where it is cut by columns
SHORT_ROWS = 256  # columns of a right operand whose rows fall into different sets of the caches

Extents = tuple[Extent, ...]


def cut_of_product(product: MatrixProduct, rows: Extents, columns: Extents) -> Cut:
    """The cut of a kernel that starts with a product, where no member asks for one."""
    is_wide = _is_wide(columns) and not _is_tall(rows, columns, _least_tall(product)) and not _suits_rows(product)
    return Cut.COLUMNS if is_wide and not product.keeps_columns else Cut.ROWS


def sums_by_columns(rows: Extents, columns: Extents) -> bool:
    """Whether sums over rows are taken in slices that have some columns whole."""
    return _is_wide(columns) and not _is_tall(rows, columns, MANY_ROWS)


def _is_wide(columns: Extents) -> bool:
    """Whether there are columns enough to cut along, for any value of the named dims."""
    width = product_of_extents(columns)
    return not isinstance(width, int) or width >= LEAST_COLUMNS


def _is_tall(rows: Extents, columns: Extents, least: int) -> bool:
    """Whether there are many rows of few columns: too few to be shared by threads, such as the channels of images."""
    width = product_of_extents(columns)
    return isinstance(width, int) and width <= FEW_COLUMNS and at_least(product_of_extents(rows)) >= least


def _least_tall(product: MatrixProduct) -> int:
    """Rows of a product from where on they are shared, not its columns: fewer where these are a single block."""
    columns = product.column.extent
    is_one_block = isinstance(columns, int) and columns <= BLOCK_COLUMNS and not product.is_packed
    return MANY_ROWS if is_one_block else TALL_ROWS


def _suits_rows(product: MatrixProduct) -> bool:
    """Whether a product has more rows than columns, few of these, and a left operand that is read by columns.

    Such are weights' gradients. Cut by columns, each block of them would copy all of the left operand; cut by rows,
    each slice copies its own, and reads the rows of the right one as they are.
    """
    rows, columns = product.row, product.column.extent
    if not isinstance(rows.extent, int) or not isinstance(columns, int) or product.is_packed:
        return False
    return rows.left == 1 and columns <= SHORT_ROWS and rows.extent >= columns
