"""Single contractions, in each form that training steps and predictions have them: the micro-benchmarks' cases.

    ProductCase("forward", 32, 64, 10, right="nk").name                                  # "forward 32x64x10 mk·nk"
    ConvolutionCase("forward", Convolution("", 16, 16, 32), 64).arrays(seed=0)["x"].shape    # (64, 32, 32, 16)

A product is C[m, n] = A · B over k, with A stored "mk" or "km" and B "kn" or "nk", `groups` of them side by side.
Images have their channels last, weights are f32[filters, channels / groups, height, width], as models hold them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.workloads.constants import ITEM, Array
from benchmarks.workloads.contraction import Contraction, Convolution, Product

KINDS = ("forward", "data gradient", "weight gradient")


@dataclass(frozen=True)
class ProductCase:
    """A product of matrices; `named` is the extent that comes from the batch."""

    kind: str
    m: int
    k: int
    n: int
    left: str = "mk"
    right: str = "kn"
    groups: int = 1
    named: str = "m"

    checked = 1
    jointly = True
    kinds = frozenset({"product"})

    @property
    def name(self) -> str:
        groups = f"{self.groups}x " if self.groups > 1 else ""
        return f"{self.kind} {groups}{self.m}x{self.k}x{self.n} {self.left}·{self.right}"

    title = name

    @property
    def batch(self) -> int:
        return 1

    @property
    def flops(self) -> int:
        return 2 * self.groups * self.m * self.k * self.n

    @property
    def bytes_moved(self) -> int:
        return ITEM * self.groups * (self.m * self.k + self.k * self.n + self.m * self.n)

    def shape(self, form: str) -> tuple[int, ...]:
        """The shape of a matrix stored like this."""
        matrix = tuple(getattr(self, extent) for extent in form)
        return (self.groups, *matrix) if self.groups > 1 else matrix

    def arrays(self, seed: int) -> dict[str, Array]:
        """`a` and `b`."""
        rng = np.random.default_rng(seed)
        shapes = {"a": self.shape(self.left), "b": self.shape(self.right)}
        return {name: rng.standard_normal(shape, np.float32) for name, shape in shapes.items()}


@dataclass(frozen=True)
class ConvolutionCase:
    """A convolution or one of its gradients."""

    kind: str
    convolution: Convolution
    batch: int

    checked = 1
    jointly = True
    kinds = frozenset({"convolution"})

    @property
    def name(self) -> str:
        c = self.convolution
        found = f"{self.kind} {c.kernel}x{c.kernel} {c.channels}-{c.filters} at {self.batch}x{c.image}x{c.image}"
        found += f" stride {c.stride}" if c.stride > 1 else ""
        found += f" dilation {c.dilation}" if c.dilation > 1 else ""
        return found + (f" groups {c.groups}" if c.groups > 1 else "")

    title = name

    @property
    def flops(self) -> int:
        return self.batch * self.convolution.forward

    @property
    def bytes_moved(self) -> int:
        c = self.convolution
        images = self.batch * (c.image**2 * c.channels + c.result**2 * c.filters)
        return ITEM * (images + c.kernel**2 * c.channels * c.filters // c.groups)

    def arrays(self, seed: int) -> dict[str, Array]:
        """Images `x`, weight `w`, and `g`, the gradient of the result."""
        rng, c = np.random.default_rng(seed), self.convolution
        shapes = {
            "x": (self.batch, c.image, c.image, c.channels),
            "w": (c.filters, c.channels // c.groups, c.kernel, c.kernel),
            "g": (self.batch, c.result, c.result, c.filters),
        }
        return {name: rng.standard_normal(shape, np.float32) for name, shape in shapes.items()}


Case = ProductCase | ConvolutionCase


def products_of(product: Product, batch: int) -> Iterator[ProductCase]:
    """Forward and gradients of a product of a network: y = x · wᵀ, or x · w where w is no weight but `plain`."""
    rows, inputs, outputs, groups = product.rows, product.inputs, product.outputs, 1
    if product.groups > 1:
        groups, named = batch * product.groups, ("groups", "groups")
    else:
        rows, named = batch * rows, ("m", "k")
    across, along = ("kn", "nk") if product.plain else ("nk", "kn")
    yield ProductCase("forward", rows, inputs, outputs, right=across, groups=groups, named=named[0])
    if not product.data:
        yield ProductCase("data gradient", rows, outputs, inputs, right=along, groups=groups, named=named[0])
    m, n = (inputs, outputs) if product.plain else (outputs, inputs)
    yield ProductCase("weight gradient", m, rows, n, left="km", groups=groups, named=named[1])


def cases_of(contractions: Sequence[Contraction], batch: int) -> Iterator[Case]:
    """Forward and gradients of all contractions of a network."""
    for contraction in contractions:
        if isinstance(contraction, Product):
            yield from products_of(contraction, batch)
        else:
            kinds = [kind for kind in KINDS if kind != "data gradient" or not contraction.data]
            yield from (ConvolutionCase(kind, unnamed(contraction), batch) for kind in kinds)


def unnamed(convolution: Convolution) -> Convolution:
    """The same without its place in a network, so that equal ones compare equal."""
    c = convolution
    return Convolution("", c.channels, c.filters, c.image, c.kernel, c.stride, c.dilation, c.groups)


SQUARES = [
    ProductCase("square", 512, 512, 512, left=left, right=right) for left in ("mk", "km") for right in ("kn", "nk")
]
CONVOLUTIONS = [
    (Convolution("1x1", 64, 256, 32, kernel=1), 16),
    (Convolution("5x5", 32, 32, 32, kernel=5), 16),
    (Convolution("7x7", 3, 64, 112, kernel=7, stride=2, data=True), 4),
    (Convolution("11x11", 3, 64, 112, kernel=11, stride=4, data=True), 4),
    (Convolution("dilated", 64, 64, 32, dilation=2), 16),
    (Convolution("grouped", 64, 64, 32, groups=4), 16),
    (Convolution("depthwise", 64, 64, 32, groups=64), 16),
]


def all_cases(networks: Sequence[tuple[Sequence[Contraction], int, bool]]) -> list[Case]:
    """Of networks (contractions, batch, whether they train), then squares and convolutions that no network here has."""
    found: list[Case] = []
    for contractions, batch, trains in networks:
        found += [case for case in cases_of(contractions, batch) if trains or case.kind == "forward"]
    found += SQUARES
    for convolution, batch in CONVOLUTIONS:
        found += cases_of([convolution], batch)
    return list(dict.fromkeys(found))


def single_witness(result: Any) -> list[float]:
    """What contenders compare of a contraction: sums, and some elements; f64."""
    numbers = np.asarray(result, np.float64).ravel()
    places = np.linspace(0, numbers.size - 1, 7).astype(int)
    return [float(np.abs(numbers).max()), float(np.abs(numbers).mean()), *numbers[places].tolist()]
