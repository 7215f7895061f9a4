"""RMSprop: gradients divided by the root of their average square."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.ops.elementwise import sqrt
from graphc.optim.groups import ParamGroup
from graphc.optim.optimizer import Optimizer
from graphc.optim.scalars import Namespace
from graphc.tensor import Tensor


class RMSprop(Optimizer):
    """RMSprop (Hinton, lecture 6e; centered: Graves 2013).

        >>> optim.RMSprop(lr=0.01, alpha=0.9, centered=True)

    g ← g + λ·p                          (λ: weight_decay; with `maximize`, g starts as −g)
    v ← α·v + (1 − α)·g²
    m ← m + (1 − α)·(g − m),  d = √(v − m²) + ε  centered;  d = √v + ε  otherwise
    b ← μ·b + g / d,  p ← p − lr·b       (μ: momentum; without it, p ← p − lr·g / d)

    Raises OpAttributeError for a negative hyperparameter.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.RMSprop.html
    """

    optional = frozenset({"weight_decay", "momentum"})

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum,
                "centered": centered, "maximize": maximize,
            },
        )  # fmt: skip

    def slots(self, group: ParamGroup) -> Mapping[str, float]:
        names = ["square_avg"]
        names += ["momentum_buffer"] if group.uses("momentum") else []
        names += ["grad_avg"] if group["centered"] else []
        return dict.fromkeys(names, 0.0)

    def scalars(self, h: Namespace) -> Mapping[str, Tensor]:
        return {"rest": 1 - h.alpha}

    def update(self, p: Tensor, g: Tensor, s: Namespace, h: Namespace) -> tuple[Tensor, Mapping[str, Tensor]]:
        if h.weight_decay is not None:
            g = g + h.weight_decay * p
        v = h.alpha * s.square_avg + h.rest * g * g
        new = {"square_avg": v}
        if h.centered:
            m = new["grad_avg"] = s.grad_avg + h.rest * (g - s.grad_avg)
            v = v - m * m
        scaled = g / (sqrt(v) + h.eps)
        if h.momentum is not None:
            scaled = new["momentum_buffer"] = h.momentum * s.momentum_buffer + scaled
        return p - h.lr * scaled, new
