"""torch: eager, with channels last, and compiled in the two ways that its users compile a training step.

    eager            the modules as they are
    channels_last    convolutional networks with weights and images in torch.channels_last
    parts            `torch.compile` of forward and loss (its backward comes with it), and of the optimizer's step
    step             `torch.compile` of a function with all of it: forward, loss, backward, optimizer

The compiled variants have the channels last, too: ResNet-20 took more than twice as long with them first.
Adam is the fused one in eager mode, which took half of the default one's time here; the compiled variants fuse the
plain one themselves. `zero_grad` drops the gradients, torch's default. Predictions run in `torch.inference_mode`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.contenders.runner import Runner
from benchmarks.contenders.torch_.models import build
from benchmarks.workloads import Network, Prediction, Training, Workload
from benchmarks.workloads.chain import RMS_EPS, SCALE, Chain, chain_witness
from benchmarks.workloads.constants import ADAM_EPS, BETAS, LEARNING_RATE, Array


def imports() -> dict[str, str]:
    """Import torch."""
    import torch

    return {"torch": torch.__version__}


def load(workload: Workload, arrays: dict[str, Array], options: dict[str, Any]) -> Runner:
    """The workload in the variant `options["variant"]`."""
    import torch

    torch.set_num_threads(options["threads"])
    if isinstance(workload, Training):
        return Steps(workload, arrays, options["variant"])
    if isinstance(workload, Prediction):
        return Predictions(workload, arrays, options["variant"])
    if isinstance(workload, Chain):
        return ChainGradients(workload, arrays, options["variant"])
    from benchmarks.contenders.torch_.single import Single

    return Single(workload, arrays)


def training_step(model: Any, variant: str) -> Callable[[Any, Any], Any]:
    """One step of a model, compiled as the variant says."""
    import torch
    from torch.nn import functional as F

    compiled = variant in ("parts", "step")
    optimizer = torch.optim.Adam(
        model.parameters(), lr=LEARNING_RATE, betas=BETAS, eps=ADAM_EPS, fused=None if compiled else True
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


def loaded(network: Network, arrays: dict[str, Array], variant: str) -> tuple[Any, Any, Any]:
    """The model with the weights among the arrays, x, and y, None for a prediction."""
    import torch

    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    x, y = tensors.pop("x"), tensors.pop("y", None)
    model = build(network)
    model.load_state_dict(tensors)
    if network.convolutional and variant != "eager":
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    return model, x, y


class Steps:
    """Training steps of a network."""

    def __init__(self, workload: Training, arrays: dict[str, Array], variant: str) -> None:
        model, *self._batch = loaded(workload.network, arrays, variant)
        self._step = training_step(model, variant)
        self._loss: Any = None

    def run(self, steps: int) -> None:
        step, batch = self._step, self._batch
        for _ in range(steps):
            self._loss = step(*batch)

    def witness(self) -> list[float]:
        return [float(self._loss.detach())]

    def take(self, size: int) -> None:
        self._batch = [each[:size] for each in self._batch]


class Predictions:
    """Predictions of a network."""

    def __init__(self, workload: Prediction, arrays: dict[str, Array], variant: str) -> None:
        import torch

        model, self._x, _ = loaded(workload.network, arrays, variant)
        model.eval()
        self._model = torch.compile(model) if variant == "parts" else model
        self._logits: Any = None

    def run(self, steps: int) -> None:
        import torch

        call, x = self._model, self._x
        with torch.inference_mode():
            for _ in range(steps):
                self._logits = call(x)

    def witness(self) -> list[float]:
        return self._logits.flatten().tolist()  # type: ignore[no-any-return]

    def take(self, size: int) -> None:
        self._x = self._x[:size]


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

    def take(self, size: int) -> None:
        x, residual, weight = self._variables
        self._variables = [x[:size].detach().requires_grad_(), residual[:size].detach().requires_grad_(), weight]
        self._g = self._g[:size]
