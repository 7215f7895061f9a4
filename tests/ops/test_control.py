"""Ops with regions: `fused` gives what its region gives, `map` what it gives for each place of the leading axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.builder import Builder
from graphc.errors import ArgumentError, GraphcError, OpAttributeError, ShapeError, VerifyError
from graphc.ir import Graph
from graphc.op import find_op, recording
from graphc.text.parser import parse
from graphc.verify import verify


def holding(op: str, types: Sequence[gc.TensorType], region: Graph, **attributes: Any) -> Graph:
    """A graph of one op over its inputs, holding a region."""
    builder = Builder("outer")
    operands = tuple(builder.input(f"a{i}", type).value for i, type in enumerate(types))
    with recording(builder):
        return builder.finish(builder.emit(find_op(op), operands, attributes, (region,)))


def affine(x: Any, w: Any) -> Any:
    return gc.sum(x * w), x + 1


ROW = gc.trace(affine, gc.f64[3], gc.f64[3])
NAMED = gc.trace(affine, gc.f64["N"], gc.f64["N"])


def test_fused_is_its_region() -> None:
    graph = verify(holding("fused", [gc.f64["N"], gc.f64["N"]], NAMED))
    x, w = np.arange(4.0), np.full(4, 2.0)
    total, more = gc.evaluate(graph, x, w)
    assert total == 12.0
    np.testing.assert_array_equal(more, x + 1)
    text = str(graph)
    assert str(parse(text)) == text


def test_fused_is_differentiated_through_its_region() -> None:
    graph = holding("fused", [gc.f64[3], gc.f64[3]], ROW)
    assert gc.gradcheck(graph, np.arange(3.0), np.array([1.0, -2.0, 3.0]))


def test_map_runs_its_region_for_each_place() -> None:
    graph = verify(holding("map", [gc.f64["N", 3], gc.f64[3]], ROW, mapped=1))
    assert [output.type for output in graph.outputs] == [gc.f64["N"], gc.f64["N", 3]]
    xs, w = np.arange(12.0).reshape(4, 3), np.array([1.0, 10.0, 100.0])
    totals, more = gc.evaluate(graph, xs, w)
    np.testing.assert_array_equal(totals, xs @ w)
    np.testing.assert_array_equal(more, xs + 1)
    assert [result.shape for result in gc.evaluate(graph, xs[:0], w)] == [(0,), (0, 3)]
    text = str(graph)
    assert str(parse(text)) == text


def test_map_of_several_operands() -> None:
    graph = holding("map", [gc.f64[4, 3], gc.f64[4, 3]], ROW, mapped=2)
    xs, ws = np.random.default_rng(0).standard_normal((2, 4, 3))
    np.testing.assert_allclose(gc.evaluate(graph, xs, ws)[0], (xs * ws).sum(axis=1))


@pytest.mark.parametrize("mapped", [1, 2])
def test_map_is_differentiated_place_by_place(mapped: int) -> None:
    shapes = [(4, 3), (4, 3) if mapped == 2 else (3,)]
    graph = holding("map", [gc.f64(*shape) for shape in shapes], ROW, mapped=mapped)
    generator = np.random.default_rng(0)
    assert gc.gradcheck(graph, *(generator.standard_normal(shape) for shape in shapes))


@pytest.mark.parametrize(
    ("op", "types", "attributes", "error", "message"),
    [
        ("fused", [gc.f64[3]], {}, ArgumentError, "got 1 operands, but its region takes 2"),
        ("fused", [gc.f64[3], gc.f64[4]], {}, ShapeError, r"region takes %w: f64\[3\], but gets a f64\[4\]"),
        ("fused", [gc.f64[3], gc.f32[3]], {}, ShapeError, r"region takes %w: f64\[3\], but gets a f32\[3\]"),
        ("map", [gc.f64[3], gc.f64[3]], {"mapped": 1}, ShapeError, r"region takes %x: f64\[3\], but gets a f64\[\]"),
        ("map", [gc.f64[4, 3], gc.f64[5, 3]], {"mapped": 2}, ShapeError, "they differ in extent"),
        ("map", [gc.f64(), gc.f64[3]], {"mapped": 1}, ShapeError, "has no leading axis to map over"),
        ("map", [gc.f64[4, 3], gc.f64[3]], {"mapped": 3}, OpAttributeError, "mapped is 3, but there are 2 operands"),
        ("map", [gc.f64[4, 3], gc.f64[3]], {"mapped": 0}, OpAttributeError, "mapped is 0"),
    ],
)
def test_what_they_refuse(op: str, types: Any, attributes: Any, error: type[GraphcError], message: str) -> None:
    with pytest.raises(error, match=message):
        holding(op, types, ROW, **attributes)


def test_a_region_has_no_state() -> None:
    cell = gc.state.Cell(np.zeros(3), kind="parameter", name="w")
    region = gc.trace(lambda x: x + cell, gc.f64[3])
    with pytest.raises(VerifyError, match="has state; pass it in as an operand"):
        holding("fused", [gc.f64[3]], region)
