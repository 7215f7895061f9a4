"""The networks as functions of their parameters, which bear torch's names but lie in JAX's layouts.

    logits, running = forward(Mlp((784, 512, 512, 10)))(parameters, running, x, training=True)

Products are `x @ w` with w (in, out); convolutions have the channels last ("NHWC", "HWIO"). Attention is written out,
and the LSTM's input products stand in front of its `lax.scan`. Measured and left out: convolutions as "NCHW" (3 %
slower), `jax.nn.dot_product_attention` (3 to 4 % slower), `lax.scan(..., unroll=)` (2 to 8 at a time: level to 2.5
times slower).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.contenders.runner import AbsentError
from benchmarks.workloads import Network
from benchmarks.workloads.constants import BATCH_NORM_EPS, LAYER_NORM_EPS, MOMENTUM, Array
from benchmarks.workloads.lstm import Lstm
from benchmarks.workloads.mlp import Mlp
from benchmarks.workloads.resnet import ResNet
from benchmarks.workloads.transformer import Transformer

Forward = Callable[[dict[str, Any], dict[str, Any], Any, bool], tuple[Any, dict[str, Any]]]


def forward(network: Network) -> Forward:
    """(parameters, running statistics, x, training) → logits, and the statistics anew."""
    match network:
        case Mlp():
            return mlp(network)
        case ResNet():
            return resnet(network)
        case Transformer():
            return transformer(network)
        case Lstm():
            return lstm(network)
    raise AbsentError(f"JAX's contender has no {type(network).__name__}")


def stored(array: Array) -> Array:
    """A weight in JAX's layout: (in, out), and (height, width, in, out) for windows."""
    return np.ascontiguousarray(np.transpose(array, (2, 3, 1, 0)) if array.ndim == 4 else array.T)


def batch_first(network: Network, x: Array) -> Array:
    """Examples in JAX's layout: images with their channels last."""
    return np.ascontiguousarray(np.moveaxis(x, 1, -1)) if network.convolutional else x


class Normalizer:
    """BatchNorm over all axes but the last; collects the new running statistics."""

    def __init__(self, parameters: dict[str, Any], running: dict[str, Any], training: bool) -> None:
        self._parameters, self._running, self._training = parameters, running, training
        self.running = dict(running)

    def __call__(self, name: str, x: Any) -> Any:
        import jax.numpy as jnp
        from jax import lax

        axes = tuple(range(x.ndim - 1))
        mean, variance = self._running[f"{name}.running_mean"], self._running[f"{name}.running_var"]
        if self._training:
            count = x.size // x.shape[-1]
            old = {"running_mean": mean, "running_var": variance}
            mean = x.mean(axes)
            variance = jnp.square(x - mean).mean(axes)
            new = {"running_mean": mean, "running_var": variance * (count / (count - 1))}
            for key, value in new.items():
                self.running[f"{name}.{key}"] = old[key] + MOMENTUM * (value - old[key])
        scale = lax.rsqrt(variance + BATCH_NORM_EPS) * self._parameters[f"{name}.weight"]
        return (x - mean) * scale + self._parameters[f"{name}.bias"]


def linear(parameters: dict[str, Any], name: str, x: Any) -> Any:
    return x @ parameters[f"{name}.weight"] + parameters[f"{name}.bias"]


def mlp(network: Mlp) -> Forward:
    import jax

    def logits(parameters: dict[str, Any], running: dict[str, Any], x: Any, training: bool) -> Any:
        normalize = Normalizer(parameters, running, training)
        for name, norm in network.layers:
            x = linear(parameters, name, x)
            if norm is not None:
                x = jax.nn.relu(normalize(norm, x))
        return x, normalize.running

    return logits


def resnet(network: ResNet) -> Forward:
    import jax
    import jax.numpy as jnp
    from jax import lax

    def logits(parameters: dict[str, Any], running: dict[str, Any], x: Any, training: bool) -> Any:
        normalize = Normalizer(parameters, running, training)

        def convolution(name: str, x: Any, stride: int = 1) -> Any:
            weight = parameters[f"{name}.weight"]
            padding = [(weight.shape[i] // 2, weight.shape[i] // 2) for i in (0, 1)]
            numbers = ("NHWC", "HWIO", "NHWC")
            return lax.conv_general_dilated(x, weight, (stride, stride), padding, dimension_numbers=numbers)

        x = jax.nn.relu(normalize("norm", convolution("conv", x)))
        for i, (channels, width, stride) in enumerate(network.stages):
            y = jax.nn.relu(normalize(f"blocks.{i}.norm1", convolution(f"blocks.{i}.conv1", x, stride)))
            y = normalize(f"blocks.{i}.norm2", convolution(f"blocks.{i}.conv2", y))
            if channels != width:
                added = (width - channels) // 2
                x = jnp.pad(x[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (added, added)))
            x = jax.nn.relu(x + y)
        return linear(parameters, "fc", x.mean((1, 2))), normalize.running

    return logits


def transformer(network: Transformer) -> Forward:
    import jax
    import jax.numpy as jnp
    from jax import lax

    def logits(parameters: dict[str, Any], running: dict[str, Any], x: Any, training: bool) -> Any:
        def layer_norm(name: str, x: Any) -> Any:
            centred = x - x.mean(-1, keepdims=True)
            normal = centred * lax.rsqrt(jnp.square(centred).mean(-1, keepdims=True) + LAYER_NORM_EPS)
            return normal * parameters[f"{name}.weight"] + parameters[f"{name}.bias"]

        def attention(name: str, x: Any) -> Any:
            batch, tokens, features = x.shape
            width = features // network.heads
            projected = x @ parameters[f"{name}.in_proj_weight"] + parameters[f"{name}.in_proj_bias"]
            q, k, v = jnp.moveaxis(projected.reshape(batch, tokens, 3, network.heads, width), (2, 3), (0, 2))
            weights = jax.nn.softmax(q @ jnp.swapaxes(k, -1, -2) * width**-0.5)
            joined = jnp.swapaxes(weights @ v, 1, 2).reshape(batch, tokens, features)
            return linear(parameters, f"{name}.out_proj", joined)

        for i in range(network.blocks):
            layer = f"layers.{i}"
            x = x + attention(f"{layer}.self_attn", layer_norm(f"{layer}.norm1", x))
            hidden = jax.nn.gelu(linear(parameters, f"{layer}.linear1", layer_norm(f"{layer}.norm2", x)), False)
            x = x + linear(parameters, f"{layer}.linear2", hidden)
        return linear(parameters, "fc", x.mean(1)), running

    return logits


def lstm(network: Lstm) -> Forward:
    import jax
    import jax.numpy as jnp
    from jax import lax

    def logits(parameters: dict[str, Any], running: dict[str, Any], x: Any, training: bool) -> Any:
        bias = parameters["lstm.bias_ih_l0"] + parameters["lstm.bias_hh_l0"]
        projected = jnp.swapaxes(x, 0, 1) @ parameters["lstm.weight_ih_l0"] + bias

        def step(state: Any, row: Any) -> Any:
            h, c = state
            entered, forgotten, cell, output = jnp.split(row + h @ parameters["lstm.weight_hh_l0"], 4, -1)
            c = jax.nn.sigmoid(forgotten) * c + jax.nn.sigmoid(entered) * jnp.tanh(cell)
            h = jax.nn.sigmoid(output) * jnp.tanh(c)
            return (h, c), None

        zeros = jnp.zeros((x.shape[0], network.hidden), x.dtype)
        (h, _), _ = lax.scan(step, (zeros, zeros), projected)
        return linear(parameters, "fc", h), running

    return logits
