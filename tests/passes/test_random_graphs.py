"""Random graphs through every pass, alone and in sequence: the same results, and nothing left to do the second time."""

import numpy as np
import pytest
from hypothesis import given

import graphc as gc
from graphc.interpret import run
from graphc.passes import Pipeline, default_pipeline, find_pass
from graphc.verify import verify
from pass_equivalence import DIMS, compare
from random_programs import exact_graphs, smooth_graphs

EXACT = ["decompose", "canonicalize", "fold", "algebra", "cse", "dce"]
SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -2.0])
TIES = {"max", "min", "maximum", "minimum", "relu"}  # of 0.0 and -0.0 either may win


def arrays(graph, special, seed=0):
    """Whole numbers, or special values, for the graph's inputs."""
    generator = np.random.default_rng(seed)
    given = []
    for value in graph.inputs:
        shape = tuple(DIMS["N"] if not isinstance(extent, int) else extent for extent in value.type.shape)
        if value.type.dtype.kind == "bool":
            given.append(generator.integers(0, 2, shape).astype(bool))
        elif value.type.dtype.is_integer:
            given.append(generator.choice([-128, 127, 0, 1, -1, 5], shape).astype(np.int8))
        else:
            numbers = generator.integers(-2, 3, shape).astype(np.float64)
            mixed = np.where(generator.random(shape) < 0.5, generator.choice(SPECIAL, shape), numbers)
            given.append(mixed if special else numbers)
    return given


def assert_same(before, after, special, zeros=True):
    """Fail unless the results are the same to the last bit; but for the sign of `zeros`, if told so."""
    given = arrays(before, special)
    strict = zeros and not TIES & {node.op.name for node in before.walk()}
    for e, g in zip(run(before, given)[0], run(after, given)[0], strict=True):
        if e.dtype == np.float64 and not strict:
            e, g = e + 0.0, g + 0.0
        compare(e, g, str(before), rtol=1e-15)


@pytest.mark.parametrize("name", EXACT)
@given(graph=exact_graphs())
def test_an_exact_pass_changes_no_bit(name, graph):
    after = verify(find_pass(name)(verify(graph)), after=name)
    assert_same(graph, after, special=False)
    assert_same(graph, after, special=True)
    assert str(find_pass(name)(after)) == str(after)


@given(graph=exact_graphs())
def test_split_reductions_changes_no_bit_of_exact_sums(graph):
    prepared = Pipeline(["canonicalize", "dce"]).run(graph).last.graph
    after = verify(find_pass("split_reductions")(prepared))
    assert_same(graph, after, special=False, zeros=False)
    assert str(find_pass("split_reductions")(after)) == str(after)


@given(graph=exact_graphs())
def test_the_whole_sequence(graph):
    after = default_pipeline().run(graph).last.graph
    assert_same(graph, after, special=False, zeros=False)
    assert after.count() <= graph.count() + 8  # a sum may become a sum, a factor and a shape


@given(graph=smooth_graphs())
def test_gradients_through_the_whole_sequence(graph):
    before = gc.value_and_grad(graph)
    after = default_pipeline().run(before).last.graph
    generator = np.random.default_rng(1)
    shapes = [(5, 3), (3,), (3, 3), ()]
    given = [generator.normal(size=shape) for shape in shapes]
    for e, g in zip(run(before, given)[0], run(after, given)[0], strict=True):
        np.testing.assert_allclose(g, e, rtol=1e-9, atol=1e-9 * np.abs(e).max(initial=1.0))
