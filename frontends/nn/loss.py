"""Losses as modules; each calls the function of its name in `graphc.nn.functional`.

    step = gc.training_step(model, loss=nn.CrossEntropyLoss(label_smoothing=0.1), ...)

Class and element weights are buffers, so a state dict has them, as in torch.
"""

from __future__ import annotations

from typing import Any

from graphc.nn import functional as F
from graphc.nn.functional.shape import legacy
from graphc.nn.module import Module


class _Loss(Module):
    def __init__(
        self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean", weight: Any = None
    ) -> None:
        super().__init__()
        if size_average is not None or reduce is not None:
            reduction = legacy(type(self).__name__, size_average, reduce, reduction)
        self.reduction = reduction
        if type(self).weighted:
            self.register_buffer("weight", weight)

    weighted = False


class _WeightedLoss(_Loss):
    weighted = True


class L1Loss(_Loss):
    """|x − y|."""

    def forward(self, input: Any, target: Any) -> Any:
        """Any shapes that broadcast -> f32[], or theirs with reduction "none"."""
        return F.l1_loss(input, target, reduction=self.reduction)


class MSELoss(_Loss):
    """(x − y)²."""

    def forward(self, input: Any, target: Any) -> Any:
        """Any shapes that broadcast -> f32[], or theirs with reduction "none"."""
        return F.mse_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    """d²/2β where d = |x − y| < β, else d − β/2."""

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        beta: float = 1.0,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Any, target: Any) -> Any:
        """Any shapes that broadcast -> f32[], or theirs with reduction "none"."""
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(_Loss):
    """d²/2 where d = |x − y| ≤ δ, else δ(d − δ/2)."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, input: Any, target: Any) -> Any:
        """Any shapes that broadcast -> f32[], or theirs with reduction "none"."""
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class CrossEntropyLoss(_WeightedLoss):
    """Cross-entropy of logits against labels or distributions."""

    def __init__(
        self,
        weight: Any = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(size_average, reduce, reduction, weight)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Any, target: Any) -> Any:
        """f32[N,C,…] with i64[N,…] or f32[N,C,…] -> f32[], or f32[N,…] with reduction "none"."""
        return F.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_WeightedLoss):
    """Negative log-likelihood of labels under log-probabilities."""

    def __init__(
        self,
        weight: Any = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction, weight)
        self.ignore_index = ignore_index

    def forward(self, input: Any, target: Any) -> Any:
        """f32[N,C,…], i64[N,…] -> f32[], or f32[N,…] with reduction "none"."""
        return F.nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class BCELoss(_WeightedLoss):
    """Binary cross-entropy of probabilities."""

    def __init__(
        self,
        weight: Any = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction, weight)

    def forward(self, input: Any, target: Any) -> Any:
        """Two of one shape -> f32[], or that shape with reduction "none"."""
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_WeightedLoss):
    """Binary cross-entropy of logits, stable for any."""

    def __init__(
        self,
        weight: Any = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        pos_weight: Any = None,
    ) -> None:
        super().__init__(size_average, reduce, reduction, weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Any, target: Any) -> Any:
        """Two of one shape -> f32[], or that shape with reduction "none"."""
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class KLDivLoss(_Loss):
    """Kullback–Leibler divergence of log-probabilities from a distribution."""

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        log_target: bool = False,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Any, target: Any) -> Any:
        """Two shapes that broadcast -> f32[], or theirs with reduction "none"."""
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)
