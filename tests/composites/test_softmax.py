"""softmax, log_softmax and logsumexp: against NumPy, at the ends of the floats, over nothing."""

from math import inf, log, nan
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.composites.softmax import log_softmax, logsumexp, softmax

RNG = np.random.default_rng(0)
OPS = pytest.mark.parametrize("op", [softmax, log_softmax, logsumexp], ids=lambda op: op.name)


def _run(op: Any, x: Any, axis: tuple[int, ...] = (1,), **attributes: Any) -> Any:
    x = np.asarray(x)
    return gc.evaluate(gc.trace(lambda x: op(x, axis=axis, **attributes), x), x)


def _gradient(op: Any, x: Any, axis: tuple[int, ...] = (1,), g: Any = None) -> Any:
    x = np.asarray(x)
    graph = gc.vjp(gc.trace(lambda x: op(x, axis=axis), x))
    return gc.evaluate(graph, x, np.ones(graph.inputs[1].type.shape, x.dtype) if g is None else g)


@pytest.mark.parametrize(("shape", "axis"), [((4, 5), (1,)), ((4, 5), (0,)), ((2, 3, 4), (0, 2)), ((5,), (0,))])
def test_they_are_the_formulas(shape: tuple[int, ...], axis: tuple[int, ...]) -> None:
    x = RNG.standard_normal(shape)
    e = np.exp(x)
    total = e.sum(axis, keepdims=True)
    np.testing.assert_allclose(_run(softmax, x, axis), e / total, rtol=1e-12)
    np.testing.assert_allclose(_run(log_softmax, x, axis), np.log(e / total), rtol=1e-11)
    np.testing.assert_allclose(_run(logsumexp, x, axis), np.log(e.sum(axis)), rtol=1e-12)
    np.testing.assert_allclose(_run(logsumexp, x, axis, keepdims=True), np.log(total), rtol=1e-12)


def test_over_no_axes_each_element_is_alone() -> None:
    x = RNG.standard_normal(3)
    np.testing.assert_array_equal(_run(softmax, x, ()), np.ones(3))
    np.testing.assert_array_equal(_run(log_softmax, x, ()), np.zeros(3))
    np.testing.assert_allclose(_run(logsumexp, x, ()), x, rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_numbers_neither_overflow_nor_vanish(dtype: Any) -> None:
    x = np.array([[1e4, 1e4], [-1e4, -1e4], [1e4, -1e4]], dtype)
    np.testing.assert_array_equal(_run(softmax, x), np.array([[0.5, 0.5], [0.5, 0.5], [1, 0]], dtype))
    np.testing.assert_array_equal(_run(log_softmax, x)[2], np.array([0, -2e4], dtype))
    np.testing.assert_allclose(_run(log_softmax, x)[:2], np.full((2, 2), -log(2)), rtol=1e-6)
    np.testing.assert_allclose(_run(logsumexp, x), np.array([1e4 + log(2), -1e4 + log(2), 1e4]), rtol=1e-6)
    for op in (softmax, log_softmax, logsumexp):
        assert np.isfinite(_gradient(op, x)).all()


@OPS
def test_a_row_of_minus_infinity(op: Any) -> None:
    """Softmax has no answer there, as in torch and JAX; the sum of nothing is 0, and its logarithm -inf."""
    y = _run(op, [[-inf, -inf], [0.0, -inf]])
    if op is logsumexp:
        np.testing.assert_array_equal(y, [-inf, 0])
        np.testing.assert_array_equal(_gradient(op, [[-inf, -inf], [0.0, -inf]]), [[0, 0], [1, 0]])
    else:
        assert np.isnan(y[0]).all()
        np.testing.assert_array_equal(y[1], [1, 0] if op is softmax else [0, -inf])


def test_infinity_is_greater_than_any_sum() -> None:
    np.testing.assert_array_equal(_run(logsumexp, [[inf, 0.0], [inf, -inf], [inf, inf]]), [inf, inf, inf])


@OPS
def test_nan_stays_visible_in_its_row(op: Any) -> None:
    y = _run(op, [[nan, 0.0], [nan, -inf], [1.0, 1.0]])
    assert np.isnan(y[:2]).all()
    assert np.isfinite(y[2]).all()


@OPS
@pytest.mark.parametrize("spec", [gc.f64[0, 3], gc.f64["N", 3]], ids=str)
def test_no_rows_are_legal(op: Any, spec: Any) -> None:
    graph = gc.trace(lambda x: op(x, axis=(1,)), spec)
    y = gc.evaluate(graph, np.zeros((0, 3)))
    assert y.shape == ((0,) if op is logsumexp else (0, 3))
    assert gc.evaluate(gc.vjp(graph), np.zeros((0, 3)), y).shape == (0, 3)


def test_rows_of_nothing() -> None:
    x = np.zeros((2, 0))
    assert _run(softmax, x).shape == (2, 0)
    assert _run(log_softmax, x).shape == (2, 0)
    np.testing.assert_array_equal(_run(logsumexp, x), [-inf, -inf])
    np.testing.assert_array_equal(_run(logsumexp, x, keepdims=True), [[-inf], [-inf]])


def test_gradients_are_the_closed_forms() -> None:
    x, g = RNG.standard_normal((4, 5)), RNG.standard_normal((4, 5))
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    np.testing.assert_allclose(_gradient(softmax, x, g=g), p * (g - (g * p).sum(1, keepdims=True)), rtol=1e-11)
    np.testing.assert_allclose(_gradient(log_softmax, x, g=g), g - p * g.sum(1, keepdims=True), rtol=1e-11)
    np.testing.assert_allclose(_gradient(logsumexp, x, g=g[:, 0]), p * g[:, :1], rtol=1e-11)


@OPS
def test_second_and_third_order(op: Any) -> None:
    x = RNG.standard_normal((2, 3))
    graph = gc.trace(lambda x: gc.sum(op(x, axis=(1,)) ** 3), x)
    assert gc.gradcheck(gc.grad(graph), x)
    twice = gc.grad(gc.trace(lambda x: gc.sum(op(x, axis=(1,)) ** 3), x))
    assert gc.gradcheck(gc.vjp(twice), x, RNG.standard_normal((2, 3)))


def test_sums_of_many_16_bit_floats() -> None:
    """Σ eˣ is 100,000, beyond f16's 65,504."""
    x = np.zeros((1, 100_000), np.float16)
    assert _run(logsumexp, x) == np.float16(log(100_000))
    np.testing.assert_array_equal(_run(softmax, x), np.full((1, 100_000), 1e-5, np.float16))


def test_the_gradient_keeps_the_named_node() -> None:
    graph = gc.value_and_grad(gc.trace(lambda x: gc.sum(softmax(x, axis=(1,)) ** 2), gc.f32["N", 10]))
    assert [node.op.name for node in graph.nodes].count("softmax") == 1
    assert "exp" not in [node.op.name for node in graph.nodes]


@OPS
def test_they_say_what_does_not_fit(op: Any) -> None:
    with pytest.raises(gc.errors.DTypeError) as integers:
        gc.trace(lambda x: op(x, axis=(0,)), gc.i32["N"])
    assert integers.value.rule == (f"{op.name}: takes floating-point numbers, but x is i32[N]; convert with gc.astype")
    with pytest.raises(gc.errors.OpAttributeError) as axes:
        gc.trace(lambda x: op(x, axis=(1,)), gc.f32["N"])
    assert axes.value.rule == f"{op.name}: axes (1,) do not name distinct axes of f32[N]"
