"""Activations: formulas, both ends of the floats, the side that a derivative takes at a joint, NaN."""

import math
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.composites.activation import gelu, glu, log_sigmoid, mish, silu, softplus
from graphc.composites.piecewise import (
    SELU_ALPHA,
    SELU_SCALE,
    celu,
    elu,
    hard_sigmoid,
    hard_swish,
    leaky_relu,
    prelu,
    selu,
)  # fmt: skip

RNG = np.random.default_rng(0)
X = np.array([-30.0, -3.0, -1.5, -0.1, 0.0, 0.2, 1.0, 2.5, 3.0, 30.0])


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _normal_below(x: Any) -> Any:
    return np.array([math.erfc(-v / math.sqrt(2)) / 2 for v in x])


FORMULAS = {
    "gelu": (gelu, {}, lambda x: x * _normal_below(x)),
    "gelu_tanh": (
        gelu, {"approximate": "tanh"},
        lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    ),
    "silu": (silu, {}, lambda x: x * _sigmoid(x)),
    "mish": (mish, {}, lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    "softplus": (softplus, {}, lambda x: np.where(x > 20, x, np.log1p(np.exp(x)))),
    "softplus_beta": (
        softplus, {"beta": 2.0, "threshold": 4.0}, lambda x: np.where(x > 2, x, np.log1p(np.exp(2 * x)) / 2),
    ),
    "log_sigmoid": (log_sigmoid, {}, lambda x: -np.log1p(np.exp(-x))),
    "leaky_relu": (leaky_relu, {}, lambda x: np.where(x > 0, x, 0.01 * x)),
    "leaky_relu_slope": (leaky_relu, {"negative_slope": 0.1}, lambda x: np.where(x > 0, x, 0.1 * x)),
    "elu": (elu, {"alpha": 0.7}, lambda x: np.where(x > 0, x, 0.7 * np.expm1(x))),
    "selu": (selu, {}, lambda x: SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(x))),
    "celu": (celu, {"alpha": 0.7}, lambda x: np.where(x > 0, x, 0.7 * np.expm1(x / 0.7))),
    "hard_sigmoid": (hard_sigmoid, {}, lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    "hard_swish": (hard_swish, {}, lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
}  # fmt: skip
ELEMENTWISE = sorted({op for op, _, _ in FORMULAS.values()}, key=lambda op: op.name)


def _graph(op: Any, x: Any, **attributes: Any) -> gc.Graph:
    return gc.trace(lambda x: op(x, **attributes), x)


def _value(op: Any, x: Any, **attributes: Any) -> Any:
    x = np.asarray(x)
    return gc.evaluate(_graph(op, x, **attributes), x)


def _slope(op: Any, x: Any, **attributes: Any) -> Any:
    x = np.asarray(x)
    return gc.evaluate(gc.vjp(_graph(op, x, **attributes)), x, np.ones_like(x))


@pytest.mark.parametrize("name", FORMULAS)
def test_it_is_the_formula(name: str) -> None:
    op, attributes, formula = FORMULAS[name]
    np.testing.assert_allclose(_value(op, X, **attributes), formula(X), rtol=1e-11, atol=1e-300)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("op", ELEMENTWISE, ids=lambda op: op.name)
def test_large_numbers_give_finite_values_and_slopes(op: Any, dtype: Any) -> None:
    x = np.array([-1e4, -100, -20, 20, 100, 1e4], dtype)
    assert np.isfinite(_value(op, x)).all()
    slope = _slope(op, x)
    assert np.isfinite(slope).all()
    flat_above = {"hard_sigmoid", "log_sigmoid"}
    limit = SELU_SCALE if op.name == "selu" else 0 if op.name in flat_above else 1
    np.testing.assert_allclose(slope[-1], limit, rtol=1e-3)


@pytest.mark.parametrize("op", ELEMENTWISE, ids=lambda op: op.name)
def test_second_derivatives_of_large_numbers_are_finite(op: Any) -> None:
    """An exponential in the branch that is not taken must not meet its 0 as ∞·0."""
    x = np.array([-1e4, -800.0, 800.0, 1e4])
    graph = gc.grad(gc.trace(lambda x: gc.sum(op(x)), x))
    second = gc.evaluate(gc.vjp(graph), x, np.ones_like(x))
    np.testing.assert_allclose(second, np.zeros(4), atol=1e-300)


@pytest.mark.parametrize("op", ELEMENTWISE, ids=lambda op: op.name)
def test_nan_stays_visible(op: Any) -> None:
    assert np.isnan(_value(op, [np.nan])).all()


@pytest.mark.parametrize("op", ELEMENTWISE, ids=lambda op: op.name)
def test_integers_are_refused(op: Any) -> None:
    with pytest.raises(gc.errors.DTypeError) as raised:
        gc.trace(lambda x: op(x), gc.i32["N"])
    assert raised.value.rule == f"{op.name}: takes floating-point numbers, but x is i32[N]; convert with gc.astype"


@pytest.mark.parametrize(
    ("op", "joint", "slope"),
    [
        (leaky_relu, 0.0, 0.01), (elu, 0.0, 1.0), (celu, 0.0, 1.0), (selu, 0.0, SELU_SCALE * SELU_ALPHA),
        (hard_sigmoid, -3.0, 0.0), (hard_sigmoid, 3.0, 0.0), (hard_swish, -3.0, 0.0), (hard_swish, 3.0, 1.0),
        (softplus, 20.0, _sigmoid(20.0)),
    ],
    ids=str,
)  # fmt: skip
def test_slopes_at_joints_are_those_of_torch(op: Any, joint: float, slope: float) -> None:
    np.testing.assert_allclose(_slope(op, [joint]), [slope], rtol=1e-14)


@pytest.mark.parametrize("alpha", [0.3, 2.0])
def test_second_derivative_of_elu_at_its_joint_is_that_of_the_piece_below(alpha: float) -> None:
    x = np.zeros(1)
    graph = gc.grad(gc.trace(lambda x: gc.sum(elu(x, alpha=alpha)), x))
    np.testing.assert_allclose(gc.evaluate(gc.vjp(graph), x, np.ones(1)), [alpha])


def test_tails_keep_their_digits() -> None:
    """1 + erf(x) and 1 + e^x would have rounded these to 0."""
    x = np.array([-8.0, -30.0])
    np.testing.assert_allclose(_value(gelu, x), x * _normal_below(x), rtol=1e-12)
    assert (_value(gelu, x) < 0).all()
    x = np.array([-40.0, -700.0])
    np.testing.assert_allclose(_value(softplus, x), np.exp(x), rtol=1e-14)
    np.testing.assert_allclose(_value(log_sigmoid, -x), -np.exp(x), rtol=1e-14)


def test_gradients_keep_nothing_but_x() -> None:
    for op in ELEMENTWISE:
        graph = gc.vjp(gc.trace(lambda x, op=op: op(x), gc.f32["N"]))
        assert op.name not in {node.op.name for node in graph.nodes}


# -- with more than one operand or axis -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "slopes", "spread"),
    [
        ((4, 3), (3,), (1, 3)),
        ((2, 3, 4), (3,), (1, 3, 1)),
        ((2, 3), (1,), (1, 1)),
        ((5,), (), (1,)),
        ((5,), (1,), (1,)),
    ],
)
def test_prelu_has_a_slope_per_channel_or_one(
    shape: tuple[int, ...], slopes: tuple[int, ...], spread: tuple[int, ...]
) -> None:
    x, weight = RNG.standard_normal(shape), RNG.uniform(0.1, 0.4, slopes)
    expected = np.where(x > 0, x, x * np.reshape(weight, spread))
    graph = gc.trace(prelu, x, weight)
    np.testing.assert_allclose(gc.evaluate(graph, x, weight), expected, rtol=1e-14)
    assert gc.gradcheck(graph, x, weight)


def test_prelu_says_what_does_not_fit() -> None:
    with pytest.raises(gc.errors.ShapeError) as raised:
        gc.trace(lambda x, w: prelu(x, w), gc.f32["N", 64], gc.f32[32])
    assert raised.value.rule == "prelu: x has 64 channels, but weight has shape (32,)"
    with pytest.raises(gc.errors.ShapeError, match="prelu: x has no channels, but weight has shape"):
        gc.trace(lambda x, w: prelu(x, w), gc.f32["N"], gc.f32[32])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_glu_gates_one_half_by_the_other(axis: int) -> None:
    x = RNG.standard_normal((4, 6, 2))
    a, b = np.split(x, 2, axis)
    np.testing.assert_allclose(_value(glu, x, axis=axis), a * _sigmoid(b), rtol=1e-13)


def test_glu_halves_named_extents() -> None:
    graph = gc.trace(lambda x: glu(x, axis=0), gc.f64["2*F", 3])
    assert str(graph.outputs[0].type) == "f64[F,3]"
    x = RNG.standard_normal((8, 3))
    np.testing.assert_allclose(gc.evaluate(graph, x), x[:4] * _sigmoid(x[4:]), rtol=1e-13)


@pytest.mark.parametrize("extent", [5, "N"])
def test_glu_wants_two_equal_halves(extent: Any) -> None:
    with pytest.raises(gc.errors.ShapeError) as raised:
        gc.trace(lambda x: glu(x, axis=0), gc.f64[extent, 3])
    assert raised.value.rule == f"glu: axis 0 of x has {extent} elements, which is not twice a number of them"


@pytest.mark.parametrize(
    ("op", "attributes", "rule"),
    [
        (gelu, {"approximate": "erf"}, "gelu: approximate is 'none' or 'tanh', not 'erf'"),
        (softplus, {"beta": 0.0}, "softplus: beta is 0, but the result is log(1 + e^(beta·x))/beta"),
        (celu, {"alpha": 0.0}, "celu: alpha is 0, but the result has e^(x/alpha)"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_attributes_that_make_no_sense(op: Any, attributes: Any, rule: str) -> None:
    with pytest.raises(gc.errors.OpAttributeError) as raised:
        gc.trace(lambda x: op(x, **attributes), gc.f32["N"])
    assert raised.value.rule == rule
