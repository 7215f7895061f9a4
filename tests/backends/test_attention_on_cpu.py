"""Attention on the cpu backend: values, gradients and training steps are the interpreter's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from graphc.nn import functional as F

sys.path.insert(0, str(Path(__file__).parent))
from against_interpreter import cotangents, normal, same_on_both, same_results

SEES = np.array([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], bool)  # the second query may look nowhere
GROUPED = (2, 6, 3, 4), (2, 2, 5, 4), (2, 2, 5, 4)
PLAIN = (2, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 6)

CASES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "plain": (PLAIN, None, {}),
    "boolean": (PLAIN, SEES, {}),
    "float": (PLAIN, np.where(SEES, 0.5, -np.inf), {"scale": 0.3}),
    "causal": (PLAIN, None, {"is_causal": True}),
    "broadcast": (((2, 1, 3, 4), (3, 5, 4), (5, 6)), SEES, {}),
    "grouped": (GROUPED, None, {"enable_gqa": True, "is_causal": True}),
    "dropout": (PLAIN, SEES, {"dropout_p": 0.3}),
}


@pytest.mark.parametrize("dtype", [gc.f32, gc.f64, gc.bf16], ids=str)
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name: str, dtype: Any) -> None:
    shapes, mask, options = CASES[name]
    generator = np.random.default_rng(0)
    arrays = [normal(generator, dtype, *shape) for shape in shapes]
    if mask is not None:
        arrays.append(mask if mask.dtype == bool else mask.astype(dtype.numpy))
    graph = gc.trace(lambda *xs: F.scaled_dot_product_attention(*xs, **options), *arrays)
    same_on_both(graph, *arrays)
    derivative = gc.vjp(graph)
    given = cotangents(derivative, len(arrays), {})
    results = same_on_both(derivative, *arrays, *given)(*arrays, *given)
    assert all(np.isfinite(result.astype(np.float64)).all() for result in results)


def test_one_executable_serves_any_batch_and_length() -> None:
    specs = gc.f32["N", 4, "T", 8], gc.f32["N", 4, "S", 8], gc.f32["N", 4, "S", 8], gc.bool["N", 1, 1, "S"]
    graph = gc.trace(F.scaled_dot_product_attention, *specs)
    derivative = gc.vjp(graph)
    forward, backward = gc.compile(graph), gc.compile(derivative)
    generator = np.random.default_rng(1)
    for n, t, s in ((2, 3, 5), (1, 17, 33), (3, 40, 1), (0, 2, 2)):
        arrays = [normal(generator, gc.f32, n, 4, length, 8) for length in (t, s, s)]
        arrays.append(generator.random((n, 1, 1, s)) < 0.7)
        same_results(forward, *arrays)
        same_results(backward, *arrays, *cotangents(derivative, 4, {"N": n, "T": t, "S": s}))


LAYERS: dict[str, dict[str, Any]] = {
    "packed": {},
    "batch_first": {"batch_first": True, "dropout": 0.2},
    "appended": {"batch_first": True, "add_bias_kv": True, "add_zero_attn": True},
    "apart": {"kdim": 3, "vdim": 5},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_the_layer_and_its_gradients(name: str) -> None:
    gc.manual_seed(1)
    layer = nn.MultiheadAttention(8, 2, **LAYERS[name])
    n, t, s = 3, 4, 5
    generator = np.random.default_rng(2)
    sizes = (t, 8), (s, layer.kdim), (s, layer.vdim)
    shapes = [(n, *size) if layer.batch_first else (size[0], n, size[1]) for size in sizes]
    padding = generator.random((n, s)) < 0.4

    class Loss(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, q: Any, k: Any, v: Any) -> Any:
            result, weights = self.layer(q, k, v, padding)
            return gc.sum(gc.sin(result)) + gc.sum(weights**2)

    arrays = [normal(generator, gc.f32, *shape) for shape in shapes]
    loss = Loss()
    names = ["q", "k", "v", *(name for name, _ in loss.named_parameters())]
    same_on_both(gc.value_and_grad(gc.trace(loss, *arrays), wrt=names), *arrays, scale=1.0)


class Counter(nn.Module):
    """A language model of two pre-norm blocks: the next symbol of a sequence."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout, "gelu", batch_first=True, norm_first=True)
        self.symbols, self.positions = nn.Embedding(11, 32), nn.Embedding(12, 32)
        self.encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(32))
        self.scores = nn.Linear(32, 11)

    def forward(self, symbols: Any) -> Any:
        x = self.symbols(symbols) + self.positions(gc.arange(symbols.shape[1]))
        return gc.permute_dims(self.scores(self.encoder(x, is_causal=True)), (0, 2, 1))


@pytest.mark.slow
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_a_transformer_of_two_blocks_trains_as_on_the_interpreter(dropout: float) -> None:
    curves = []
    for backend in ("cpu", "interpreter"):
        gc.manual_seed(0)
        step = gc.training_step(
            Counter(dropout), F.cross_entropy, optim.Adam(lr=1e-2), gc.i64["N", "T"], gc.i64["N", "T"],
            backend=backend, seed=3,
        )  # fmt: skip
        generator = np.random.default_rng(0)
        curve = []
        for number in range(10):
            start = generator.integers(0, 11, (4 + number % 3, 1))
            sequence = (start + np.arange(9 + number % 4)) % 11
            curve.append(float(step(sequence[:, :-1], sequence[:, 1:])))
        curves.append(curve)
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-5)
    assert curves[0][-1] < 0.3 * curves[0][0]
