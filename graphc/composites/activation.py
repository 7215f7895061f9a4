"""Smooth activations: gelu, silu, mish, softplus, log_sigmoid, glu; exact for numbers of any size.

    gelu(x)             x·Φ(x)           x: f32[N,64]   ->   f32[N,64]
    silu(x)             x·σ(x)           x: f32[N,64]   ->   f32[N,64]
    glu(x, axis=1)      a·σ(b)           x: f32[N,64]   ->   f32[N,32]

Their derivatives are closed forms of x alone: between forward and backward nothing but x is kept. `piecewise.py` has
those that are put together from pieces.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sqrt
from typing import Any

from graphc.composites.precision import check_floats, computed_in_f32, cotangents_in_f32, tangents_in_f32
from graphc.errors import OpAttributeError, ShapeError
from graphc.op import Op, Rule, composite
from graphc.ops.elementwise import erfc, exp, logaddexp, sigmoid, tanh, where
from graphc.ops.reduction import check_axis
from graphc.ops.slicing import concat, slice
from graphc.samples import Sample, exactly, real, sample
from graphc.types import TensorType

_EXTREME = sample(exactly([1e4, -1e4, 100.0, -100.0, 20.5, 0.0, -0.0, float("nan")]), differentiable=False)


def activation(times_derivative: Rule, *samples: Sample, check: Rule | None = None) -> Callable[[Rule], Op]:
    """Declare a composite y(x) by its body, beside `times_derivative(d, x, **attributes)`, which is d·dy/dx.

    Both modes use it, with a cotangent or a tangent d. `check(**attributes)` raises where attributes make no sense.
    """

    def declare(body: Rule) -> Op:
        name = body.__name__

        def infer(x: TensorType, **attributes: Any) -> TensorType:
            check_floats(name, x=x)
            if check is not None:
                check(**attributes)
            return x

        return composite(
            infer=infer,
            vjp=cotangents_in_f32(lambda g, y, x, **attributes: (times_derivative(g, x, **attributes),)),
            jvp=tangents_in_f32(lambda t, y, x, **attributes: times_derivative(t[0], x, **attributes)),
            samples=[sample(real(4, 5)), _EXTREME, *samples],
        )(computed_in_f32(body))

    return declare


# -- x times a share of it --------------------------------------------------------------------------------------------


def _normal_below(x: Any) -> Any:
    """Φ(x), the share of the standard normal distribution below x, exact in its lower tail."""
    return 0.5 * erfc(_scaled(x))


def _scaled(x: Any) -> Any:
    """-x/√2, with which Φ(x) = erfc(z)/2 and φ(x) = exp(-z·z)/√2π: a kernel of both computes the exponential once."""
    return x * -sqrt(0.5)


def _inner(x: Any) -> Any:
    """√(2/π)·(x + 0.044715·x³)"""
    return sqrt(2 / pi) * (x + 0.044715 * (x * x * x))


def _times_gelu_derivative(d: Any, x: Any, *, approximate: str) -> Any:
    """Φ(x) + x·φ(x), or the derivative of the tanh form."""
    if approximate == "none":
        z = _scaled(x)
        return d * (_normal_below(x) + x * exp(-(z * z)) * (1 / sqrt(2 * pi)))
    t = tanh(_inner(x))
    return d * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * (sqrt(2 / pi) * (1 + 3 * 0.044715 * (x * x))))


def _check_gelu(*, approximate: str = "none") -> None:
    if approximate not in ("none", "tanh"):
        raise OpAttributeError(f"gelu: approximate is 'none' or 'tanh', not {approximate!r}")


@activation(
    _times_gelu_derivative,
    sample(real(4, 5), approximate="tanh"),
    sample(exactly([1e4, -1e4, 30.0, -30.0, 0.0]), approximate="tanh", differentiable=False),
    check=_check_gelu,
)
def gelu(x: Any, *, approximate: str = "none") -> Any:
    """x·Φ(x) with the normal distribution Φ, or with `approximate="tanh"` ½x·(1 + tanh(√(2/π)·(x + 0.044715·x³))).

        gelu(x)   x: f32[N,64]   ->   f32[N,64]

    Raises DTypeError for integers, OpAttributeError for another `approximate`. Hendrycks and Gimpel, 2016.
    """
    return x * _normal_below(x) if approximate == "none" else 0.5 * x * (1 + tanh(_inner(x)))


def _times_silu_derivative(d: Any, x: Any) -> Any:
    """σ(x)·(1 + x·(1 - σ(x)))"""
    s = sigmoid(x)
    return d * (s * (1 + x * (1 - s)))


@activation(_times_silu_derivative)
def silu(x: Any) -> Any:
    """x·σ(x), also called swish.

        silu(x)   x: f32[N,64]   ->   f32[N,64]

    Raises DTypeError for integers. Ramachandran, Zoph and Le, 2017.
    """
    return x * sigmoid(x)


def _times_mish_derivative(d: Any, x: Any) -> Any:
    """t + x·(1 - t²)·σ(x) with t = tanh(log(1 + eˣ))"""
    t = tanh(logaddexp(x, 0.0))
    return d * (t + x * (1 - t * t) * sigmoid(x))


@activation(_times_mish_derivative)
def mish(x: Any) -> Any:
    """x·tanh(log(1 + eˣ)).

        mish(x)   x: f32[N,64]   ->   f32[N,64]

    Raises DTypeError for integers. Misra, 2019.
    """
    return x * tanh(logaddexp(x, 0.0))


# -- logarithms of 1 + eˣ ---------------------------------------------------------------------------------------------


def _check_softplus(*, beta: float = 1.0, threshold: float = 20.0) -> None:
    if beta == 0:
        raise OpAttributeError("softplus: beta is 0, but the result is log(1 + e^(beta·x))/beta")


@activation(
    lambda d, x, *, beta, threshold: where(x * beta > threshold, d, d * sigmoid(x * beta)),
    sample(real(4, 5), beta=2.0, threshold=1.0),
    check=_check_softplus,
)
def softplus(x: Any, *, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """log(1 + e^(beta·x))/beta, and x itself where beta·x is above the threshold.

        softplus(x)   x: f32[N,64]   ->   f32[N,64]

    Raises DTypeError for integers, OpAttributeError for beta 0. torch.nn.functional.softplus.
    """
    return where(x * beta > threshold, x, logaddexp(x * beta, 0.0) / beta)


@activation(lambda d, x: d * sigmoid(-x))
def log_sigmoid(x: Any) -> Any:
    """log σ(x) = -log(1 + e⁻ˣ).

        log_sigmoid(x)   x: f32[N,64]   ->   f32[N,64]

    Raises DTypeError for integers.
    """
    return -logaddexp(-x, 0.0)


# -- gated linear unit ------------------------------------------------------------------------------------------------


def _infer_glu(x: TensorType, *, axis: int) -> TensorType:
    check_floats("glu", x=x)
    check_axis("glu", x, axis)
    half = x.shape[axis] // 2
    if 2 * half != x.shape[axis]:
        raise ShapeError(f"glu: axis {axis} of x has {x.shape[axis]} elements, which is not twice a number of them")
    return x.with_shape((*x.shape[:axis], half, *x.shape[axis + 1 :]))


def _halves(x: Any, axis: int) -> tuple[Any, Any]:
    zeros, half = (0,) * x.ndim, x.shape[axis] // 2
    middle, limits = list(zeros), list(x.shape)
    middle[axis] = limits[axis] = half
    return slice(x, starts=zeros, limits=tuple(limits)), slice(x, starts=tuple(middle), limits=x.shape)


def _glu_vjp(g: Any, y: Any, x: Any, *, axis: int) -> tuple[Any, ...]:
    """σ(b) by a, a·σ(b)·(1 - σ(b)) by b"""
    a, b = _halves(x, axis)
    s = sigmoid(b)
    return (concat(g * s, g * a * s * (1 - s), axis=axis),)


@composite(
    infer=_infer_glu,
    vjp=cotangents_in_f32(_glu_vjp),
    samples=[sample(real(4, 6), axis=1), sample(real(4, 3), axis=0), sample(real(0, 6), axis=1)],
)
@computed_in_f32
def glu(x: Any, *, axis: int) -> Any:
    """a·σ(b), where a and b are the first and the second half of x along an axis.

        glu(x, axis=1)   x: f32[N,64]   ->   f32[N,32]

    Raises ShapeError where the halves are not equal, DTypeError for integers. Dauphin, Fan, Auli and Grangier, 2016.
    """
    a, b = _halves(x, axis)
    return a * sigmoid(b)
