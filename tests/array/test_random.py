"""Random draws: reproducible, independent, of the right distribution; seeds and keys."""

import math

import numpy as np
import pytest

from graphc import random
from graphc.dim import dim
from graphc.dsl.trace import trace
from graphc.errors import ArgumentError, DTypeError, OpAttributeError, ShapeError, TraceError
from graphc.interpret import evaluate
from graphc.ops.random import random_bits
from graphc.passes.decompose import decompose
from graphc.state import Cell
from graphc.types import bf16, f16, f32, f64, i8, i64, u8, u32, u64

MANY = 40_000


def seeded(seed=1):
    return Cell(np.array([seed, 0], np.uint64), kind="rng", name="rng")


def draw(function, seed=1):
    return evaluate(trace(lambda: function(), rng=seeded(seed)))


@pytest.fixture
def fresh_seed():
    yield
    random.manual_seed(0)


@pytest.mark.parametrize(("dtype", "steps"), [(f16, 2**11), (bf16, 2**8), (f32, 2**24), (f64, 2**53)])
def test_uniform_is_a_multiple_of_the_dtypes_precision_below_1(dtype, steps):
    x = draw(lambda: random.uniform((MANY,), dtype=dtype))
    assert x.dtype == dtype.numpy
    wide = x.astype(np.float64)
    assert wide.min() >= 0
    assert wide.max() < 1
    np.testing.assert_array_equal(wide * steps, np.floor(wide * steps))
    assert abs(wide.mean() - 0.5) < 4 / math.sqrt(12 * MANY) + 0.5 / steps
    counts = np.histogram(wide, 16, (0, 1))[0]
    assert ((counts - MANY / 16) ** 2 / (MANY / 16)).sum() < 45  # chi-square, 15 degrees of freedom, p = 1e-4


@pytest.mark.parametrize("dtype", [f16, bf16, f32, f64])
def test_normal(dtype):
    x = draw(lambda: random.normal((MANY,), dtype=dtype))
    assert x.dtype == dtype.numpy
    wide = x.astype(np.float64)
    assert np.isfinite(wide).all()
    assert abs(wide.mean()) < 4 / math.sqrt(MANY)
    assert abs(wide.var() - 1) < 4 * math.sqrt(2 / MANY)
    assert abs((wide**3).mean()) < 4 * math.sqrt(15 / MANY)
    assert abs((wide**4).mean() - 3) < 4 * math.sqrt(96 / MANY)


def test_normal_of_extreme_bits_is_finite_and_symmetric(monkeypatch):
    def extreme(word):
        def reference(rng, *, stream, shape):
            return np.full(shape, word, np.uint32)

        with monkeypatch.context() as patch:
            patch.setitem(random_bits.__dict__, "reference", reference)
            return [draw(lambda d=d: random.normal((), dtype=d)) for d in (f32, f64)]

    for low, high in zip(extreme(0), extreme(2**32 - 1), strict=True):
        assert low == -high
        assert 5 < high < 9


def test_scaled_draws():
    low, high = draw(lambda: (random.uniform((MANY,), -1, 3), random.uniform((MANY,), 2, 2.5)))
    assert low.min() >= -1
    assert low.max() < 3
    assert abs(low.mean() - 1) < 0.05
    assert 2 <= high.min() <= high.max() <= 2.5
    x = draw(lambda: random.normal((MANY,), 5.0, 0.1))
    assert abs(x.mean() - 5) < 0.01
    assert abs(x.std() - 0.1) < 0.005
    graph = trace(lambda m, s: random.normal(m.shape, m, s), f32["N"], f32())
    y = evaluate(graph, np.array([1e3, -1e3], np.float32), np.float32(1))
    assert (np.sign(y) == [1, -1]).all()


def test_bernoulli():
    never, always, fair = draw(lambda: [random.bernoulli(p, (MANY,)) for p in (0, 1, 0.3)])
    assert not never.any()
    assert always.all()
    assert abs(fair.mean() - 0.3) < 0.01
    p = np.array([0.0, 1.0], np.float32)
    graph = trace(lambda p: (random.bernoulli(p), random.bernoulli(p, (5, 2))), f32[2])
    one, several = evaluate(graph, p)
    np.testing.assert_array_equal(one, [False, True])
    np.testing.assert_array_equal(several, [[False, True]] * 5)


def test_randint():
    x = draw(lambda: random.randint(-3, 5, (MANY,)))
    small = draw(lambda: random.randint(7, shape=(9, 2), dtype=u8))
    whole = draw(lambda: random.randint(-128, 128, (99,), dtype=i8))
    counts = np.bincount(x + 3, minlength=8)
    assert x.dtype == np.int64
    assert len(counts) == 8
    assert ((counts - MANY / 8) ** 2 / (MANY / 8)).sum() < 30
    assert small.dtype == np.uint8
    assert small.max() < 7
    assert whole.min() < -64
    assert whole.max() > 63
    full = draw(lambda: random.randint(-(2**63), 2**63, (99,)))
    assert full.min() < -(2**61)
    graph = trace(lambda x: random.randint(0, x.shape[0], (100,)), f32["N"])
    assert set(evaluate(graph, np.zeros(3, np.float32))) == {0, 1, 2}


