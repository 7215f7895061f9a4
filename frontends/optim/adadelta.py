"""Adadelta: steps in the parameter's own units, with hardly a rate to choose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.errors import OpAttributeError
from graphc.ops.elementwise import sqrt
from graphc.optim.groups import ParamGroup
from graphc.optim.optimizer import Optimizer
from graphc.optim.scalars import Namespace
from graphc.tensor import Tensor


class Adadelta(Optimizer):
    """Adadelta (Zeiler 2012).

        >>> optim.Adadelta(rho=0.95)

    g ← g + λ·p                          (λ: weight_decay; with `maximize`, g starts as −g)
    v ← ρ·v + (1 − ρ)·g²
    δ = √(u + ε) / √(v + ε) · g
    u ← ρ·u + (1 − ρ)·δ²
    p ← p − lr·δ

    Raises OpAttributeError for a negative hyperparameter and for rho above 1.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Adadelta.html
    """

    def __init__(
        self,
        params: Any = None,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize})

    def check(self, values: Mapping[str, Any]) -> None:
        super().check(values)
        if values["rho"] > 1:
            raise OpAttributeError(f"Adadelta: invalid rho value: {values['rho']}; it is in [0, 1]")

    def slots(self, group: ParamGroup) -> Mapping[str, float]:
        return {"square_avg": 0.0, "acc_delta": 0.0}

    def scalars(self, h: Namespace) -> Mapping[str, Tensor]:
        return {"rest": 1 - h.rho}

    def update(self, p: Tensor, g: Tensor, s: Namespace, h: Namespace) -> tuple[Tensor, Mapping[str, Tensor]]:
        if h.weight_decay is not None:
            g = g + h.weight_decay * p
        v = h.rho * s.square_avg + h.rest * g * g
        delta = sqrt(s.acc_delta + h.eps) / sqrt(v + h.eps) * g
        u = h.rho * s.acc_delta + h.rest * delta * delta
        return p - h.lr * delta, {"square_avg": v, "acc_delta": u}
