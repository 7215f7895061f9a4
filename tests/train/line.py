"""What the tests of training share: small models without layers, their data, and the state to compare."""

import numpy as np

import graphc as gc
from graphc import nn


class Line(nn.Module):
    """x: f64[N,3] -> f64[N]"""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(np.array([0.5, -1.0, 2.0]))
        self.b = nn.Parameter(np.array([0.25]))

    def forward(self, x):
        return gc.sum(x * self.w, axis=1) + self.b


class Averaging(nn.Module):
    """Subtracts the batch's mean in training and keeps a running one, which it subtracts otherwise."""

    def __init__(self):
        super().__init__()
        self.line = Line()
        self.register_buffer("mean", np.zeros(3))

    def forward(self, x):
        if self.training:
            mean = gc.mean(x, axis=0)
            self.mean = 0.5 * self.mean + 0.5 * mean
        else:
            mean = self.mean
        return self.line(x - mean)


def squared_error(prediction, y):
    return gc.mean((prediction - y) ** 2)


def data(count=12, seed=0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 3))
    return x, x @ np.array([1.0, 2.0, 3.0]) + 0.1


X, Y = gc.f64["N", 3], gc.f64["N"]


def step_of(model, optimizer, **options):
    return gc.training_step(model, squared_error, optimizer, X, Y, **options)


def gradients_of_line(model, x, y):
    """By hand: d mean((x·w + b − y)²)"""
    w, b = np.asarray(model.w), np.asarray(model.b)
    residual = 2 * (x @ w + b - y) / len(x)
    return residual @ x, residual.sum(keepdims=True)


def state_of(model, optimizer):
    slots = {f"{p}.{s}": a for p, entry in optimizer.state_dict()["state"].items() for s, a in entry.items()}
    return {name: array.copy() for name, array in (model.state_dict() | slots).items()}


def assert_same(before, after):
    assert before.keys() == after.keys()
    for name in before:
        np.testing.assert_array_equal(before[name], after[name], err_msg=name)