def test_permutation():
    order, rows = evaluate(
        trace(lambda x: (random.permutation(x.shape[0]), random.permutation(x)), f32["N", 2]),
        np.arange(20, dtype=np.float32).reshape(10, 2),
    )
    np.testing.assert_array_equal(np.sort(order), np.arange(10))
    np.testing.assert_array_equal(np.sort(rows[:, 0]), np.arange(0, 20, 2))
    np.testing.assert_array_equal(rows[:, 1], rows[:, 0] + 1)
    first = [draw(lambda: random.permutation(5), seed)[0] for seed in range(300)]
    assert np.bincount(first, minlength=5).min() > 30


def test_bits():
    for dtype in (u8, "u16", u32, u64):
        x = draw(lambda d=dtype: random.bits((MANY,), dtype=d))
        width = x.dtype.itemsize * 8
        ones = [(x >> np.array(bit, x.dtype) & np.array(1, x.dtype)).mean() for bit in range(width)]
        assert max(abs(share - 0.5) for share in ones) < 0.015


# -- seeds, steps, streams, keys --------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_numbers_and_each_run_new_ones():
    graphs = [trace(lambda: random.uniform((8,)), rng=seeded(s)) for s in (1, 1, 2)]
    first, again, other = (evaluate(g) for g in graphs)
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()
    second = evaluate(graphs[0])
    assert (second != first).all()
    assert graphs[0].state[0].cell.array.tolist() == [1, 2]


def test_draws_of_one_graph_are_independent():
    a, b = draw(lambda: (random.uniform((MANY,)), random.uniform((MANY,))))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.02
    assert str(trace(lambda: (random.uniform(2), random.uniform(2)))).count("update") == 1


def test_draws_stay_one_node_and_decompose_to_the_same_numbers():
    graph = trace(lambda: (random.uniform((4,)), random.normal((4,), dtype=f64), random.randint(9, shape=(4,))))
    assert "random_normal(%rng, stream=1, shape=(4,), dtype=f64)" in str(graph)
    seed = {"rng": np.array([5, 6], np.uint64)}
    opened = decompose(graph)
    assert {node.op.name for node in opened.nodes} >= {"random_bits", "erfinv"}
    for whole, parts in zip(evaluate(graph, state=seed), evaluate(opened, state=seed), strict=True):
        np.testing.assert_array_equal(whole, parts)


def test_explicit_keys():
    def function(k):
        return random.uniform(4, key=k), random.uniform(4, key=k), random.uniform(4, key=random.key(3, 1))

    graph = trace(function, u64[2])
    assert not graph.state
    a, b, c = evaluate(graph, np.array([3, 1], np.uint64))
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(a, c)
    with pytest.raises(ArgumentError, match=r"random.uniform: key is u64\[2\] of seed and step, not i64\[2\]"):
        trace(function, i64[2])


@pytest.mark.usefixtures("fresh_seed")
def test_manual_seed():
    generator = random.manual_seed(7)
    assert generator is random.host_generator()
    first = generator.normal(size=3)
    graph = trace(lambda: random.uniform((3,)))
    assert graph.state[0].cell.array.tolist() == [7, 0]
    random.manual_seed(7)
    np.testing.assert_array_equal(random.host_generator().normal(size=3), first)
    assert random.default_seed() == 7
    for seed in (-1, 2**64, 0.5, True, "a"):
        with pytest.raises(OpAttributeError, match="the seed is an integer from 0"):
            random.manual_seed(seed)


N = dim("N")
ERRORS = [
    (lambda: random.uniform((2,), 1, 0), OpAttributeError, "low 1 is above high 0"),
    (lambda: random.uniform((2,), dtype=i8), DTypeError, "gives floating-point numbers, not i8"),
    (lambda: random.bits((2,), dtype=i8), DTypeError, "gives unsigned integers, not i8"),
    (lambda: random.bernoulli(1.5, (2,)), OpAttributeError, r"1.5 is not in \[0, 1\]"),
    (lambda: random.randint(3, 3), OpAttributeError, "no integer is at least 3 and below 3"),
    (lambda: random.randint(0, 300, dtype=u8), OpAttributeError, r"0 to 300 is beyond u8 \(0 to 255\)"),
    (lambda: random.randint(0, 3, dtype=f32), DTypeError, "gives integers, not f32"),
    (lambda: random.normal((2,), np.zeros((3, 1), np.float32)), ShapeError, "stretch"),
    (lambda: random.permutation(np.float32(1)), ShapeError, "takes an extent or a tensor with an axis"),
    (lambda: random.uniform((2, -1)), ShapeError, "random.uniform: an extent is at least 0"),
]


@pytest.mark.parametrize(("function", "error", "words"), ERRORS)
def test_errors(function, error, words):
    with pytest.raises(error, match=words):
        trace(lambda: function())


def test_outside_of_a_trace():
    with pytest.raises(TraceError, match="outside of a trace"):
        random.uniform((2,))
