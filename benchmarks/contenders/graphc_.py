"""graphc: `gc.training_step` for the MLPs, `gc.value_and_grad` and `gc.compile` for the chain; any backend.

load(WORKLOADS["mlp_small"], arrays, {"backend": "interpreter", "threads": 2}).run(1)

The batch extent is named, as users would have it: nothing is specialised to the batch that is measured.
"""

from __future__ import annotations

from typing import Any

from benchmarks.contenders.serve import Runner, serve
from benchmarks.workloads import (
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
    """Import graphc and what the workloads use of it."""
    from importlib.metadata import version

    import graphc as gc

    return {"graphc": version("graphc"), "numba": version("numba"), "backends": " ".join(gc.backends.BACKENDS)}


def load(workload: Workload, arrays: dict[str, Array], options: dict[str, Any]) -> Runner:
    """The workload, compiled for `options["backend"]` with `options["threads"]` threads."""
    if isinstance(workload, Mlp):
        return Training(workload, arrays, options)
    return ChainGradients(workload, arrays, options)


def mlp(workload: Mlp) -> Any:
    """The model, as a user declares it."""
    from graphc import nn

    layers: list[Any] = []
    for i, (_, norm) in enumerate(workload.layers):
        layers.append(nn.Linear(workload.sizes[i], workload.sizes[i + 1]))
        if norm is not None:
            layers += [nn.BatchNorm1d(workload.sizes[i + 1], eps=BATCH_NORM_EPS, momentum=MOMENTUM), nn.ReLU()]
    return nn.Sequential(*layers)


def training_step(workload: Mlp, model: Any, options: dict[str, Any]) -> Any:
    """The compiled step of a model."""
    import graphc as gc
    from graphc import optim
    from graphc.nn import functional as F

    return gc.training_step(
        model,
        loss=F.cross_entropy,
        optimizer=optim.Adam(lr=LEARNING_RATE, betas=BETAS),
        inputs=gc.f32["N", workload.sizes[0]],
        targets=gc.i64["N"],
        backend=options["backend"],
        threads=options["threads"],
    )


class Training:
    """Steps of an MLP."""

    def __init__(self, workload: Mlp, arrays: dict[str, Array], options: dict[str, Any]) -> None:
        model = mlp(workload)
        model.load_state_dict({name: array for name, array in arrays.items() if name not in ("x", "y")})
        self._step = training_step(workload, model, options)
        self._batch = arrays["x"], arrays["y"]
        self._loss: Any = None

    def run(self, steps: int) -> None:
        step, batch = self._step, self._batch
        for _ in range(steps):
            self._loss = step(*batch)

    def witness(self) -> list[float]:
        return [float(self._loss)]


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


if __name__ == "__main__":
    serve(imports, load)
