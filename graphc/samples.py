"""Sample inputs that an op declares, so that a new op tests itself.

    samples=[sample(real(4, 5), axis=(0,)), sample(positive(3), integers(3, low=0, high=9))]

A draw is a shape and a recipe; the tests realise it in the dtype they need: f64 for finite differences, f32 and the
narrow types for backends. Draws are reproducible: the seed is the position of the operand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc.types import DType, as_dtype, bool_, f64, i64

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Draw:
    """One operand: `make(generator, shape)` gives it; `dtype` None means any floating-point dtype the test chooses."""

    shape: tuple[int, ...]
    make: Callable[[np.random.Generator, tuple[int, ...]], Array]
    dtype: DType | None = None

    def array(self, seed: int, dtype: DType = f64) -> Array:
        """The operand, in its own dtype where it has one, else in `dtype`."""
        chosen = (self.dtype or dtype).numpy
        with np.errstate(over="ignore"):
            return np.asarray(self.make(np.random.default_rng(seed), self.shape)).astype(chosen)


@dataclass(frozen=True)
class Sample:
    """Operands and attributes that an op must handle.

    `differentiable` is False where finite differences do not apply (a tie of max, a kink).
    """

    operands: tuple[Draw, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    differentiable: bool = True

    def arrays(self, dtype: DType = f64) -> tuple[Array, ...]:
        return tuple(draw.array(seed + 1, dtype) for seed, draw in enumerate(self.operands))


def sample(*operands: Draw, differentiable: bool = True, **attributes: Any) -> Sample:
    """A sample of these operands and attributes."""
    return Sample(operands, attributes, differentiable)


def real(*shape: int, low: float = -2.0, high: float = 2.0) -> Draw:
    """Floating-point numbers in [low, high), apart from each other, so that max has no ties."""
    return Draw(shape, lambda generator, shape: _spread(generator, shape, low, high))


def positive(*shape: int, low: float = 0.3, high: float = 3.0) -> Draw:
    """Floating-point numbers well above zero."""
    return real(*shape, low=low, high=high)


def exactly(values: Any, dtype: object = None) -> Draw:
    """These very values, for special cases: `exactly([0.0, -0.0, np.nan, np.inf])`."""
    array = np.asarray(values)
    return Draw(array.shape, lambda generator, shape: array, None if dtype is None else as_dtype(dtype))


def integers(*shape: int, low: int = -5, high: int = 6, dtype: object = i64) -> Draw:
    """Integers in [low, high)."""
    return Draw(shape, lambda generator, shape: generator.integers(low, high, shape), as_dtype(dtype))


def booleans(*shape: int) -> Draw:
    """Fair coins."""
    return Draw(shape, lambda generator, shape: generator.integers(0, 2, shape), bool_)


def _spread(generator: np.random.Generator, shape: tuple[int, ...], low: float, high: float) -> Array:
    """A shuffled grid with jitter: random-looking, and no two numbers closer than a fifth of the grid's step."""
    size = int(np.prod(shape, dtype=np.int64))
    grid = (np.arange(size) + 0.5 + generator.uniform(-0.4, 0.4, size)) / max(size, 1)
    return low + (high - low) * generator.permutation(grid).reshape(shape)
