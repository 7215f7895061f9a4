"""Softmax and its kin as modules: values along one axis made shares of 1.

nn.Sequential(nn.Linear(64, 10), nn.Softmax(dim=1))     # f32[N,64] -> f32[N,10], rows that sum to 1
"""

from __future__ import annotations

from typing import Any, ClassVar

from graphc.nn import functional as F
from graphc.nn.activation import Pointwise


class _AlongAxis(Pointwise):
    shown: ClassVar[tuple[str, ...]] = ("dim",)

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim


class Softmax(_AlongAxis):
    """e^x / Σ e^x along `dim`."""

    def forward(self, input: Any) -> Any:
        """Any shape with that axis."""
        return F.softmax(input, self.dim)


class Softmin(_AlongAxis):
    """softmax(−x) along `dim`."""

    def forward(self, input: Any) -> Any:
        """Any shape with that axis."""
        return F.softmin(input, self.dim)


class LogSoftmax(_AlongAxis):
    """x − log Σ e^x along `dim`, stable for logits of any size."""

    def forward(self, input: Any) -> Any:
        """Any shape with that axis."""
        return F.log_softmax(input, self.dim)
