"""The contractions of a network: what they multiply, for its floor and for the micro-benchmarks.

    Convolution("conv1", channels=16, filters=32, image=32, stride=2).result        # 16
    Product("linear", 784, 512, data=True).training                                 # 2 · 2·784·512: x needs no gradient

`forward` counts the multiplications and additions for one example. The backward has as many again for the gradient of
each operand; an operand that is data needs none. Taps that meet padding count as others do.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Product:
    """y = x · wᵀ for `rows` rows of an example, f32[rows, inputs] and f32[outputs, inputs].

    With `groups` > 1 both operands belong to the example, as attention's heads do, and w may be `plain`: stored as
    f32[inputs, outputs]. It is done `times` times in turn, as a recurrent layer does.
    """

    name: str
    inputs: int
    outputs: int
    rows: int = 1
    groups: int = 1
    times: int = 1
    data: bool = False
    plain: bool = False

    @property
    def forward(self) -> int:
        return 2 * self.rows * self.inputs * self.outputs * self.groups * self.times

    @property
    def training(self) -> int:
        return self.forward * (2 if self.data else 3)


@dataclass(frozen=True)
class Convolution:
    """A square window of odd extent over a square image f32[channels, image, image], padded to keep it at stride 1."""

    name: str
    channels: int
    filters: int
    image: int
    kernel: int = 3
    stride: int = 1
    dilation: int = 1
    groups: int = 1
    data: bool = False

    @property
    def padding(self) -> int:
        return self.dilation * (self.kernel - 1) // 2

    @property
    def result(self) -> int:
        """The extent of the result."""
        return (self.image + 2 * self.padding - self.dilation * (self.kernel - 1) - 1) // self.stride + 1

    @property
    def forward(self) -> int:
        return 2 * self.result**2 * self.kernel**2 * self.channels * self.filters // self.groups

    @property
    def training(self) -> int:
        return self.forward * (2 if self.data else 3)


Contraction = Product | Convolution
