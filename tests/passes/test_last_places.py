"""Reading a carry instead of a stack changes no derivative, and hides no mistake."""

import numpy as np
import pytest

import graphc as gc
from graphc.errors import ShapeError


def last_state(length, axis=0):
    def f(h, xs):
        hs = gc.scan(lambda h, x: ((after := gc.tanh(h * 0.5 + x)), after), h, xs)[1]
        return gc.sum(hs[-1] ** 2) + (gc.sum(hs[0]) if axis else 0.0)

    return gc.trace(f, gc.f64["N", 3], gc.f64[length, "N", 3])


@pytest.mark.parametrize("length", ["T", 4])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_gradients(length, elsewhere):
    graph = gc.value_and_grad(last_state(length, elsewhere))
    generator = np.random.default_rng(0)
    h, xs = generator.standard_normal((2, 3)), generator.standard_normal((4, 2, 3))
    gc.gradcheck(last_state(length, elsewhere), h, xs)
    for given, wanted in zip(gc.compile(graph)(h, xs), gc.evaluate(graph, h, xs), strict=True):
        np.testing.assert_allclose(given, wanted, rtol=1e-12)


def test_a_known_length_needs_no_stack_for_the_gradient():
    scans = [node for node in gc.value_and_grad(last_state(4)).nodes if node.op.name == "scan"]
    stacks = [result for node in scans for result in node.results if result.type.shape[:1] == (4,)]
    assert all(stack.type.shape == (4, gc.f64["N", 3].shape[0], 3) for stack in stacks)
    assert scans[-1].attributes["scanned"] < 4


def test_a_sequence_of_no_places_has_no_last_one():
    h, xs = np.zeros((2, 3)), np.zeros((0, 2, 3))
    for graph in (last_state("T"), gc.value_and_grad(last_state("T"))):
        with pytest.raises(ShapeError, match="axis 0"):
            gc.evaluate(graph, h, xs)
        with pytest.raises(ShapeError, match="axis 0"):
            gc.compile(graph)(h, xs)
