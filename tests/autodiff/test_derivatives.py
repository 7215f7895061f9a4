"""Derivatives are graphs: right values, right order, right names, any order of differentiation."""

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GradientError

X = np.array([0.3, -0.7, 1.9])


def test_the_notes_first_case_by_both_modes():
    """f(x) = 2 / sin(e^(-x)); f' = 2·e^(-x)·cos(e^(-x)) / sin²(e^(-x))"""
    g = gc.trace(lambda x: 2 / gc.sin(gc.exp(-x)), gc.f64())
    u = np.exp(-0.4)
    expected = 2 * u * np.cos(u) / np.sin(u) ** 2
    assert gc.evaluate(gc.grad(g), 0.4) == pytest.approx(expected, rel=1e-14)
    value, tangent = gc.evaluate(gc.jvp(g), 0.4, 1.0)
    assert value == pytest.approx(2 / np.sin(u), rel=1e-14)
    assert tangent == pytest.approx(expected, rel=1e-14)


def test_the_notes_second_case_by_both_modes():
    """y = ln x₁ + x₁x₂ − sin x₂ at (2, 5): ∂y/∂x₁ = 1/2 + 5 = 5.5, ∂y/∂x₂ = 2 − cos 5"""
    g = gc.trace(lambda x1, x2: gc.log(x1) + x1 * x2 - gc.sin(x2), gc.f64(), gc.f64())
    value, d1, d2 = gc.evaluate(gc.value_and_grad(g), 2.0, 5.0)
    assert value == pytest.approx(np.log(2) + 10 - np.sin(5), rel=1e-14)
    assert (d1, d2) == pytest.approx((5.5, 2 - np.cos(5)), rel=1e-14)
    assert gc.evaluate(gc.jvp(g), 2.0, 5.0, 1.0, 0.0)[1] == pytest.approx(5.5, rel=1e-14)
    assert gc.evaluate(gc.jvp(g), 2.0, 5.0, 0.0, 1.0)[1] == pytest.approx(2 - np.cos(5), rel=1e-14)


def test_several_paths_accumulate():
    g = gc.trace(lambda x: gc.sum(x * x + x * gc.exp(x) + x), gc.f64["N"])
    np.testing.assert_allclose(gc.evaluate(gc.grad(g), X), 2 * X + np.exp(X) * (1 + X) + 1, rtol=1e-14)


def test_wrt_picks_and_orders_the_gradients():
    g = gc.trace(lambda a, b: gc.sum(a * a * b), gc.f64[3], gc.f64[3])
    db, da = gc.evaluate(gc.grad(g, wrt=["b", "%a"]), X, 2 * X)
    np.testing.assert_allclose(db, X * X)
    np.testing.assert_allclose(da, 4 * X * X)
    only = gc.grad(g, wrt="b")
    assert [v.type for v in only.outputs] == [gc.f64[3]]


def test_an_input_that_does_not_matter_has_a_zero_gradient():
    g = gc.trace(lambda a, b: gc.sum(a), gc.f64["N"], gc.f64["N", 2])
    _, db = gc.evaluate(gc.grad(g), X, np.ones((3, 2)))
    assert db.shape == (3, 2)
    assert not db.any()


def test_integer_inputs_are_skipped_and_say_so_when_asked_for():
    g = gc.trace(lambda x, i: gc.sum(gc.take(x, i)), gc.f64[3], gc.i64[2])
    np.testing.assert_array_equal(gc.evaluate(gc.grad(g), X, np.array([2, 2])), [0, 0, 2])
    with pytest.raises(GradientError, match=r"%i is i64\[2\]: only floating-point values have gradients"):
        gc.grad(g, wrt="i")


def test_an_unknown_name_lists_the_known_ones():
    g = gc.trace(lambda x: gc.sum(x), gc.f64[3])
    with pytest.raises(GradientError, match=r"no input or parameter 'w'; it has %x"):
        gc.grad(g, wrt="w")


