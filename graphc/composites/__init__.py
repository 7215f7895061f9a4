"""Composites: named ops written over primitives, some with a better derivative than their body's; importing registers.

One file a family. `passes/decompose` opens a composite; until then it is one node that keeps its name.
"""

from graphc.composites import (
    activation,
    affine,
    attention,
    batch_norm,
    binary_cross_entropy,
    cross_entropy,
    dropout,
    layer_norm,
    piecewise,
    random,
    requirement,
    softmax,
)

__all__ = [
    "activation",
    "affine",
    "attention",
    "batch_norm",
    "binary_cross_entropy",
    "cross_entropy",
    "dropout",
    "layer_norm",
    "piecewise",
    "random",
    "requirement",
    "softmax",
]
