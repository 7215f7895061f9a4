"""Every activation of `torch.nn.functional`: ordinary points, kinks, ±1e4, and (case `…-edge`) ±inf and NaN.

Groups: inputs, outputs, cotangents, gradients. Where an edge output or gradient is NaN for an infinite
input, torch multiplied 0 by inf; a consumer may do better there and must not differ from torch elsewhere.
"""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from tests.oracles.case import Case
from tests.oracles.torch_cases.call import functional_case

FILE = "nn_activations"

MAGNITUDES = [
    0.0,
    1e-6,
    1e-3,
    0.25,
    0.5,
    1.0,
    1.5,
    2.0,
    3.0,
    5.0,
    6.0,
    10.0,
    20.0,
    20.5,
    40.0,
    90.0,
    750.0,
    1e4,
]

ELEMENTWISE = [
    ("sigmoid", {}),
    ("tanh", {}),
    ("relu", {}),
    ("relu6", {}),
    ("leaky_relu", {}),
    ("leaky_relu", {"negative_slope": 0.1}),
    ("elu", {}),
    ("elu", {"alpha": 0.5}),
    ("selu", {}),
    ("celu", {}),
    ("celu", {"alpha": 2.0}),
    ("silu", {}),
    ("mish", {}),
    ("gelu", {}),
    ("gelu", {"approximate": "tanh"}),
    ("softplus", {}),
    ("softplus", {"beta": 2.0, "threshold": 5.0}),
    ("softsign", {}),
    ("tanhshrink", {}),
    ("logsigmoid", {}),
    ("hardtanh", {}),
    ("hardtanh", {"min_val": -2.0, "max_val": 0.5}),
    ("hardsigmoid", {}),
    ("hardswish", {}),
    ("hardshrink", {}),
    ("hardshrink", {"lambd": 1.5}),
    ("softshrink", {}),
    ("softshrink", {"lambd": 1.5}),
    ("threshold", {"threshold": 0.5, "value": -3.0}),
    ("threshold", {"threshold": -1.0, "value": 20.0}),
]


def named(function: str, arguments: dict[str, object]) -> str:
    return "-".join([function, *(f"{key}={value}" for key, value in arguments.items())])


def hardsigmoid(input: torch.Tensor) -> torch.Tensor:
    """By its formula: torch's backward multiplies with 1/6 in float32, for float64 too."""
    return F.relu6(input + 3) / 6


def elementwise() -> Iterator[Case]:
    rng = np.random.default_rng(1)
    points = np.concatenate([MAGNITUDES, np.negative(MAGNITUDES), rng.normal(0, 2, 8)])
    edges = np.array([np.inf, -np.inf, np.nan])
    for dtype in ("float64", "float32"):
        for function, arguments in ELEMENTWISE:
            name = named(function, arguments)
            call = hardsigmoid if (function, dtype) == ("hardsigmoid", "float64") else None
            yield functional_case(f"{name}-{dtype}", function, {"input": points.astype(dtype)}, arguments, call=call)
            yield functional_case(f"{name}-edge-{dtype}", function, {"input": edges.astype(dtype)}, arguments)


def prelu() -> Iterator[Case]:
    rng = np.random.default_rng(2)
    for dtype in ("float64", "float32"):
        for label, shape, weights in (
            ("shared", (4, 3), 1),
            ("channels", (4, 3), 3),
            ("signal", (2, 3, 5), 3),
            ("image", (2, 3, 2, 2), 3),
            ("vector", (6,), 1),
        ):
            x = rng.normal(size=shape)
            x.flat[0] = 0.0
            inputs = {"input": x.astype(dtype), "weight": np.linspace(-0.5, 0.75, weights).astype(dtype)}
            yield functional_case(f"prelu-{label}-{dtype}", "prelu", inputs)


def gated() -> Iterator[Case]:
    rng = np.random.default_rng(3)
    for dtype in ("float64", "float32"):
        for shape, dim in (((4, 6), -1), ((4, 6), 0), ((2, 4, 3), 1)):
            x = {"input": rng.normal(0, 2, shape).astype(dtype)}
            yield functional_case(f"glu-{shape}-dim={dim}-{dtype}", "glu", x, {"dim": dim})
    yield functional_case("glu-odd", "glu", {"input": np.zeros((2, 3))})


def normalized() -> Iterator[Case]:
    """softmax, softmin, log_softmax: each axis; logits of ±1e4; masked logits; a row all masked; NaN."""
    rng = np.random.default_rng(4)
    large = rng.normal(0, 1, (4, 5))
    large[0, 1], large[1] = 1e4, -1e4
    large[2] = [1e4, -1e4, 0.0, 1e4, 5.0]
    masked = rng.normal(0, 1, (4, 5))
    masked[1, 2:] = -np.inf
    broken = rng.normal(0, 1, (4, 5))
    broken[0] = -np.inf
    broken[1, 3], broken[2, 0] = np.nan, np.inf
    for dtype in ("float64", "float32"):
        for function in ("softmax", "softmin", "log_softmax"):
            for shape, dim in (
                ((5,), 0),
                ((4, 5), 0),
                ((4, 5), 1),
                ((2, 3, 4), 1),
                ((2, 3, 4), -1),
                ((4, 5), None),
            ):
                x = {"input": rng.normal(0, 3, shape).astype(dtype)}
                yield functional_case(f"{function}-{shape}-dim={dim}-{dtype}", function, x, {"dim": dim})
            for label, x in (("large", large), ("masked", masked), ("broken-edge", broken)):
                if label != "large" and function == "softmin":
                    x = -x
                yield functional_case(f"{function}-{label}-{dtype}", function, {"input": x.astype(dtype)}, {"dim": 1})
        for p, dim in ((2.0, 1), (1.0, 0), (3.0, -1)):
            x = rng.normal(0, 1, (4, 5))
            yield functional_case(
                f"normalize-p={p}-dim={dim}-{dtype}",
                "normalize",
                {"input": x.astype(dtype)},
                {"p": p, "dim": dim},
            )
    x = rng.normal(0, 1, (2, 4, 5))
    y = rng.normal(0, 1, (2, 4, 5))
    y[0, 1] = 0.0
    for dim in (1, 2):
        yield functional_case(f"cosine_similarity-dim={dim}", "cosine_similarity", {"x1": x, "x2": y}, {"dim": dim})


def cases() -> Iterator[Case]:
    yield from elementwise()
    yield from prelu()
    yield from gated()
    yield from normalized()
