"""The networks as ONNX models with the weights in them.

    build(Mlp((784, 512, 512, 10)), arrays)        # a ModelProto: x f32[N,784] → logits

Attention is onnxruntime's own op of projection and heads, which its tool for Transformers writes, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.contenders.runner import AbsentError
from benchmarks.workloads import Network
from benchmarks.workloads.constants import BATCH_NORM_EPS, LAYER_NORM_EPS, Array
from benchmarks.workloads.lstm import Lstm
from benchmarks.workloads.mlp import Mlp
from benchmarks.workloads.resnet import ResNet
from benchmarks.workloads.transformer import Transformer

OPSET = 20  # the first with Gelu
IR_VERSION = 10
OWN = "com.microsoft"  # the domain of onnxruntime's own ops


def build(network: Network, arrays: Mapping[str, Array]) -> Any:
    """The model of a network with these weights."""
    nodes = Nodes(arrays)
    match network:
        case Mlp():
            logits = mlp(network, nodes)
        case ResNet():
            logits = resnet(network, nodes)
        case Transformer():
            logits = transformer(network, nodes)
        case Lstm():
            logits = lstm(network, nodes)
        case _:
            raise AbsentError(f"onnxruntime's contender has no {type(network).__name__}")
    return nodes.model(network, logits)


class Nodes:
    """A graph that grows: each call adds a node and gives the name of its result."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._arrays = arrays
        self._nodes: list[Any] = []
        self._constants: dict[str, Array] = {}

    def __call__(self, op: str, *inputs: str | Array, results: int = 1, **attributes: Any) -> str:
        """The name of the last result; the ones before it are left unnamed."""
        from onnx import helper

        names = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        result = f"{op}_{len(self._nodes)}"
        outputs = ["" for _ in range(results - 1)] + [result]
        self._nodes.append(helper.make_node(op, names, outputs, **attributes))
        return result

    def constant(self, array: Array, name: str = "") -> str:
        """An array that is part of the model."""
        name = name or f"constant_{len(self._constants)}"
        self._constants[name] = np.ascontiguousarray(array)
        return name

    def weight(self, name: str) -> str:
        """A weight of the network, as it is."""
        return self.constant(self._arrays[name], name)

    def array(self, name: str) -> Array:
        """The values of a weight."""
        return self._arrays[name]

    def linear(self, name: str, x: str) -> str:
        """x · wᵀ + b of rows."""
        return self("Gemm", x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), transB=1)

    def batch_norm(self, name: str, x: str) -> str:
        parts = [self.weight(f"{name}.{part}") for part in ("weight", "bias", "running_mean", "running_var")]
        return self("BatchNormalization", x, *parts, epsilon=BATCH_NORM_EPS)

    def model(self, network: Network, logits: str) -> Any:
        from onnx import TensorProto, helper, numpy_helper

        graph = helper.make_graph(
            self._nodes,
            type(network).__name__,
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *network.example])],
            [helper.make_tensor_value_info(logits, TensorProto.FLOAT, ["N", network.classes])],
            [numpy_helper.from_array(array, name) for name, array in self._constants.items()],
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(OWN, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


def mlp(network: Mlp, nodes: Nodes) -> str:
    x = "x"
    for name, norm in network.layers:
        x = nodes.linear(name, x)
        if norm is not None:
            x = nodes("Relu", nodes.batch_norm(norm, x))
    return x


def resnet(network: ResNet, nodes: Nodes) -> str:
    def convolution(name: str, x: str, stride: int = 1) -> str:
        weight = nodes.weight(f"{name}.weight")
        return nodes("Conv", x, weight, pads=[1, 1, 1, 1], strides=[stride, stride])

    x = nodes("Relu", nodes.batch_norm("norm", convolution("conv", "x")))
    for i, (channels, width, stride) in enumerate(network.stages):
        y = nodes("Relu", nodes.batch_norm(f"blocks.{i}.norm1", convolution(f"blocks.{i}.conv1", x, stride)))
        y = nodes.batch_norm(f"blocks.{i}.norm2", convolution(f"blocks.{i}.conv2", y))
        if channels != width:
            added = (width - channels) // 2
            starts, ends = np.zeros(2, np.int64), np.full(2, network.image, np.int64)
            x = nodes("Slice", x, starts, ends, np.array([2, 3]), np.array([2, 2]))
            x = nodes("Pad", x, np.array([0, added, 0, 0, 0, added, 0, 0]))
        x = nodes("Relu", nodes("Add", x, y))
    return nodes.linear("fc", nodes("Flatten", nodes("GlobalAveragePool", x)))


def transformer(network: Transformer, nodes: Nodes) -> str:
    def layer_norm(name: str, x: str) -> str:
        parts = [nodes.weight(f"{name}.{part}") for part in ("weight", "bias")]
        return nodes("LayerNormalization", x, *parts, axis=-1, epsilon=LAYER_NORM_EPS)

    def linear(name: str, x: str) -> str:
        product = nodes("MatMul", x, nodes.array(f"{name}.weight").T)
        return nodes("Add", product, nodes.weight(f"{name}.bias"))

    x = "x"
    for i in range(network.blocks):
        layer = f"layers.{i}"
        projection = nodes.array(f"{layer}.self_attn.in_proj_weight").T
        bias = nodes.weight(f"{layer}.self_attn.in_proj_bias")
        normal = layer_norm(f"{layer}.norm1", x)
        heads = nodes("Attention", normal, projection, bias, num_heads=network.heads, domain=OWN)
        x = nodes("Add", x, linear(f"{layer}.self_attn.out_proj", heads))
        hidden = nodes("Gelu", linear(f"{layer}.linear1", layer_norm(f"{layer}.norm2", x)))
        x = nodes("Add", x, linear(f"{layer}.linear2", hidden))
    return nodes.linear("fc", nodes("ReduceMean", x, np.array([1]), keepdims=0))


def lstm(network: Lstm, nodes: Nodes) -> str:
    def gates(name: str) -> Array:
        """From torch's order (input, forget, cell, output) to ONNX's (input, output, forget, cell)."""
        entered, forgotten, cell, output = np.split(nodes.array(f"lstm.{name}_l0"), 4)
        return np.concatenate([entered, output, forgotten, cell])

    bias = np.concatenate([gates("bias_ih"), gates("bias_hh")])
    x = nodes("Transpose", "x", perm=[1, 0, 2])
    weights = gates("weight_ih")[None], gates("weight_hh")[None], bias[None]
    state = nodes("LSTM", x, *weights, results=2, hidden_size=network.hidden)
    return nodes.linear("fc", nodes("Squeeze", state, np.array([0])))
