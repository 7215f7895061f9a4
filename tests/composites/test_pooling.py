"""Pools against plain loops over random settings, with known and with named extents; ties, NaN and infinities."""

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.composites.adaptive_pooling import adaptive_avg_pool, adaptive_max_pool
from graphc.composites.avg_pooling import avg_pool
from graphc.composites.max_pooling import max_pool
from graphc.passes.decompose import decompose
from oracles import windows

NAMES = ("D", "H", "W")
Settings = dict[str, Any]


def draw(seed: int, count: int, dilations: int) -> tuple[Any, Settings]:
    """An array of floats and settings of windows that it holds."""
    rng = np.random.default_rng([seed, count, dilations])

    def numbers(low: int, high: int) -> tuple[int, ...]:
        return tuple(map(int, rng.integers(low, high, count)))

    size, stride, dilation = numbers(1, 4), numbers(1, 4), numbers(1, 1 + dilations)
    spans = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    # Not one element in a window that has nothing but padding, which torch leaves undefined.
    padding = tuple(
        int(rng.integers(0, span // 2 + 1)) if d == 1 else 0 for span, d in zip(spans, dilation, strict=True)
    )
    space = tuple(span + int(rng.integers(0, 5)) for span in spans)
    x = rng.standard_normal((2, 3, *space)).astype(np.float32 if seed % 3 == 0 else np.float64)
    if seed % 2:
        x = np.round(x)  # ties
    settings = {"size": size, "stride": stride, "padding": padding, "dilation": dilation, "ceil_mode": seed % 4 > 1}
    return x, settings


def graphs(function: Any, x: Any, count: int) -> list[gc.Graph]:
    """The function traced with the array's extents and with names for them."""
    dtype = gc.f32 if x.dtype == np.float32 else gc.f64
    return [gc.trace(function, spec) for spec in (x, dtype[("N", x.shape[1], *NAMES[-count:])])]


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("seed", range(16))
def test_max_pool_has_the_first_of_the_greatest(count: int, seed: int) -> None:
    x, settings = draw(seed, count, 2)
    expected, positions = windows.max_pool(x, **settings)
    for graph in graphs(lambda x: max_pool(x, **settings), x, count):
        y, indices = gc.evaluate(graph, x)
        np.testing.assert_array_equal(y, expected)
        np.testing.assert_array_equal(indices, positions)
        assert y.dtype == x.dtype
        cotangent = np.cos(np.arange(y.size)).reshape(y.shape).astype(x.dtype)
        scattered = np.zeros((*x.shape[:2], int(np.prod(x.shape[2:]))))
        for n, c in np.ndindex(*x.shape[:2]):
            np.add.at(scattered[n, c], positions[n, c].ravel(), cotangent[n, c].ravel())
        back = gc.vjp(gc.trace(lambda x: max_pool(x, **settings)[0], graph.inputs[0].type))
        np.testing.assert_allclose(gc.evaluate(back, x, cotangent), scattered.reshape(x.shape), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("seed", range(16))
def test_avg_pool_is_the_mean_of_what_counts(count: int, seed: int) -> None:
    x, settings = draw(seed, count, 1)
    del settings["dilation"]
    included, divisor = seed % 5 < 3, 3 if seed % 7 == 6 else None
    expected = windows.avg_pool(x, **settings, count_include_pad=included, divisor=divisor)

    def pool(x: Any) -> Any:
        return avg_pool(x, **settings, count_include_pad=included, divisor_override=divisor)

    for graph in graphs(pool, x, count):
        y = gc.evaluate(graph, x)
        assert y.dtype == x.dtype
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    if x.dtype == np.float64 and x.size < 300:
        assert gc.gradcheck(graph, x)


@pytest.mark.parametrize(
    ("space", "output_size"),
    [
        ((8,), (4,)),
        ((7,), (3,)),
        ((3,), (5,)),
        ((7, 5), (3, 4)),
        ((6, 4), (2, 4)),
        ((5, 6), (1, 4)),
        ((3, 4, 5), (2, 4, 3)),
    ],
)
def test_adaptive_windows_are_spread_evenly(space: tuple[int, ...], output_size: tuple[int, ...]) -> None:
    x = np.random.default_rng(3).standard_normal((2, 3, *space))
    mean, greatest, positions = windows.adaptive(x, output_size)
    means = gc.trace(lambda x: adaptive_avg_pool(x, output_size=output_size), x)
    np.testing.assert_allclose(gc.evaluate(means, x), mean, rtol=1e-12)
    y, indices = gc.evaluate(gc.trace(lambda x: adaptive_max_pool(x, output_size=output_size), x), x)
    np.testing.assert_array_equal(y, greatest)
    np.testing.assert_array_equal(indices, positions)
    assert gc.gradcheck(means, x)
    assert gc.gradcheck(lambda x: adaptive_max_pool(x, output_size=output_size)[0], x)


def test_named_extents_that_are_multiples_have_even_windows() -> None:
    x = np.random.default_rng(3).standard_normal((2, 3, 6, 5))
    mean, greatest, positions = windows.adaptive(x, (3, 1))

    def call(x: Any) -> Any:
        return adaptive_avg_pool(x, output_size=(3, 1)), *adaptive_max_pool(x, output_size=(3, 1))

    graph = gc.trace(call, gc.f64["N", 3, "3*H", "W"])
    assert str(graph.outputs[0].type) == "f64[N,3,3,1]"
    for given, expected in zip(gc.evaluate(graph, x), (mean, greatest, positions), strict=True):
        np.testing.assert_allclose(given, expected, rtol=1e-12)


# -- what is greatest -------------------------------------------------------------------------------------------------

OVER_THREE: Settings = {"size": (3,), "stride": (3,), "padding": (0,), "dilation": (1,)}


def test_of_equal_elements_the_first_gets_the_gradient() -> None:
    x = np.array([[2.0, 2.0, 2.0, 1.0, 3.0, 3.0]])
    graph = gc.trace(lambda x: gc.sum(max_pool(x, **OVER_THREE)[0]), x)
    np.testing.assert_array_equal(gc.evaluate(gc.grad(graph), x), [[1, 0, 0, 0, 1, 0]])


def test_nan_is_the_greatest_and_the_first_one_counts() -> None:
    x = np.array([[1.0, np.nan, np.nan, np.inf, 2.0, np.nan]])
    y, indices = gc.evaluate(gc.trace(lambda x: max_pool(x, **OVER_THREE), x), x)
    assert np.isnan(y).all()
    np.testing.assert_array_equal(indices, [[1, 5]])


def test_padding_never_wins() -> None:
    """The margin is as small as -inf, yet the first element of a window is one of x."""
    x = np.full((1, 4), -np.inf)
    settings: Settings = {"size": (3,), "stride": (2,), "padding": (1,), "dilation": (1,), "ceil_mode": True}
    y, indices = gc.evaluate(gc.trace(lambda x: max_pool(x, **settings), x), x)
    np.testing.assert_array_equal(y, np.full((1, 3), -np.inf))
    np.testing.assert_array_equal(indices, [[0, 1, 3]])
    (y, indices) = gc.evaluate(gc.trace(lambda x: adaptive_max_pool(x, output_size=(3,)), x), x)
    np.testing.assert_array_equal(indices, [[0, 1, 2]])


@pytest.mark.parametrize("size", [(3, 3), (5, 4), (2, 17)], ids=["small", "axis by axis", "large"])
def test_special_numbers_in_windows_of_any_size(size: tuple[int, int]) -> None:
    """Small windows are taken tap by tap, large ones reduced; ties, NaN and margins are the same to all."""
    rng = np.random.default_rng(8)
    x = rng.choice([-np.inf, 0.0, 1.0, np.inf, np.nan], p=[0.6, 0.15, 0.15, 0.05, 0.05], size=(4, 3, 9, 18))
    settings: Settings = {"size": size, "stride": (2, 1), "padding": (1, 1), "dilation": (1, 1), "ceil_mode": True}
    expected, positions = windows.max_pool(x, **settings)
    for graph in graphs(lambda x: max_pool(x, **settings), x, 2):
        y, indices = gc.evaluate(graph, x)
        np.testing.assert_array_equal(y, expected)
        np.testing.assert_array_equal(indices, positions)
        read = {node.op.name for node in decompose(graph).nodes} & {"windows", "slice"}
        assert ("windows" in read) == (size == (2, 17))


def test_windows_side_by_side_need_no_windows() -> None:
    settings: Settings = {"size": (2, 2), "stride": (2, 2), "padding": (0, 0)}
    graph = decompose(gc.vjp(gc.trace(lambda x: avg_pool(x, **settings), gc.f32["N", 3, 8, 6])))
    assert not {node.op.name for node in graph.nodes} & {"windows", "overlap_add", "pad"}
    named = decompose(gc.trace(lambda x: avg_pool(x, **settings), gc.f32["N", 3, "2*H", 6]))
    assert "windows" not in {node.op.name for node in named.nodes}


def test_the_backward_pass_remembers_the_positions() -> None:
    settings: Settings = {"size": (3, 3), "stride": (2, 2), "padding": (1, 1), "dilation": (1, 1)}
    graph = gc.vjp(gc.trace(lambda x: max_pool(x, **settings)[0], gc.f32["N", 3, 8, 8]))
    assert [node.op.name for node in graph.nodes].count("max_pool") == 1
    assert [node.op.name for node in graph.nodes].count("scatter_add") == 1


def test_extents_are_formulas_of_named_ones() -> None:
    settings: Settings = {"size": (3, 2), "stride": (2, 2), "padding": (1, 0), "dilation": (1, 1), "ceil_mode": True}
    graph = gc.trace(lambda x: max_pool(x, **settings)[0], gc.f32["N", 3, "H", "W"])
    assert str(graph.outputs[0].type) == "f32[N,3,H//2+1,(W-1)//2+1]"


# -- what does not fit ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "spec", "rule"),
    [
        (
            lambda x: max_pool(x, size=(3,), stride=(1,), padding=(0,), dilation=(2,)), gc.f32[2, 3, 4],
            "max_pool: axis 2 has extent 4, but the window reaches over 5",
        ),
        (
            lambda x: max_pool(x, size=(3,), stride=(1,), padding=(2,), dilation=(1,)), gc.f32[2, 3, 4],
            "max_pool: padding is at least 0 and at most half of a window, but along axis 2 it is 2, and the window "
            "reaches over 3",
        ),
        (
            lambda x: avg_pool(x, size=(3, 3), stride=(1, 1), padding=(0, 0)), gc.f32[3, 4],
            "avg_pool: x has channels and 2 axes to slide over, but is f32[3,4]",
        ),
        (
            lambda x: avg_pool(x, size=(3,), stride=(1,), padding=(0,)), gc.f32[2, 3, 0],
            "avg_pool: axis 2 of x is empty: f32[2,3,0]",
        ),
        (
            lambda x: avg_pool(x, size=(3,), stride=(1,), padding=(0,), divisor_override=0), gc.f32[2, 3, 4],
            "avg_pool: divisor_override is a number other than 0, not 0",
        ),
        (
            lambda x: adaptive_avg_pool(x, output_size=(3,)), gc.f32[2, 3, "L"],
            "adaptive_avg_pool: axis 2 has the extent L, which 3 windows need not divide; give x a known extent, or a "
            "multiple of 3",
        ),
        (
            lambda x: adaptive_max_pool(x, output_size=(0,)), gc.f32[2, 3, 4],
            "adaptive_max_pool: output_size (0,) must be positive",
        ),
        (
            lambda x: max_pool(x, size=(3,), stride=(1,), padding=(0,), dilation=(1,)), gc.i64[2, 3, 4],
            "max_pool: takes floating-point numbers, but x is i64[2,3,4]; convert with gc.astype",
        ),
    ],
)  # fmt: skip
def test_says_what_does_not_fit(call: Any, spec: Any, rule: str) -> None:
    with pytest.raises(gc.errors.GraphcError) as raised:
        gc.trace(call, spec)
    assert raised.value.rule == rule


@pytest.mark.parametrize("backend", ["interpreter", "cpu"])
def test_a_window_that_a_named_extent_cannot_hold(backend: str) -> None:
    graph = gc.trace(lambda x: max_pool(x, **OVER_THREE)[0], gc.f32[2, "L"])
    executable = gc.compile(graph, backend=backend)
    with pytest.raises(gc.errors.ShapeError, match="axis 1 has extent 2, but the window reaches over 3"):
        executable(np.ones((2, 2), np.float32))