def test_only_a_scalar_has_a_gradient():
    with pytest.raises(GradientError, match=r"gives \(f64\[3\]\); a gradient needs one floating-point scalar"):
        gc.grad(gc.trace(lambda x: x * x, gc.f64[3]))


def test_stop_gradient_stops_both_modes():
    g = gc.trace(lambda x: gc.sum(x * gc.stop_gradient(x)), gc.f64[3])
    np.testing.assert_array_equal(gc.evaluate(gc.grad(g), X), X)
    np.testing.assert_allclose(gc.evaluate(gc.jvp(g), X, np.ones(3))[1], X.sum())


def test_derivatives_of_any_order():
    graph = gc.trace(lambda x: gc.sum(gc.sin(x)), gc.f64[3])
    for expected in (np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x), np.sin):
        gradient = gc.grad(graph)
        np.testing.assert_allclose(gc.evaluate(gradient, X), expected(X), rtol=1e-13)
        graph = _sum_of_output(gradient)


def _sum_of_output(graph):
    """The graph with its output summed, to be differentiated again."""
    from graphc.builder import Builder
    from graphc.op import recording

    builder = Builder.extending(graph)
    with recording(builder):
        return builder.finish([gc.sum(builder.tensor(graph.outputs[0]))])


def test_hvp_is_the_hessian_times_a_vector():
    g = gc.trace(lambda x: gc.sum(gc.exp(x)) * gc.sum(x), gc.f64[3])
    v = np.array([1.0, -2.0, 0.5])
    e = np.exp(X)
    hessian = np.diag(e * X.sum()) + np.outer(e, np.ones(3)) + np.outer(np.ones(3), e)
    np.testing.assert_allclose(gc.evaluate(gc.hvp(g), X, v), hessian @ v, rtol=1e-13)


def test_vjp_and_jvp_are_transposes():
    g = gc.trace(lambda x, w: gc.tanh(x @ w), gc.f64["N", 3], gc.f64[3, 2])
    rng = np.random.default_rng(0)
    x, w, tx, tw = (rng.standard_normal(s) for s in ((4, 3), (3, 2), (4, 3), (3, 2)))
    ct = rng.standard_normal((4, 2))
    dx, dw = gc.evaluate(gc.vjp(g), x, w, ct)
    _, ty = gc.evaluate(gc.jvp(g), x, w, tx, tw)
    assert (ct * ty).sum() == pytest.approx((dx * tx).sum() + (dw * tw).sum(), rel=1e-12)


def test_jacobian_by_rows_and_by_columns():
    few_outputs = gc.trace(lambda x: gc.stack([x[0] * x[1], gc.sin(x[2])]), gc.f64[3])
    expected = np.array([[X[1], X[0], 0], [0, 0, np.cos(X[2])]])
    np.testing.assert_allclose(gc.evaluate(gc.jacobian(few_outputs), X), expected, rtol=1e-14)
    many_outputs = gc.trace(lambda a: gc.sin(a * gc.arange(6, dtype=gc.f64)), gc.f64(1))
    column = np.arange(6) * np.cos(0.3 * np.arange(6))
    np.testing.assert_allclose(gc.evaluate(gc.jacobian(many_outputs), np.array([0.3])), column[:, None], rtol=1e-14)


def test_jacobian_of_matrices_and_named_dims():
    g = gc.trace(lambda x, w: gc.tanh(x @ w), gc.f64["N", 2], gc.f64[2, 3])
    x, w = np.array([[0.1, 0.2], [0.3, -0.4]]), np.linspace(-1, 1, 6).reshape(2, 3)
    jx, jw = gc.evaluate(gc.jacobian(g), x, w)
    assert jx.shape == (2, 3, 2, 2)
    assert jw.shape == (2, 3, 2, 3)
    slope = 1 - np.tanh(x @ w) ** 2
    np.testing.assert_allclose(jx, np.einsum("nj,nm,kj->njmk", slope, np.eye(2), w), rtol=1e-12)
    np.testing.assert_allclose(jw, np.einsum("nj,nk,jl->njkl", slope, x, np.eye(3)), rtol=1e-12)


