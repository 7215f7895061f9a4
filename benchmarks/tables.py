"""A report as text: one line a contender, and what the machine could do at best.

contender                 median           quartiles    least   /peer    /jax  /floor   first call   first loss  idle
graphc                  3.012 ms       2.984 – 3.071    2.951    0.75    0.75    1.04       1.91 s     2.281933    0%
jax                     4.016 ms       3.988 – 4.102    3.953    1.00    1.00    1.38       0.85 s     2.281933    0%
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.figures import LARGEST_DISAGREEMENT, best, quartiles, ratio

if TYPE_CHECKING:
    from benchmarks.comparison import Measured, Report

BUSY = 0.02  # processor seconds a second above which a waiting contender is said to disturb the others


def show(report: Report) -> str:
    """The report of a workload."""
    good = [each for each in report.contenders if each.ok]
    medians = {each.contender.name: quartiles(each.times)[1] for each in good}
    peer = best(medians, [each.contender.name for each in good if each.contender.peer])
    lines = [
        f"{report.workload.name}: {report.workload.title}",
        f"  {'contender':<20}{'median':>12}{'quartiles':>20}{'least':>9}{'/peer':>8}{'/jax':>8}{'/floor':>8}"
        f"{'first call':>13}{'first loss':>13}{'idle':>6}",
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
    lines += [
        f"  NOTE: {each.contender.name} kept a processor busy while others were measured ({_idle(each):.0%})"
        for each in good
        if _idle(each) > BUSY
    ]
    return "\n".join(lines)


def _line(each: Measured, peer: float | None, jax: float | None, floor: float) -> str:
    first, median, third = quartiles(each.times)
    ratios = "".join(f"{'-' if r is None else format(r, '.2f'):>8}" for r in (ratio(median, t) for t in (peer, jax)))
    spread = f"{_time(first, of=median)} – {_time(third, of=median)}"
    least = _time(min(each.times), of=median)
    return (
        f"  {each.contender.name:<20}{_time(median):>12}{spread:>20}{least:>9}{ratios}{median / floor:>8.2f}"
        f"{each.first['first_call']:>11.2f} s{each.first['witnesses'][0][0]:>13.6f}{_idle(each):>6.0%}"
    )


def _time(seconds: float, of: float | None = None) -> str:
    """Microseconds below one millisecond, else milliseconds; in the unit of `of`, without naming it, if given."""
    micro = (seconds if of is None else of) < 1e-3
    number = f"{seconds * 1e6:.1f}" if micro else f"{seconds * 1e3:.3f}"
    return number if of is not None else f"{number} {'us' if micro else 'ms'}"


def _idle(each: Measured) -> float:
    return quartiles(each.idle)[1]


def _work(report: Report) -> str:
    moved = f"{report.workload.bytes_moved / 1e6:.3g} MB"
    return f"{report.workload.flops / 1e9:.3g} GFLOP and {moved}" if report.workload.flops else moved


def _agreement(report: Report, count: int) -> str:
    if count < 2:
        return "  results: nothing to compare with"
    what = f"the first {report.workload.checked} losses" if report.workload.checked > 1 else "the value and gradients"
    found = f"{what} differ by {report.disagreement:.1e} at most, relatively"
    if report.disagreement <= LARGEST_DISAGREEMENT:
        return f"  results: {found}"
    return f"  ERROR: {found}; more than {LARGEST_DISAGREEMENT:.0e}: the contenders do not do the same work"
