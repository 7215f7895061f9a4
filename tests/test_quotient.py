"""Quotients of extents are real numbers that are known at run time."""

import operator

import numpy as np
import pytest

from graphc.dim import (
    dim,
)
from graphc.quotient import Quotient

H, N, T = dim("H"), dim("N"), dim("T")


@pytest.mark.parametrize(
    ("quotient", "text", "value"),
    [
        (N / 2, "N/2", 3.0),
        (1 / N, "1/N", 1 / 6),
        (N / T, "N/T", 1.5),
        (0.5 * N, "0.5*N", 3.0),
        (N * 0.25, "0.25*N", 1.5),
        (N / 0.5, "2.0*N", 12.0),
        (0.5 / N, "0.5/N", 0.5 / 6),
        (3 * (N / T), "3*N/T", 4.5),
        ((N / 2) * (T / 3), "N*T/6", 4.0),
        ((N / 2) / (T / 3), "3*N/(2*T)", 2.25),
        (T / (N / 2), "2*T/N", 4 / 3),
        (1 / (N + 1), "1/(N+1)", 1 / 7),
        ((N + 1) / 2, "(N+1)/2", 3.5),
        (-(N / 2), "(-N)/2", -3.0),
        (operator.mul(np.float32(0.5), N), "0.5*N", 3.0),
        (operator.truediv(np.int64(3), N), "3/N", 0.5),
    ],
)
def test_quotients(quotient: Quotient, text: str, value: float) -> None:
    assert str(quotient) == repr(quotient) == text
    assert quotient.evaluate({"N": 6, "T": 4}) == pytest.approx(value, rel=1e-15)


def test_quotients_are_values() -> None:
    assert N / 2 == N / 2
    assert hash(N / 2) == hash(N / 2)
    assert N / 2 != T / 2
    with pytest.raises(TypeError, match="unsupported operand"):
        operator.truediv(N / 2, "a")
