"""The residual networks for CIFAR of He et al. 2015, section 4.2: 6·n + 2 layers, shortcuts without parameters.

    ResNet().stages        # ((16, 16, 1), (16, 16, 1), (16, 16, 1), (16, 32, 2), … (64, 64, 1))

A 3×3 convolution, three stages of n blocks, the mean over the image, Linear. A block is relu(x' + bn(conv(relu(bn(
conv(x)))))); its first convolution has stride 2 where the stage halves the image, and there x' is every second pixel of
x with channels of zeros added, half of them before and half behind (the paper's option A).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.workloads import layers
from benchmarks.workloads.constants import Array
from benchmarks.workloads.contraction import Contraction, Convolution, Product


@dataclass(frozen=True)
class ResNet:
    """ResNet-20 by default."""

    widths: tuple[int, ...] = (16, 32, 64)
    blocks: int = 3  # of a stage
    image: int = 32
    classes: int = 10

    convolutional = True

    @property
    def title(self) -> str:
        return f"ResNet-{2 * self.blocks * len(self.widths) + 2} for f32[3,{self.image},{self.image}]"

    @property
    def example(self) -> tuple[int, ...]:
        return (3, self.image, self.image)

    @property
    def stages(self) -> Sequence[tuple[int, int, int]]:
        """Channels before and after each block, and the stride of its first convolution."""
        found = []
        channels = self.widths[0]
        for width in self.widths:
            for _ in range(self.blocks):
                found.append((channels, width, 1 if channels == width else 2))
                channels = width
        return tuple(found)

    @property
    def contractions(self) -> Sequence[Contraction]:
        found: list[Contraction] = [Convolution("conv", 3, self.widths[0], self.image, data=True)]
        image = self.image
        for i, (channels, width, stride) in enumerate(self.stages):
            first = Convolution(f"blocks.{i}.conv1", channels, width, image, stride=stride)
            image = first.result
            found += [first, Convolution(f"blocks.{i}.conv2", width, width, image)]
        return [*found, Product("fc", self.widths[-1], self.classes)]

    def weights(self, rng: np.random.Generator) -> dict[str, Array]:
        found = layers.convolution(rng, "conv", 3, self.widths[0], 3) | layers.batch_norm("norm", self.widths[0])
        for i, (channels, width, _) in enumerate(self.stages):
            found |= layers.convolution(rng, f"blocks.{i}.conv1", channels, width, 3)
            found |= layers.batch_norm(f"blocks.{i}.norm1", width)
            found |= layers.convolution(rng, f"blocks.{i}.conv2", width, width, 3)
            found |= layers.batch_norm(f"blocks.{i}.norm2", width)
        return found | layers.linear(rng, "fc", self.widths[-1], self.classes)
