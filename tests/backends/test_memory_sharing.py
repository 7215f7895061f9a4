"""An array may lie where another one dies only where every element is read before it is written over."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn

sys.path.insert(0, str(Path(__file__).parent))
from against_interpreter import same_on_both

N = 40


def numbers(*shape: int) -> Any:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def taken_over(executable: Any) -> dict[str, str | None]:
    """For each buffer of the last call whose memory it took over."""
    return {placement.request.name: placement.took_over for placement in executable.memory_plan.placements}


def test_a_chain_lies_in_one_place() -> None:
    def chain(x: Any) -> Any:
        h = gc.cumulative_sum(x, axis=1)  # a kernel of its own
        h = gc.sort(gc.relu(h) + 1.0, axis=1)
        return gc.sum(gc.exp(-h), axis=1)

    executable = same_on_both(gc.trace(chain, gc.f32[N, N]), numbers(N, N))
    assert "%add" in taken_over(executable)
    assert taken_over(executable)["%add"] == "%h"


@pytest.mark.parametrize(
    "function",
    [
        lambda h: gc.exp(h + gc.reshape(h, (2 * N, N)).T),
        lambda h: h - gc.sum(gc.reshape(h, (2 * N, N)), axis=1)[:N, None],
        lambda h: h * 2.0 + gc.flip(gc.reshape(gc.reshape(h, (2 * N * N,)), (N, 2 * N))),
    ],
)
def test_an_array_that_is_read_under_two_shapes_stays(function: Any) -> None:
    def of_sums(x: Any) -> Any:
        return function(gc.cumulative_sum(x, axis=1))

    same_on_both(gc.trace(of_sums, gc.f32[N, 2 * N]), numbers(N, 2 * N))


def test_state_that_is_read_under_two_shapes_stays() -> None:
    cell = gc.Cell(numbers(N, 2 * N))

    def update(x: Any) -> Any:
        cell.assign(cell + gc.reshape(cell, (2 * N, N)).T * x)
        return gc.sum(x)

    same_on_both(gc.trace(update, gc.f32[N, 2 * N]), numbers(N, 2 * N))


def test_what_the_finish_reads_after_a_store_stays() -> None:
    """Statistics of [N,C,L]: the mean of a channel is stored before the old running mean is read."""
    model = nn.BatchNorm1d(2)
    graph = gc.trace(lambda x: model(gc.reshape(x, (x.shape[0], 2, 3))), gc.f32["N", 6])
    executable = same_on_both(graph, numbers(7, 6))
    same_on_both(graph, numbers(700, 6))
    assert executable.memory_plan.peak >= executable.memory_plan.lower_bound


def test_scalars_that_all_slices_read_stay() -> None:
    def scaled(x: Any) -> Any:
        total = gc.sum(gc.cumulative_sum(x, axis=0))
        return gc.sum(x * total) * total, total

    same_on_both(gc.trace(scaled, gc.f64["N", 3]), np.linspace(0.1, 1, 30_000).reshape(10_000, 3))


def test_an_update_waits_for_the_last_read_of_the_old_value() -> None:
    """gamma is read in the last pass over the elements, so its update, whose sum is known before, comes after that."""
    draw = np.random.default_rng(2)
    gamma, beta = (gc.Cell(draw.standard_normal(2 * N).astype(np.float32)) for _ in range(2))

    def step(x: Any, d: Any) -> Any:
        old, shift = gamma + 0.0, beta * 1.0
        masked = gc.where(x * gamma + beta <= 0.0, 0.0, d)
        d_gamma, d_beta = gc.sum(masked * x, axis=0), gc.sum(masked, axis=0)
        gamma.assign(gamma - 0.1 * d_gamma)
        beta.assign(beta - 0.1 * d_beta)
        return (masked - d_gamma * x - d_beta) * old + gc.relu(x * old + shift)

    executable = same_on_both(
        gc.trace(step, gc.f32["N", 2 * N], gc.f32["N", 2 * N]), numbers(N, 2 * N), numbers(N, 2 * N)
    )
    assert executable._memory.current.in_place == dict.fromkeys(executable._memory.current.in_place, True)
    assert len(executable._memory.current.in_place) == 2
    same_on_both(executable.graph, numbers(1, 2 * N), numbers(1, 2 * N))
