"""Dropout: elements set to 0 at random, from the counter that is part of the model's state.

    dropout(x, p=0.1)              training: x·mask/(1 − p), the mask being 0 with probability p
    alpha_dropout(x, p=0.1)        for SELU networks: keeps mean 0 and variance 1

Each call in a graph has a stream of its own, each run its own step: the same seed gives the same masks on every
backend.
"""

from __future__ import annotations

import math
from typing import Any

from graphc import array as xp
from graphc import random
from graphc.errors import OpAttributeError
from graphc.nn.functional.shape import call, fail, floating
from graphc.op import current_recorder
from graphc.tensor import Tensor

SELU_LIMIT = 1.7580993408473766  # scale · alpha of SELU: the distance of its negative limit from 0


def dropout(
    input: Any, p: float = 0.5, training: bool = True, inplace: bool = False, *, scale: str = "train"
) -> Tensor:
    """Elements become 0 with probability p in training; the input itself otherwise.

    `scale="train"` divides what is kept by 1 − p in training; `scale="eval"`, the original form, multiplies by 1 − p
    in eval instead. `inplace` has no effect. Raises OpAttributeError for p outside of 0 to 1.
    """
    x = _checked("dropout", input, p)
    if scale not in ("train", "eval"):
        fail(OpAttributeError(f'dropout: scale is "train" or "eval", not {scale!r}'))
    if not training:
        return xp.multiply(x, 1 - p) if scale == "eval" else x
    if p == 0:
        return x
    recorder: Any = current_recorder("dropout")
    return call("dropout", x, recorder.rng_state(), p=float(p), stream=recorder.stream(), inverted=scale == "train")


def alpha_dropout(input: Any, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """In training elements become SELU's negative limit with probability p; then all are scaled and shifted so that
    mean and variance stay those of the input, where they were 0 and 1.

    Source: Klambauer et al., Self-Normalizing Neural Networks, 2017.
    """
    x = _checked("alpha_dropout", input, p)
    if not training or p == 0:
        return x
    if p == 1:
        return xp.multiply(x, 0)
    kept = random.bernoulli(1 - p, x.shape)
    slope = 1 / math.sqrt((SELU_LIMIT**2 * p + 1) * (1 - p))
    shift = SELU_LIMIT * slope * p
    return xp.where(kept, x * slope + shift, shift - SELU_LIMIT * slope)


def _checked(what: str, input: Any, p: float) -> Tensor:
    (x,) = floating(what, input=input)
    if not 0 <= p <= 1:
        fail(OpAttributeError(f"{what}: p is the probability to drop, between 0 and 1, but it is {p}"))
    return x
