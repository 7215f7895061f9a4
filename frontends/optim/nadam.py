"""NAdam: Adam with Nesterov's momentum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.ops.elementwise import sqrt
from graphc.optim.adam import decay_factor, decayed
from graphc.optim.groups import ParamGroup
from graphc.optim.optimizer import Optimizer
from graphc.optim.scalars import Namespace
from graphc.tensor import Tensor


class NAdam(Optimizer):
    """NAdam (Dozat 2016).

        >>> optim.NAdam(lr=2e-3)

    g ← g + λ·p                          (λ: weight_decay; with `maximize`, g starts as −g)
    m ← m + (1 − β₁)·(g − m)
    v ← β₂·v + (1 − β₂)·g²
    μₜ = β₁·(1 − ½·0.96^(t·ψ)),  Πₜ = Πₜ₋₁·μₜ       (ψ: momentum_decay, Π₀ = 1)
    p ← p − lr·[ (1 − μₜ) / (1 − Πₜ) · g + μₜ₊₁ / (1 − Πₜ·μₜ₊₁) · m ] / (√(v / (1 − β₂ᵗ)) + ε)

    With `decoupled_weight_decay`, p ← (1 − lr·λ)·p comes first and g stays as it is.
    Raises OpAttributeError for a negative lr, eps, weight_decay or momentum_decay, and for a beta outside [0,
    1).
    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.NAdam.html
    """

    def __init__(
        self,
        params: Any = None,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "momentum_decay":
                momentum_decay, "decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize,
            },
        )  # fmt: skip

    def slots(self, group: ParamGroup) -> Mapping[str, float]:
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0}

    def counters(self, group: ParamGroup) -> Mapping[str, float]:
        return {"step": 0.0, "mu_product": 1.0}

    def scalars(self, h: Namespace) -> Mapping[str, Tensor]:
        def momentum(step: Tensor) -> Tensor:
            mu: Tensor = h.beta1 * (1 - 0.5 * 0.96 ** (step * h.momentum_decay))
            return mu

        mu, mu_next = momentum(h.step), momentum(h.step + 1)
        product = h.mu_product * mu
        return {
            "rest1": 1 - h.beta1,
            "rest2": 1 - h.beta2,
            "correction": 1 - h.beta2**h.step,
            "mu_product": product,
            "rate_gradient": h.lr * (1 - mu) / (1 - product),
            "rate_average": h.lr * mu_next / (1 - product * mu_next),
            **decay_factor(h),
        }

    def update(self, p: Tensor, g: Tensor, s: Namespace, h: Namespace) -> tuple[Tensor, Mapping[str, Tensor]]:
        p, g = decayed(p, g, h)
        m = s.exp_avg + h.rest1 * (g - s.exp_avg)
        v = h.beta2 * s.exp_avg_sq + h.rest2 * g * g
        d = sqrt(v / h.correction) + h.eps
        return p - h.rate_gradient * g / d - h.rate_average * m / d, {"exp_avg": m, "exp_avg_sq": v}
