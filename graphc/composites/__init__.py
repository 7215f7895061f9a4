"""Composites: named ops written over primitives, some with a better derivative than their body's; importing registers.

One file a family. `passes/decompose` opens a composite; until then it is one node that keeps its name.
"""

from graphc.composites import (
    activation,
    adaptive_pooling,
    affine,
    attention,
    avg_pooling,
    batch_norm,
    binary_cross_entropy,
    convolution,
    cross_entropy,
    dropout,
    layer_norm,
    lstm,
    max_pooling,
    piecewise,
    random,
    requirement,
    softmax,
)

__all__ = [
    "activation",
    "adaptive_pooling",
    "affine",
    "attention",
    "avg_pooling",
    "batch_norm",
    "binary_cross_entropy",
    "convolution",
    "cross_entropy",
    "dropout",
    "layer_norm",
    "lstm",
    "max_pooling",
    "piecewise",
    "random",
    "requirement",
    "softmax",
]
