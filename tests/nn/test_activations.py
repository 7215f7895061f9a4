"""Activations agree with torch: outputs and gradients, at kinks, at ±1e4, at infinities and NaN."""

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import pytest

import graphc as gc
from graphc import nn
from graphc.nn import functional as F
from oracles.case import Case, read
from oracles.compare import check, compare, without_undefined

CASES = read("nn_activations")
VALUES = [case for case in CASES if "error" not in case.facts]
ERRORS = [case for case in CASES if "error" in case.facts]


@pytest.mark.parametrize("case", VALUES, ids=lambda case: case.name)
def test_agrees_with_torch(case: Case) -> None:
    elementwise_edge = "-edge-" in case.name and case["inputs"]["input"].ndim == 1
    with deprecated(case):
        check(without_undefined(case) if elementwise_edge else case, getattr(F, case.function))


def deprecated(case: Case) -> AbstractContextManager[object]:
    """Expects torch's warning where an axis is left out."""
    return pytest.warns(DeprecationWarning, match="give dim") if "dim=None" in case.name else nullcontext()


SPLITS_THE_BATCH = "glu-(4, 6)-dim=0"  # halves of an extent N; it has to be declared even, as 2*N
NAMED = [case for case in VALUES if "-edge-" not in case.name and SPLITS_THE_BATCH not in case.name]


@pytest.mark.parametrize("case", NAMED, ids=lambda case: case.name)
def test_one_graph_serves_any_batch(case: Case) -> None:
    with deprecated(case):
        check(case, getattr(F, case.function), batch="N")


def test_an_extent_that_is_even_splits_into_halves() -> None:
    graph = gc.trace(lambda x: F.glu(x, 0), gc.f32["2*N", 3])
    assert str(graph.outputs[0].type) == "f32[N,3]"


@pytest.mark.parametrize("case", ERRORS, ids=lambda case: case.name)
def test_refuses_what_torch_refuses(case: Case) -> None:
    with pytest.raises(gc.errors.GraphcError):
        check(case, getattr(F, case.function))


MODULES = [
    (nn.Sigmoid(), F.sigmoid),
    (nn.LogSigmoid(), F.logsigmoid),
    (nn.Tanh(), F.tanh),
    (nn.Tanhshrink(), F.tanhshrink),
    (nn.Softsign(), F.softsign),
    (nn.SiLU(), F.silu),
    (nn.Mish(), F.mish),
    (nn.GELU(), F.gelu),
    (nn.GELU("tanh"), lambda x: F.gelu(x, approximate="tanh")),
    (nn.Softplus(2.0, 3.0), lambda x: F.softplus(x, 2.0, 3.0)),
    (nn.ELU(0.5), lambda x: F.elu(x, 0.5)),
    (nn.CELU(0.5), lambda x: F.celu(x, 0.5)),
    (nn.SELU(), F.selu),
    (nn.GLU(0), lambda x: F.glu(x, 0)),
    (nn.ReLU(inplace=True), F.relu),
    (nn.ReLU6(), F.relu6),
    (nn.LeakyReLU(0.1), lambda x: F.leaky_relu(x, 0.1)),
    (nn.PReLU(3, 0.1), lambda x: F.prelu(x, np.full(3, 0.1, np.float32))),
    (nn.Hardtanh(-2.0, 0.5), lambda x: F.hardtanh(x, -2.0, 0.5)),
    (nn.Hardsigmoid(), F.hardsigmoid),
    (nn.Hardswish(), F.hardswish),
    (nn.Hardshrink(0.3), lambda x: F.hardshrink(x, 0.3)),
    (nn.Softshrink(0.3), lambda x: F.softshrink(x, 0.3)),
    (nn.Threshold(0.1, -2.0), lambda x: F.threshold(x, 0.1, -2.0)),
    (nn.Softmax(1), lambda x: F.softmax(x, 1)),
    (nn.Softmin(1), lambda x: F.softmin(x, 1)),
    (nn.LogSoftmax(1), lambda x: F.log_softmax(x, 1)),
]


@pytest.mark.parametrize(("module", "function"), MODULES, ids=lambda item: type(item).__name__)
def test_module_is_its_function(module: nn.Module, function: object) -> None:
    x = np.random.default_rng(0).normal(0, 2, (4, 3)).astype(np.float32)
    compare(gc.evaluate(gc.trace(module, x), x), gc.evaluate(gc.trace(function, x), x), "output")


def test_maxout_takes_the_largest_piece_and_gives_it_the_whole_gradient() -> None:
    x = np.array([[1.0, 3.0, 2.0, 2.0, -1.0, -5.0]])
    y = gc.trace(lambda x: gc.sum(F.maxout(x, 2) * np.array([10.0, 20.0, 30.0])), x)
    assert gc.evaluate(gc.trace(lambda x: F.maxout(x, 2), x), x).tolist() == [[3.0, 2.0, -1.0]]
    assert gc.evaluate(gc.grad(y), x).tolist() == [[0.0, 10.0, 20.0, 0.0, 30.0, 0.0]]


def test_maxout_layer_is_the_maximum_of_affine_pieces() -> None:
    layer = nn.Maxout(4, 3, num_pieces=2).double()
    x = np.random.default_rng(1).normal(size=(5, 4))
    pieces = x @ np.asarray(layer.weight).T + np.asarray(layer.bias)
    expected = pieces.reshape(5, 3, 2).max(-1)
    compare(gc.evaluate(gc.trace(layer, gc.f64["N", 4]), x), expected, "output")
    assert repr(layer) == "Maxout(in_features=4, out_features=3, num_pieces=2, bias=True)"


def test_maxout_refuses_an_axis_that_does_not_divide() -> None:
    with pytest.raises(gc.errors.ShapeError, match=r"maxout: 5 .* 2"):
        gc.trace(lambda x: F.maxout(x, 2), gc.f32["N", 5])
