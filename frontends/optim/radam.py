"""RAdam: Adam whose adaptive rate waits until the average square can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.ops.elementwise import sqrt, where
from graphc.optim.adam import decay_factor, decayed
from graphc.optim.groups import ParamGroup
from graphc.optim.optimizer import Optimizer
from graphc.optim.scalars import Namespace
from graphc.tensor import Tensor


class RAdam(Optimizer):
    """RAdam, rectified Adam (Liu and others 2020).

        >>> optim.RAdam(lr=1e-3)

    g ← g + λ·p                          (λ: weight_decay; with `maximize`, g starts as −g)
    m ← m + (1 − β₁)·(g − m)
    v ← β₂·v + (1 − β₂)·g²
    ρ∞ = 2 / (1 − β₂) − 1,  ρₜ = ρ∞ − 2·t·β₂ᵗ / (1 − β₂ᵗ)
    r = √( (ρₜ − 4)·(ρₜ − 2)·ρ∞ / ((ρ∞ − 4)·(ρ∞ − 2)·ρₜ) ) · √(1 − β₂ᵗ) / (√v + ε)  where ρₜ > 5,  1 elsewhere
    p ← p − lr / (1 − β₁ᵗ) · m · r

    With `decoupled_weight_decay`, p ← (1 − lr·λ)·p comes first and g stays as it is.
    Raises OpAttributeError for a negative lr, eps or weight_decay, and for a beta outside [0, 1).
    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.RAdam.html
    """

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
                "decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize,
            },
        )  # fmt: skip

    def slots(self, group: ParamGroup) -> Mapping[str, float]:
        return {"exp_avg": 0.0, "exp_avg_sq": 0.0}

    def counters(self, group: ParamGroup) -> Mapping[str, float]:
        return {"step": 0.0}

    def scalars(self, h: Namespace) -> Mapping[str, Tensor]:
        correction = 1 - h.beta2**h.step
        limit = 2 / (1 - h.beta2) - 1
        length = limit - 2 * h.step * h.beta2**h.step / correction
        trusted = length > 5
        ratio = (length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length)
        return {
            "rest1": 1 - h.beta1,
            "rest2": 1 - h.beta2,
            "rate": h.lr / (1 - h.beta1**h.step),
            "trusted": trusted,
            "rectified": sqrt(where(trusted, ratio, 1)) * sqrt(correction),
            **decay_factor(h),
        }

    def update(self, p: Tensor, g: Tensor, s: Namespace, h: Namespace) -> tuple[Tensor, Mapping[str, Tensor]]:
        p, g = decayed(p, g, h)
        m = s.exp_avg + h.rest1 * (g - s.exp_avg)
        v = h.beta2 * s.exp_avg_sq + h.rest2 * g * g
        adaptive = where(h.trusted, h.rectified / (sqrt(v) + h.eps), 1)
        return p - h.rate * m * adaptive, {"exp_avg": m, "exp_avg_sq": v}
