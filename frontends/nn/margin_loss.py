"""Margin and likelihood losses as modules, continuing `loss`.

step = gc.training_step(model, loss=nn.MultiMarginLoss(), ...)       # a multi-class support vector machine
"""

from __future__ import annotations

from typing import Any

from graphc.nn import functional as F
from graphc.nn.loss import _Loss, _WeightedLoss


class HingeLoss(_Loss):
    """max(0, margin − t·s) of scores s and targets t of 1 or −1: the binary support vector machine."""

    def __init__(self, margin: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.margin = margin

    def forward(self, input: Any, target: Any) -> Any:
        """Two of one shape -> f32[], or that shape with reduction "none"."""
        return F.hinge_loss(input, target, self.margin, self.reduction)


class HingeEmbeddingLoss(_Loss):
    """The distance x where t = 1, max(0, margin − x) where t = −1."""

    def __init__(
        self,
        margin: float = 1.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input: Any, target: Any) -> Any:
        """Two shapes that broadcast -> f32[], or theirs with reduction "none"."""
        return F.hinge_embedding_loss(input, target, self.margin, reduction=self.reduction)


class MultiMarginLoss(_WeightedLoss):
    """Σ_{j≠y} max(0, margin − x_y + x_j)^p / C: the multi-class support vector machine."""

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Any = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction, weight)
        self.p = p
        self.margin = margin

    def forward(self, input: Any, target: Any) -> Any:
        """f32[N,C], i64[N] -> f32[], or f32[N] with reduction "none"."""
        return F.multi_margin_loss(input, target, self.p, self.margin, self.weight, reduction=self.reduction)


class SoftMarginLoss(_Loss):
    """log(1 + e^(−t·s)) of scores s and targets t of 1 or −1."""

    def forward(self, input: Any, target: Any) -> Any:
        """Two of one shape -> f32[], or that shape with reduction "none"."""
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(_WeightedLoss):
    """Binary cross-entropy with logits, averaged over the classes."""

    def __init__(
        self,
        weight: Any = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction, weight)

    def forward(self, input: Any, target: Any) -> Any:
        """f32[N,C], f32[N,C] -> f32[], or f32[N] with reduction "none"."""
        return F.multilabel_soft_margin_loss(input, target, self.weight, reduction=self.reduction)


class MarginRankingLoss(_Loss):
    """max(0, margin − t·(x₁ − x₂))."""

    def __init__(
        self,
        margin: float = 0.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1: Any, input2: Any, target: Any) -> Any:
        """Three shapes that broadcast -> f32[], or theirs with reduction "none"."""
        return F.margin_ranking_loss(input1, input2, target, self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(_Loss):
    """1 − cos(x₁, x₂) where t = 1, max(0, cos − margin) where t = −1."""

    def __init__(
        self,
        margin: float = 0.0,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1: Any, input2: Any, target: Any) -> Any:
        """f32[N,D], f32[N,D], f32[N] -> f32[], or f32[N] with reduction "none"."""
        return F.cosine_embedding_loss(input1, input2, target, self.margin, reduction=self.reduction)


class TripletMarginLoss(_Loss):
    """max(0, margin + d(a, p) − d(a, n))."""

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin
        self.p = p
        self.eps = eps
        self.swap = swap

    def forward(self, anchor: Any, positive: Any, negative: Any) -> Any:
        """f32[N,D] three times -> f32[], or f32[N] with reduction "none"."""
        return F.triplet_margin_loss(
            anchor, positive, negative, self.margin, self.p, self.eps, self.swap, reduction=self.reduction
        )


class PoissonNLLLoss(_Loss):
    """λ − k·log λ of counts k."""

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: bool | None = None,
        eps: float = 1e-8,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, log_input: Any, target: Any) -> Any:
        """Two shapes that broadcast -> f32[], or theirs with reduction "none"."""
        return F.poisson_nll_loss(log_input, target, self.log_input, self.full, eps=self.eps, reduction=self.reduction)


class GaussianNLLLoss(_Loss):
    """½·(log σ² + (μ − y)²/σ²)."""

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.full = full
        self.eps = eps

    def forward(self, input: Any, target: Any, var: Any) -> Any:
        """Three of one shape (`var` may lack the last axis) -> f32[], or that shape with reduction "none"."""
        return F.gaussian_nll_loss(input, target, var, self.full, self.eps, self.reduction)
