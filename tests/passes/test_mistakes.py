"""Mistakes with rules, passes and steps say what to do."""

import pytest

import graphc as gc
from graphc import nn, optim
from graphc.errors import ArgumentError, RewriteError


def test_a_pattern_of_array_functions_names_the_op():
    with pytest.raises(RewriteError, match="a pattern calls ops"):
        gc.rule(lambda x: (gc.sum(x), gc.sum(x) * 1.0))


def test_an_exception_in_a_pass_names_the_pass():
    def divides(graph):
        return 1 / 0

    with pytest.raises(ZeroDivisionError) as raised:
        gc.compile(gc.trace(lambda x: x * 2, gc.f32[3]), pipeline=[divides])
    assert raised.value.__notes__ == ["in pass 'divides' over @lambda"]


def test_a_loss_is_a_function():
    with pytest.raises(ArgumentError, match="loss is a function"):
        gc.training_step(nn.Linear(4, 2), 5, optim.SGD(lr=0.1), gc.f32["N", 4], gc.i64["N"])
