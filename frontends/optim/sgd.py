"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.errors import OpAttributeError
from graphc.ops.elementwise import where
from graphc.optim.groups import ParamGroup
from graphc.optim.optimizer import Optimizer
from graphc.optim.scalars import Namespace
from graphc.tensor import Tensor


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum, dampening and Nesterov's look-ahead.

        >>> optim.SGD(lr=0.1, momentum=0.9, nesterov=True)

    g ← g + λ·p                 (λ: weight_decay; with `maximize`, g starts as −g)
    v ← μ·v + (1 − τ)·g         (μ: momentum, τ: dampening; the first v is g)
    g ← g + μ·v  with Nesterov,  v  without
    p ← p − lr·g

    The learning rate multiplies v as it is used, not as it is summed, so a changed rate acts on past
    gradients too.
    Raises OpAttributeError for a negative lr, momentum or weight_decay, and for Nesterov without momentum or
    with dampening. Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """

    optional = frozenset({"weight_decay", "momentum", "dampening"})

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
                "nesterov": nesterov, "maximize": maximize,
            },
        )  # fmt: skip

    def check(self, values: Mapping[str, Any]) -> None:
        super().check({key: value for key, value in values.items() if key != "dampening"})
        if values["nesterov"] and (values["momentum"] <= 0 or values["dampening"] != 0):
            raise OpAttributeError("SGD: Nesterov momentum requires a momentum and zero dampening")

    def slots(self, group: ParamGroup) -> Mapping[str, float]:
        return {"momentum_buffer": 0.0} if group.uses("momentum") else {}

    def counters(self, group: ParamGroup) -> Mapping[str, float]:
        return {"step": 0.0} if group.uses("momentum") else {}

    def scalars(self, h: Namespace) -> Mapping[str, Tensor]:
        return {} if h.dampening is None else {"undamped": 1 - h.dampening}

    def update(self, p: Tensor, g: Tensor, s: Namespace, h: Namespace) -> tuple[Tensor, Mapping[str, Tensor]]:
        if h.weight_decay is not None:
            g = g + h.weight_decay * p
        if h.momentum is None:
            return p - h.lr * g, {}
        if h.dampening is None:
            v = h.momentum * s.momentum_buffer + g
        else:
            v = where(h.step == 1, g, h.momentum * s.momentum_buffer + h.undamped * g)
        g = g + h.momentum * v if h.nesterov else v
        return p - h.lr * g, {"momentum_buffer": v}
