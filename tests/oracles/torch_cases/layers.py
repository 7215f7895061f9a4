"""Layers with parameters or state: BatchNorm1d over steps, LayerNorm, RMSNorm, Embedding, Linear and kin.

`arguments` are the constructor's. Groups of a layer: parameters, inputs, outputs, cotangents, gradients (of
inputs and parameters by name). BatchNorm1d has groups step0, step1, step2 (training), step3 (eval), each with
input, cotangent, output, gradients `grad.NAME`, and buffers `buffer.NAME` as they stand after the step.
Cases `repr-…` hold facts only: the printed form, the keys and the dtypes of a state dict.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from tests.oracles.case import Case
from tests.oracles.torch_cases.call import array, backward, cotangent, functional_case, leaves
from torch import nn

FILE = "nn_layers"

DTYPES = {"float64": torch.float64, "float32": torch.float32}


def fill(module: nn.Module, rng: np.random.Generator, dtype: torch.dtype) -> dict[str, np.ndarray]:
    """Parameters drawn anew, so that a case does not depend on torch's random stream."""
    module.to(dtype)
    drawn = {}
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(torch.from_numpy(rng.normal(size=tuple(parameter.shape))))
            drawn[name] = array(parameter)
    return drawn


def layer_case(
    name: str, layer: str, arguments: Mapping[str, Any], inputs: Mapping[str, np.ndarray], dtype: str
) -> Case:
    module = getattr(nn, layer)(**arguments)
    parameters = fill(module, np.random.default_rng(20), DTYPES[dtype])
    given = {key: x.astype(dtype) if x.dtype == np.float64 else x for key, x in inputs.items()}
    tensors = leaves(given, None)
    output = module(*tensors.values())
    groups = backward(output, {**tensors, **dict(module.named_parameters())})
    return Case(f"{name}-{dtype}", layer, arguments, {"parameters": parameters, "inputs": given, **groups})


def plain_layers() -> Iterator[Case]:
    rng = np.random.default_rng(21)
    x3, x4, a, b = (rng.normal(size=shape) for shape in ((2, 3, 4), (2, 3, 4, 5), (4, 3), (4, 2)))
    rows = [
        ("linear", "Linear", {"in_features": 4, "out_features": 3}, [x3[0], x3[0, 0], x3, x3[:0]]),
        ("linear-nobias", "Linear", {"in_features": 4, "out_features": 3, "bias": False}, [x3[0]]),
        ("layer_norm", "LayerNorm", {"normalized_shape": 4}, [x3, x3[0, 0]]),
        ("layer_norm-nobias", "LayerNorm", {"normalized_shape": 4, "bias": False}, [x3]),
        ("layer_norm-plain", "LayerNorm", {"normalized_shape": 4, "elementwise_affine": False}, [x3]),
        ("layer_norm-two", "LayerNorm", {"normalized_shape": [4, 5], "eps": 0.1}, [x4]),
        ("rms_norm", "RMSNorm", {"normalized_shape": 4}, [x3]),
        (
            "rms_norm-plain",
            "RMSNorm",
            {"normalized_shape": [3, 4], "eps": 0.1, "elementwise_affine": False},
            [x3],
        ),
        ("prelu", "PReLU", {"num_parameters": 3}, [x3, x4]),
    ]
    for dtype in DTYPES:
        for name, layer, arguments, inputs in rows:
            for x in inputs:
                label = f"{name}-{'x'.join(map(str, x.shape))}"
                yield layer_case(label, layer, arguments, {"input": x}, dtype)
        both = {"input1": a, "input2": b}
        for bias in (True, False):
            sizes = {"in1_features": 3, "in2_features": 2, "out_features": 4, "bias": bias}
            yield layer_case(f"bilinear-{bias}", "Bilinear", sizes, both, dtype)
    ids = np.array([[0, 2, 2], [5, 1, 0]])
    for padding in (None, 0, 2, -1):
        sizes = {"num_embeddings": 6, "embedding_dim": 3, "padding_idx": padding}
        yield layer_case(f"embedding-{padding}", "Embedding", sizes, {"input": ids}, "float64")
    constant = np.ones((3, 4)) * np.array([[0.0], [1e4], [-7.0]])
    yield layer_case("layer_norm-constant", "LayerNorm", {"normalized_shape": 4}, {"input": constant}, "float64")


def shapes() -> Iterator[Case]:
    x = {"input": np.arange(120.0).reshape(2, 3, 4, 5)}
    for arguments in (
        {},
        {"start_dim": 0},
        {"start_dim": 2},
        {"start_dim": 1, "end_dim": 2},
        {"start_dim": -2},
    ):
        yield layer_case(f"flatten-{arguments}", "Flatten", arguments, x, "float64")
    for arguments in ({"dim": 3, "unflattened_size": [5, 1]}, {"dim": -2, "unflattened_size": [2, -1]}):
        yield layer_case(f"unflatten-{arguments}", "Unflatten", arguments, x, "float64")


BATCH_NORMS: list[tuple[str, dict[str, Any]]] = [
    ("plain", {}),
    ("eps,momentum", {"eps": 0.1, "momentum": 0.3}),
    ("cumulative", {"momentum": None}),
    ("not-affine", {"affine": False}),
    ("nobias", {"bias": False}),
    ("no-statistics", {"track_running_stats": False}),
]


