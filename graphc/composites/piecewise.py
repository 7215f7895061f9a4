"""Activations put together from pieces: leaky_relu, prelu, elu, selu, celu, hard_sigmoid, hard_swish.

    leaky_relu(x, negative_slope=0.1)      x: f32[N,64]                    ->   f32[N,64]
    prelu(x, weight)                       x: f32[N,64], weight: f32[64]   ->   f32[N,64]

The derivative at a joint is torch's: that of the piece below 0 for the first five, that of the flat piece for
hard_sigmoid. Exponentials see numbers that are not positive only, so that no derivative of any order meets ∞·0.
"""

from __future__ import annotations

from typing import Any

from graphc.composites.activation import activation
from graphc.composites.precision import check_floats, computed_in_f32, cotangents_in_f32
from graphc.errors import OpAttributeError, ShapeError
from graphc.op import composite
from graphc.operands import shape_text
from graphc.ops.elementwise import clip, exp, expm1, logical_and, where
from graphc.ops.reduction import sum
from graphc.ops.shape import broadcast_to, reshape
from graphc.samples import exactly, real, sample
from graphc.types import TensorType

_JOINTS = exactly([0.0, -0.0, 3.0, -3.0])

# -- slopes -----------------------------------------------------------------------------------------------------------


@activation(lambda d, x, *, negative_slope: where(x > 0, d, d * negative_slope), sample(real(4, 5), negative_slope=0.2))
def leaky_relu(x: Any, *, negative_slope: float = 0.01) -> Any:
    """x above 0, negative_slope·x below.

        leaky_relu(x, negative_slope=0.1)   x: f32[N,64]   ->   f32[N,64]

    Raises DTypeError for integers. Maas, Hannun and Ng, 2013.
    """
    return where(x > 0, x, x * negative_slope)


def _infer_prelu(x: TensorType, weight: TensorType) -> TensorType:
    check_floats("prelu", x=x, weight=weight)
    if weight.shape not in ((), (1,)) and (x.rank < 2 or weight.shape != (x.shape[1],)):
        channels = f"{x.shape[1]} channels" if x.rank > 1 else "no channels"
        raise ShapeError(f"prelu: x has {channels}, but weight has shape {shape_text(weight.shape)}")
    return x


def _spread_slopes(weight: Any, x: Any) -> Any:
    if weight.shape in ((), (1,)):
        return reshape(weight, shape=()) if weight.ndim else weight
    return broadcast_to(reshape(weight, shape=(*weight.shape, *(1,) * (x.ndim - 2))), shape=x.shape)


def _prelu_vjp(g: Any, y: Any, x: Any, weight: Any) -> tuple[Any, Any]:
    """Where x is below 0: the slope by x, x by the slope, summed over what shares the slope."""
    shared = tuple(axis for axis in range(x.ndim) if axis != 1 or weight.shape in ((), (1,)))
    by_slope = sum(where(x > 0, 0, g * x), axis=shared)
    return where(x > 0, g, g * _spread_slopes(weight, x)), reshape(by_slope, shape=weight.shape)


@composite(
    infer=_infer_prelu,
    vjp=cotangents_in_f32(_prelu_vjp),
    samples=[
        sample(real(4, 3), real(3)),
        sample(real(2, 3, 2), real(3)),
        sample(real(4, 3), real(1)),
        sample(real(4), real()),
    ],
)
@computed_in_f32
def prelu(x: Any, weight: Any) -> Any:
    """x above 0, weight·x below; the weight is one number, or one per channel along axis 1.

        prelu(x, weight)   x: f32[N,64], weight: f32[64]   ->   f32[N,64]

    Raises ShapeError where the weight does not fit the channels, DTypeError for integers. He et al., 2015.
    """
    return where(x > 0, x, x * _spread_slopes(weight, x))


# -- exponentials below 0 ---------------------------------------------------------------------------------------------

SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def _below(x: Any) -> Any:
    """x where it is not positive, else 0."""
    return where(x <= 0, x, 0)


def _check_celu(*, alpha: float = 1.0) -> None:
    if alpha == 0:
        raise OpAttributeError("celu: alpha is 0, but the result has e^(x/alpha)")


@activation(
    lambda d, x, *, alpha: where(x <= 0, d * (alpha * exp(_below(x))), d),
    sample(real(4, 5), alpha=0.7),
    sample(exactly([800.0, 1e4, -800.0])),
)
def elu(x: Any, *, alpha: float = 1.0) -> Any:
    """x above 0, alpha·(eˣ - 1) below.

        elu(x)   x: f32[N,64]   ->   f32[N,64]

    Raises DTypeError for integers. Clevert, Unterthiner and Hochreiter, 2015.
    """
    return where(x <= 0, alpha * expm1(_below(x)), x)


@activation(lambda d, x: where(x <= 0, d * (SELU_SCALE * SELU_ALPHA * exp(_below(x))), d * SELU_SCALE))
def selu(x: Any) -> Any:
    """elu with the alpha and the scale that keep mean 0 and variance 1.

        selu(x)   x: f32[N,64]   ->   f32[N,64]

    Raises DTypeError for integers. Klambauer, Unterthiner, Mayr and Hochreiter, 2017.
    """
    return SELU_SCALE * where(x <= 0, SELU_ALPHA * expm1(_below(x)), x)


@activation(
    lambda d, x, *, alpha: where(x <= 0, d * exp(_below(x) / alpha), d),
    sample(real(4, 5), alpha=0.7),
    check=_check_celu,
)
def celu(x: Any, *, alpha: float = 1.0) -> Any:
    """x above 0, alpha·(e^(x/alpha) - 1) below.

        celu(x, alpha=0.5)   x: f32[N,64]   ->   f32[N,64]

    Raises DTypeError for integers, OpAttributeError for alpha 0. Barron, 2017.
    """
    return where(x <= 0, alpha * expm1(_below(x) / alpha), x)


# -- straight lines in place of σ -------------------------------------------------------------------------------------


@activation(
    lambda d, x: where(logical_and(x > -3, x < 3), d / 6, 0),
    sample(real(4, 5, low=-5, high=5)),
    sample(_JOINTS, differentiable=False),
)
def hard_sigmoid(x: Any) -> Any:
    """x/6 + ½, kept within [0, 1].

        hard_sigmoid(x)   x: f32[N,64]   ->   f32[N,64]

    Raises DTypeError for integers.
    """
    return clip(x + 3, 0, 6) / 6


@activation(
    lambda d, x: where(x <= -3, 0, where(x < 3, d * (x / 3 + 0.5), d)),
    sample(real(4, 5, low=-5, high=5)),
    sample(_JOINTS, differentiable=False),
)
def hard_swish(x: Any) -> Any:
    """x·hard_sigmoid(x).

        hard_swish(x)   x: f32[N,64]   ->   f32[N,64]

    Raises DTypeError for integers. Howard et al., 2019.
    """
    return x * clip(x + 3, 0, 6) / 6
