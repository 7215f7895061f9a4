"""The formulas of `torch.nn.init`: the distribution and the bounds that each rule draws from; gains; fans.

Cases hold facts only. `distribution` is what torch asked its generator for, caught at `Tensor.uniform_` and
`Tensor.normal_`: ["uniform", low, high] or ["normal", mean, std]. `shape` is that of the tensor to fill.
Cases `default-LAYER` list, by parameter, what a layer's constructor draws.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from tests.oracles.case import Case
from torch import nn
from torch.nn import init

FILE = "nn_init"

NONLINEARITIES = [
    "linear",
    "conv1d",
    "conv2d",
    "conv_transpose3d",
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "selu",
]
SHAPES = [(3, 5), (5, 3), (4, 6, 3), (4, 2, 3, 5), (2, 3, 2, 2, 2)]


@contextmanager
def recorded() -> Iterator[list[tuple[torch.Tensor, list[Any]]]]:
    """Catches each draw as (tensor, [family, first argument, second]) while torch goes on drawing."""
    draws: list[tuple[torch.Tensor, list[Any]]] = []
    originals = {family: getattr(torch.Tensor, f"{family}_") for family in ("uniform", "normal")}

    def recorder(family: str) -> Any:
        def draw(tensor: torch.Tensor, first: float, second: float, **rest: Any) -> torch.Tensor:
            draws.append((tensor, [family, float(first), float(second)]))
            return originals[family](tensor, first, second, **rest)

        return draw

    for family in originals:
        setattr(torch.Tensor, f"{family}_", recorder(family))
    try:
        yield draws
    finally:
        for family, original in originals.items():
            setattr(torch.Tensor, f"{family}_", original)


def gains() -> Iterator[Case]:
    for name in NONLINEARITIES:
        yield Case(
            f"gain-{name}",
            "calculate_gain",
            {"nonlinearity": name},
            facts={"gain": init.calculate_gain(name)},
        )
    for slope in (0.0, 0.2, 1, -0.5):
        arguments = {"nonlinearity": "leaky_relu", "param": slope}
        yield Case(
            f"gain-leaky_relu-{slope}",
            "calculate_gain",
            arguments,
            facts={"gain": init.calculate_gain(**arguments)},
        )


def fans() -> Iterator[Case]:
    for shape in SHAPES:
        fan_in, fan_out = init._calculate_fan_in_and_fan_out(torch.empty(shape))
        yield Case(f"fans-{shape}", "fans", facts={"shape": shape, "fan_in": fan_in, "fan_out": fan_out})


RULES: list[tuple[str, dict[str, Any]]] = [
    ("uniform_", {}),
    ("uniform_", {"a": -2.0, "b": 3.0}),
    ("normal_", {}),
    ("normal_", {"mean": 1.0, "std": 0.5}),
    ("xavier_uniform_", {}),
    ("xavier_uniform_", {"gain": 2.0}),
    ("xavier_normal_", {}),
    ("xavier_normal_", {"gain": 5 / 3}),
    *[
        (rule, {"mode": mode, **options})
        for rule in ("kaiming_uniform_", "kaiming_normal_")
        for mode in ("fan_in", "fan_out")
        for options in ({}, {"a": 5**0.5}, {"a": 0.2, "nonlinearity": "leaky_relu"}, {"nonlinearity": "relu"})
    ],
    ("kaiming_uniform_", {"nonlinearity": "tanh"}),
]


def rules() -> Iterator[Case]:
    for rule, arguments in RULES:
        for shape in SHAPES:
            with recorded() as draws:
                getattr(init, rule)(torch.empty(shape), **arguments)
            label = ",".join(f"{key}={value}" for key, value in arguments.items())
            facts = {"shape": shape, "distribution": draws[-1][1]}
            yield Case(f"{rule}({label})-{shape}", rule, arguments, facts=facts)


LAYERS: list[tuple[str, dict[str, Any]]] = [
    ("Linear", {"in_features": 7, "out_features": 3}),
    ("Linear", {"in_features": 3, "out_features": 7, "bias": False}),
    ("Bilinear", {"in1_features": 5, "in2_features": 3, "out_features": 2}),
    ("Embedding", {"num_embeddings": 6, "embedding_dim": 3}),
]


def defaults() -> Iterator[Case]:
    for layer, arguments in LAYERS:
        with recorded() as draws:
            module = getattr(nn, layer)(**arguments)
        by_storage = {tensor.data_ptr(): distribution for tensor, distribution in draws}
        drawn = {name: by_storage[parameter.data_ptr()] for name, parameter in module.named_parameters()}
        yield Case(f"default-{layer}-{len(drawn)}", layer, arguments, facts={"distributions": drawn})


def cases() -> Iterator[Case]:
    yield from gains()
    yield from fans()
    yield from rules()
    yield from defaults()
