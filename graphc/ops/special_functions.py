"""The error function and the gamma function's logarithm, with their inverses and derivatives, elementwise on floats.

    erf(x): f32[N,3] -> f32[N,3]

`graphc.special` computes them for the reference.
"""

from __future__ import annotations

from math import pi, sqrt

import numpy as np

from graphc import special
from graphc.ops.declare import unary
from graphc.ops.transcendental import exp
from graphc.samples import exactly, real, sample

_SPECIAL = sample(exactly([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-30, 30.0]), differentiable=False)
_REAL = [sample(real(4, 5)), _SPECIAL]

erf = unary(
    "erf", special.erf, lambda y, x: 2 / sqrt(pi) * exp(-x * x), "erf({x})", samples=_REAL, doc="2/√π · ∫₀ˣ e^(-t²) dt."
)
erfc = unary(
    "erfc", special.erfc, lambda y, x: -2 / sqrt(pi) * exp(-x * x), "erfc({x})", samples=_REAL,
    doc="1 - erf(x), exact in its tail.",
)  # fmt: skip
