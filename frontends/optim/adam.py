"""Adam and AdamW: averages of the gradient and of its square, corrected for their start at zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.ops.elementwise import maximum, sqrt
from graphc.optim.groups import ParamGroup
from graphc.optim.optimizer import Optimizer
from graphc.optim.scalars import Namespace
from graphc.tensor import Tensor


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015), with the AMSGrad variant (Reddi, Kale and Kumar 2018).

        >>> optim.Adam(lr=1e-3, betas=(0.9, 0.99))

    g ← g + λ·p                          (λ: weight_decay; with `maximize`, g starts as −g)
    m ← m + (1 − β₁)·(g − m)
    v ← β₂·v + (1 − β₂)·g²               (with `amsgrad`, the root is of the largest v so far)
    p ← p − lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε)

    The last line is computed as p − (lr·ρ / (1 − β₁ᵗ)) · m / (√v + ε·ρ) with ρ = √(1 − β₂ᵗ), which divides once.
    With `decoupled_weight_decay`, p ← (1 − lr·λ)·p comes first and g stays as it is: that is AdamW.
    In f16 the default eps rounds to zero, as in torch; take one of 1e-4 or so there.
    Raises OpAttributeError for a negative lr, eps or weight_decay, and for a beta outside [0, 1).
    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html
    """

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
                "maximize": maximize, "decoupled_weight_decay": decoupled_weight_decay,
            },
        )  # fmt: skip

    def slots(self, group: ParamGroup) -> Mapping[str, float]:
        names = ["exp_avg", "exp_avg_sq"] + (["max_exp_avg_sq"] if group["amsgrad"] else [])
        return dict.fromkeys(names, 0.0)

    def counters(self, group: ParamGroup) -> Mapping[str, float]:
        return {"step": 0.0}

    def scalars(self, h: Namespace) -> Mapping[str, Tensor]:
        root = sqrt(1 - h.beta2**h.step)
        return {
            "rest1": 1 - h.beta1,
            "rest2": 1 - h.beta2,
            "rate": h.lr * root / (1 - h.beta1**h.step),
            "least": h.eps * root,
            **decay_factor(h),
        }

    def update(self, p: Tensor, g: Tensor, s: Namespace, h: Namespace) -> tuple[Tensor, Mapping[str, Tensor]]:
        p, g = decayed(p, g, h)
        m = s.exp_avg + h.rest1 * (g - s.exp_avg)
        v = h.beta2 * s.exp_avg_sq + h.rest2 * g * g
        new = {"exp_avg": m, "exp_avg_sq": v}
        if h.amsgrad:
            v = new["max_exp_avg_sq"] = maximum(s.max_exp_avg_sq, v)
        return p - h.rate * m / (sqrt(v) + h.least), new


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019): p ← (1 − lr·λ)·p before Adam's step.

        >>> optim.AdamW(lr=1e-3, weight_decay=0.01)

    Raises OpAttributeError as Adam does.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html
    """

    def __init__(
        self,
        params: Any = None,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True)


def decay_factor(h: Namespace) -> Mapping[str, Tensor]:
    """1 − lr·λ, where weight decay is decoupled."""
    if h.weight_decay is None or not h.decoupled_weight_decay:
        return {}
    return {"kept": 1 - h.lr * h.weight_decay}


def decayed(p: Tensor, g: Tensor, h: Namespace) -> tuple[Tensor, Tensor]:
    """Weight decay: on the parameter where it is decoupled, in the gradient where it is L2 regularisation."""
    if h.weight_decay is None:
        return p, g
    return (p * h.kept, g) if h.decoupled_weight_decay else (p, g + h.weight_decay * p)
