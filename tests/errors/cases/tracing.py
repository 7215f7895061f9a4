"""Traced functions that are no graph, and state used wrongly."""

import numpy as np

import graphc as gc
from graphc import nn
from graphc.state import Cell


def trace_branch():
    def f(x):
        if x > 0:
            return x
        return -x

    gc.trace(f, gc.f32())


def trace_float():
    def f(x):
        return float(x) * 2

    gc.trace(f, gc.f32())


def trace_range():
    def f(n):
        return [x * 2 for x in range(n)]

    gc.trace(f, gc.i64())


def trace_numpy_function():
    def f(x):
        return np.exp(x)

    gc.trace(f, gc.f32["N"])


def trace_numpy_function_without_ufunc():
    def f(x):
        return np.linalg.norm(x)

    gc.trace(f, gc.f32["N"])


def trace_len():
    def f(x):
        return gc.sum(x) / len(x)

    gc.trace(f, gc.f32["N", 3])


def trace_iteration():
    def f(x):
        return [row * 2 for row in x]

    gc.trace(f, gc.f32["N", 3])


def trace_leaked_tensor():
    kept = []
    gc.trace(lambda x: kept.append(x) or x, gc.f32[3])
    gc.trace(lambda y: y + kept[0], gc.f32[3])


def trace_returns_none():
    def f(x):
        gc.exp(x)

    gc.trace(f, gc.f32[3])


def trace_returns_text():
    gc.trace(lambda x: "x", gc.f32[3])


def trace_list_of_tensors():
    gc.trace(lambda x, y: gc.exp([x, y]), gc.f32[3], gc.f32[3])


def trace_operand_none():
    gc.trace(lambda x: gc.maximum(x, None), gc.f32[3])


def trace_operand_text():
    gc.trace(lambda x: gc.exp("x"), gc.f32[3])


def trace_wrong_number_of_specs():
    def f(x, y):
        return x + y

    gc.trace(f, gc.f32[3])


def trace_name():
    gc.trace(lambda x: x, gc.f32[3], name="my graph")


def op_name():
    gc.composite()(lambda x: x)


def trace_wrong_spec():
    gc.trace(lambda x: x, "f32[3]")


def trace_extent_comparison():
    def f(x):
        return x if x.shape[0] > 3 else -x

    gc.trace(f, gc.f32["N"])


def called_outside_a_trace():
    gc.exp(np.ones(3))


def cell_read_as_an_array():
    scale = Cell(np.ones(3, np.float32), name="scale")

    def f(x):
        return x * np.asarray(scale)

    gc.trace(f, gc.f32[3])


def cell_updated_with_another_type():
    count = Cell(np.zeros(3, np.float32), name="count")

    def f(x):
        count.assign(gc.sum(x))
        return x

    gc.trace(f, gc.f32[3])


def cell_updated_in_part():
    count = Cell(np.zeros(3, np.float32), name="count")

    def f(x):
        count[0] = gc.sum(x)
        return x

    gc.trace(f, gc.f32[3])


def cell_assigned_another_shape():
    nn.Linear(3, 2).weight.assign(np.ones((3, 2)))


def cell_assigned_another_dtype():
    nn.Linear(3, 2).weight.assign(np.ones((2, 3), complex))


def cell_as_condition():
    if nn.Linear(3, 2).weight:
        pass


def scan_carry_changes_its_type():
    def total(c, x):
        return gc.astype(c + x, gc.f64), c

    gc.trace(lambda xs: gc.scan(total, gc.zeros((3,)), xs), gc.f32["T", 3])


def scan_lengths_differ():
    def both(xs, ys):
        return gc.scan(lambda c, p: (c + p[0], p[1]), gc.zeros((3,)), (xs, ys))

    gc.trace(both, gc.f32["T", 3], gc.f32["S", 3])


def scan_body_without_a_pair():
    def step(c, x):
        return c + x

    gc.trace(lambda xs: gc.scan(step, gc.zeros((3,)), xs), gc.f32["T", 3])


def scan_body_assigns_to_state():
    norm = nn.BatchNorm1d(3)

    def step(c, x):
        return c + norm(x), None

    gc.trace(lambda xs: gc.scan(step, gc.zeros((4, 3)), xs), gc.f32["T", 4, 3])


def scan_body_draws_random_numbers():
    drop = nn.Dropout(0.5)

    def step(c, x):
        return c + drop(x), None

    gc.trace(lambda xs: gc.scan(step, gc.zeros((3,)), xs), gc.f32["T", 3])
