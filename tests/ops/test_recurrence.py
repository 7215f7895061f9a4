"""`scan` carries values along sequences; `gc.scan` traces its body, with what it takes from the trace around it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn
from graphc.builder import Builder
from graphc.errors import ArgumentError, GraphcError, OpAttributeError, ShapeError, TraceError, VerifyError
from graphc.ir import Graph
from graphc.nn import functional as F
from graphc.op import find_op, recording
from graphc.text.parser import parse
from graphc.verify import verify
from scan_cases import draw, recurrent

LAYER = [gc.f64["N", 4], gc.f64["T", "N", 3], gc.f64[3, 4], gc.f64[4, 4], gc.f64[4]]


def shapes(places: int, examples: int) -> list[tuple[int, ...]]:
    return [(examples, 4), (places, examples, 3), (3, 4), (4, 4), (4,)]


def by_numpy(reverse: bool, h: Any, xs: Any, w: Any, u: Any, b: Any) -> tuple[Any, Any]:
    """What `recurrent` computes, in a loop."""
    ys = np.zeros((len(xs), *h.shape))
    for t in reversed(range(len(xs))) if reverse else range(len(xs)):
        h = np.tanh(xs[t] @ w + h @ u + b)
        ys[t] = np.sin(h)
    return h, ys


@pytest.mark.parametrize("reverse", [False, True])
def test_one_graph_serves_any_number_of_places_and_examples(reverse: bool) -> None:
    graph = verify(gc.trace(recurrent(reverse), *LAYER))
    assert [str(output.type) for output in graph.outputs] == ["f64[N,4]", "f64[T,N,4]"]
    for places, examples in [(5, 2), (1, 1), (0, 3), (3, 0)]:
        arrays = draw(shapes(places, examples))
        for given, expected in zip(gc.evaluate(graph, *arrays), by_numpy(reverse, *arrays), strict=True):
            np.testing.assert_allclose(given, expected, rtol=1e-12)


def test_its_text_reads_back() -> None:
    text = str(gc.trace(recurrent(True), *LAYER))
    assert "scan(%h0, %xs, %w, %u, %b, carried=1, scanned=1, length=T, reverse=True) {" in text
    assert str(parse(text)) == text


# -- gc.scan ----------------------------------------------------------------------------------------------------------


def test_structures_come_back_as_they_went_in() -> None:
    def f(xs: Any, ys: Any) -> Any:
        (total,), (sums, firsts) = gc.scan(lambda c, p: ((c[0] + p[0],), (c[0], p[1])), (np.zeros(2),), (xs, ys))
        return total, sums, firsts

    xs, ys = draw([(3, 2), (3, 5)])
    total, sums, firsts = gc.evaluate(gc.trace(f, xs, ys), xs, ys)
    np.testing.assert_allclose(total, xs.sum(axis=0))
    np.testing.assert_allclose(sums, np.cumsum(xs, axis=0) - xs)
    np.testing.assert_array_equal(firsts, ys)


def test_without_sequences_a_length_says_how_often() -> None:
    graph = gc.trace(lambda x: gc.scan(lambda c, _: (c * 2, c), x, length=4), gc.f64[2])
    last, stacked = gc.evaluate(graph, np.ones(2))
    np.testing.assert_array_equal(last, [16, 16])
    np.testing.assert_array_equal(stacked[:, 0], [1, 2, 4, 8])


def test_without_carries_it_maps() -> None:
    carry, ys = None, None

    def f(xs: Any) -> Any:
        nonlocal carry, ys
        carry, ys = gc.scan(lambda c, x: (c, gc.sum(x)), None, xs)
        return ys

    np.testing.assert_array_equal(gc.evaluate(gc.trace(f, gc.f64["T", 3]), np.ones((2, 3))), [3, 3])
    assert carry is None


def test_numbers_are_carries() -> None:
    graph = gc.trace(lambda xs: gc.scan(lambda i, x: (i + 1, x * gc.astype(i, gc.f32)), 0, xs), gc.f32["T"])
    count, ys = gc.evaluate(graph, np.ones(3, np.float32))
    assert (count, count.dtype) == (3, np.int64)
    np.testing.assert_array_equal(ys, [0, 1, 2])


def test_what_a_body_takes_from_around_it_becomes_an_operand() -> None:
    weight = nn.Parameter(np.full(3, 2.0))

    def f(x: Any, xs: Any) -> Any:
        doubled = x * 2
        return gc.scan(lambda c, row: (c + row * weight + doubled, weight), gc.zeros((3,), dtype=gc.f64), xs)

    graph = gc.trace(f, gc.f64[3], gc.f64["T", 3])
    (scan,) = [node for node in graph.nodes if node.op.name == "scan"]
    assert [operand.name for operand in scan.operands[2:]] == ["weight" if weight.name else "parameter", "doubled"]
    total, stacked = gc.evaluate(graph, np.ones(3), np.ones((4, 3)))
    np.testing.assert_array_equal(total, [16, 16, 16])
    np.testing.assert_array_equal(stacked, np.full((4, 3), 2.0))


def test_a_body_within_a_body_reaches_through_both() -> None:
    def f(x: Any, xs: Any) -> Any:
        return gc.scan(lambda c, row: (gc.scan(lambda d, y: (d + y * x, None), c, row)[0], None), x, xs)[0]

    assert gc.evaluate(gc.trace(f, gc.f64(), gc.f64["T", "S"]), np.array(2.0), np.ones((3, 2))) == 14


def test_modules_in_a_body_keep_their_paths() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.LSTMCell(3, 4)

        def forward(self, xs: Any) -> Any:
            return gc.scan(lambda c, x: (self.cell(x, c), None), (gc.zeros((2, 4)),) * 2, xs)[0]

    graph = gc.trace(Net(), gc.f32["T", 2, 3])
    assert {state.value.name for state in graph.state} == {
        "cell.weight_ih", "cell.weight_hh", "cell.bias_ih", "cell.bias_hh",
    }  # fmt: skip
    (cell,) = [node for node in graph.walk() if node.op.name == "lstm_cell"]
    assert cell.provenance.module == "Net.cell"


COUNTER = gc.state.Cell(np.zeros(()), kind="buffer", name="counter")


def assigning(c: Any, x: Any) -> Any:
    COUNTER.assign(x)
    return c, None


F3, FT, FT3 = gc.f32[3], gc.f32["T"], gc.f32["T", 3]


@pytest.mark.parametrize(
    ("function", "types", "error", "message"),
    [
        (lambda xs: gc.scan(lambda c, x: (c + x, None), gc.zeros(()), xs), [FT3], ShapeError,
         r"the carry is f32\[\] before a step, but the body returns a f32\[3\]"),
        (lambda xs: gc.scan(lambda c, x: ((c[0], c[1] > 0), None), (xs[0], xs[0]), xs), [FT3], ShapeError,
         r"carry\[1\] is f32\[3\] before a step, but the body returns a bool\[3\]"),
        (lambda a, b: gc.scan(lambda c, x: (c, x[0]), a[0], (a, b)), [FT3, gc.f32["S", 3]], ShapeError,
         r"one leading extent, but xs\[0\] is f32\[T,3\] and xs\[1\] is f32\[S,3\]"),
        (lambda xs: gc.scan(lambda c, x: (c, x), xs[0], xs, length=4), [FT3], ShapeError,
         r"length is 4, but xs\[0\] is f32\[T,3\]"),
        (lambda x: gc.scan(lambda c, x: (c, x), x, x), [gc.f32()], ShapeError, "has no leading axis to walk along"),
        (lambda x: gc.scan(lambda c, x: (c, x), x), [F3], ArgumentError, "takes xs, or a length where there are none"),
        (lambda xs: gc.scan(lambda c, x: c, xs[0], xs), [FT3], ArgumentError,
         r"returns a pair \(carry, y\), not a tensor, f32\[3\]"),
        (lambda xs: gc.scan(lambda c, x: (c, x, x), xs[0], xs), [FT3], ArgumentError, "not a tuple of 3"),
        (lambda xs: gc.scan(lambda c, x: ((c, c), x), xs[0], xs), [FT3], ArgumentError,
         r"the carry starts as a tensor, f32\[3\], but the body returns a tuple of 2"),
        (lambda xs: gc.scan(lambda c, x: (c, {"y": x}), xs[0], xs), [FT3], ArgumentError,
         "y is a tensor or a flat tuple of tensors, not a dict"),
        (lambda xs: gc.scan(lambda c, x: (c, x), ((xs[0],),), xs), [FT3], ArgumentError, "holds a tuple of 1"),
        (lambda xs: gc.scan(lambda c, x: (c, None), None, xs), [FT3], ArgumentError, "nothing to compute"),
        (lambda xs: gc.scan(assigning, xs[0], xs), [FT], TraceError, "the body assigns to counter"),
        (lambda xs: gc.scan(lambda c, x: (c + F.dropout(x), None), xs[0], xs), [FT3], TraceError,
         "random numbers, which would be the same at every place"),
    ],
)  # fmt: skip
def test_what_scan_refuses(function: Any, types: Any, error: type[GraphcError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        gc.trace(function, *types)
    assert "test_recurrence.py" in str(caught.value)


# -- the op -----------------------------------------------------------------------------------------------------------

STEP = gc.trace(lambda c, x: (c + x, c * x), gc.f64[3], gc.f64[3])


def holding(types: list[gc.TensorType], region: Graph, **attributes: Any) -> Graph:
    """A graph of one scan over its inputs."""
    builder = Builder("outer")
    operands = tuple(builder.input(f"a{i}", type).value for i, type in enumerate(types))
    given = {"carried": 1, "scanned": 1, "length": 4, "reverse": False, **attributes}
    with recording(builder):
        return builder.finish(builder.emit(find_op("scan"), operands, given, (region,)))


@pytest.mark.parametrize(
    ("types", "attributes", "error", "message"),
    [
        ([gc.f64[3], gc.f64[4, 3]], {"carried": -1}, OpAttributeError, "carried is a number of operands, 0 or more"),
        ([gc.f64[3], gc.f64[4, 3]], {"scanned": 2}, OpAttributeError, "scanned is 2, but there are 2 operands in all"),
        ([gc.f64[3], gc.f64[4, 3]], {"length": -1}, OpAttributeError, "length is an extent, 0 or more, not -1"),
        ([gc.f64[3], gc.f64[4, 3]], {"reverse": 1}, OpAttributeError, "reverse is True or False, not 1"),
        ([gc.f64[3], gc.f64[5, 3]], {}, ShapeError, r"sequence 0 is f64\[5,3\], but the scan has length 4"),
        ([gc.f64[3], gc.f64()], {}, ShapeError, "has no leading axis to walk along"),
        ([gc.f64[3], gc.f64[4, 2]], {}, ShapeError, r"region takes %x: f64\[3\], but gets a f64\[2\]"),
        ([gc.f64[3]], {"scanned": 0}, ArgumentError, "got 1 operands, but its region takes 2"),
        ([gc.f64[3], gc.f64[4, 3]], {"carried": 2, "scanned": 0}, ShapeError, "gets a f64"),
    ],
)  # fmt: skip
def test_what_the_op_refuses(types: Any, attributes: Any, error: type[GraphcError], message: str) -> None:
    with pytest.raises(error, match=message):
        holding(types, STEP, **attributes)


def test_a_region_gives_its_carries() -> None:
    with pytest.raises(ShapeError, match=r"carry 0 is f64\[3\] before a step, but f64\[\] after it"):
        holding([gc.f64[3], gc.f64[4, 3]], gc.trace(lambda c, x: gc.sum(c + x), gc.f64[3], gc.f64[3]))
    with pytest.raises(VerifyError, match="gives 1 values, but it must give 2 carries"):
        holding([gc.f64[3]] * 2, STEP.with_(outputs=STEP.outputs[:1]), carried=2, scanned=0)
