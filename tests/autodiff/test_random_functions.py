"""Random smooth functions, with shared values and several paths: derivatives of both orders against differences."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import graphc as gc

ROWS, COLUMNS = 3, 4

UNARY = [gc.sin, gc.tanh, gc.sigmoid, gc.atan, gc.erf, gc.square, gc.negative, lambda x: gc.exp(gc.tanh(x))]
BINARY = [gc.add, gc.subtract, gc.multiply, lambda a, b: a / (2 + gc.square(b)), gc.logaddexp, gc.hypot]
AXES = [
    lambda x: gc.sum(x, axis=0, keepdims=True) + x,
    lambda x: x - gc.mean(x, axis=1, keepdims=True),
    lambda x: gc.cumulative_sum(x, axis=1),
    lambda x: gc.softmax(x, axis=1),
    lambda x: gc.logsumexp(x, axis=0, keepdims=True) * x,
    lambda x: gc.flip(x, axis=1),
    lambda x: gc.reshape(gc.permute_dims(gc.reshape(x, (-1, 2, 2)), (0, 2, 1)), x.shape),
    lambda x: gc.concat([x[:, 1:], x[:, :1]], axis=1),
    lambda x: gc.take(x, [0, 3, 3, 1], axis=1),
    lambda x: x @ gc.tanh(x.T @ x),
    lambda x: gc.pad(x, ((0, 0), (1, 0)))[:, :-1],
    lambda x: gc.where(gc.arange(COLUMNS) > 1, x, 0.5 * x),
    lambda x: gc.tril(x) + gc.roll(x, 1, axis=1),
]

STEP = st.tuples(
    st.sampled_from(["unary", "binary", "axes"]), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)
)


def function_of(steps):
    """The function that a list of steps describes: each makes a value of two earlier ones, the last are summed."""

    def f(x, y):
        values = [x, y]
        for kind, which, first, second in steps:
            a, b = values[first % len(values)], values[second % len(values)]
            if kind == "unary":
                values.append(UNARY[which % len(UNARY)](a))
            elif kind == "binary":
                values.append(BINARY[which % len(BINARY)](a, b))
            else:
                values.append(AXES[which % len(AXES)](a) * 0.3)
        return gc.sum(gc.tanh(values[-1])) + gc.sum(gc.sin(values[len(values) // 2])) / x.shape[0]

    return f


@st.composite
def graphs(draw, rows="N"):
    """A graph over two f64 matrices to a scalar; the rows are a named dim unless told otherwise."""
    steps = draw(st.lists(STEP, min_size=1, max_size=8))
    return gc.trace(function_of(steps), gc.f64[rows, COLUMNS], gc.f64[rows, COLUMNS], name="random")


def arrays(seed=0):
    """Two matrices to run a random graph on."""
    generator = np.random.default_rng(seed)
    return generator.normal(size=(ROWS, COLUMNS)), generator.normal(size=(ROWS, COLUMNS))


@given(graphs())
def test_derivatives_agree_with_differences(graph):
    assert gc.gradcheck(graph, *arrays(), rtol=1e-4, atol=1e-6)


@given(graphs())
def test_second_derivatives_agree_with_differences(graph):
    assert gc.gradcheck(gc.grad(graph, wrt="x"), *arrays(), rtol=1e-4, atol=1e-6)


@given(graphs())
def test_the_pipeline_keeps_value_and_gradients_and_the_text_is_exact(graph):
    both = gc.value_and_grad(graph)
    stages = gc.compile(both).stages
    for stage in stages.values():
        assert str(gc.parse(str(stage.graph))) == str(stage.graph)
    for a, b in zip(gc.evaluate(both, *arrays()), gc.evaluate(stages.last.graph, *arrays()), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)
