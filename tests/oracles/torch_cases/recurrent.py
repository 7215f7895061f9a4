"""Recurrent layers and cells: LSTM in all its forms.

Groups: parameters, inputs (`input`, and the states `h0` and `c0` where they are given), outputs, cotangents of every
output, and the gradients of the sum of outputs times cotangents. Cases `repr-…` hold facts only, as in `layers`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from tests.oracles.case import Case
from tests.oracles.torch_cases.call import array, cotangent, leaves
from tests.oracles.torch_cases.layers import fill, state_facts
from torch import nn

FILE = "nn_recurrent"

RESULTS = {"LSTM": ("output", "h_n", "c_n"), "LSTMCell": ("h", "c")}

PRINTED: list[tuple[str, dict[str, Any]]] = [
    ("LSTM", {"input_size": 3, "hidden_size": 4}),
    ("LSTM", {"input_size": 3, "hidden_size": 4, "num_layers": 2, "bias": False, "batch_first": True}),
    ("LSTM", {"input_size": 3, "hidden_size": 4, "num_layers": 2, "dropout": 0.5, "bidirectional": True}),
    ("LSTM", {"input_size": 3, "hidden_size": 4, "proj_size": 2, "bidirectional": True}),
    ("LSTMCell", {"input_size": 3, "hidden_size": 4}),
    ("LSTMCell", {"input_size": 3, "hidden_size": 4, "bias": False}),
]


def case(name: str, layer: str, arguments: Mapping[str, Any], inputs: Mapping[str, np.ndarray]) -> Case:
    module = getattr(nn, layer)(**arguments)
    parameters = fill(module, np.random.default_rng(40), torch.float64)
    tensors = leaves(inputs, None)
    given, *states = tensors.values()
    results = module(given, tuple(states)) if states else module(given)
    flat = [results[0], *results[1]] if layer == "LSTM" else list(results)
    outputs = dict(zip(RESULTS[layer], flat, strict=True))
    fed = {key: cotangent(tensor.shape, tensor.dtype) for key, tensor in outputs.items()}
    asked = {**tensors, **dict(module.named_parameters())}
    gradients = torch.autograd.grad(list(outputs.values()), list(asked.values()), list(fed.values()))
    groups = {
        "parameters": parameters,
        "inputs": inputs,
        "outputs": {key: array(tensor) for key, tensor in outputs.items()},
        "cotangents": {key: array(tensor) for key, tensor in fed.items()},
        "gradients": dict(zip(asked, map(array, gradients), strict=True)),
    }
    return Case(f"{layer}-{name}", layer, arguments, groups)


def layers() -> Iterator[Case]:
    rng = np.random.default_rng(41)
    sizes = {"input_size": 3, "hidden_size": 2}
    x = rng.normal(size=(4, 2, 3))

    def states(layers: int, batch: tuple[int, ...] = (2,), h: int = 2) -> dict[str, np.ndarray]:
        return {"h0": rng.normal(size=(layers, *batch, h)), "c0": rng.normal(size=(layers, *batch, 2))}

    rows: list[tuple[str, dict[str, Any], dict[str, np.ndarray]]] = [
        ("plain", {}, {"input": x}),
        ("states", {}, {"input": x, **states(1)}),
        ("one-step", {}, {"input": x[:1], **states(1)}),
        ("single", {}, {"input": x[:, 0]}),
        ("single-states", {"batch_first": True}, {"input": x[:, 0], **states(1, ())}),
        ("batch-of-one", {}, {"input": x[:, :1], **states(1, (1,))}),
        ("nobias", {"bias": False}, {"input": x}),
        ("batch_first", {"batch_first": True}, {"input": x.transpose(1, 0, 2), **states(1)}),
        ("layers", {"num_layers": 3}, {"input": x, **states(3)}),
        ("bidirectional", {"bidirectional": True}, {"input": x, **states(2)}),
        ("bidirectional-single", {"bidirectional": True, "num_layers": 2}, {"input": x[:, 0]}),
        ("all", {"num_layers": 2, "bidirectional": True, "batch_first": True, "bias": False},
         {"input": x.transpose(1, 0, 2), **states(4)}),
        ("proj", {"proj_size": 1}, {"input": x, **states(1, h=1)}),
        ("proj-all", {"proj_size": 1, "num_layers": 2, "bidirectional": True}, {"input": x, **states(4, h=1)}),
    ]  # fmt: skip
    for label, arguments, inputs in rows:
        yield case(label, "LSTM", {**sizes, **arguments}, inputs)


def cells() -> Iterator[Case]:
    rng = np.random.default_rng(42)
    sizes = {"input_size": 3, "hidden_size": 2}
    x, h, c = rng.normal(size=(4, 3)), rng.normal(size=(4, 2)), rng.normal(size=(4, 2))
    yield case("plain", "LSTMCell", sizes, {"input": x})
    yield case("states", "LSTMCell", sizes, {"input": x, "h0": h, "c0": c})
    yield case("single", "LSTMCell", {**sizes, "bias": False}, {"input": x[0], "h0": h[0], "c0": c[0]})


def printed() -> Iterator[Case]:
    for layer, arguments in PRINTED:
        label = ",".join(f"{key}={value}" for key, value in arguments.items())
        yield Case(f"repr-{layer}({label})", layer, arguments, facts=state_facts(getattr(nn, layer)(**arguments)))


def cases() -> Iterator[Case]:
    yield from layers()
    yield from cells()
    yield from printed()
