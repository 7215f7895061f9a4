"""Angles and distances of vectors as modules.

nn.CosineSimilarity(dim=1)     # f32[N,D], f32[N,D] -> f32[N]
"""

from __future__ import annotations

from typing import Any

from graphc.nn import functional as F
from graphc.nn.module import Module


class CosineSimilarity(Module):
    """The cosine of the angle between vectors along `dim`; lengths below eps count as eps."""

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Any, x2: Any) -> Any:
        """Two shapes that broadcast -> theirs without that axis."""
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """The p-norm of x₁ − x₂ + eps along the last axis."""

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Any, x2: Any) -> Any:
        """f32[N,D], f32[N,D] -> f32[N]."""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
