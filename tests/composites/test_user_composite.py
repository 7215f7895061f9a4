"""Users declare composites of their own: `gc.composite` registers a function as an op, with or without derivatives.

What a rule of their own is good for: a better formula (`log1p_exp`), a gradient that is not the derivative (a
straight-through estimator, a reversed gradient), fewer values between forward and backward.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.op import REGISTRY
from graphc.samples import real, sample

X = np.array([-2.0, -0.5, 0.25, 3.0])


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """The ops that a test declares are gone after it."""
    before = set(REGISTRY)
    yield
    for name in set(REGISTRY) - before:
        del REGISTRY[name]


def _gradient(op: Any, x: Any = X) -> Any:
    return gc.evaluate(gc.grad(gc.trace(lambda x: gc.sum(op(x)), x)), x)


def test_a_function_becomes_an_op_with_derivatives() -> None:
    @gc.composite(samples=[sample(real(4, 5))])
    def softsign(x: Any) -> Any:
        """softsign(x) = x / (1 + |x|)"""
        return x / (1 + gc.abs(x))

    graph = gc.trace(lambda x: softsign(x), gc.f64["N"])
    assert "%softsign: f64[N] = softsign(%x)" in str(graph)
    np.testing.assert_allclose(gc.evaluate(graph, X), X / (1 + np.abs(X)))
    np.testing.assert_allclose(_gradient(softsign), 1 / (1 + np.abs(X)) ** 2)
    assert gc.gradcheck(lambda x: softsign(x), X)
    assert softsign.doc == "softsign(x) = x / (1 + |x|)"


def test_its_own_vjp_replaces_the_derivative_of_the_body() -> None:
    @gc.composite(vjp=lambda g, y, x: (g * gc.sigmoid(x),))
    def log1p_exp(x: Any) -> Any:
        return gc.log1p(gc.exp(x))

    def body(x: Any) -> Any:
        return gc.log1p(gc.exp(x))

    with np.errstate(all="ignore"):
        assert np.isnan(_gradient(body, np.array([1e4])))  # ∞/∞
    np.testing.assert_array_equal(_gradient(log1p_exp, np.array([1e4])), [1])
    gradient = gc.grad(gc.trace(lambda x: gc.sum(log1p_exp(x)), gc.f64["N"]))
    assert {node.op.name for node in gradient.nodes} >= {"sigmoid"}
    assert "exp" not in {node.op.name for node in gradient.nodes}


def test_its_own_vjp_is_differentiated_in_turn() -> None:
    @gc.composite(vjp=lambda g, y, x: (g * 3 * x * x,))
    def cube(x: Any) -> Any:
        return x * x * x

    second = gc.grad(gc.trace(lambda x: gc.sum(cube(x)), X))
    np.testing.assert_allclose(gc.evaluate(gc.vjp(second), X, np.ones(4)), 6 * X)
    third = gc.vjp(second)
    assert gc.gradcheck(third, X, np.ones(4))


def test_forward_mode_takes_the_body_where_there_is_no_jvp() -> None:
    @gc.composite(vjp=lambda g, y, x: (g * 7,))
    def square_with_another_gradient(x: Any) -> Any:
        return x * x

    graph = gc.trace(lambda x: square_with_another_gradient(x), X)
    np.testing.assert_array_equal(_gradient(square_with_another_gradient), np.full(4, 7))
    _, tangent = gc.evaluate(gc.jvp(graph), X, np.ones(4))
    np.testing.assert_allclose(tangent, 2 * X)


def test_its_own_jvp() -> None:
    @gc.composite(vjp=lambda g, y, x: (g * y,), jvp=lambda t, y, x: t[0] * y)
    def exponential(x: Any) -> Any:
        return gc.exp(x)

    graph = gc.jvp(gc.trace(lambda x: exponential(x), X))
    assert [node.op.name for node in graph.nodes] == ["exponential", "mul"]
    np.testing.assert_allclose(gc.evaluate(graph, X, np.ones(4))[1], np.exp(X))


def test_a_straight_through_estimator() -> None:
    """The value of rounding, the gradient of nothing having happened."""

    @gc.composite(vjp=lambda g, y, x: (g,))
    def quantize(x: Any) -> Any:
        return gc.round(x)

    np.testing.assert_array_equal(gc.evaluate(gc.trace(lambda x: quantize(x), X), X), np.round(X))
    np.testing.assert_array_equal(_gradient(lambda x: quantize(x) * 2), np.full(4, 2))


def test_attributes_operands_that_may_be_missing_and_several_results() -> None:
    def pull(g: Any, y: Any, x: Any, shift: Any = None, *, scale: float) -> tuple[Any, ...]:
        (high, low), total = g, None
        for part in (high, low):
            total = part if total is None else total if part is None else total + part
        first = total * scale
        return (first,) if shift is None else (first, total)

    @gc.composite(vjp=pull)
    def band(x: Any, shift: Any = None, *, scale: float = 2.0) -> tuple[Any, Any]:
        middle = x * scale if shift is None else x * scale + shift
        return middle + 1, middle - 1

    for given in ([X], [X, X[::-1].copy()]):
        graph = gc.trace(lambda *operands: band(*operands, scale=3.0), *given)
        assert "scale=3.0" in str(graph)
        high, low = gc.evaluate(graph, *given)
        np.testing.assert_allclose(high - low, np.full(4, 2))
        assert gc.gradcheck(graph, *given)
        assert gc.gradcheck(lambda *operands: band(*operands)[1], *given)


def test_a_rule_that_gives_the_wrong_type_is_named() -> None:
    @gc.composite(vjp=lambda g, y, x: (gc.sum(g, axis=0),))
    def wrong(x: Any) -> Any:
        return x * 2

    with pytest.raises(gc.errors.GradientError) as raised:
        gc.vjp(gc.trace(lambda x: wrong(x), gc.f32[3, 4]))
    assert raised.value.rule == "wrong: its vjp gives a f32[4] for %x: f32[3,4]"


def test_a_name_is_taken_once() -> None:
    with pytest.raises(gc.errors.OpAttributeError, match="an op named 'softmax' is declared already"):

        @gc.composite()
        def softmax(x: Any) -> Any:
            return x


def test_it_reads_back_from_text() -> None:
    @gc.composite()
    def halved(x: Any, *, by: float = 2.0) -> Any:
        return x / by

    graph = gc.trace(lambda x: halved(x, by=4.0), gc.f64["N"])
    again = gc.parse(str(graph))
    assert str(again) == str(graph)
    np.testing.assert_array_equal(gc.evaluate(again, X), X / 4)
