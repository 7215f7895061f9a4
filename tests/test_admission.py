"""Extents that a call binds are checked by the ops before anything runs."""

import numpy as np
import pytest

import graphc as gc
from graphc.admission import admit, asked
from graphc.composites.requirement import require_extent


def graph() -> gc.Graph:
    def tail(x):
        h = x * 2
        return require_extent(h, extent=x.shape[0] - 3, at_least=1, reason="tail: takes more than 3 rows")

    return gc.trace(tail, gc.f32["N", 2])


def test_extents_that_fit_are_admitted() -> None:
    admit(graph(), {"N": 4})
    x = np.ones((4, 2), np.float32)
    np.testing.assert_array_equal(gc.evaluate(graph(), x), 2 * x)


@pytest.mark.parametrize(
    "run", [lambda g, x: gc.evaluate(g, x), lambda g, x: gc.compile(g)(x)], ids=["evaluate", "compile"]
)
def test_extents_that_do_not_fit_are_refused_with_the_line(run) -> None:
    with pytest.raises(gc.errors.ShapeError) as caught:
        run(graph(), np.ones((3, 2), np.float32))
    first, line, where = str(caught.value).splitlines()
    assert first == "tail: takes more than 3 rows, but got 0"
    assert "require_extent" in line
    assert "test_admission.py" in where


def test_a_number_is_refused_when_the_graph_is_traced() -> None:
    with pytest.raises(gc.errors.ShapeError, match="takes 5, but got 4"):
        gc.trace(lambda x: require_extent(x, extent=4, at_least=5, reason="takes 5"), gc.f32[4])


def test_the_requirement_leaves_nothing_behind_in_the_compiled_graph() -> None:
    compiled = gc.compile(graph())
    assert [node.op.name for node in compiled.graph.nodes] == ["mul"]
    x = np.ones((4, 2), np.float32)
    np.testing.assert_array_equal(compiled(x), 2 * x)
    with pytest.raises(gc.errors.ShapeError, match="more than 3 rows"):
        compiled(x[:3])


def test_the_gradient_passes_a_requirement() -> None:
    gradient = gc.grad(gc.trace(lambda x: gc.sum(require_extent(x, extent=2, at_least=1, reason="-") * x), gc.f64[2]))
    assert gc.evaluate(gradient, np.array([1.0, 3.0])).tolist() == [2.0, 6.0]


def test_the_maximum_over_a_named_axis_that_is_empty_is_refused() -> None:
    with pytest.raises(gc.errors.GraphcError, match="max"):
        gc.evaluate(gc.trace(lambda x: gc.max(x, axis=0), gc.f32["N", 3]), np.zeros((0, 3), np.float32))


def test_what_is_asked_can_be_written_down() -> None:
    def twice(x, y):
        tails = [require_extent(x + y, extent=x.shape[0] - 3, at_least=1, reason="too few rows") for _ in range(2)]
        return tails[0] * tails[1] + gc.full((x.shape[0], 2), 0.5), gc.zeros((3,)) + 1.0

    traced = gc.trace(twice, gc.f32["N", 2], gc.f32["N", 2])
    written = gc.parse(str(asked(traced)))
    assert written.count("require_extent") == 1
    assert written.count() < traced.count()
    assert str(asked(written)) == str(written)
    for extent in (1, 3, 4, 9):
        problems = []
        for each in (traced, written):
            try:
                admit(each, {"N": extent})
            except gc.errors.ShapeError as error:
                problems.append(error.rule)
        assert len(problems) == (2 if extent < 4 else 0)
        assert len(set(problems)) <= 1
