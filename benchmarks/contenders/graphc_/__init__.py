"""graphc: `gc.training_step` and `gc.compile` for networks, `gc.value_and_grad` for the chain; any backend.

load(WORKLOADS["mlp_small"], arrays, {"backend": "interpreter", "threads": 2}).run(1)

The batch extent is named, as users would have it: nothing is specialised to the batch that is measured.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.contenders.graphc_.models import build
from benchmarks.contenders.graphc_.single import single
from benchmarks.contenders.runner import Runner
from benchmarks.workloads import Network, Prediction, Training, Workload
from benchmarks.workloads.chain import RMS_EPS, SCALE, Chain, chain_witness
from benchmarks.workloads.constants import BETAS, LEARNING_RATE, Array
from benchmarks.workloads.single import ConvolutionCase, ProductCase, single_witness

__all__ = ["build", "imports", "load", "predictor", "ready", "training_step"]


def imports() -> dict[str, str]:
    """Import graphc and what the workloads use of it."""
    from importlib.metadata import version

    import graphc as gc

    return {"graphc": version("graphc"), "numba": version("numba"), "backends": " ".join(gc.backends.BACKENDS)}


def load(workload: Workload, arrays: dict[str, Array], options: dict[str, Any]) -> Runner:
    """The workload, compiled for `options["backend"]` with `options["threads"]` threads."""
    return Calls(workload, arrays, options)


def ready(workload: Workload, arrays: dict[str, Array], options: dict[str, Any]) -> tuple[Any, list[Array]]:
    """An executable or a training step, and the arrays to call it with."""
    import graphc as gc

    match workload:
        case Training():
            step = training_step(workload.network, loaded(workload.network, arrays), options)
            return step, [arrays["x"], arrays["y"]]
        case Prediction():
            return predictor(workload.network, loaded(workload.network, arrays), options), [arrays["x"]]
        case Chain():
            return chain_gradients(workload, options), [arrays[name] for name in ("x", "residual", "weight", "g")]
    graph = single(workload)
    executable = gc.compile(graph, backend=options["backend"], threads=options["threads"])
    return executable, [arrays[value.name] for value in graph.inputs]


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


def chain_gradients(workload: Chain, options: dict[str, Any]) -> Any:
    """The compiled value and gradients of the chain."""
    import graphc as gc
    from graphc.nn import functional as F

    def chain(x: Any, residual: Any, weight: Any, g: Any) -> Any:
        y = residual + SCALE * F.silu(F.rms_norm(x, (workload.columns,), weight, RMS_EPS))
        return gc.mean(y * g)

    rows, row = gc.f32["N", workload.columns], gc.f32[workload.columns]
    graph = gc.value_and_grad(gc.trace(chain, rows, rows, row, rows), wrt=["x", "residual", "weight"])
    return gc.compile(graph, backend=options["backend"], threads=options["threads"])


class Calls:
    """Calls of what a workload is compiled to."""

    def __init__(self, workload: Workload, arrays: dict[str, Array], options: dict[str, Any]) -> None:
        self._workload = workload
        self._call, self._arguments = ready(workload, arrays, options)
        self._result: Any = None

    def run(self, steps: int) -> None:
        call, arguments = self._call, self._arguments
        for _ in range(steps):
            self._result = call(*arguments)

    def witness(self) -> list[float]:
        if isinstance(self._workload, Chain):
            value, *gradients = self._result
            return chain_witness(value, gradients)
        if isinstance(self._workload, ProductCase | ConvolutionCase):
            return single_witness(self._result)
        return np.ravel(self._result).tolist()  # type: ignore[no-any-return]

    def take(self, size: int) -> None:
        batch = self._workload.batch
        self._arguments = [each[:size] if each.shape[0] == batch else each for each in self._arguments]
