"""A model whose gradients are its inputs: loss = Σ w·gw + Σ b·gb, so d loss/dw = gw and d loss/db = gb."""

import numpy as np

import graphc as gc
from graphc import nn

SIZE = 8  # numbers in a row: w is 3×2, b is 2


class TwoParameters(nn.Module):
    def __init__(self, row):
        super().__init__()
        self.w = nn.Parameter(row[:6].reshape(3, 2))
        self.b = nn.Parameter(row[6:])

    def forward(self, gw, gb):
        return gc.sum(self.w * gw) + gc.sum(self.b * gb)

    @property
    def row(self):
        return np.concatenate([np.asarray(self.w).ravel(), np.asarray(self.b)])


class OnlyW(nn.Module):
    """The same `w` alone: `b` has no gradient."""

    def __init__(self, model):
        super().__init__()
        self.w = model.w

    def forward(self, gw, gb):
        return gc.sum(self.w * gw)


def specs(dtype):
    return dtype[3, 2], dtype[2]


def split(row):
    """What the step is called with for the gradients of a row."""
    return row[:6].reshape(3, 2), row[6:]


def as_it_is(loss):
    return loss


def step_of(model, optimizer, dtype=gc.f64, **options):
    return gc.training_step(model, as_it_is, optimizer, specs(dtype), **options)
