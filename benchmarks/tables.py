"""A report as text: one line a contender, and what the machine could do at best.

contender      median      quartiles least /peer  /jax /floor    cold    warm new size  memory   result cores waits
graphc       3.012 ms  2.984 – 3.071 2.951  0.75  0.75   1.04 3.500 s 0.260 s  0.008 s 11.2 MB 2.281933  1.99    0%
jax          4.016 ms  3.988 – 4.102 3.953  1.00  1.00   1.38 0.850 s 0.650 s  0.810 s 41.0 MB 2.281933  2.00    1%

`cold` is the first call with nothing compiled, `warm` the one of a second process with the first's caches, `new size`
the first step with another batch size, `memory` the peak of a step beyond what was there before the model, `cores` the
processor time per second of a turn, `waits` how much of it threads waited for a processor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.figures import LARGEST_DISAGREEMENT, best, quartiles, ratio

if TYPE_CHECKING:
    from benchmarks.report import Measured, Report

KEPT_WAITING = 0.02  # seconds in a second of a turn; above that the report says so


def show(report: Report) -> str:
    """The report of a workload."""
    good = [each for each in report.contenders if each.ok]
    medians = {each.contender.name: quartiles(each.times)[1] for each in good}
    peer = best(medians, [each.contender.name for each in good if each.contender.peer])
    lines = [
        f"{report.workload.name}: {report.workload.title}",
        f"  {'contender':<20}{'median':>12}{'quartiles':>20}{'least':>9}{'/peer':>8}{'/jax':>8}{'/floor':>8}"
        f"{'cold':>10}{'warm':>10}{'new size':>10}{'memory':>10}{'result':>12}{'cores':>7}{'waits':>7}",
    ]
    for each in report.contenders:
        if each.absent:
            lines.append(f"  {each.contender.name:<20}absent: {each.absent}")
        elif each.error:
            lines.append(f"  {each.contender.name:<20}FAILED: {each.error}")
        else:
            lines.append(_line(each, peer, medians.get("jax"), report.floor))
    rates = f"{report.bandwidth / 1e9:.1f} GB/s"
    if report.workload.flops:
        rates = f"{report.contraction / 1e9:.0f} GFLOP/s and {rates}"
    lines.append(f"  {'floor':<20}{_time(report.floor):>12}   {_work(report)} at {rates}, measured in the same rounds")
    lines.append(_agreement(report, len(good)))
    return "\n".join([*lines, *(f"  {note}" for note in notes(good))])


def notes(measured: Sequence[Measured]) -> list[str]:
    """A line if some did not have the cores that their threads asked for."""
    waits = [f"{each.contender.name} {each.waited:.2f} s" for each in measured if each.waited > KEPT_WAITING]
    if not waits:
        return []
    many = "other work on the machine, or more threads than cores"
    return [f"NOTE: threads waited for a core in each second of their turns: {', '.join(waits)} ({many})"]


def _line(each: Measured, peer: float | None, jax: float | None, floor: float) -> str:
    first, median, third = quartiles(each.times)
    ratios = "".join(_ratio(ratio(median, other)) for other in (peer, jax, floor))
    spread = f"{_time(first, of=median)} – {_time(third, of=median)}"
    least = _time(min(each.times), of=median)
    return (
        f"  {each.contender.name:<20}{_time(median):>12}{spread:>20}{least:>9}{ratios}"
        f"{_seconds(each.first):>10}{_seconds(each.again):>10}{_seconds(each.new_batch, 'first'):>10}"
        f"{_memory(each.memory):>10}{each.first['witnesses'][0][0]:>12.6f}"
        f"{quartiles(each.cores)[1]:>7.2f}{_waits(each):>7}"
    )


def _time(seconds: float, of: float | None = None) -> str:
    """Microseconds below one millisecond, else milliseconds; in the unit of `of`, without naming it, if given."""
    micro = (seconds if of is None else of) < 1e-3
    number = f"{seconds * 1e6:.1f}" if micro else f"{seconds * 1e3:.3f}"
    return number if of is not None else f"{number} {'us' if micro else 'ms'}"


def _ratio(found: float | None) -> str:
    """Two decimals, none from a thousand on, a dash where there is nothing to compare with."""
    return f"{'-' if found is None else format(found, '.2f' if found < 1000 else '.0f'):>8}"


def _seconds(found: dict[str, float], key: str = "first_call") -> str:
    """Seconds of a first call, a dash where there was none."""
    return f"{found[key]:.3f} s" if found else "-"


def _memory(found: float | None) -> str:
    return "-" if found is None else f"{found / 1e6:.1f} MB"


def _waits(each: Measured) -> str:
    return f"{each.waited:.0%}" if each.waits else "-"


def _work(report: Report) -> str:
    moved = f"{report.workload.bytes_moved / 1e6:.3g} MB"
    return f"{report.workload.flops / 1e9:.3g} GFLOP and {moved}" if report.workload.flops else moved


def _agreement(report: Report, count: int) -> str:
    if count < 2:
        return "  results: nothing to compare with"
    if report.workload.jointly:
        what = "logits"
    else:
        checked = report.workload.checked
        what = f"the first {checked} losses" if checked > 1 else "the value and gradients"
    found = f"{what} differ by {report.disagreement:.1e} at most, relatively"
    if report.disagreement <= LARGEST_DISAGREEMENT:
        return f"  results: {found}"
    return f"  ERROR: {found}; more than {LARGEST_DISAGREEMENT:.0e}: the contenders do not do the same work"
