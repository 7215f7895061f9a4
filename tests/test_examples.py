"""Every example runs and gives what it promises."""

import runpy
from pathlib import Path

import numpy as np
import pytest

import graphc as gc
from graphc.op import REGISTRY
from graphc.passes import PASSES

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Run an example as a script in an empty folder: its names, and what it printed."""
    monkeypatch.chdir(tmp_path)
    ops, passes = dict(REGISTRY), dict(PASSES)

    def run(name):
        names = runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        assert not list(tmp_path.iterdir()), "an example leaves no files behind"
        return names, capsys.readouterr().out

    yield run
    for registry, before in ((REGISTRY, ops), (PASSES, passes)):
        for name in set(registry) - set(before):
            del registry[name]


def graphs(text):
    """The graphs that an example printed, in order."""
    lines = text.splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith("graph @")]
    return [gc.parse("\n".join(lines[i : lines.index("}", i) + 1])) for i in starts]


def test_xor(run):
    names, out = run("xor")
    answers = names["predict"](names["X"])
    np.testing.assert_array_equal(answers > 0.5, names["Y"] == 1)
    assert np.abs(answers - names["Y"]).max() < 0.05
    (graph,) = graphs(out)
    assert [node.op.name for node in graph.nodes] == ["affine", "tanh", "affine", "sigmoid"]


def test_digits(run):
    names, out = run("digits")
    epochs = [line.split() for line in out.splitlines() if line.startswith("epoch")]
    assert len(epochs) == 20
    assert float(epochs[-1][-1]) >= 0.97
    assert float(epochs[-1][3]) < float(epochs[0][3]) / 20
    assert list(names["step"].stages)[:3] == ["trace", "autodiff", "optimizer"]
    assert "total                               6,762" in out


def test_derivatives(run):
    _, out = run("derivatives")
    f, slope, gradient, tangent = graphs(out)
    e = np.exp(-0.3)
    assert float(gc.evaluate(f, 0.3)) == pytest.approx(2 / np.sin(e), rel=1e-14)
    assert float(gc.evaluate(slope, 0.3)) == pytest.approx(2 * e * np.cos(e) / np.sin(e) ** 2, rel=1e-13)
    assert [float(g) for g in gc.evaluate(gradient, 3.0, 1.5)] == pytest.approx([1 / 3 + 1.5, 3 - np.cos(1.5)])
    assert [value.name for value in tangent.inputs] == ["x1", "x2", "t_x1", "t_x2"]
    assert "agree" in out


def test_own_op(run):
    names, out = run("own_op")
    x = np.linspace(-3, 3, 6).reshape(2, 3)
    for name in ("softsign", "softsign_by_result", "softsign_primitive"):
        graph = gc.trace(names[name], gc.f64["N", 3])
        np.testing.assert_array_equal(gc.evaluate(graph, x), x / (1 + np.abs(x)))
    declared, *_, last = graphs(out)
    assert declared.count("softsign") == 1
    assert last.count("softsign_primitive") == 1
    assert last.count("square") == 1


def test_own_pass(run):
    names, out = run("own_pass")
    assert names["graph"].count("exp") == 3
    assert names["exe"].graph.count("exp") == 1
    assert "drop_dropout" in PASSES
    assert "-   %dropout: f64[N] = dropout(%h, %rng, stream=0)" in out


def test_affine_bn_relu(run):
    names, out = run("affine_bn_relu")
    traced, differentiated, simplified, fused = graphs(out)
    assert [op for op in ("affine", "batch_norm", "relu") if traced.count(op) == 1] == ["affine", "batch_norm", "relu"]
    assert [value.name for value in differentiated.outputs[1:]] == [
        "d_0.weight",
        "d_0.bias",
        "d_1.weight",
        "d_1.bias",
    ]
    assert str(simplified) == str(names["step"].stages["dce"].graph)
    assert not any(node.op.is_composite and node.op.name != "relu" for node in simplified.nodes)
    assert str(fused) == str(names["step"].graph)
    assert "affine_bn_relu.py:14, Sequential.1, gradient of %batch_norm" in out


def test_every_example_is_tested():
    tested = {name.removeprefix("test_") for name in globals()}
    assert {path.stem for path in EXAMPLES.glob("*.py")} <= tested
