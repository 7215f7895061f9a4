"""Adamax: Adam with the infinity norm in place of the average square."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.ops.elementwise import maximum
from graphc.optim.groups import ParamGroup
from graphc.optim.optimizer import Optimizer
from graphc.optim.scalars import Namespace
from graphc.tensor import Tensor


class Adamax(Optimizer):
    """Adamax (Kingma and Ba 2015, section 7.1).

        >>> optim.Adamax(lr=2e-3)

    g ← g + λ·p                          (λ: weight_decay; with `maximize`, g starts as −g)
    m ← m + (1 − β₁)·(g − m)
    u ← max(β₂·u, |g| + ε)
    p ← p − lr / (1 − β₁ᵗ) · m / u

    Raises OpAttributeError for a negative lr, eps or weight_decay, and for a beta outside [0, 1).
    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Adamax.html
    """

    def __init__(
        self,
        params: Any = None,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        )

    def slots(self, group: ParamGroup) -> Mapping[str, float]:
        return {"exp_avg": 0.0, "exp_inf": 0.0}

    def counters(self, group: ParamGroup) -> Mapping[str, float]:
        return {"step": 0.0}

    def scalars(self, h: Namespace) -> Mapping[str, Tensor]:
        return {"rest1": 1 - h.beta1, "rate": h.lr / (1 - h.beta1**h.step)}

    def update(self, p: Tensor, g: Tensor, s: Namespace, h: Namespace) -> tuple[Tensor, Mapping[str, Tensor]]:
        if h.weight_decay is not None:
            g = g + h.weight_decay * p
        m = s.exp_avg + h.rest1 * (g - s.exp_avg)
        u = maximum(h.beta2 * s.exp_inf, abs(g) + h.eps)
        return p - h.rate * m / u, {"exp_avg": m, "exp_inf": u}
