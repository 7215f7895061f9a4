"""Rounding to integers, in the float's own dtype, and to the neighbouring float. Zero derivative almost everywhere.

    round(x): f32[N] -> f32[N]      round(2.5) = 2.0, round(-0.4) = -0.0

Signs of zeros are kept: an element of (-1, 0) becomes -0.0 under `ceil`, `trunc` and `round`.
"""

from __future__ import annotations

import numpy as np

from graphc.ops.declare import binary, unary
from graphc.samples import exactly, real, sample

_HALVES = exactly([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, -0.0, 0.0, 1e30, np.inf, -np.inf, np.nan])
_SAMPLES = [sample(real(4, 5)), sample(_HALVES, differentiable=False)]

floor = unary("floor", np.floor, None, "floor({x})", samples=_SAMPLES, doc="The greatest integer not above x.")
ceil = unary("ceil", np.ceil, None, "ceil({x})", samples=_SAMPLES, doc="The least integer not below x.")
trunc = unary("trunc", np.trunc, None, "trunc({x})", samples=_SAMPLES, doc="The nearest integer towards 0.")
round = unary(
    "round", np.rint, None, "round({x})", samples=_SAMPLES, doc="The nearest integer, halves to the even one."
)

nextafter = binary(
    "nextafter", np.nextafter, lambda y, a, b: (1, None), "nextafter({a}, {b})", own_precision=True,
    samples=[
        sample(real(4, 5), real(4, 5)),
        sample(exactly([0.0, -0.0, 1.0, np.inf, np.nan, 0.0]), exactly([1.0, 0.0, np.inf, 0.0, 1.0, np.nan]),
               differentiable=False),
    ],
    doc="The next representable number after a towards b.",
)  # fmt: skip
