"""Piecewise linear activations as modules: ReLU and its leaky, learned, clipped, shrinking and maximal kin.

nn.Sequential(nn.Linear(64, 32), nn.LeakyReLU(0.1), nn.Linear(32, 10))
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.nn import functional as F
from graphc.nn.activation import Pointwise
from graphc.nn.linear import Linear
from graphc.nn.module import Module
from graphc.nn.parameter import Parameter
from graphc.types import as_dtype, f32


class ReLU(Pointwise):
    """max(0, x)."""

    def forward(self, input: Any) -> Any:
        """Elementwise, any shape."""
        return F.relu(input)


class ReLU6(Pointwise):
    """min(max(0, x), 6)."""

    def forward(self, input: Any) -> Any:
        """Elementwise, any shape."""
        return F.relu6(input)


class LeakyReLU(Pointwise):
    """x where x > 0, else `negative_slope` · x."""

    shown = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.negative_slope = negative_slope

    def forward(self, input: Any) -> Any:
        """Elementwise, any shape."""
        return F.leaky_relu(input, self.negative_slope)


class PReLU(Pointwise):
    """x where x > 0, else a · x with a learned slope a: one for all, or one for each channel (axis 1)."""

    shown = ("num_parameters",)

    def __init__(self, num_parameters: int = 1, init: float = 0.25, *, dtype: object = f32) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(np.full(num_parameters, init, as_dtype(dtype).numpy))

    def forward(self, input: Any) -> Any:
        """Elementwise, any shape; with several slopes f32[N, num_parameters, …]."""
        return F.prelu(input, self.weight)


class Hardtanh(Pointwise):
    """x limited to [min_val, max_val]."""

    shown = ("min_val", "max_val")

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.min_val = min_val
        self.max_val = max_val

    def forward(self, input: Any) -> Any:
        """Elementwise, any shape."""
        return F.hardtanh(input, self.min_val, self.max_val)


class Hardsigmoid(Pointwise):
    """x/6 + 1/2 limited to [0, 1]."""

    def forward(self, input: Any) -> Any:
        """Elementwise, any shape."""
        return F.hardsigmoid(input)


class Hardswish(Pointwise):
    """x · hardsigmoid(x)."""

    def forward(self, input: Any) -> Any:
        """Elementwise, any shape."""
        return F.hardswish(input)


class Hardshrink(Module):
    """x where |x| > λ, else 0."""

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Any) -> Any:
        """Elementwise, any shape."""
        return F.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        """`0.5`."""
        return str(self.lambd)


class Softshrink(Module):
    """x moved towards 0 by λ, and 0 within λ of it."""

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Any) -> Any:
        """Elementwise, any shape."""
        return F.softshrink(input, self.lambd)

    def extra_repr(self) -> str:
        """`0.5`."""
        return str(self.lambd)


class Threshold(Pointwise):
    """x where x > threshold, else `value`."""

    shown = ("threshold", "value")

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.threshold = threshold
        self.value = value

    def forward(self, input: Any) -> Any:
        """Elementwise, any shape."""
        return F.threshold(input, self.threshold, self.value)


class Maxout(Linear):
    """The largest of `num_pieces` affine functions: y = max over k of x·Wₖᵀ + bₖ.

    The gradient goes to the winning piece only. `weight` is f32[out_features·num_pieces, in_features]; rows
    j·num_pieces … are the pieces of output j. Source: Goodfellow et al., Maxout Networks, 2013.
    """

    def __init__(
        self, in_features: int, out_features: int, num_pieces: int = 2, bias: bool = True, *, dtype: object = f32
    ) -> None:
        super().__init__(in_features, out_features * num_pieces, bias, dtype=dtype)
        self.out_features = out_features
        self.num_pieces = num_pieces

    def forward(self, input: Any) -> Any:
        """f32[…, in_features] -> f32[…, out_features]."""
        return F.maxout(super().forward(input), self.num_pieces, dim=-1)

    def extra_repr(self) -> str:
        """`in_features=4, out_features=3, num_pieces=2, bias=True`."""
        sizes = f"in_features={self.in_features}, out_features={self.out_features}, num_pieces={self.num_pieces}"
        return f"{sizes}, bias={self.bias is not None}"
