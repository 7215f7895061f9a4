"""JAX: the whole training step in one `jax.jit` with donated state; Adam by torch's formulas.

Weights are stored (in, out), images and windows with the channels last, which is what JAX users have. Calls of a
training step are not waited for one by one: JAX may prepare the next step while one runs. Predictions are, since their
results are what one waits for.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmarks.contenders.jax_.models import batch_first, forward, stored
from benchmarks.contenders.runner import AbsentError, Runner
from benchmarks.workloads import Network, Prediction, Training, Workload
from benchmarks.workloads.chain import RMS_EPS, SCALE, Chain, chain_witness
from benchmarks.workloads.constants import ADAM_EPS, BETAS, LEARNING_RATE, Array
from benchmarks.workloads.network import is_statistic


def imports() -> dict[str, str]:
    """Import JAX."""
    import jax

    return {"jax": jax.__version__}


def load(workload: Workload, arrays: dict[str, Array], options: dict[str, Any]) -> Runner:
    """The workload; the number of threads comes by the environment and by the processors that we may use."""
    if isinstance(workload, Training):
        return Steps(workload, arrays)
    if isinstance(workload, Prediction):
        return Predictions(workload, arrays)
    if isinstance(workload, Chain):
        return ChainGradients(workload, arrays)
    raise AbsentError("single contractions are compared with libraries")


def training_step(network: Network) -> Any:
    """(parameters, averages, averages of squares, running statistics, count, x, y) → the same anew, and the loss."""
    import jax
    import jax.numpy as jnp

    logits = forward(network)

    def loss(parameters: Any, running: Any, x: Any, y: Any) -> Any:
        found, running = logits(parameters, running, x, True)
        picked = jnp.take_along_axis(jax.nn.log_softmax(found), y[:, None], 1)
        return -picked.mean(), running

    def step(parameters: Any, first: Any, second: Any, running: Any, count: Any, x: Any, y: Any) -> Any:
        (value, running), gradients = jax.value_and_grad(loss, has_aux=True)(parameters, running, x, y)
        beta1, beta2 = BETAS
        count = count + 1
        rate = LEARNING_RATE / -jnp.expm1(count * math.log(beta1))  # 1 - beta**count, which f32 would round to 1e-5
        root = jnp.sqrt(-jnp.expm1(count * math.log(beta2)))
        first = jax.tree.map(lambda m, g: m + (1 - beta1) * (g - m), first, gradients)
        second = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, second, gradients)
        parameters = jax.tree.map(
            lambda p, m, v: p - rate * m / (jnp.sqrt(v) / root + ADAM_EPS), parameters, first, second
        )
        return parameters, first, second, running, count, value

    return jax.jit(step, donate_argnums=(0, 1, 2, 3, 4))


def loaded(network: Network, arrays: dict[str, Array]) -> tuple[dict[str, Any], dict[str, Any], Any]:
    """Parameters, running statistics, and x, in JAX's layouts."""
    import jax.numpy as jnp

    weights = {name: array for name, array in arrays.items() if name not in ("x", "y")}
    parameters = {name: jnp.asarray(stored(array)) for name, array in weights.items() if not is_statistic(name)}
    running = {
        name: jnp.asarray(array) for name, array in weights.items() if name.endswith(("running_mean", "running_var"))
    }
    return parameters, running, jnp.asarray(batch_first(network, arrays["x"]))


class Steps:
    """Training steps of a network."""

    def __init__(self, workload: Training, arrays: dict[str, Array]) -> None:
        import jax.numpy as jnp

        parameters, running, x = loaded(workload.network, arrays)
        zeros = [{name: jnp.zeros_like(array) for name, array in parameters.items()} for _ in range(2)]
        self._state: Any = (parameters, *zeros, running, jnp.float32(0))
        self._batch: Any = (x, jnp.asarray(arrays["y"].astype(np.int32)))
        self._step = training_step(workload.network)
        self._loss: Any = None

    def run(self, steps: int) -> None:
        step, state, batch = self._step, self._state, self._batch
        for _ in range(steps):
            *state, self._loss = step(*state, *batch)
        self._state = state
        self._loss.block_until_ready()

    def witness(self) -> list[float]:
        return [float(self._loss)]

    def take(self, size: int) -> None:
        self._batch = [each[:size].block_until_ready() for each in self._batch]


class Predictions:
    """Predictions of a network."""

    def __init__(self, workload: Prediction, arrays: dict[str, Array]) -> None:
        import jax

        logits = forward(workload.network)
        self._parameters, self._running, self._x = loaded(workload.network, arrays)
        self._call = jax.jit(lambda parameters, running, x: logits(parameters, running, x, False)[0])
        self._logits: Any = None

    def run(self, steps: int) -> None:
        call, parameters, running, x = self._call, self._parameters, self._running, self._x
        for _ in range(steps):
            self._logits = call(parameters, running, x).block_until_ready()

    def witness(self) -> list[float]:
        return np.asarray(self._logits).ravel().tolist()  # type: ignore[no-any-return]

    def take(self, size: int) -> None:
        self._x = self._x[:size].block_until_ready()


class ChainGradients:
    """The chain's value and gradients; waited for one by one, since each call's results take 100 MB."""

    def __init__(self, workload: Chain, arrays: dict[str, Array]) -> None:
        import jax
        import jax.numpy as jnp
        from jax import lax

        def chain(x: Any, residual: Any, weight: Any, g: Any) -> Any:
            normal = x * lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + RMS_EPS) * weight
            return ((residual + SCALE * jax.nn.silu(normal)) * g).mean()

        self._call = jax.jit(jax.value_and_grad(chain, argnums=(0, 1, 2)))
        self._arguments = [jnp.asarray(arrays[name]) for name in ("x", "residual", "weight", "g")]
        self._results: Any = None

    def run(self, steps: int) -> None:
        import jax

        for _ in range(steps):
            self._results = jax.block_until_ready(self._call(*self._arguments))

    def witness(self) -> list[float]:
        value, gradients = self._results
        return chain_witness(value, gradients)

    def take(self, size: int) -> None:
        x, residual, weight, g = self._arguments
        self._arguments = [x[:size], residual[:size], weight, g[:size]]
