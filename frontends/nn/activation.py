"""Smooth and gated activations as modules; each calls the function of its name in `graphc.nn.functional`.

    nn.Sequential(nn.Linear(64, 32), nn.GELU(), nn.Linear(32, 10))

The piecewise linear ones are in `rectifier`, softmax and its kin in `normalized`. `inplace` is accepted where torch
has it and changes nothing: a graph has values, not storage.
"""

from __future__ import annotations

from typing import Any, ClassVar

from graphc.nn import functional as F
from graphc.nn.module import Module


class Pointwise(Module):
    """A module without state; its printed form shows the attributes that `shown` names, then `inplace=True`."""

    shown: ClassVar[tuple[str, ...]] = ()

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        """`negative_slope=0.1, inplace=True`."""
        parts = [f"{name}={getattr(self, name)!r}" for name in self.shown]
        return ", ".join([*parts, "inplace=True"] if self.inplace else parts)


class Sigmoid(Pointwise):
    """1 / (1 + e^−x)."""

    def __init__(self) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        """Elementwise, any shape."""
        return F.sigmoid(input)


class LogSigmoid(Pointwise):
    """log(1 / (1 + e^−x)), stable where the sigmoid is 0 in floating point."""

    def __init__(self) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        """Elementwise, any shape."""
        return F.logsigmoid(input)


class Tanh(Pointwise):
    """tanh x."""

    def __init__(self) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        """Elementwise, any shape."""
        return F.tanh(input)


class Tanhshrink(Pointwise):
    """x − tanh x."""

    def __init__(self) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        """Elementwise, any shape."""
        return F.tanhshrink(input)


class Softsign(Pointwise):
    """x / (1 + |x|)."""

    def __init__(self) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        """Elementwise, any shape."""
        return F.softsign(input)


class SiLU(Pointwise):
    """x · σ(x), also called Swish."""

    def forward(self, input: Any) -> Any:
        """Elementwise, any shape."""
        return F.silu(input)


class Mish(Pointwise):
    """x · tanh(softplus(x))."""

    def forward(self, input: Any) -> Any:
        """Elementwise, any shape."""
        return F.mish(input)


class GELU(Pointwise):
    """x · Φ(x); `approximate="tanh"` for the formula with tanh instead of erf."""

    shown = ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Any) -> Any:
        """Elementwise, any shape."""
        return F.gelu(input, approximate=self.approximate)


class Softplus(Pointwise):
    """log(1 + e^(βx)) / β, and x itself where βx > threshold."""

    shown = ("beta", "threshold")

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Any) -> Any:
        """Elementwise, any shape."""
        return F.softplus(input, self.beta, self.threshold)


class ELU(Pointwise):
    """x where x > 0, else α(e^x − 1)."""

    shown = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.alpha = alpha

    def forward(self, input: Any) -> Any:
        """Elementwise, any shape."""
        return F.elu(input, self.alpha)


class CELU(Pointwise):
    """max(0, x) + min(0, α(e^(x/α) − 1))."""

    shown = ("alpha",)

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.alpha = alpha

    def forward(self, input: Any) -> Any:
        """Elementwise, any shape."""
        return F.celu(input, self.alpha)


class SELU(Pointwise):
    """ELU scaled so that mean 0 and variance 1 are kept."""

    def forward(self, input: Any) -> Any:
        """Elementwise, any shape."""
        return F.selu(input)


class GLU(Pointwise):
    """a · σ(b), where a and b are the halves of the input along `dim`."""

    shown = ("dim",)

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Any) -> Any:
        """f32[…, 2n, …] -> f32[…, n, …]."""
        return F.glu(input, self.dim)
