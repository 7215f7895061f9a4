"""Dropout: in training each element is 0 with probability p; the random bits come from the model's counter.

    nn.Dropout(0.5)                        # training: x·mask / (1 − p); eval: x
    nn.Dropout(0.5, scale="eval")          # training: x·mask;           eval: x·(1 − p), the original form
    nn.Dropout(0.5, monte_carlo=True)      # drops in eval too: each call is a sample of the predictive distribution

Sources: Srivastava et al., 2014 (original form); Gal and Ghahramani, 2016 (Monte Carlo);
Klambauer et al., 2017 (alpha).
"""

from __future__ import annotations

from typing import Any

from graphc.errors import OpAttributeError
from graphc.nn import functional as F
from graphc.nn.module import Module


class _Dropout(Module):
    def __init__(self, p: float, inplace: bool) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise OpAttributeError(f"{self._title}: p is the probability to drop, between 0 and 1, but it is {p}")
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        """`p=0.5, inplace=False`."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """Elements become 0 with probability p; `scale` says when the rest is scaled, `monte_carlo` drops in eval too."""

    def __init__(
        self, p: float = 0.5, inplace: bool = False, *, scale: str = "train", monte_carlo: bool = False
    ) -> None:
        super().__init__(p, inplace)
        if scale not in ("train", "eval"):
            raise OpAttributeError(f'Dropout: scale is "train" or "eval", not {scale!r}')
        self.scale = scale
        self.monte_carlo = monte_carlo

    def forward(self, input: Any) -> Any:
        """Any shape."""
        return F.dropout(input, self.p, self.training or self.monte_carlo, scale=self.scale)

    def extra_repr(self) -> str:
        """`p=0.5, inplace=False`, and the options that are not torch's where they are used."""
        parts = [super().extra_repr()]
        if self.scale != "train":
            parts.append(f"scale={self.scale!r}")
        if self.monte_carlo:
            parts.append("monte_carlo=True")
        return ", ".join(parts)


class AlphaDropout(_Dropout):
    """Dropout for SELU networks: dropped elements become SELU's negative limit, and mean and variance are kept."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__(p, inplace)

    def forward(self, input: Any) -> Any:
        """Any shape."""
        return F.alpha_dropout(input, self.p, self.training)
