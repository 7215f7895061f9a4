"""Initial weights of layers, as torch's defaults draw them, under torch's names.

linear(rng, "fc", 64, 10)["fc.weight"].shape        # (10, 64)
"""

from __future__ import annotations

import numpy as np

from benchmarks.workloads.constants import Array


def uniform(rng: np.random.Generator, fan_in: int, shape: tuple[int, ...]) -> Array:
    """Between -1/√fan_in and 1/√fan_in."""
    bound = fan_in**-0.5
    return rng.uniform(-bound, bound, shape).astype(np.float32)


def linear(rng: np.random.Generator, name: str, inputs: int, outputs: int) -> dict[str, Array]:
    """Weight f32[outputs, inputs] and bias."""
    weight = uniform(rng, inputs, (outputs, inputs))
    return {f"{name}.weight": weight, f"{name}.bias": uniform(rng, inputs, (outputs,))}


def convolution(rng: np.random.Generator, name: str, channels: int, filters: int, kernel: int) -> dict[str, Array]:
    """Weight f32[filters, channels, kernel, kernel] by He et al. 2015, no bias."""
    weight = rng.normal(0, (2 / (channels * kernel**2)) ** 0.5, (filters, channels, kernel, kernel))
    return {f"{name}.weight": weight.astype(np.float32)}


def layer_norm(name: str, features: int) -> dict[str, Array]:
    """Ones and zeros."""
    return {f"{name}.weight": np.ones(features, np.float32), f"{name}.bias": np.zeros(features, np.float32)}


def batch_norm(name: str, features: int) -> dict[str, Array]:
    """Ones and zeros, and running statistics of nothing yet."""
    return {
        **layer_norm(name, features),
        f"{name}.running_mean": np.zeros(features, np.float32),
        f"{name}.running_var": np.ones(features, np.float32),
        f"{name}.num_batches_tracked": np.zeros((), np.int64),
    }
