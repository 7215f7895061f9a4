"""The names that an update formula reads: `h.lr`, `h.step_size`, `s.exp_avg`.

Hyperparameters and counters are f64; what follows from them (`1 − β₁ᵗ`) is computed in f64 and rounded once
to the parameter's dtype where it meets a tensor, as torch computes these numbers in Python. In f32, 1 − 0.999
alone would be off by 1e-5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.ops.elementwise import cast
from graphc.tensor import Tensor
from graphc.types import DType


class Namespace:
    """Values by attribute; AttributeError names what there is."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getattr__(self, name: str) -> Any:
        values = self.__dict__.get("_values", {})
        if name not in values:
            raise AttributeError(f"no {name!r} here; there is {', '.join(values) or 'nothing'}")
        return values[name]


class Scalars:
    """Numbers in f64, and their casts to other dtypes, each made once and only where a formula reads it."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)
        self._casts: dict[DType, Namespace] = {}

    def cast_to(self, dtype: DType) -> Namespace:
        """The namespace for parameters of a dtype."""
        return self._casts.setdefault(dtype, _Cast(self._values, dtype))


class _Cast(Namespace):
    def __init__(self, values: Mapping[str, Any], dtype: DType) -> None:
        super().__init__(values)
        self._dtype = dtype

    def __getattr__(self, name: str) -> Any:
        value = super().__getattr__(name)
        if isinstance(value, Tensor) and value.dtype.is_float and value.dtype is not self._dtype:
            value = self._values[name] = cast(value, dtype=self._dtype)
            value.builder.rename(value.value, f"{name}_{self._dtype}")
        return value
