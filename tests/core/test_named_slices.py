"""Slices whose bounds are symbolic, through the default pipeline, against NumPy for several values of the dim."""

import numpy as np
import pytest

import graphc as gc

CASES = {
    "last": (lambda x: x[-1], lambda x: x[-1]),
    "reversed": (lambda x: x[::-1], lambda x: x[::-1]),
    "all but the first": (lambda x: x[1:], lambda x: x[1:]),
    "all but the last": (lambda x: x[:-1], lambda x: x[:-1]),
    "every other": (lambda x: x[::2], lambda x: x[::2]),
    "rolled": (lambda x: gc.roll(x, 1, axis=0), lambda x: np.roll(x, 1, axis=0)),
    "last of a join": (lambda x: gc.concat([x, x[:1], x])[-1], lambda x: np.concatenate([x, x[:1], x])[-1]),
    "middle of a join": (lambda x: gc.concat([x, x * 2])[1:-1], lambda x: np.concatenate([x, x * 2])[1:-1]),
    "padded": (lambda x: gc.pad(x, ((1, 2), (0, 0)))[1:-2], lambda x: x),
    "reversed twice": (lambda x: x[::-1][::-1][-1], lambda x: x[-1]),
}


@pytest.mark.parametrize("n", [1, 2, 3, 6])
@pytest.mark.parametrize("case", CASES)
def test_a_named_dim_slices_like_a_number(case, n):
    ours, numpys = CASES[case]
    x = np.arange(n * 2.0).reshape(n, 2)
    graph = gc.trace(ours, gc.f64["N", 2])
    np.testing.assert_array_equal(gc.compile(graph)(x), numpys(x))
    np.testing.assert_array_equal(gc.evaluate(graph, x), numpys(x))


@pytest.mark.parametrize("case", CASES)
def test_gradients_of_named_slices_survive_the_pipeline(case):
    graph = gc.grad(gc.trace(lambda x: gc.sum(gc.square(CASES[case][0](x))), gc.f64["N", 2]))
    x = np.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(gc.compile(graph)(x), gc.evaluate(graph, x))
