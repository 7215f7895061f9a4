"""Binary cross-entropy of probabilities, finite and with a finite gradient even where a probability is 0 or 1.

binary_cross_entropy(p, target)     p, target: f32[N,3]   ->   f32[N,3]
"""

from __future__ import annotations

from typing import Any

from graphc.composites.precision import check_floats, computed_in_f32, cotangents_in_f32, tangents_in_f32
from graphc.errors import ShapeError
from graphc.op import composite
from graphc.operands import shape_text
from graphc.ops.elementwise import log, log1p, maximum
from graphc.samples import exactly, real, sample
from graphc.types import TensorType

LEAST_LOGARITHM = -100.0  # stands for log 0, as in torch
LEAST_SLOPE = 1e-12  # the least p·(1 - p) that the derivative divides by, as in torch


def _infer(p: TensorType, target: TensorType) -> TensorType:
    check_floats("binary_cross_entropy", p=p, target=target)
    if p.shape != target.shape:
        raise ShapeError(
            f"binary_cross_entropy: p has shape {shape_text(p.shape)}, but target has {shape_text(target.shape)}"
        )
    return p


def _logarithms(p: Any) -> tuple[Any, Any]:
    """log p and log (1 - p), cut off below."""
    return maximum(log(p), LEAST_LOGARITHM), maximum(log1p(-p), LEAST_LOGARITHM)


def _partials(p: Any, target: Any) -> tuple[Any, Any]:
    """(p - t)/(p·(1 - p)) by p, log (1 - p) - log p by t."""
    yes, no = _logarithms(p)
    return (p - target) / maximum(p * (1 - p), LEAST_SLOPE), no - yes


def _vjp(g: Any, y: Any, p: Any, target: Any) -> tuple[Any, Any]:
    by_p, by_target = _partials(p, target)
    return g * by_p, g * by_target


def _jvp(t: Any, y: Any, p: Any, target: Any) -> Any:
    terms = [partial * given for partial, given in zip(_partials(p, target), t, strict=True) if given is not None]
    return terms[0] if len(terms) == 1 else terms[0] + terms[1]


_INSIDE = {"low": 0.1, "high": 0.9}


@composite(
    infer=_infer,
    vjp=cotangents_in_f32(_vjp),
    jvp=tangents_in_f32(_jvp),
    samples=[
        sample(real(4, 5, **_INSIDE), real(4, 5, **_INSIDE)),
        sample(real(**_INSIDE), real(**_INSIDE)),
        sample(real(0, 3, **_INSIDE), real(0, 3, **_INSIDE)),
        sample(exactly([0.0, 0.0, 1.0, 1.0]), exactly([0.0, 1.0, 0.0, 1.0]), differentiable=False),
    ],
)
@computed_in_f32
def binary_cross_entropy(p: Any, target: Any) -> Any:
    """-t·log p - (1 - t)·log(1 - p), elementwise, with logarithms of at least -100.

        binary_cross_entropy(p, target)   p: f32[N,3], target: f32[N,3]   ->   f32[N,3]

    Raises ShapeError where the shapes differ, DTypeError for integers. torch.nn.functional.binary_cross_entropy.
    """
    yes, no = _logarithms(p)
    return -(target * yes + (1 - target) * no)
