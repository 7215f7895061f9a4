"""A cell as it lies in memory, for executables: they read state by its address.

    >>> w = Cell(kernels, "parameter", "w", order=(2, 3, 1, 0))         # f32[out,in,3,3]
    >>> as_stored(w).storage.shape                                      # f32[3,3,in,out], row by row
    (3, 3, 4, 8)

Cells whose axes lie in the order in which they are counted are that themselves.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from graphc.order import Axes, inverse
from graphc.state import Cell, Clock

Array = np.ndarray[Any, Any]


class StoredCell:
    """What executables use of a cell, with arrays as they lie in memory. It has nothing of its own."""

    __slots__ = ("cell", "order")

    def __init__(self, cell: Cell, order: Axes) -> None:
        self.cell = cell
        self.order = order

    @property
    def array(self) -> Array:
        """The current value, lent."""
        return self.cell.array.transpose(self.order)

    @property
    def storage(self) -> Array:
        """The current value, for who writes the next one over it."""
        return self.cell.storage.transpose(self.order)

    @property
    def version(self) -> int:
        return self.cell.version

    @property
    def clock(self) -> Clock | None:
        return self.cell.clock

    def follow(self, clock: Clock | None) -> None:
        self.cell.follow(clock)

    @property
    def is_lent(self) -> bool:
        return self.cell.is_lent

    @property
    def turn(self) -> AbstractContextManager[Any]:
        return self.cell.turn

    @turn.setter
    def turn(self, turn: AbstractContextManager[Any]) -> None:
        self.cell.turn = turn

    def commit(self, array: Array) -> None:
        """Take over an array of the shape that lies in memory."""
        self.cell.commit(array.transpose(inverse(self.order)))


AnyCell = Cell | StoredCell


def as_stored(cell: Cell) -> AnyCell:
    """The cell as it lies in memory."""
    return cell if cell.order is None else StoredCell(cell, cell.order)


def cell_of(cell: AnyCell) -> Cell:
    """The cell itself."""
    return cell.cell if isinstance(cell, StoredCell) else cell


def as_counted(cell: AnyCell | None, array: Array) -> Array:
    """A value of a cell, given as it lies in memory or as it is, with its axes as the model counts them."""
    return array.transpose(inverse(cell.order)) if isinstance(cell, StoredCell) else array
