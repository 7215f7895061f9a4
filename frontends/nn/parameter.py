"""Parameters and buffers: the cells of state that a module owns.

    >>> w = nn.Parameter(np.zeros((3, 4), np.float32))
    >>> w[0] = 1; np.asarray(w)[0]            # written between steps, read as NumPy
    array([1., 1., 1., 1.], dtype=float32)

Inside a trace they are operands like any tensor: `x @ self.weight`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from graphc.errors import DTypeError
from graphc.order import Axes
from graphc.state import Cell, count_layout_change
from graphc.types import as_dtype


class Parameter(Cell):
    """A cell that optimizers update, unless `requires_grad` is False.

    `data` is an array, or numbers and lists of them (Python floats become f32); it is copied. `order` is the order in
    which its axes lie in memory (`graphc.state.Cell`). Raises DTypeError for integers that are to have a gradient.
    """

    __slots__ = ("_requires_grad",)

    def __init__(self, data: Any, requires_grad: bool = True, *, order: Axes | list[int] | None = None) -> None:
        super().__init__(in_default_dtype(data), kind="parameter", order=order)
        if requires_grad and not self.dtype.is_float:
            raise DTypeError(
                f"only floating-point parameters have gradients, but this one is {self.type}; "
                "give requires_grad=False, or make it an nn.Buffer"
            )
        self.requires_grad = requires_grad

    @property
    def requires_grad(self) -> bool:
        """Whether optimizers update it; steps that are compiled already notice a change."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self._requires_grad = bool(value)
        count_layout_change()

    def requires_grad_(self, requires_grad: bool = True) -> Parameter:
        """Freeze (False) or unfreeze the parameter."""
        self.requires_grad = requires_grad
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        data, gradient = self.array, self.requires_grad
        return partial(Parameter, order=self.order), (data, gradient), (None, {"name": self.name})


class Buffer(Cell):
    """A cell that no optimizer updates: running statistics, tables. A state dict has it where it is `persistent`."""

    __slots__ = ("persistent",)

    def __init__(self, data: Any, *, persistent: bool = True) -> None:
        super().__init__(in_default_dtype(data), kind="buffer")
        self.persistent = bool(persistent)

    def __reduce__(self) -> tuple[Any, ...]:
        return Buffer, (self.array,), (None, {"name": self.name, "persistent": self.persistent})


def in_default_dtype(data: Any) -> Any:
    """Arrays as they are; numbers and lists in the default dtypes, f32 and i64, where NumPy would take f64."""
    if hasattr(data, "dtype"):
        return data
    array = np.asarray(data)
    return array.astype(as_dtype({"f": float, "i": int, "b": bool}.get(array.dtype.kind, array.dtype)).numpy)
