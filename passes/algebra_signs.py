"""What is known of a value's sign by the op that makes it: conditions for rules that hold for some signs only."""

from __future__ import annotations

import math

from graphc.passes.rewrite import Condition, Match, Matched


def never_negative(name: str) -> Condition:
    """This value is neither below zero nor -0.0, by the op that makes it; it may be NaN."""
    return lambda m: is_never_negative(m[name])


def is_never_negative(x: Matched) -> bool:
    """Whether a value is NaN, or has a clear sign bit."""
    if x.number is not None:
        return math.copysign(1, x.number) == 1
    if not x.dtype.is_float:  # an integer square may wrap around
        return False
    if x.made_by("cast"):
        return x.operand().dtype.kind in ("bool", "unsigned")
    return x.made_by("exp", "exp2", "square", "abs", "sigmoid", "cosh", "hypot", "erfc")


def never_negative_zero(name: str) -> Condition:
    """This value is not -0.0: a sum is -0.0 only where both terms are."""

    def holds(m: Match) -> bool:
        x = m[name]
        if is_never_negative(x) or (x.made_by("cast") and not x.operand().dtype.is_float):
            return True
        return x.made_by("add") and any(is_never_negative(x.operand(i)) for i in (0, 1))

    return holds
