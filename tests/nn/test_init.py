"""Initializers draw from torch's distributions, with torch's bounds; the seed fixes them."""

import math

import numpy as np
import pytest

import graphc as gc
from graphc import nn
from graphc.nn import init
from oracles.case import Case, read

CASES = read("nn_init")
GAINS = [case for case in CASES if "gain" in case.facts]
FANS = [case for case in CASES if "fan_in" in case.facts]
RULES = [case for case in CASES if "distribution" in case.facts]
DEFAULTS = [case for case in CASES if "distributions" in case.facts]


class Recorder:
    """Stands in for a generator and keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[object], tuple[int, ...]]] = []

    def uniform(self, low: float, high: float, size: tuple[int, ...]) -> np.ndarray:
        self.asked.append((["uniform", low, high], size))
        return np.zeros(size)

    def normal(self, mean: float, std: float, size: tuple[int, ...]) -> np.ndarray:
        self.asked.append((["normal", mean, std], size))
        return np.zeros(size)


def assert_same(given: list[object], expected: list[object]) -> None:
    assert given[0] == expected[0]
    assert given[1:] == pytest.approx(expected[1:], rel=1e-14, abs=0)


@pytest.mark.parametrize("case", GAINS, ids=lambda case: case.name)
def test_gain(case: Case) -> None:
    assert init.calculate_gain(**case.arguments) == pytest.approx(case.facts["gain"], rel=1e-15)


@pytest.mark.parametrize("case", FANS, ids=lambda case: case.name)
def test_fans(case: Case) -> None:
    assert init.fans(tuple(case.facts["shape"])) == (case.facts["fan_in"], case.facts["fan_out"])


@pytest.mark.parametrize("case", RULES, ids=lambda case: case.name)
def test_distribution(case: Case) -> None:
    source, tensor = Recorder(), np.ones(case.facts["shape"])
    assert getattr(init, case.function)(tensor, **case.arguments, generator=source) is tensor
    ((given, size),) = source.asked
    assert size == tensor.shape
    assert_same(given, case.facts["distribution"])


@pytest.mark.parametrize("case", DEFAULTS, ids=lambda case: case.name)
def test_layers_start_as_torch_s(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Recorder()
    monkeypatch.setattr(init, "host_generator", lambda: source)
    layer = getattr(nn, case.function)(**case.arguments)
    expected = case.facts["distributions"]
    assert len(source.asked) == len(expected)
    for (given, size), (name, distribution) in zip(source.asked, expected.items(), strict=True):
        assert size == layer.get_parameter(name).shape
        assert_same(given, distribution)


def test_the_seed_fixes_what_is_drawn() -> None:
    def weights() -> np.ndarray:
        return np.asarray(nn.Linear(5, 4).weight)

    gc.manual_seed(7)
    first, second = weights(), weights()
    gc.manual_seed(7)
    np.testing.assert_array_equal(weights(), first)
    assert (first != second).any()
    gc.manual_seed(8)
    assert (weights() != first).any()


def test_draws_follow_their_distribution() -> None:
    gc.manual_seed(0)
    p = nn.Parameter(np.zeros((200, 300), np.float32))
    init.uniform_(p, -2.0, 4.0)
    values = np.asarray(p)
    assert values.min() >= -2
    assert values.max() <= 4
    assert abs(values.mean() - 1) < 0.02
    assert abs(values.std() - 6 / math.sqrt(12)) < 0.02
    init.normal_(p, 3.0, 0.5)
    assert abs(np.asarray(p).mean() - 3) < 0.01
    assert abs(np.asarray(p).std() - 0.5) < 0.01
    init.kaiming_normal_(p, nonlinearity="relu")
    assert abs(np.asarray(p).std() - math.sqrt(2 / 300)) < 1e-3
    assert p.dtype is gc.f32


@pytest.mark.parametrize(("mean", "std", "a", "b"), [(0, 1, -2, 2), (1, 0.5, 0, 1.5), (0, 1, 1.5, 4), (0, 1, 2, 2.5)])
def test_truncated_normal(mean: float, std: float, a: float, b: float) -> None:
    gc.manual_seed(0)
    values = init.trunc_normal_(np.zeros(40_000), mean, std, a, b)
    assert values.min() >= a
    assert values.max() <= b
    grid = np.linspace(a, b, 20_001)
    density = np.exp(-(((grid - mean) / std) ** 2) / 2)
    average = (grid * density).sum() / density.sum()
    spread = math.sqrt(((grid - average) ** 2 * density).sum() / density.sum())
    assert abs(values.mean() - average) < 0.02 * std
    assert abs(values.std() - spread) < 0.02 * std


def test_truncated_normal_warns_far_from_its_mean_and_refuses_no_interval() -> None:
    with pytest.warns(UserWarning, match="more than 2 std"):
        values = init.trunc_normal_(np.zeros(100), mean=0.0, std=0.1, a=1.0, b=2.0)
    assert values.min() >= 1
    with pytest.raises(gc.errors.OpAttributeError, match="no interval"):
        init.trunc_normal_(np.zeros(3), a=1.0, b=1.0)


@pytest.mark.parametrize("shape", [(4, 7), (7, 4), (5, 5), (3, 2, 2, 2), (6, 1, 2)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    q = init.orthogonal_(np.zeros(shape), gain=2.0).reshape(shape[0], -1)
    smaller = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
    np.testing.assert_allclose(smaller, 4 * np.eye(min(q.shape)), atol=1e-12)


def test_sparse() -> None:
    w = init.sparse_(np.zeros((10, 6)), sparsity=0.25, std=1.0)
    assert ((w == 0).sum(0) == 3).all()


def test_plain_values() -> None:
    p = nn.Parameter(np.zeros((2, 3)))
    assert np.asarray(init.constant_(p, 2.5)).tolist() == [[2.5] * 3] * 2
    assert np.asarray(init.ones_(p)).all()
    assert not np.asarray(init.zeros_(p)).any()
    assert np.asarray(init.eye_(p)).tolist() == [[1, 0, 0], [0, 1, 0]]
    assert p.version == 4


@pytest.mark.parametrize(
    ("act", "error", "words"),
    [
        (lambda: init.xavier_uniform_(np.zeros(3)), gc.errors.ShapeError, "two axes or more"),
        (lambda: init.eye_(np.zeros(3)), gc.errors.ShapeError, "eye_ takes a matrix"),
        (lambda: init.orthogonal_(np.zeros(3)), gc.errors.ShapeError, "orthogonal_ takes two axes"),
        (lambda: init.sparse_(np.zeros(3), 0.1), gc.errors.ShapeError, "sparse_ takes a matrix"),
        (lambda: init.calculate_gain("gelu"), gc.errors.OpAttributeError, "no gain for 'gelu'"),
        (lambda: init.calculate_gain("leaky_relu", "x"), gc.errors.OpAttributeError, "slope of leaky_relu"),
        (lambda: init.kaiming_normal_(np.zeros((2, 2)), mode="fan"), gc.errors.OpAttributeError, "fan_in"),
        (lambda: init.ones_([1, 2]), gc.errors.ArgumentError, "not list"),
    ],
)
def test_errors(act, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        act()
