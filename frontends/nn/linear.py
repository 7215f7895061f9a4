"""Affine layers, and layers that only change the shape.

nn.Linear(784, 512)        # y = x·Wᵀ + b: f32[…,784] -> f32[…,512]; weight f32[512,784]
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.nn import functional as F
from graphc.nn import init
from graphc.nn.module import Module
from graphc.nn.parameter import Parameter
from graphc.order import Axes
from graphc.types import as_dtype, f32


class Linear(Module):
    """y = x·Wᵀ + b over the last axis; also called `nn.Affine`.

    Starts with U(−l, l), l = 1/√in_features, for weight and bias (torch's kaiming_uniform with a = √5).
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, dtype: object = f32) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = empty_parameter((out_features, in_features), dtype)
        self.register_parameter("bias", empty_parameter((out_features,), dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fill_uniform(self.bias, self.in_features)

    def forward(self, input: Any) -> Any:
        """f32[…, in_features] -> f32[…, out_features]."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """`in_features=4, out_features=3, bias=True`."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


Affine = Linear


class Bilinear(Module):
    """y_k = x₁ᵀ·W_k·x₂ + b_k over the last axes; starts with U(−l, l), l = 1/√in1_features."""

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int, bias: bool = True, *, dtype: object = f32
    ) -> None:
        super().__init__()
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        self.weight = empty_parameter((out_features, in1_features, in2_features), dtype)
        self.register_parameter("bias", empty_parameter((out_features,), dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        for parameter in self.parameters(recurse=False):
            fill_uniform(parameter, self.in1_features)

    def forward(self, input1: Any, input2: Any) -> Any:
        """f32[…, in1_features], f32[…, in2_features] -> f32[…, out_features]."""
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        """`in1_features=2, in2_features=3, out_features=4, bias=True`."""
        sizes = f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}"
        return f"{sizes}, bias={self.bias is not None}"


class Identity(Module):
    """The input as it is; takes and ignores any arguments, so that it can stand in for another layer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        """Any shape."""
        return input


class Flatten(Module):
    """Axes `start_dim` to `end_dim` made one: f32[N,3,4] -> f32[N,12]."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Any) -> Any:
        """Any shape that has these axes."""
        return F.flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """`start_dim=1, end_dim=-1`."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """One axis made several: `Unflatten(1, (3, 4))` takes f32[N,12] to f32[N,3,4]; one of the extents may be -1."""

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input: Any) -> Any:
        """Any shape that has this axis."""
        return F.unflatten(input, self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        """`dim=1, unflattened_size=(3, 4)`."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


def empty_parameter(shape: tuple[int, ...], dtype: object, order: Axes | None = None) -> Parameter:
    """A parameter to be filled, whose axes lie in this order in memory."""
    return Parameter(np.zeros(shape, as_dtype(dtype).numpy), order=order)


def fill_uniform(parameter: Parameter, fan_in: int) -> None:
    """U(−l, l) with l = 1/√fan_in, nothing where there are no inputs."""
    limit = 1 / math.sqrt(fan_in) if fan_in > 0 else 0.0
    init.uniform_(parameter, -limit, limit)
