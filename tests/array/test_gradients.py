"""Functions composed of primitives have the right derivatives, in reverse and forward mode."""

import numpy as np
import pytest

from graphc import array as xp
from graphc import linalg
from graphc.dsl.trace import trace
from graphc.interpret import evaluate
from graphc.passes.autodiff.derivatives import grad, vjp
from graphc.passes.autodiff.gradcheck import gradcheck
from graphc.types import f32, f64

INDICES = np.array([[2, 0], [1, 2]])
FUNCTIONS = {
    "mean": lambda x: xp.mean(x, axis=0),
    "var": lambda x: xp.var(x, axis=(0, -1), correction=1),
    "std": lambda x: xp.std(x, axis=1, keepdims=True),
    "logsumexp": lambda x: xp.logsumexp(x, axis=1),
    "log_softmax": lambda x: xp.log_softmax(x, axis=0),
    "clip": lambda x: xp.clip(x, -0.5, 0.7),
    "nan_to_num": lambda x: xp.nan_to_num(x) * x,
    "reshape": lambda x: xp.sin(xp.reshape(x, (-1, 2))),
    "matrix_transpose": lambda x: xp.matrix_transpose(x) ** 2,
    "roll": lambda x: xp.roll(x, (1, -2), axis=(0, 2)) * x,
    "flip": lambda x: xp.flip(x, axis=1) * x,
    "tile": lambda x: xp.sin(xp.tile(x, (2, 1, 3))),
    "repeat": lambda x: xp.sin(xp.repeat(x, [2, 0, 1], axis=1)),
    "stack": lambda x: xp.stack([x, x * x], axis=1),
    "split": lambda x: xp.concat(xp.split(x * x, [1, 2], axis=1)[::-1], axis=1),
    "pad constant": lambda x: xp.pad(x * x, ((0, 0), (1, 0), (2, 1))),
    "pad edge": lambda x: xp.pad(x * x, 2, "edge"),
    "pad reflect": lambda x: xp.pad(x * x, ((0, 0), (1, 2), (1, 1)), "reflect"),
    "pad wrap": lambda x: xp.pad(x * x, 3, "wrap"),
    "tril": lambda x: xp.tril(x * x, k=1),
    "cumulative_sum": lambda x: xp.cumulative_sum(x * x, axis=2, include_initial=True),
    "cumulative_prod": lambda x: xp.cumulative_prod(x, axis=1),
    "diff": lambda x: xp.diff(x * x, axis=2, n=2),
    "sort": lambda x: xp.sort(x, axis=1, descending=True) * x,
    "topk": lambda x: xp.topk(x, 2, axis=2)[0],
    "take": lambda x: xp.take(x, INDICES, axis=1) ** 2,
    "take_along_axis": lambda x: xp.take_along_axis(x, xp.argsort(x, axis=2), axis=2) * x,
    "masked_fill": lambda x: xp.masked_fill(x * x, x > 0, 3.0),
    "slices": lambda x: x[1:, ::-2, -1] * 2.0 + x[:-1, ::-2, 0] ** 2,
    "index arrays": lambda x: x[[0, 1, 1], :, [2, 2, 0]] ** 2,
    "traced index": lambda x: x[xp.argmax(x, axis=0), xp.asarray([[0], [1], [2]])] ** 2,
    "matmul": lambda x: x @ x.mT,
    "matmul of a vector": lambda x: x[0, :, 0] @ x,
    "tensordot": lambda x: xp.tensordot(x, x, axes=((0, 1), (0, 1))),
    "vecdot": lambda x: xp.vecdot(x, x[0]),
    "einsum": lambda x: xp.einsum("bij,bik,bii->jk", x, x, x[..., :3]),
    "einsum of a product": lambda x: xp.einsum("...i,...i", x, x),
    "vector_norm": lambda x: linalg.vector_norm(x, axis=(0, 2)),
    "vector_norm 3": lambda x: linalg.vector_norm(x, axis=1, ord=3),
    "vector_norm inf": lambda x: linalg.vector_norm(x, axis=1, ord=float("inf")),
    "matrix_norm": lambda x: linalg.matrix_norm(x, ord=1),
    "matrix_power": lambda x: linalg.matrix_power(x[..., :3], 3),
    "trace": lambda x: linalg.trace(x * x, offset=1),
    "cross": lambda x: linalg.cross(x, x[::-1] ** 2, axis=1),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivative(name):
    x = np.random.default_rng(3).permutation(np.linspace(-1.4, 1.6, 24)).reshape(2, 3, 4)
    assert gradcheck(lambda x: FUNCTIONS[name](x), x)


def test_scatters():
    generator = np.random.default_rng(0)
    x, src = generator.normal(size=(3, 4)), generator.normal(size=(5, 4))
    index = generator.integers(0, 3, (5, 4))
    assert gradcheck(lambda x, s: xp.scatter_add(x, 0, index, s) ** 2, x, src)
    assert gradcheck(lambda x, s: xp.scatter(x, 0, index, s) ** 2, x, src)
    assert gradcheck(lambda x, s: xp.index_add(x, 0, index[:, 0], s, alpha=0.5) ** 2, x, src)


def test_the_norm_of_0_has_the_derivative_0():
    graph = grad(trace(lambda x: linalg.vector_norm(x), f64["N"]))
    np.testing.assert_array_equal(evaluate(graph, np.zeros(3)), np.zeros(3))
    np.testing.assert_allclose(evaluate(graph, np.array([3.0, 4.0])), [0.6, 0.8])


def test_over_named_extents():
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    for name in ("roll", "pad reflect", "sort", "vector_norm", "einsum of a product"):
        graph = vjp(trace(lambda x, n=name: FUNCTIONS[n](x[None]), f32["N", "M"]))
        static = vjp(trace(lambda x, n=name: FUNCTIONS[n](x[None]), f32[3, 4]))
        g = np.ones(static.inputs[1].type.shape, np.float32)
        np.testing.assert_allclose(evaluate(graph, x, g), evaluate(static, x, g), rtol=1e-6)


def test_stop_gradient():
    graph = grad(trace(lambda x: xp.sum(xp.stop_gradient(x) * x), f64[3]))
    np.testing.assert_array_equal(evaluate(graph, np.array([1.0, 2.0, 3.0])), [1.0, 2.0, 3.0])
