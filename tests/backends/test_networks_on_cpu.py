"""Every activation, loss and layer of `graphc.nn` on the cpu backend: values and gradients are the interpreter's.

Families share a graph, each member over inputs of its own, so that few kernels are compiled and each gradient is seen
by itself. f32 to 1e-5, f64 to 1e-12 of the largest number of a result.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn
from graphc.nn import functional as F

sys.path.insert(0, str(Path(__file__).parent))
from against_interpreter import cotangents, normal, same_results, together

Functions = list[Callable[..., Any]]

POINTWISE: Functions = [
    F.celu, F.elu, F.gelu, lambda x: F.gelu(x, "tanh"), F.hardshrink, F.hardsigmoid, F.hardswish, F.hardtanh,
    F.leaky_relu, F.logsigmoid, F.mish, F.relu, F.relu6, F.selu, F.sigmoid, F.silu, F.softplus, F.softshrink,
    F.softsign, F.tanh, F.tanhshrink, lambda x: F.threshold(x, 0.1, 20.0), lambda x: F.celu(x, 0.3),
    lambda x: F.softplus(x, 2.0, 3.0), lambda x: F.elu(x, 1.7), lambda x: F.leaky_relu(x, -0.2),
]  # fmt: skip
ALONG_ROWS: Functions = [
    lambda x: F.softmax(x, -1), lambda x: F.log_softmax(x, -1), lambda x: F.softmin(x, -1), F.glu,
    lambda x: F.maxout(x, 2), F.normalize, lambda x: F.normalize(x, 1.0), lambda x: F.layer_norm(x, (6,)),
    lambda x: F.rms_norm(x, (6,)), lambda x: gc.logsumexp(x, axis=1), lambda x: gc.std(x, axis=1),
    lambda x: gc.prod(x, axis=1), lambda x: gc.max(x, axis=1), lambda x: gc.cumulative_sum(x, axis=1),
]  # fmt: skip
ALONG_COLUMNS: Functions = [
    lambda x: F.softmax(x, 0), lambda x: F.log_softmax(x, 0), lambda x: F.normalize(x, dim=0),
    lambda x: gc.var(x, axis=0), lambda x: gc.min(x, axis=0), lambda x: gc.cumulative_sum(x, axis=0),
    lambda x: F.batch_norm(x, None, None, training=True),
]  # fmt: skip
DISTANCES: Functions = [
    F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss, F.cosine_similarity, F.pairwise_distance,
    lambda a, b: F.smooth_l1_loss(a, b, beta=0.3), lambda a, b: F.huber_loss(a, b, delta=0.4),
    lambda a, b: F.mse_loss(a, b, reduction="none"), lambda a, b: F.mse_loss(a, b, reduction="sum"),
    lambda a, b: F.pairwise_distance(a, b, 3.0), lambda a, b: F.triplet_margin_loss(a, b, a * b),
    lambda a, b: F.triplet_margin_loss(a, b, a - b, swap=True, p=1.0),
]  # fmt: skip
OF_PROBABILITIES: Functions = [
    lambda a, p: F.binary_cross_entropy(F.sigmoid(a), p), F.binary_cross_entropy_with_logits,
    F.multilabel_soft_margin_loss, F.kl_div, lambda a, p: F.kl_div(a, p, reduction="batchmean", log_target=True),
    F.poisson_nll_loss, lambda a, p: F.poisson_nll_loss(a, 3.0 * p, full=True), F.cross_entropy,
    lambda a, p: F.cross_entropy(a, p, label_smoothing=0.2), lambda a, p: F.gaussian_nll_loss(a, a * a, p),
]  # fmt: skip
OF_SIGNS: Functions = [
    F.hinge_loss, F.soft_margin_loss, F.hinge_embedding_loss,
    lambda a, t: F.margin_ranking_loss(a, a * 0.5, t, margin=0.1),
    lambda a, t: F.cosine_embedding_loss(a, a * a, t[:, 0], margin=0.2),
]  # fmt: skip
OF_LABELS: Functions = [
    F.cross_entropy, F.nll_loss, F.multi_margin_loss, lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1),
    lambda x, y: F.multi_margin_loss(x, y, p=2, margin=0.5), lambda x, y: F.cross_entropy(x, y, reduction="none"),
    lambda x, y: F.cross_entropy(x, y, ignore_index=2),
    lambda x, y: F.cross_entropy(x, y, np.linspace(0.5, 2.0, 6).astype(x.dtype.numpy)),
]  # fmt: skip

DRAWS: dict[str, Callable[[np.random.Generator, int], Any]] = {
    "numbers": lambda generator, n: generator.standard_normal((n, 6)),
    "probabilities": lambda generator, n: generator.uniform(0.05, 0.95, (n, 6)),
    "signs": lambda generator, n: generator.choice([-1.0, 1.0], (n, 6)),
    "labels": lambda generator, n: generator.integers(0, 6, n),
}
FAMILIES: dict[str, tuple[Functions, tuple[str, ...]]] = {
    "pointwise": (POINTWISE, ("numbers",)),
    "along_rows": (ALONG_ROWS, ("numbers",)),
    "along_columns": (ALONG_COLUMNS, ("numbers",)),
    "distances": (DISTANCES, ("numbers", "numbers")),
    "of_probabilities": (OF_PROBABILITIES, ("numbers", "probabilities")),
    "of_signs": (OF_SIGNS, ("numbers", "signs")),
    "of_labels": (OF_LABELS, ("numbers", "labels")),
}


def arrays_of(family: str, dtype: Any, rows: int) -> list[Any]:
    functions, draws = FAMILIES[family]
    generator = np.random.default_rng(rows)
    given = [DRAWS[draw](generator, rows) for _ in functions for draw in draws]
    return [array.astype(dtype.numpy) if array.dtype.kind == "f" else array for array in given]


CASES = [(family, gc.f64) for family in FAMILIES]
CASES += [(family, gc.f32) for family in ("pointwise", "along_rows")]


@pytest.mark.slow
@pytest.mark.parametrize(("family", "dtype"), CASES, ids=lambda each: str(each))
def test_functions_and_their_gradients(family: str, dtype: Any) -> None:
    functions, draws = FAMILIES[family]
    specs = [gc.i64["N"] if draw == "labels" else dtype["N", 6] for draw in draws]
    graph = together(functions, *specs, name=family)
    derivative = gc.vjp(graph)
    forward, backward = gc.compile(graph), gc.compile(derivative)
    for rows in (5, 33):
        arrays = arrays_of(family, dtype, rows)
        same_results(forward, *arrays)
        same_results(backward, *arrays, *cotangents(derivative, len(arrays), {"N": rows}))


class Layers(nn.Module):
    """A layer of every kind that has parameters or state, and those that only move numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.affine, self.plain = nn.Linear(6, 4), nn.Linear(6, 3, bias=False)
        self.bilinear, self.maxout = nn.Bilinear(4, 3, 2), nn.Maxout(6, 3, 4)
        self.norms = nn.ModuleList([
            nn.BatchNorm1d(4), nn.BatchNorm1d(4, momentum=None), nn.BatchNorm1d(4, affine=False),
            nn.BatchNorm1d(4, track_running_stats=False), nn.LayerNorm(4), nn.LayerNorm((2, 3), bias=False),
            nn.RMSNorm(4), nn.PReLU(4), nn.PReLU(),
        ])  # fmt: skip
        self.table, self.padded = nn.Embedding(9, 4), nn.Embedding(9, 4, padding_idx=3)
        self.dropout, self.alpha = nn.Dropout(0.4), nn.AlphaDropout(0.2)
        self.scaled = nn.Dropout(0.5, scale="eval")
        self.nested = nn.ModuleDict({"a": nn.Sequential(nn.Unflatten(1, (2, 3)), nn.Flatten(), nn.Identity())})
        self.cube = nn.BatchNorm1d(2)

    def forward(self, x: Any, ids: Any) -> Any:
        h = self.affine(x)
        folded = gc.reshape(x, (x.shape[0], 2, 3))
        return (
            h, self.plain(x), self.bilinear(h, self.plain(x)), self.maxout(x), self.norms[0](h), self.norms[1](h),
            self.norms[2](h), self.norms[3](h), self.norms[4](h), self.norms[5](folded), self.norms[6](h),
            self.norms[7](h), self.norms[8](h), self.cube(folded), self.table(ids), self.padded(ids), self.dropout(h),
            self.alpha(h), self.scaled(h), self.nested["a"](x),
        )  # fmt: skip


