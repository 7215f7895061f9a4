"""Convolutions, pools and patches: functions with their gradients, layers, BatchNorm2d and 3d, what torch refuses.

Groups are those of `functional_case` and `layer_case`; `BatchNorm…` has step0 … as in `layers`. A maximum's indices are
among the outputs as "indices". Cases `repr-…` hold the printed form and the state dict's keys.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tests.oracles.case import Case
from tests.oracles.torch_cases.call import array, functional_case
from tests.oracles.torch_cases.layers import DTYPES, batch_norm_step, fill, layer_case, state_facts
from torch import nn

FILE = "nn_sliding"

Row = tuple[str, tuple[int, ...], tuple[int, ...], dict[str, Any]]

CONVOLUTIONS: list[Row] = [
    ("conv1d", (2, 3, 7), (4, 3, 3), {}),
    ("conv1d", (2, 4, 9), (6, 2, 2), {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}),
    ("conv1d", (3, 7), (4, 3, 4), {"padding": "same"}),
    ("conv2d", (2, 3, 5, 6), (4, 3, 3, 2), {}),
    ("conv2d", (2, 3, 7, 6), (4, 3, 3, 3), {"stride": [2, 3], "padding": [1, 2]}),
    ("conv2d", (2, 4, 7, 5), (8, 1, 3, 2), {"groups": 4, "padding": "same", "dilation": [2, 1]}),
    ("conv2d", (2, 4, 5, 5), (2, 2, 1, 1), {"groups": 2, "stride": 2}),
    ("conv2d", (3, 5, 4), (2, 3, 2, 2), {"padding": "valid"}),
    ("conv2d", (0, 3, 5, 4), (2, 3, 2, 2), {}),
    ("conv3d", (2, 2, 3, 4, 5), (3, 2, 2, 3, 2), {"stride": [1, 2, 1], "padding": [0, 1, 1]}),
    ("conv3d", (1, 4, 4, 3, 4), (2, 2, 2, 2, 2), {"dilation": [2, 1, 2], "groups": 2}),
]
TRANSPOSED: list[Row] = [
    ("conv_transpose1d", (2, 3, 4), (3, 2, 3), {}),
    ("conv_transpose1d", (2, 4, 5), (4, 3, 3), {"stride": 3, "padding": 1, "output_padding": 2, "groups": 2}),
    ("conv_transpose1d", (3, 4), (3, 2, 2), {"dilation": 3, "output_padding": 2}),
    ("conv_transpose2d", (2, 3, 4, 3), (3, 2, 3, 2), {"stride": 2, "padding": [1, 0], "output_padding": [1, 0]}),
    ("conv_transpose2d", (2, 4, 3, 3), (4, 1, 2, 3), {"stride": [1, 2], "groups": 4, "dilation": [2, 1]}),
    ("conv_transpose2d", (1, 2, 6, 6), (2, 2, 2, 2), {"padding": 3}),
    ("conv_transpose3d", (1, 2, 2, 3, 2), (2, 3, 2, 2, 3), {"stride": [2, 1, 2], "padding": [0, 1, 1]}),
]


def convolutions() -> Iterator[Case]:
    for i, (function, x, w, arguments) in enumerate([*CONVOLUTIONS, *TRANSPOSED]):
        for dtype in list(DTYPES)[: 2 if i % 3 == 0 else 1]:
            rng = np.random.default_rng(30 + i)
            channels = w[1] * arguments.get("groups", 1) if "transpose" in function else w[0]
            shapes = {"input": x, "weight": w} | ({"bias": (channels,)} if i % 3 else {})
            inputs = {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}
            yield functional_case(f"{function}-{i}-{dtype}", function, inputs, arguments)


WINDOWS: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((2, 3, 9), {"kernel_size": 3}),
    ((2, 3, 10), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    ((3, 7), {"kernel_size": 2}),
    ((2, 2, 3), {"kernel_size": 1, "stride": 2, "ceil_mode": True}),
    ((2, 3, 6, 4), {"kernel_size": 2}),
    ((2, 2, 7, 6), {"kernel_size": [3, 2], "stride": [2, 1], "padding": [1, 0]}),
    ((2, 2, 7, 8), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    ((2, 2, 5, 5), {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True}),
    ((2, 5, 4), {"kernel_size": [2, 3], "stride": 1}),
    ((1, 2, 4, 5, 3), {"kernel_size": 2, "stride": [2, 1, 2], "padding": [1, 0, 1], "ceil_mode": True}),
    ((2, 2, 4, 2, 4), {"kernel_size": [2, 1, 2]}),
]


def windows() -> Iterator[Case]:
    for i, (shape, arguments) in enumerate(WINDOWS):
        count = max(1, len(shape) - 2)
        count = 2 if shape == (2, 5, 4) else count
        x = {"input": np.random.default_rng(50 + i).normal(size=shape)}
        dilations: list[dict[str, Any]] = [{}, {"dilation": 2}] if i in (0, 4, 5) else [{}]
        for more in dilations:
            yield maximum(f"max_pool{count}d-{i}-{more}", f"max_pool{count}d", x, {**arguments, **more})
        options: list[dict[str, Any]] = [{}, {"count_include_pad": False}]
        options += [{"divisor_override": 3}] if count > 1 else []
        for more in options:
            yield functional_case(f"avg_pool{count}d-{i}-{more}", f"avg_pool{count}d", x, {**arguments, **more})


def maximum(name: str, function: str, inputs: dict[str, np.ndarray], arguments: dict[str, Any]) -> Case:
    """A maximum, its gradient, and its indices among the outputs."""

    def both(input: torch.Tensor, **given: Any) -> Any:
        return getattr(F, function)(input, return_indices=True, **given)

    case = functional_case(name, function, inputs, arguments, call=lambda input, **given: both(input, **given)[0])
    indices = both(torch.from_numpy(inputs["input"]), **arguments)[1]
    outputs = {**case["outputs"], "indices": array(indices)}
    return Case(name, function, arguments, {**case.groups, "outputs": outputs})


ADAPTIVE: list[tuple[tuple[int, ...], Any, int]] = [
    ((2, 3, 8), 4, 1),
    ((2, 3, 7), 3, 1),
    ((3, 2), 5, 1),
    ((2, 3, 6, 4), [3, 2], 2),
    ((2, 3, 7, 5), [3, 4], 2),
    ((2, 3, 7, 6), [None, 3], 2),
    ((3, 4, 5), 1, 2),
    ((1, 2, 3, 5, 4), [2, 3, 4], 3),
    ((1, 2, 4, 4, 2), 2, 3),
]


def adaptive() -> Iterator[Case]:
    for i, (shape, output_size, count) in enumerate(ADAPTIVE):
        x = {"input": np.random.default_rng(70 + i).normal(size=shape)}
        asked = {"output_size": output_size}
        yield functional_case(f"adaptive_avg_pool{count}d-{i}", f"adaptive_avg_pool{count}d", x, asked)
        yield maximum(f"adaptive_max_pool{count}d-{i}", f"adaptive_max_pool{count}d", x, asked)


def patches() -> Iterator[Case]:
    rows: list[tuple[tuple[int, ...], list[int], dict[str, Any]]] = [
        ((2, 3, 5, 6), [5, 6], {"kernel_size": [3, 2]}),
        ((2, 2, 7, 6), [7, 6], {"kernel_size": 3, "padding": [1, 0], "stride": 2, "dilation": [1, 2]}),
        ((3, 4, 4), [4, 4], {"kernel_size": 2, "stride": 2}),
    ]
    for i, (shape, extents, arguments) in enumerate(rows):
        x = np.random.default_rng(90 + i).normal(size=shape)
        columns = F.unfold(torch.from_numpy(x), **arguments).numpy()
        yield functional_case(f"unfold-{i}", "unfold", {"input": x}, arguments)
        yield functional_case(f"fold-{i}", "fold", {"input": columns}, {"output_size": extents, **arguments})


def layers() -> Iterator[Case]:
    plain = {"in_channels": 4, "out_channels": 2}
    rows: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
        ("Conv1d", {**plain, "kernel_size": 3, "padding": "same", "padding_mode": "circular"}, (2, 4, 7)),
        ("Conv1d", {**plain, "kernel_size": 3, "padding": 2, "padding_mode": "reflect", "groups": 2}, (2, 4, 5)),
        ("Conv2d", {**plain, "kernel_size": 3, "stride": 2, "padding": 1}, (2, 4, 7, 6)),
        ("Conv2d", {**plain, "kernel_size": [2, 3], "bias": False}, (4, 5, 6)),
        ("Conv2d", {**plain, "kernel_size": 4, "padding": "same", "padding_mode": "reflect"}, (2, 4, 6, 5)),
        ("Conv2d", {**plain, "kernel_size": 3, "padding": [2, 0], "padding_mode": "replicate"}, (2, 4, 4, 5)),
        ("Conv2d", {**plain, "kernel_size": 3, "padding": [1, 2], "padding_mode": "circular"}, (2, 4, 4, 5)),
        ("Conv3d", {**plain, "kernel_size": 2, "padding": 1, "padding_mode": "replicate"}, (1, 4, 3, 2, 3)),
        ("ConvTranspose1d", {**plain, "kernel_size": 3, "stride": 2, "dilation": 2}, (2, 4, 5)),
        ("ConvTranspose2d", {**plain, "kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1}, (2, 4, 3, 4)),
        ("ConvTranspose2d", {**plain, "kernel_size": 2, "stride": 2, "groups": 2, "bias": False}, (4, 3, 3)),
        ("ConvTranspose3d", {**plain, "kernel_size": 2, "stride": [2, 1, 1]}, (1, 4, 2, 3, 2)),
        ("MaxPool1d", {"kernel_size": 3, "stride": 2, "padding": 1}, (2, 3, 8)),
        ("MaxPool2d", {"kernel_size": 2, "ceil_mode": True}, (2, 3, 5, 7)),
        ("MaxPool3d", {"kernel_size": [1, 2, 2]}, (1, 2, 2, 4, 4)),
        ("AvgPool1d", {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}, (2, 3, 8)),
        ("AvgPool2d", {"kernel_size": 2, "padding": 1, "ceil_mode": True}, (2, 3, 5, 7)),
        ("AvgPool3d", {"kernel_size": 2, "divisor_override": 5}, (1, 2, 2, 4, 4)),
        ("AdaptiveAvgPool1d", {"output_size": 3}, (2, 3, 7)),
        ("AdaptiveAvgPool2d", {"output_size": 1}, (2, 3, 5, 7)),
        ("AdaptiveAvgPool3d", {"output_size": [1, 2, None]}, (1, 2, 3, 4, 3)),
        ("AdaptiveMaxPool1d", {"output_size": 3}, (2, 3, 7)),
        ("AdaptiveMaxPool2d", {"output_size": [2, 3]}, (2, 3, 5, 7)),
        ("AdaptiveMaxPool3d", {"output_size": 1}, (1, 2, 3, 4, 3)),
        ("Unfold", {"kernel_size": 2, "padding": 1}, (2, 3, 4, 3)),
        ("Fold", {"output_size": [3, 4], "kernel_size": 2}, (2, 8, 6)),
    ]
    for i, (layer, arguments, shape) in enumerate(rows):
        x = np.random.default_rng(100 + i).normal(size=shape)
        yield layer_case(f"{layer}-{i}", layer, arguments, {"input": x}, "float64")


def batch_norms() -> Iterator[Case]:
    for layer, shape in (("BatchNorm2d", (3, 3, 2, 4)), ("BatchNorm3d", (2, 3, 2, 2, 3))):
        for label, arguments in (("plain", {}), ("cumulative", {"momentum": None}), ("plainer", {"affine": False})):
            rng = np.random.default_rng(130)
            module = getattr(nn, layer)(3, **arguments)
            groups = {"parameters": fill(module, rng, torch.float64)}
            for step in range(4):
                module.train(step < 3)
                groups[f"step{step}"] = batch_norm_step(module, rng.normal(2 * step, 1 + step, shape))
            yield Case(f"{layer}-{label}-float64", layer, {"num_features": 3, **arguments}, groups)


PRINTED: list[tuple[str, dict[str, Any]]] = [
    ("Conv1d", {"in_channels": 3, "out_channels": 4, "kernel_size": 3, "padding": "same"}),
    ("Conv2d", {"in_channels": 3, "out_channels": 4, "kernel_size": 3}),
    (
        "Conv2d",
        {
            "in_channels": 4, "out_channels": 4, "kernel_size": [3, 2], "stride": 2, "padding": [1, 0], "dilation": 2,
            "groups": 2, "bias": False, "padding_mode": "reflect",
        },
    ),
    ("Conv3d", {"in_channels": 3, "out_channels": 4, "kernel_size": 1}),
    ("ConvTranspose1d", {"in_channels": 2, "out_channels": 2, "kernel_size": 3, "groups": 2, "bias": False}),
    (
        "ConvTranspose2d",
        {"in_channels": 3, "out_channels": 4, "kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1},
    ),
    ("ConvTranspose3d", {"in_channels": 2, "out_channels": 2, "kernel_size": 3, "dilation": [1, 2, 2]}),
    ("MaxPool1d", {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    ("MaxPool2d", {"kernel_size": 3}),
    ("MaxPool3d", {"kernel_size": 3, "dilation": 2}),
    ("AvgPool1d", {"kernel_size": 3}),
    ("AvgPool2d", {"kernel_size": 3, "stride": 2, "padding": 1}),
    ("AvgPool3d", {"kernel_size": 2, "ceil_mode": True}),
    ("AdaptiveAvgPool1d", {"output_size": 5}),
    ("AdaptiveMaxPool2d", {"output_size": 5, "return_indices": True}),
    ("Unfold", {"kernel_size": 3}),
    ("Fold", {"output_size": 4, "kernel_size": 2, "padding": 1}),
    ("BatchNorm2d", {"num_features": 3}),
    ("BatchNorm3d", {"num_features": 3, "affine": False}),
]  # fmt: skip


def printed() -> Iterator[Case]:
    for layer, arguments in PRINTED:
        label = ",".join(f"{key}={value}" for key, value in arguments.items())
        module = getattr(nn, layer)(**arguments)
        yield Case(f"repr-{layer}({label})", layer, arguments, facts=state_facts(module))


def refused() -> Iterator[Case]:
    x, w = np.ones((2, 3, 5, 5)), np.ones((4, 3, 3, 3))
    rows: list[tuple[str, dict[str, np.ndarray], dict[str, Any]]] = [
        ("conv2d", {"input": x, "weight": w}, {"stride": 2, "padding": "same"}),
        ("conv2d", {"input": x, "weight": w}, {"padding": "other"}),
        ("conv2d", {"input": x, "weight": w}, {"stride": 0}),
        ("conv2d", {"input": x, "weight": w}, {"padding": -1}),
        ("conv2d", {"input": x, "weight": w}, {"stride": [1, 2, 3]}),
        ("conv2d", {"input": x, "weight": w}, {"groups": 3}),
        ("conv2d", {"input": x, "weight": w[:3]}, {"groups": 2}),
        ("conv2d", {"input": x, "weight": np.ones((4, 3, 7, 7))}, {}),
        ("conv2d", {"input": x[:, :2], "weight": w}, {}),
        ("conv2d", {"input": x[0, 0], "weight": w}, {}),
        ("conv2d", {"input": x, "weight": w, "bias": np.ones(3)}, {}),
        ("conv_transpose2d", {"input": x, "weight": w}, {}),
        ("conv_transpose2d", {"input": x, "weight": w[:3]}, {"stride": 2, "output_padding": 2}),
        ("max_pool2d", {"input": x}, {"kernel_size": 3, "padding": 2}),
        ("max_pool2d", {"input": x}, {"kernel_size": 6}),
        ("max_pool2d", {"input": x}, {"kernel_size": 2, "stride": 0}),
        ("avg_pool2d", {"input": x}, {"kernel_size": 2, "divisor_override": 0}),
        ("unfold", {"input": x}, {"kernel_size": 7}),
        ("fold", {"input": np.ones((2, 12, 5))}, {"output_size": [4, 5], "kernel_size": 2}),
        ("fold", {"input": np.ones((2, 13, 12))}, {"output_size": [4, 5], "kernel_size": 2}),
    ]
    for i, (function, inputs, arguments) in enumerate(rows):
        case = functional_case(f"refused-{i}-{function}-{arguments}", function, inputs, arguments)
        if "error" not in case.facts:
            raise ValueError(f"torch takes {case.name}")
        yield case


def cases() -> Iterator[Case]:
    yield from convolutions()
    yield from windows()
    yield from adaptive()
    yield from patches()
    yield from layers()
    yield from batch_norms()
    yield from printed()
    yield from refused()
