"""JAX: the whole training step in one `jax.jit` with donated state; Adam and BatchNorm by torch's formulas.

Weights are stored (in, out), which is the layout that JAX users have. Calls are not waited for one by one: JAX may
prepare the next step while one runs.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

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

STATISTICS = ("running_mean", "running_var")


def imports() -> dict[str, str]:
    """Import JAX."""
    import jax

    return {"jax": jax.__version__}


def load(workload: Workload, arrays: dict[str, Array], options: dict[str, Any]) -> Runner:
    """The workload; the number of threads comes by the environment and by the processors that we may use."""
    return Training(workload, arrays) if isinstance(workload, Mlp) else ChainGradients(workload, arrays)


def training_step(workload: Mlp) -> Any:
    """(parameters, averages, averages of squares, running statistics, count, x, y) → the same anew, and the loss."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    def batch_norm(h: Any, weight: Any, bias: Any) -> Any:
        mean = h.mean(0)
        variance = jnp.square(h - mean).mean(0)
        return (h - mean) * lax.rsqrt(variance + BATCH_NORM_EPS) * weight + bias, mean, variance

    def loss(parameters: Any, running: Any, x: Any, y: Any) -> Any:
        new = {}
        for linear, norm in workload.layers:
            x = x @ parameters[f"{linear}.weight"] + parameters[f"{linear}.bias"]
            if norm is not None:
                x, mean, variance = batch_norm(x, parameters[f"{norm}.weight"], parameters[f"{norm}.bias"])
                unbiased = variance * (workload.batch / (workload.batch - 1))
                for name, value in zip(STATISTICS, (mean, unbiased), strict=True):
                    old = running[f"{norm}.{name}"]
                    new[f"{norm}.{name}"] = old + MOMENTUM * (value - old)
                x = jax.nn.relu(x)
        picked = jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], 1)
        return -picked.mean(), new

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


class Training:
    """Steps of an MLP."""

    def __init__(self, workload: Mlp, arrays: dict[str, Array]) -> None:
        import jax.numpy as jnp

        weights = {name: array for name, array in arrays.items() if name.endswith((".weight", ".bias"))}
        parameters = {name: jnp.asarray(array.T if array.ndim == 2 else array) for name, array in weights.items()}
        running = {name: jnp.asarray(array) for name, array in arrays.items() if name.endswith(STATISTICS)}
        zeros = [{name: jnp.zeros_like(array) for name, array in parameters.items()} for _ in range(2)]
        self._state: Any = (parameters, *zeros, running, jnp.float32(0))
        self._batch = jnp.asarray(arrays["x"]), jnp.asarray(arrays["y"].astype(np.int32))
        self._step = training_step(workload)
        self._loss: Any = None

    def run(self, steps: int) -> None:
        step, state, batch = self._step, self._state, self._batch
        for _ in range(steps):
            *state, self._loss = step(*state, *batch)
        self._state = state
        self._loss.block_until_ready()

    def witness(self) -> list[float]:
        return [float(self._loss)]


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


if __name__ == "__main__":
    serve(imports, load)