@pytest.mark.slow
def test_layers_in_training_their_state_and_gradients() -> None:
    gc.manual_seed(1)
    model = Layers().double().train()

    def loss(x: Any, ids: Any) -> Any:
        total = gc.asarray(0.0, dtype=gc.f64)
        for output in model(x, ids):
            total = total + gc.sum(gc.sin(output))
        return total

    names = ["x", *(name for name, _ in model.named_parameters())]
    step = gc.compile(gc.value_and_grad(gc.trace(loss, gc.f64["N", 6], gc.i64["N", 2]), wrt=names))
    generator = np.random.default_rng(2)
    for rows in (7, 33, 7):
        same_results(step, normal(generator, gc.f64, rows, 6), generator.integers(0, 9, (rows, 2)))


@pytest.mark.slow
def test_layers_in_eval() -> None:
    gc.manual_seed(1)
    predict = gc.compile(Layers().eval(), inputs=(gc.f32["N", 6], gc.i64["N", 2]))
    generator = np.random.default_rng(2)
    for rows in (2, 33):
        same_results(predict, normal(generator, gc.f32, rows, 6), generator.integers(0, 9, (rows, 2)))


def test_every_layer_and_function_is_here() -> None:
    files = Path(__file__), Path(__file__).with_name("test_sliding_on_cpu.py")
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    functions = [name for name in F.__all__ if not re.search(rf"F\.{name}\b", text)]
    # Functions of layers that the test of layers has, and shapes; attention has a file of its own.
    assert functions == [
        "alpha_dropout", "bilinear", "dropout", "embedding", "flatten", "linear", "one_hot", "prelu",
        "scaled_dot_product_attention", "unflatten",
    ]  # fmt: skip
