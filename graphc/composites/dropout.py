"""Dropout: every element is dropped with probability p.

    dropout(x, rng, p=0.5, stream=0)                  x: f32[N,64], rng: u64[2]   ->   f32[N,64]

The mask is a function of the seed, the step, the stream and the position alone, so nothing is kept for the backward
pass: the gradient is dropout of the cotangent, from the same bits. After `decompose` both read one mask, and `cse`
makes it one node.
"""

from __future__ import annotations

from typing import Any

from graphc.composites.precision import check_floats, computed_in_f32
from graphc.errors import OpAttributeError
from graphc.op import composite
from graphc.ops.elementwise import cast
from graphc.ops.random import random_bits
from graphc.samples import exactly, real, sample
from graphc.types import TensorType, u64

WORDS = 1 << 32  # as many values have random bits


def _infer(x: TensorType, rng: TensorType, *, p: float = 0.5, stream: int, inverted: bool = True) -> TensorType:
    check_floats("dropout", x=x)
    random_bits.infer(rng, stream=stream, shape=x.shape)
    if not 0 <= p <= 1:
        raise OpAttributeError(f"dropout: p is a probability from 0 to 1, not {p}")
    return x


def _vjp(g: Any, y: Any, x: Any, rng: Any, *, p: float, stream: int, inverted: bool) -> tuple[Any, None]:
    return dropout(g, rng, p=p, stream=stream, inverted=inverted), None


def _jvp(t: Any, y: Any, x: Any, rng: Any, *, p: float, stream: int, inverted: bool) -> Any:
    return dropout(t[0], rng, p=p, stream=stream, inverted=inverted)


_RNG = exactly([7, 3], u64)


@composite(
    infer=_infer,
    vjp=_vjp,
    jvp=_jvp,
    samples=[
        sample(real(4, 5), _RNG, stream=0),
        sample(real(4, 5), _RNG, p=0.2, stream=1, inverted=False),
        sample(real(3), _RNG, p=0.0, stream=0),
        sample(real(3), _RNG, p=1.0, stream=0),
        sample(real(), _RNG, stream=2),
        sample(real(0, 3), _RNG, stream=0),
    ],
)
@computed_in_f32
def dropout(x: Any, rng: Any, *, p: float = 0.5, stream: int, inverted: bool = True) -> Any:
    """x·mask/(1 - p), where the mask is 0 with probability p.

        dropout(x, rng, p=0.1, stream=0)   x: f32[N,64], rng: u64[2] (seed, step)   ->   f32[N,64]

    `inverted=False` leaves the kept elements as they are; then evaluation multiplies with 1 - p. A mask drops where
    its 32 random bits are below p·2³², so that p is exact to 2⁻³³. A dropped NaN stays NaN, as in torch. Raises
    OpAttributeError for p outside [0, 1]. Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, 2014.
    """
    below = round(p * WORDS)
    if below == 0:
        return x
    if below == WORDS:
        return x * 0
    mask = cast(random_bits(rng, stream=stream, shape=x.shape) >= below, dtype=x.dtype)
    return x * mask / (1 - p) if inverted else x * mask
