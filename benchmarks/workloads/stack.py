"""Networks that are layers one after another, declared once for all who have torch's names for layers.

    Stack("LeNet-5", (1, 28, 28), 10, (layer("Conv2d", 1, 6, 5, padding=2), layer("ReLU"), …)).sequential(torch.nn)

They are what users begin with; what is slow in one of them, such as few channels or depthwise kernels, is slow in many.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.workloads import layers
from benchmarks.workloads.constants import Array
from benchmarks.workloads.contraction import Contraction, Convolution, Product


@dataclass(frozen=True)
class Layer:
    """A class of `torch.nn` or `graphc.nn`, and its arguments."""

    kind: str
    sizes: tuple[int, ...]
    options: tuple[tuple[str, Any], ...]

    def option(self, name: str, default: int) -> int:
        return int(dict(self.options).get(name, default))


def layer(kind: str, *sizes: int, **options: Any) -> Layer:
    return Layer(kind, sizes, tuple(options.items()))


def separable(channels: int, filters: int, stride: int = 1) -> tuple[Layer, ...]:
    """A depthwise convolution and a pointwise one, each with BatchNorm and ReLU6 (Howard et al. 2017)."""
    return (
        layer("Conv2d", channels, channels, 3, stride=stride, padding=1, groups=channels, bias=False),
        layer("BatchNorm2d", channels),
        layer("ReLU6"),
        layer("Conv2d", channels, filters, 1, bias=False),
        layer("BatchNorm2d", filters),
        layer("ReLU6"),
    )


def plain(channels: int, filters: int) -> tuple[Layer, ...]:
    """A 3×3 convolution with BatchNorm and ReLU (Simonyan and Zisserman 2014, with Ioffe and Szegedy 2015)."""
    return layer("Conv2d", channels, filters, 3, padding=1), layer("BatchNorm2d", filters), layer("ReLU")


@dataclass(frozen=True)
class Stack:
    """A classifier of images by layers one after another."""

    title: str
    example: tuple[int, ...]
    classes: int
    layers: tuple[Layer, ...]

    convolutional = True

    def sequential(self, nn: Any) -> Any:
        """The module, of a library's layers."""
        return nn.Sequential(*(getattr(nn, each.kind)(*each.sizes, **dict(each.options)) for each in self.layers))

    def _images(self) -> Iterator[tuple[str, Layer, int]]:
        """The name of each layer, the layer, and the extent of the image that it makes."""
        image = self.example[-1]
        for number, each in enumerate(self.layers):
            if each.kind in ("Conv2d", "MaxPool2d"):
                window = each.sizes[-1]
                stride = each.option("stride", 1 if each.kind == "Conv2d" else window)
                image = (image + 2 * each.option("padding", 0) - window) // stride + 1
            elif each.kind == "AdaptiveAvgPool2d":
                (image,) = each.sizes
            yield str(number), each, image

    @property
    def contractions(self) -> Sequence[Contraction]:
        found: list[Contraction] = []
        for name, each, image in self._images():
            if each.kind == "Conv2d":
                channels, filters, kernel = each.sizes
                groups = each.option("groups", 1)
                found.append(Convolution(name, channels, filters, image, kernel, groups=groups, data=not found))
            elif each.kind == "Linear":
                found.append(Product(name, *each.sizes))
        return found

    def weights(self, rng: np.random.Generator) -> dict[str, Array]:
        found: dict[str, Array] = {}
        for number, each in enumerate(self.layers):
            name = str(number)
            if each.kind == "Conv2d":
                channels, filters, kernel = each.sizes
                inputs = channels // each.option("groups", 1)
                found |= layers.convolution(rng, name, inputs, filters, kernel)
                if each.option("bias", True):
                    found[f"{name}.bias"] = layers.uniform(rng, inputs * kernel**2, (filters,))
            elif each.kind == "BatchNorm2d":
                found |= layers.batch_norm(name, *each.sizes)
            elif each.kind == "Linear":
                found |= layers.linear(rng, name, *each.sizes)
        return found


_POOL, _RELU = layer("MaxPool2d", 2), layer("ReLU")

LENET = Stack(
    "LeNet-5 with ReLU for f32[1,28,28]", (1, 28, 28), 10,
    (
        layer("Conv2d", 1, 6, 5, padding=2), _RELU, _POOL, layer("Conv2d", 6, 16, 5), _RELU, _POOL, layer("Flatten"),
        layer("Linear", 400, 120), _RELU, layer("Linear", 120, 84), _RELU, layer("Linear", 84, 10),
    ),
)  # fmt: skip
VGG = Stack(
    "VGG with 8 layers and BatchNorm for f32[3,32,32]", (3, 32, 32), 10,
    (
        *plain(3, 32), *plain(32, 32), _POOL, *plain(32, 64), *plain(64, 64), _POOL, *plain(64, 128), *plain(128, 128),
        _POOL, layer("Flatten"), layer("Linear", 2048, 256), _RELU, layer("Linear", 256, 10),
    ),
)  # fmt: skip
VGG11 = Stack(
    "VGG-11 with BatchNorm for f32[3,32,32]", (3, 32, 32), 10,
    (
        *plain(3, 64), _POOL, *plain(64, 128), _POOL, *plain(128, 256), *plain(256, 256), _POOL, *plain(256, 512),
        *plain(512, 512), _POOL, *plain(512, 512), *plain(512, 512), _POOL, layer("Flatten"), layer("Linear", 512, 10),
    ),
)  # fmt: skip
MOBILENET = Stack(
    "MobileNet with 11 convolutions for f32[3,32,32]", (3, 32, 32), 10,
    (
        layer("Conv2d", 3, 32, 3, padding=1, bias=False), layer("BatchNorm2d", 32), layer("ReLU6"),
        *separable(32, 64), *separable(64, 128, 2), *separable(128, 128), *separable(128, 256, 2), *separable(256, 256),
        layer("AdaptiveAvgPool2d", 1), layer("Flatten"), layer("Linear", 256, 10),
    ),
)  # fmt: skip
