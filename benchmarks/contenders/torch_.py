"""torch: eager, and compiled in the two ways that its users compile a training step.

    eager   the modules as they are
    parts   `torch.compile` of forward and loss (its backward comes with it), and of the optimizer's step
    step    `torch.compile` of a function with all of it: forward, loss, backward, optimizer

Adam is the fused one in eager mode, which took half of the default one's time here; the compiled variants fuse the
plain one themselves. `zero_grad` drops the gradients, torch's default.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.contenders.serve import Runner, serve
from benchmarks.workloads import (
    ADAM_EPS,
    BATCH_NORM_EPS,
    BETAS,
    LEARNING_RATE,
    MOMENTUM,
    RMS_EPS,
    SCALE,
    Array,
    Chain,
    Mlp,
    Workload,
    chain_witness,
)


def imports() -> dict[str, str]:
    """Import torch."""
    import torch

    return {"torch": torch.__version__}


def load(workload: Workload, arrays: dict[str, Array], options: dict[str, Any]) -> Runner:
    """The workload in the variant `options["variant"]`."""
    import torch

    torch.set_num_threads(options["threads"])
    if isinstance(workload, Mlp):
        return Training(workload, arrays, options["variant"])
    return ChainGradients(workload, arrays, options["variant"])


def mlp(workload: Mlp) -> Any:
    """The model."""
    from torch import nn

    layers: list[Any] = []
    for i, (_, norm) in enumerate(workload.layers):
        layers.append(nn.Linear(workload.sizes[i], workload.sizes[i + 1]))
        if norm is not None:
            layers += [nn.BatchNorm1d(workload.sizes[i + 1], eps=BATCH_NORM_EPS, momentum=MOMENTUM), nn.ReLU()]
    return nn.Sequential(*layers)


def training_step(model: Any, variant: str) -> Callable[[Any, Any], Any]:
    """One step of a model, compiled as the variant says."""
    import torch
    from torch.nn import functional as F

    optimizer = torch.optim.Adam(
        model.parameters(), lr=LEARNING_RATE, betas=BETAS, eps=ADAM_EPS, fused=True if variant == "eager" else None
    )

    def loss(x: Any, y: Any) -> Any:
        return F.cross_entropy(model(x), y)

    forward, update = loss, optimizer.step
    if variant == "parts":
        forward, update = torch.compile(loss), torch.compile(optimizer.step)

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        value = forward(x, y)
        value.backward()
        update()
        return value

    return torch.compile(step) if variant == "step" else step


class Training:
    """Steps of an MLP."""

    def __init__(self, workload: Mlp, arrays: dict[str, Array], variant: str) -> None:
        import torch

        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        self._batch = tensors.pop("x"), tensors.pop("y")
        model = mlp(workload)
        model.load_state_dict(tensors)
        self._step = training_step(model, variant)
        self._loss: Any = None

    def run(self, steps: int) -> None:
        step, batch = self._step, self._batch
        for _ in range(steps):
            self._loss = step(*batch)

    def witness(self) -> list[float]:
        return [float(self._loss)]


class ChainGradients:
    """The chain's value and gradients."""

    def __init__(self, workload: Chain, arrays: dict[str, Array], variant: str) -> None:
        import torch
        from torch.nn import functional as F

        def chain(x: Any, residual: Any, weight: Any, g: Any) -> Any:
            y = residual + SCALE * F.silu(F.rms_norm(x, (workload.columns,), weight, RMS_EPS))
            return (y * g).mean()

        self._chain: Callable[..., Any] = chain if variant == "eager" else torch.compile(chain)
        self._variables = [torch.from_numpy(arrays[name]).requires_grad_() for name in ("x", "residual", "weight")]
        self._g = torch.from_numpy(arrays["g"])
        self._results: Any = None

    def run(self, steps: int) -> None:
        import torch

        for _ in range(steps):
            value = self._chain(*self._variables, self._g)
            self._results = value, torch.autograd.grad(value, self._variables)

    def witness(self) -> list[float]:
        value, gradients = self._results
        return chain_witness(value.detach(), gradients)


if __name__ == "__main__":
    serve(imports, load)