def batch_norm() -> Iterator[Case]:
    for dtype in DTYPES:
        for label, arguments in BATCH_NORMS:
            for shape in ((6, 3), (4, 3, 5)):
                rng = np.random.default_rng(22)
                module = nn.BatchNorm1d(3, **arguments)
                groups = {"parameters": fill(module, rng, DTYPES[dtype])}
                for step in range(4):
                    module.train(step < 3)
                    x = rng.normal(2 * step, 1 + step, shape)
                    x[:, 0] += 100.0
                    groups[f"step{step}"] = batch_norm_step(module, x.astype(dtype))
                name = f"batch_norm-{label}-{len(shape)}d-{dtype}"
                yield Case(name, "BatchNorm1d", {"num_features": 3, **arguments}, groups)
    for shape in ((1, 3), (1, 3, 1), (0, 3), (1, 3, 2)):
        arguments = {"training": True, "running_mean": None, "running_var": None}
        yield functional_case(f"batch_norm-training-{shape}", "batch_norm", {"input": np.ones(shape)}, arguments)


def batch_norm_step(module: nn.Module, x: np.ndarray) -> dict[str, np.ndarray]:
    leaf = torch.from_numpy(x).requires_grad_()
    output = module(leaf)
    fed = cotangent(output.shape, output.dtype)
    asked = {"input": leaf, **dict(module.named_parameters())}
    given = torch.autograd.grad(output, list(asked.values()), fed)
    return {
        "input": x,
        "cotangent": array(fed),
        "output": array(output),
        **{f"grad.{name}": array(gradient) for name, gradient in zip(asked, given, strict=True)},
        **{f"buffer.{name}": array(buffer) for name, buffer in module.named_buffers()},
    }


PRINTED: list[tuple[str, dict[str, Any]]] = [
    ("Linear", {"in_features": 4, "out_features": 3}),
    ("Linear", {"in_features": 4, "out_features": 3, "bias": False}),
    ("Bilinear", {"in1_features": 2, "in2_features": 3, "out_features": 4}),
    ("Identity", {}),
    ("Flatten", {}),
    ("Unflatten", {"dim": 1, "unflattened_size": [2, 3]}),
    ("BatchNorm1d", {"num_features": 3}),
    ("BatchNorm1d", {"num_features": 3, "momentum": None, "affine": False}),
    ("LayerNorm", {"normalized_shape": [3, 4], "bias": False}),
    ("LayerNorm", {"normalized_shape": 4}),
    ("RMSNorm", {"normalized_shape": 4}),
    ("Dropout", {"p": 0.25}),
    ("AlphaDropout", {}),
    ("Embedding", {"num_embeddings": 6, "embedding_dim": 3}),
    ("Embedding", {"num_embeddings": 6, "embedding_dim": 3, "padding_idx": -1}),
    ("ELU", {}),
    ("CELU", {}),
    ("SELU", {}),
    ("GELU", {}),
    ("GLU", {}),
    ("Hardshrink", {}),
    ("Hardsigmoid", {}),
    ("Hardswish", {}),
    ("Hardtanh", {"min_val": -2.0}),
    ("LeakyReLU", {"negative_slope": 0.1}),
    ("LogSigmoid", {}),
    ("LogSoftmax", {"dim": 1}),
    ("Mish", {}),
    ("PReLU", {"num_parameters": 3}),
    ("ReLU", {}),
    ("ReLU", {"inplace": True}),
    ("ReLU6", {}),
    ("Sigmoid", {}),
    ("SiLU", {}),
    ("Softmax", {"dim": -1}),
    ("Softmin", {"dim": 0}),
    ("Softplus", {"beta": 2.0}),
    ("Softshrink", {}),
    ("Softsign", {}),
    ("Tanh", {}),
    ("Tanhshrink", {}),
    ("Threshold", {"threshold": 0.1, "value": 20.0}),
    ("CrossEntropyLoss", {}),
    ("MSELoss", {}),
]


def state_facts(module: nn.Module) -> dict[str, Any]:
    state = module.state_dict()
    return {
        "repr": repr(module),
        "state": {key: [str(value.dtype).removeprefix("torch."), list(value.shape)] for key, value in state.items()},
    }


def printed() -> Iterator[Case]:
    for layer, arguments in PRINTED:
        module = getattr(nn, layer)(**arguments)
        label = ",".join(f"{key}={value}" for key, value in arguments.items())
        yield Case(f"repr-{layer}({label})", layer, arguments, facts=state_facts(module))
    pair = [nn.Linear(4, 3), nn.ReLU()]
    trees = {
        "Sequential": nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.BatchNorm1d(3), nn.ReLU()), nn.Sequential()),
        "ModuleList": nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4), nn.ReLU()]),
        "ModuleDict": nn.ModuleDict({"first": pair[0], "act": pair[1]}),
    }
    for name, tree in trees.items():
        yield Case(f"tree-{name}", name, facts=state_facts(tree))


def cases() -> Iterator[Case]:
    yield from plain_layers()
    yield from shapes()
    yield from batch_norm()
    yield from printed()
