"""graphc: `gc.training_step` and `gc.compile` for networks, `gc.value_and_grad` for the chain; any backend.

load(WORKLOADS["mlp_small"], arrays, {"backend": "interpreter", "threads": 2}).run(1)

The batch extent is named, as users would have it: nothing is specialised to the batch that is measured.
"""

from __future__ import annotations

from typing import Any

from benchmarks.contenders.graphc_.models import build
from benchmarks.contenders.runner import AbsentError, Runner
from benchmarks.workloads import Network, Prediction, Training, Workload
from benchmarks.workloads.chain import RMS_EPS, SCALE, Chain, chain_witness
from benchmarks.workloads.constants import BETAS, LEARNING_RATE, Array

__all__ = ["AbsentError", "build", "imports", "load", "predictor", "training_step"]


def imports() -> dict[str, str]:
    """Import graphc and what the workloads use of it."""
    from importlib.metadata import version

    import graphc as gc

    return {"graphc": version("graphc"), "numba": version("numba"), "backends": " ".join(gc.backends.BACKENDS)}


def load(workload: Workload, arrays: dict[str, Array], options: dict[str, Any]) -> Runner:
    """The workload, compiled for `options["backend"]` with `options["threads"]` threads."""
    if isinstance(workload, Training):
        return Steps(workload, arrays, options)
    if isinstance(workload, Prediction):
        return Predictions(workload, arrays, options)
    return ChainGradients(workload, arrays, options)


def training_step(network: Network, model: Any, options: dict[str, Any]) -> Any:
    """The compiled step of a model."""
    import graphc as gc
    from graphc import optim
    from graphc.nn import functional as F

    return gc.training_step(
        model,
        loss=F.cross_entropy,
        optimizer=optim.Adam(lr=LEARNING_RATE, betas=BETAS),
        inputs=gc.f32["N", *network.example],
        targets=gc.i64["N"],
        backend=options["backend"],
        threads=options["threads"],
    )


def predictor(network: Network, model: Any, options: dict[str, Any]) -> Any:
    """The compiled prediction of a model."""
    import graphc as gc

    inputs = gc.f32["N", *network.example]
    return gc.compile(model.eval(), inputs=inputs, backend=options["backend"], threads=options["threads"])


def loaded(network: Network, arrays: dict[str, Array]) -> Any:
    """The model with the weights among the arrays."""
    model = build(network)
    model.load_state_dict({name: array for name, array in arrays.items() if name not in ("x", "y")})
    return model


class Steps:
    """Training steps of a network."""

    def __init__(self, workload: Training, arrays: dict[str, Array], options: dict[str, Any]) -> None:
        self._step = training_step(workload.network, loaded(workload.network, arrays), options)
        self._batch = arrays["x"], arrays["y"]
        self._loss: Any = None

    def run(self, steps: int) -> None:
        step, batch = self._step, self._batch
        for _ in range(steps):
            self._loss = step(*batch)

    def witness(self) -> list[float]:
        return [float(self._loss)]

    def take(self, size: int) -> None:
        x, y = self._batch
        self._batch = x[:size], y[:size]


class Predictions:
    """Predictions of a network."""

    def __init__(self, workload: Prediction, arrays: dict[str, Array], options: dict[str, Any]) -> None:
        self._call = predictor(workload.network, loaded(workload.network, arrays), options)
        self._x = arrays["x"]
        self._logits: Any = None

    def run(self, steps: int) -> None:
        call, x = self._call, self._x
        for _ in range(steps):
            self._logits = call(x)

    def witness(self) -> list[float]:
        return self._logits.ravel().tolist()  # type: ignore[no-any-return]

    def take(self, size: int) -> None:
        self._x = self._x[:size]


class ChainGradients:
    """The chain's value and gradients."""

    def __init__(self, workload: Chain, arrays: dict[str, Array], options: dict[str, Any]) -> None:
        import graphc as gc
        from graphc.nn import functional as F

        def chain(x: Any, residual: Any, weight: Any, g: Any) -> Any:
            y = residual + SCALE * F.silu(F.rms_norm(x, (workload.columns,), weight, RMS_EPS))
            return gc.mean(y * g)

        rows, row = gc.f32["N", workload.columns], gc.f32[workload.columns]
        graph = gc.value_and_grad(gc.trace(chain, rows, rows, row, rows), wrt=["x", "residual", "weight"])
        self._call = gc.compile(graph, backend=options["backend"], threads=options["threads"])
        self._arguments = [arrays[name] for name in ("x", "residual", "weight", "g")]
        self._results: Any = None

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self._results = self._call(*self._arguments)

    def witness(self) -> list[float]:
        value, *gradients = self._results
        return chain_witness(value, gradients)

    def take(self, size: int) -> None:
        x, residual, weight, g = self._arguments
        self._arguments = [x[:size], residual[:size], weight, g[:size]]
