"""Small steps that try whether helpers are worth it: what the clock says is done, and the results stay the same."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from graphc.backends.cpu import native_code
from graphc.backends.cpu.trial import FIRST, SHORT, TURNS, Trial, Way
from graphc.errors import IndexRangeError
from graphc.nn import functional as F


def timed(alone: Iterator[int], together: Iterator[int]) -> tuple[Trial, list[str]]:
    """A trial of two ways that take so many nanoseconds, and which were taken."""
    now, taken = [0], []

    def way(name: str, times: Iterator[int]) -> int:
        now[0] += next(times)
        taken.append(name)
        return len(taken)

    trial = Trial(lambda: way("alone", alone), lambda: way("together", together), clock=lambda: now[0])
    return trial, taken


def forever(*times: int) -> Iterator[int]:
    while True:
        yield from times


@pytest.mark.parametrize(
    ("alone", "together", "is_alone"),
    [
        ((6_000,), (9_000,), True),
        ((20_000,), (12_000,), False),
        ((20_000,), (17_000,), True),
        ((7_000, 7_000, 90_000), (5_000, 8_000, 8_000), True),
    ],
    ids=["alone", "together", "not worth it", "in most turns"],
)
def test_the_faster_way_is_found(alone: tuple[int, ...], together: tuple[int, ...], is_alone: bool) -> None:
    trial, taken = timed(forever(*alone), forever(*together))
    for turn in range(2 * TURNS):
        assert trial.is_alone is None
        assert trial.run() == turn + 1  # what the way gives
    assert trial.is_alone is is_alone
    assert taken.count("alone") == taken.count("together") == TURNS


def test_what_takes_long_is_tried_a_few_times() -> None:
    trial, taken = timed(forever(SHORT + 1), forever(2 * SHORT))
    for _ in range(2 * FIRST):
        assert trial.is_alone is None
        trial.run()
    assert trial.is_alone is False
    assert taken == ["together", "alone"] * FIRST


def test_a_first_call_that_was_held_up_decides_nothing() -> None:
    trial, _ = timed(iter([2 * SHORT] + [6_000] * TURNS), forever(9_000))
    for _ in range(2 * TURNS):
        trial.run()
    assert trial.is_alone is True


def network() -> nn.Module:
    gc.manual_seed(0)
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


@pytest.mark.parametrize("is_alone", [True, False], ids=["alone", "together"])
def test_a_step_that_tries_gives_what_one_thread_gives(monkeypatch: pytest.MonkeyPatch, is_alone: bool) -> None:
    now = [0]

    class Told(Trial):
        """A trial whose clock says what the test wants."""

        __slots__ = ()

        def __init__(self, alone: Way, together: Way) -> None:
            super().__init__(taking(1 + (not is_alone), alone), taking(1 + is_alone, together), lambda: now[0])

    def taking(time: int, way: Way) -> Way:
        def timed_way() -> int:
            now[0] += time
            return way()

        return timed_way

    monkeypatch.setattr(native_code, "Trial", Told)
    x, y = np.random.default_rng(0).standard_normal((16, 64)).astype(np.float32), np.arange(16) % 10
    models = [network(), network()]
    one, two = (
        gc.training_step(
            model, loss=F.cross_entropy, optimizer=optim.Adam(), inputs=gc.f32["N", 64], targets=gc.i64["N"], threads=n
        )
        for model, n in zip(models, (1, 2), strict=True)
    )
    for _ in range(3 * TURNS):
        assert one(x, y) == two(x, y)
    for (_, given), (_, expected) in zip(models[1].named_parameters(), models[0].named_parameters(), strict=True):
        np.testing.assert_array_equal(np.asarray(given), np.asarray(expected))
    binding = two._update._memory.current
    assert binding.trial.is_alone is is_alone
    assert not binding.is_doubtful
    assert (binding.serial_call is not None) is is_alone
    with pytest.raises(IndexRangeError):  # trouble is told, whoever walks the table
        two(x, y + 1)
    assert one(x, y) == two(x, y)
