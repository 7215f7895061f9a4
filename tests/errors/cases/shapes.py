"""Shapes, dtypes and attributes that do not fit."""

import numpy as np

import graphc as gc
from graphc import nn
from graphc.nn import functional as F
from graphc.ops.reduction import sum as sum_op


def shape_broadcast():
    def f(x, bias):
        h = gc.exp(x)
        h = h + bias
        return h

    gc.trace(f, gc.f32["N", 3], gc.f32[4])


def shape_broadcast_with_an_array():
    def f(x):
        return x * np.ones((2, 4), np.float32)

    gc.trace(f, gc.f32["N", 3])


def shape_matmul():
    def f(x, w):
        h = x @ w
        return h

    gc.trace(f, gc.f32["N", 784], gc.f32[512, 10])


def shape_matmul_of_a_scalar():
    gc.trace(lambda x, s: x @ s, gc.f32["N", 3], gc.f32())


def shape_linear():
    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1 = nn.Linear(512, 128)

        def forward(self, x):
            h = self.fc1(x)
            return gc.relu(h)

    gc.trace(Classifier(), gc.f32["N", 784])


def shape_functional_linear():
    def f(x, w):
        return F.linear(x, w)

    gc.trace(f, gc.f32["N", 784], gc.f32[128, 512])


def shape_reshape():
    def f(x):
        return gc.reshape(x, (x.shape[0], 5))

    gc.trace(f, gc.f32["N", 12])


def shape_reshape_unknown():
    gc.trace(lambda x: gc.reshape(x, (-1, 5)), gc.f32["N", 12])


def shape_reshape_two_unknowns():
    gc.trace(lambda x: gc.reshape(x, (-1, -1)), gc.f32["N", 12])


def shape_concat():
    def f(x, y):
        both = gc.concat([x, y], axis=0)
        return both

    gc.trace(f, gc.f32["N", 3], gc.f32["N", 4])


def shape_stack():
    gc.trace(lambda x, y: gc.stack([x, y]), gc.f32["N", 3], gc.f32["N", 4])


def shape_where():
    gc.trace(lambda x, y: gc.where(x > 0, x, y), gc.f32[2, 3], gc.f32[3, 2])


def shape_maximum_of_nothing():
    gc.trace(lambda x: gc.max(x), gc.f32[0, 3])


def shape_cross_entropy():
    def f(logits, labels):
        loss = F.cross_entropy(logits, labels)
        return loss

    gc.trace(f, gc.f32["N", 10], gc.i64["M"])


def shape_negative_extent():
    gc.f32["N", -3]


def shape_extent_text():
    gc.f32["2*N+"]


def axis_out_of_range():
    def f(x):
        total = gc.sum(x, axis=2)
        return total

    gc.trace(f, gc.f32["N", 3])


def axis_twice():
    gc.trace(lambda x: gc.sum(x, axis=(0, -2)), gc.f32["N", 3])


def axes_not_a_permutation():
    gc.trace(lambda x: gc.permute_dims(x, (0, 0)), gc.f32["N", 3])


def attribute_unknown():
    gc.trace(lambda x: sum_op(x, axes=(0,)), gc.f32["N", 3])


def attribute_missing():
    gc.trace(lambda x: sum_op(x), gc.f32["N", 3])


def operand_count():
    gc.trace(lambda x: sum_op(x, x, axis=(0,)), gc.f32["N", 3])


def dtype_promotion():
    def f(x, i):
        return x + i

    gc.trace(f, gc.f32["N"], gc.i64["N"])


def dtype_float_scalar_with_integers():
    def f(i):
        return i * 0.5

    gc.trace(f, gc.i32["N"])


def dtype_integer_out_of_range():
    gc.trace(lambda i: i + 300, gc.u8["N"])


def dtype_exp_of_integers():
    gc.trace(lambda i: gc.exp(i), gc.i64["N"])


def dtype_condition():
    gc.trace(lambda x: gc.where(x, x, 0), gc.f32["N"])


def dtype_unknown():
    gc.trace(lambda x: gc.astype(x, "float24"), gc.f32["N"])


def dtype_complex():
    gc.trace(lambda x: x * np.ones(3, np.complex64), gc.f32[3])


def dtype_labels():
    gc.trace(lambda logits, labels: F.nll_loss(logits, labels), gc.f32["N", 10], gc.f32["N"])


def lstm_features():
    gc.trace(nn.LSTM(3, 4), gc.f32["T", "N", 5])


def lstm_states():
    lstm = nn.LSTM(3, 4, bidirectional=True)

    def last(x, h, c):
        return lstm(x, (h, c))[0]

    gc.trace(last, gc.f32["T", "N", 3], gc.f32[1, "N", 4], gc.f32[1, "N", 4])
