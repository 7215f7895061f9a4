"""The error function and the gamma function's logarithm, with their inverses and derivatives, elementwise on floats.

    erf(x): f32[N,3] -> f32[N,3]

`graphc.special` computes them for the reference.
"""

from __future__ import annotations

from dataclasses import replace
from math import pi, sqrt

import numpy as np

from graphc import special
from graphc.errors import OpAttributeError
from graphc.op import Kind, Op, define_op
from graphc.ops.declare import checked, computed_in_f32, unary
from graphc.ops.transcendental import exp
from graphc.samples import exactly, positive, real, sample
from graphc.types import TensorType

_POINTS = exactly([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-30, 30.0, 1.0, -1.0, -2.0])
_SPECIAL = sample(_POINTS, differentiable=False)
_REAL = [sample(real(4, 5)), _SPECIAL]
_GAMMA = [
    sample(positive(4, 5)), sample(real(8, low=-1.9, high=-1.1)), sample(real(4, low=20.0, high=90.0)), _SPECIAL,
]  # fmt: skip

erf = unary(
    "erf", special.erf, lambda y, x: 2 / sqrt(pi) * exp(-x * x), "erf({x})", samples=_REAL, doc="2/√π · ∫₀ˣ e^(-t²) dt."
)
erfc = unary(
    "erfc", special.erfc, lambda y, x: -2 / sqrt(pi) * exp(-x * x), "erfc({x})", samples=_REAL,
    doc="1 - erf(x), exact in its tail.",
)  # fmt: skip
erfinv = unary(
    "erfinv", special.erfinv, lambda y, x: sqrt(pi) / 2 * exp(y * y), "erfinv({x})",
    samples=[sample(real(4, 5, low=-0.9, high=0.9)), _SPECIAL],
    doc="The number whose erf is x; ±inf of ±1, NaN beyond.",
)  # fmt: skip
lgamma = unary(
    "lgamma", special.lgamma, lambda y, x: digamma(x), "lgamma({x})", samples=_GAMMA,
    doc="log|Γ(x)|; inf at 0 and the negative integers.",
)  # fmt: skip
digamma: Op = unary(
    "digamma", special.digamma, lambda y, x: polygamma(x, n=1), "digamma({x})", samples=_GAMMA,
    doc="Γ'(x)/Γ(x), the derivative of lgamma; of ±0 -inf and inf, NaN of the negative integers.",
)  # fmt: skip


def _infer_polygamma(x: TensorType, *, n: int) -> TensorType:
    if not isinstance(n, int) or n < 1:
        raise OpAttributeError(f"polygamma: n is {n}, not a positive integer")
    return checked("polygamma", ("x",), "float", x)


polygamma: Op = define_op(
    "polygamma",
    kind=Kind.ELEMENTWISE,
    infer=_infer_polygamma,
    reference=computed_in_f32(lambda x, *, n: special.polygamma(x, n)),
    vjp=lambda g, y, x, *, n: (g * polygamma(x, n=n + 1),),
    jvp=lambda t, y, x, *, n: t[0] * polygamma(x, n=n + 1),
    scalar="polygamma({n}, {x})",
    accepts="float",
    samples=[replace(each, attributes={"n": n}) for n in (1, 2) for each in _GAMMA],
    doc="The n-th derivative of digamma; infinite at 0 and the negative integers.",
)
