"""`fold_batch_norm`: a BatchNorm with running statistics becomes part of the layer before it. Runs before `decompose`.

    %h = affine(%x, %w, %b)                                          ->   %y = affine(%x, %w·s, (%b - μ)·s + β)
    %y = batch_norm_inference(%h, %mean, %var, %gamma, %beta)        ->

with s = γ/√(σ² + ε), and likewise for convolutions. It needs the layer's result to be read by the BatchNorm alone. The
new weight and bias are ops on state, so they follow the state when it changes. A layer of another kind is one more
rule: what it multiplies by s, and along which axis. The laws are those of real numbers: results differ by rounding.
"""

from __future__ import annotations

from typing import Any

from graphc.composites.affine import affine
from graphc.composites.batch_norm import batch_norm_inference
from graphc.composites.convolution import conv, conv_transpose
from graphc.ops.elementwise import rsqrt
from graphc.ops.shape import reshape
from graphc.passes.rewrite import Matched, NodeMatch, RewritePass, Rule, RuleSet, rule_on


def scale_and_shift(node: NodeMatch, bias: Any) -> tuple[Any, Any]:
    """s and t, a number per channel, so that the BatchNorm of h + bias is h·s + t."""
    mean, var, *rest = node.operands[1:]
    scale = rsqrt(var + node["eps"])
    if rest:
        scale = rest[0] * scale
    shift = (-mean if bias is None else bias - mean) * scale
    return scale, shift + rest[1] if len(rest) > 1 else shift


def _is_foldable(node: NodeMatch, layer: str) -> bool:
    """Whether this layer makes what is normalized, for the BatchNorm alone, all in one dtype."""
    h = node.operands[0]
    return h.made_by(layer) and h.single_use and len({x.dtype for x in node.operands}) == 1


@rule_on(batch_norm_inference)
def into_affine(node: NodeMatch) -> Any:
    """BN(x·Wᵀ + b)  →  x·(s·W)ᵀ + s·(b - μ) + β        s = γ/√(σ² + ε)"""
    h = node.operands[0]
    if not _is_foldable(node, "affine") or h.ndim != 2:  # of a higher rank, affine's features are not the channels
        return None
    x, weight, *bias = h.operands
    scale, shift = scale_and_shift(node, bias[0] if bias else None)
    return affine(x, weight * reshape(scale, shape=(scale.shape[0], 1)), shift)


@rule_on(batch_norm_inference)
def into_convolution(node: NodeMatch) -> Any:
    """BN(w ∗ x + b)  →  (s·w) ∗ x + s·(b - μ) + β        s for each kernel"""
    h = node.operands[0]
    if not _is_foldable(node, "conv") or _has_no_batch(h):
        return None
    x, weight, *bias = h.operands
    scale, shift = scale_and_shift(node, bias[0] if bias else None)
    kernels = reshape(scale, shape=(scale.shape[0], *(1,) * (weight.ndim - 1)))
    return conv(x, weight * kernels, shift, **_attributes(h))


@rule_on(batch_norm_inference)
def into_transposed_convolution(node: NodeMatch) -> Any:
    """BN(w ∗ᵀ x + b)  →  (s·w) ∗ᵀ x + s·(b - μ) + β        the kernels of each group lie along axis 1"""
    h = node.operands[0]
    if not _is_foldable(node, "conv_transpose") or _has_no_batch(h):
        return None
    x, weight, *bias = h.operands
    scale, shift = scale_and_shift(node, bias[0] if bias else None)
    attributes = _attributes(h)
    groups, (channels, kernels, *size) = attributes["groups"], weight.shape
    grouped = reshape(weight, shape=(groups, channels // groups, kernels, *size))
    scaled = grouped * reshape(scale, shape=(groups, 1, kernels, *(1,) * len(size)))
    return conv_transpose(x, reshape(scaled, shape=weight.shape), shift, **attributes)


def _has_no_batch(h: Matched) -> bool:
    """Whether a convolution is of one example: its channels are not the axis that is normalized."""
    return h.operands[0].ndim != h.operands[1].ndim


def _attributes(h: Matched) -> dict[str, Any]:
    assert h.node is not None
    return dict(h.node.attributes)


fold_batch_norm_rules = RuleSet(value for value in list(globals().values()) if isinstance(value, Rule))
fold_batch_norm = RewritePass(
    "fold_batch_norm", fold_batch_norm_rules, "Fold BatchNorms with running statistics into the layer before them."
)
