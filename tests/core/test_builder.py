"""Tracing: names, provenance, promotion and broadcasting, and what cannot be a graph."""

import numpy as np
import pytest

import graphc as gc
from graphc.errors import ArgumentError, DTypeError, ShapeError, TraceError


def ops(graph):
    return [node.op.name for node in graph.nodes]


def test_values_take_the_names_of_variables():
    def f(x):
        h = gc.exp(x) + 1
        h = h * 2
        low, _high = gc.topk(h, 2)
        return low

    g = gc.trace(f, gc.f32[5])
    assert [v.name for n in g.nodes for v in n.results] == ["exp", "h", "h_1", "low", "_high"]


def test_nodes_know_their_line_and_module():
    class Net(gc.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = gc.nn.Linear(3, 2)

        def forward(self, x):
            return self.fc(x)

    g = gc.trace(Net(), gc.f32["N", 3])
    (node,) = [n for n in g.nodes if n.op.name == "affine"]
    assert node.provenance.module == "Net.fc"
    assert node.provenance.location.file == __file__
    assert {s.value.name for s in g.state} == {"fc.weight", "fc.bias"}


def test_scalars_take_the_dtype_of_tensors():
    g = gc.trace(lambda x: x * 2 + np.sqrt(2), gc.f32["N"])
    assert g.outputs[0].type == gc.f32["N"]
    assert ops(g) == ["mul", "add"]
    assert "mul(%x, 2.0)" in str(g)


def test_extents_take_part_in_arithmetic():
    g = gc.trace(lambda x: gc.sum(x) / x.shape[0] + x.shape[0] / 2 * x, gc.f64["N"])
    np.testing.assert_array_equal(gc.evaluate(g, np.array([1.0, 3.0])), [3.0, 5.0])


def test_broadcasting_and_promotion_are_explicit_nodes():
    g = gc.trace(lambda x, b: x + b, gc.f64["N", 3], gc.f32[3])
    assert ops(g) == ["cast", "broadcast_to", "add"]


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda x, i: x + gc.reshape(x, (3, 2)), ShapeError, r"add: shapes \(2,3\) and \(3,2\) do not broadcast"),
        (lambda x, i: x + i, DTypeError, "add: f32 and i64 do not promote to a common dtype"),
        (lambda x, i: i + 0.5, DTypeError, r"a Python float .*i64"),
        (lambda x, i: x + "1", TypeError, "unsupported operand"),
        (lambda x, i: gc.exp(i), DTypeError, r"exp: takes floating-point numbers, but x is i64\[2,3\]"),
        (lambda x, i: x if x > 0 else i, TraceError, "has no value to branch on"),
        (lambda x, i: float(x), TraceError, "has no value to convert to float"),
        (lambda x, i: np.exp(x), TraceError, "np.exp takes arrays.*use gc.exp"),
        (lambda x, i: np.asarray(x), TraceError, "has no value to give NumPy"),
        (lambda x, i: None, TraceError, "returned None"),
        (lambda x, i: "text", ArgumentError, "is not a tensor"),
    ],
)
def test_mistakes_say_what_is_wrong(make, error, text):
    with pytest.raises(error, match=text):
        gc.trace(make, gc.f32[2, 3], gc.i64[2, 3])


def test_errors_show_the_line_of_the_ir_and_of_the_user():
    with pytest.raises(ShapeError) as raised:
        gc.trace(lambda x: gc.reshape(x, (7,)), gc.f32[2, 3])
    rule, line, where = str(raised.value).split("\n")
    assert "6 elements" in rule
    assert "reshape(%x: f32[2,3], shape=(7,))" in line
    assert where.startswith("  declared at test_builder.py:")


def test_a_tensor_cannot_leave_its_trace():
    kept = []
    gc.trace(lambda x: kept.append(x) or x, gc.f32[2])
    with pytest.raises(TraceError, match="belongs to another trace"):
        gc.trace(lambda y: y + kept[0], gc.f32[2])


def test_functions_outside_a_trace_say_how_to_call_them():
    with pytest.raises(TraceError, match=r"called outside of a trace; .* gc\.trace"):
        gc.exp(np.ones(3))


def test_specs():
    assert str(gc.f32["N", 784]) == "f32[N,784]"
    assert gc.trace(lambda: gc.ones((2,))).outputs[0].type == gc.f32[2]
    assert gc.trace(lambda x: x, np.zeros((0, 3), np.int8)).inputs[0].type == gc.i8[0, 3]
    assert gc.trace(lambda x: 3.0, gc.f32()).outputs[0].type == gc.f32()
    with pytest.raises(ArgumentError, match=r"takes \(x, y\), but 1 spec is given"):
        gc.trace(lambda x, y: x, gc.f32[2])
    with pytest.raises(ArgumentError, match="neither a tensor type nor an array"):
        gc.trace(lambda x: x, gc.f32)


def test_functions_made_by_exec_trace():
    scope = {"gc": gc}
    exec("def f(x):\n    y = gc.exp(x)\n    return y", scope)
    assert ops(gc.trace(scope["f"], gc.f32[2])) == ["exp"]


def test_function_decorator():
    @gc.function
    def f(x: gc.f32["N", 3], w: gc.f32[3, 4]):  # noqa: F821
        return gc.sum(gc.tanh(x @ w))

    x, w = np.ones((2, 3), "f4"), np.full((3, 4), 0.1, "f4")
    assert f(x, w) == pytest.approx(8 * np.tanh(0.3), rel=1e-6)
    assert [v.name for v in f.graph.inputs] == ["x", "w"]
    assert ops(gc.trace(lambda x, w: f(x, w), x, w))[-1] == "sum"


def test_an_unknown_name_on_the_face_raises_at_look_up():
    with pytest.raises(AttributeError, match=r"graphc has no name 'tanhh'; did you mean gc\.tanh"):
        gc.tanhh  # noqa: B018
