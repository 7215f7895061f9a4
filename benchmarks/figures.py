"""The arithmetic of the reports: quartiles, ratios, how far contenders' losses lie apart, floors.

quartiles([3.0, 1.0, 2.0])                                       # (1.5, 2.0, 2.5)
disagreement({"graphc": [[2.0]], "jax": [[1.9998]]})         # 1e-4
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from benchmarks.workloads import Workload

LARGEST_DISAGREEMENT = 1e-4


def quartiles(times: Sequence[float]) -> tuple[float, float, float]:
    """The first quartile, the median and the third, interpolated; of one time, three times that."""
    if len(times) == 1:
        return times[0], times[0], times[0]
    first, median, third = statistics.quantiles(times, n=4, method="inclusive")
    return first, median, third


def ratio(time: float, other: float | None) -> float | None:
    """How many times as long; None where there is nothing to compare with."""
    return None if not other else time / other


def best(medians: Mapping[str, float], names: Sequence[str]) -> float | None:
    """The shortest median among these names, None if none of them was measured."""
    return min((medians[name] for name in names if name in medians), default=None)


def disagreement(witnesses: Mapping[str, Sequence[Sequence[float]]], jointly: bool = False) -> float:
    """The greatest relative difference between any two contenders, over all steps and numbers; infinity for a NaN.

    Relative to the number, or, `jointly`, to the largest number of the step.
    """
    greatest = 0.0
    for steps in zip(*witnesses.values(), strict=True):
        if not all(math.isfinite(number) for numbers in steps for number in numbers):
            return math.inf
        largest = max(abs(number) for numbers in steps for number in numbers)
        for numbers in zip(*steps, strict=True):
            scale = largest if jointly else max(map(abs, numbers))
            greatest = max(greatest, (max(numbers) - min(numbers)) / scale if scale else 0.0)
    return greatest


def floor(workload: Workload, flops_per_second: float, bytes_per_second: float) -> float:
    """Seconds that a step takes at least: its contractions at the highest rate, then the bytes that must move.

    An estimate: what fits into the caches moves faster, and a step of microseconds consists of neither.
    """
    contractions = workload.flops / flops_per_second if workload.flops else 0.0
    return contractions + workload.bytes_moved / bytes_per_second