def test_the_hessian_is_the_jacobian_of_the_gradient():
    g = gc.trace(lambda x: gc.sum(x * x * x), gc.f64["N"])
    np.testing.assert_allclose(gc.evaluate(gc.jacobian(gc.grad(g)), X), np.diag(6 * X), rtol=1e-13)


def test_gradients_by_parameters():
    w = gc.nn.Parameter(np.array([1.0, 2.0, 3.0]))
    g = gc.trace(lambda x: gc.sum(x * w), gc.f64[3])
    name = g.state[0].value.name
    np.testing.assert_array_equal(gc.evaluate(gc.grad(g, wrt=name), X), X)


def test_backward_nodes_know_their_forward_line():
    def f(x):
        h = gc.tanh(x)
        return gc.sum(h)

    g = gc.trace(f, gc.f64[3])
    gradient = gc.grad(g)
    backward = [n for n in gradient.nodes if n.provenance.origin == "h"]
    assert backward
    line = next(n for n in g.nodes if n.op.name == "tanh").provenance.location
    assert all(n.provenance.location == line for n in backward)
    assert gradient.outputs[0].name == "d_x"


def test_gradcheck_names_the_wrong_element():
    from graphc.samples import real, sample

    broken = gc.composite("test_broken_square", vjp=lambda g, y, x: (g * x,), samples=[sample(real(3))])(
        lambda x: x * x
    )
    try:
        with pytest.raises(GradientError, match=r"gradcheck: reverse mode, %x\[0\]: the derivative is"):
            gc.gradcheck(lambda x: broken(x), X)
    finally:
        from graphc.op import REGISTRY

        del REGISTRY["test_broken_square"]


def test_gradcheck_wants_float64():
    with pytest.raises(GradientError, match="argument 0 is float32; differences need float64"):
        gc.gradcheck(lambda x: gc.sum(x), X.astype("f4"))


def test_depth_does_not_recurse():
    def chain(x):
        for _ in range(5000):
            x = gc.sin(x)
        return gc.sum(x)

    g = gc.trace(chain, gc.f64[2])
    assert gc.evaluate(gc.grad(g), np.zeros(2)).tolist() == [1.0, 1.0]


def test_jacobians_nest():
    """The third derivative of Σx⁴ is 24x on the diagonal: through the map of a map."""
    g = gc.trace(lambda x: gc.sum(x * x * x * x), gc.f64["N"])
    third = gc.evaluate(gc.jacobian(gc.jacobian(gc.grad(g))), X)
    expected = np.zeros((3, 3, 3))
    expected[range(3), range(3), range(3)] = 24 * X
    np.testing.assert_allclose(third, expected, rtol=1e-12, atol=1e-12)


def test_both_modes_pass_through_a_map():
    g = gc.trace(lambda x, w: gc.sin(x * w) @ w, gc.f64[3], gc.f64[3])
    rows = gc.jacobian(g, wrt="x")
    assert rows.count("map") == 1
    assert gc.gradcheck(rows, X, np.array([0.5, -1.0, 2.0]))


def test_a_function_is_differentiated_through_its_graph():
    f = gc.function(lambda x: gc.sum(x * x))
    f._fn.__annotations__ = {"x": gc.f64["N"]}
    np.testing.assert_array_equal(gc.evaluate(gc.grad(f), X), 2 * X)
    with pytest.raises(GradientError, match="a derivative is of a graph"):
        gc.grad(lambda x: x)
    with pytest.raises(GradientError, match="wrt names inputs or parameters"):
        gc.grad(f, wrt=0)


def test_a_pipeline_is_given_by_names():
    g = gc.trace(lambda x: gc.sum(x * x), gc.f64["N"])
    assert list(gc.compile(g, pipeline="cse, dce").stages) == [
        "trace",
        "cse",
        "dce",
        "stored",
        "prepare",
        "rematerialize",
        "fuse",
    ]
