"""Adagrad: each element's rate falls with the sum of its squared gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.ops.elementwise import sqrt
from graphc.optim.groups import ParamGroup
from graphc.optim.optimizer import Optimizer
from graphc.optim.scalars import Namespace
from graphc.tensor import Tensor


class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan and Singer 2011).

        >>> optim.Adagrad(lr=0.01)

    g ← g + λ·p                          (λ: weight_decay; with `maximize`, g starts as −g)
    a ← a + g²                           (a starts as initial_accumulator_value)
    p ← p − lr / (1 + (t − 1)·η) · g / (√a + ε)     (η: lr_decay, t counts from 1)

    Raises OpAttributeError for a negative hyperparameter.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Adagrad.html
    """

    fixed = frozenset({"initial_accumulator_value"})

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value, "eps": eps, "maximize": maximize,
            },
        )  # fmt: skip

    def slots(self, group: ParamGroup) -> Mapping[str, float]:
        return {"sum": group["initial_accumulator_value"]}

    def counters(self, group: ParamGroup) -> Mapping[str, float]:
        return {"step": 0.0}

    def scalars(self, h: Namespace) -> Mapping[str, Tensor]:
        return {"rate": h.lr / (1 + (h.step - 1) * h.lr_decay)}

    def update(self, p: Tensor, g: Tensor, s: Namespace, h: Namespace) -> tuple[Tensor, Mapping[str, Tensor]]:
        if h.weight_decay is not None:
            g = g + h.weight_decay * p
        total = s.sum + g * g
        return p - h.rate * g / (sqrt(total) + h.eps), {"sum": total}
