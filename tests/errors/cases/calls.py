"""Calls with arguments, state or labels that do not fit."""

import numpy as np

import graphc as gc
from graphc import nn, optim
from graphc.nn import functional as F

MLP = """graph @mlp(%x: f32[N,3], %y: i64[N]) {
  parameter %w: f32[3,2]
  %h: f32[N,2] = dot_general(%x, %w, contract=((1,), (0,)))
  %loss: f32[] = sum(%h, axis=(0, 1))
  return %loss
}"""


def call_too_few():
    graph = gc.parse(MLP)
    gc.evaluate(graph, np.ones((2, 3), np.float32))


def call_too_many():
    exe = gc.compile(gc.trace(lambda x: x + 1, gc.f32[3], name="f"))
    exe(np.ones(3, np.float32), np.ones(3, np.float32))


def call_shape():
    graph = gc.parse(MLP)
    gc.evaluate(graph, np.ones((2, 4), np.float32), np.zeros(2, np.int64))


def call_rank():
    graph = gc.parse(MLP)
    gc.evaluate(graph, np.ones(3, np.float32), np.zeros(2, np.int64))


def call_two_batch_sizes():
    graph = gc.parse(MLP)
    gc.evaluate(graph, np.ones((32, 3), np.float32), np.zeros(31, np.int64))


def call_extent_that_no_dim_gives():
    graph = gc.trace(lambda x: x, gc.f32["2*N"], name="f")
    gc.evaluate(graph, np.ones(3, np.float32))


def call_extent_that_cannot_be_solved():
    graph = gc.trace(lambda x: x, gc.f32["N*M"], name="f")
    gc.evaluate(graph, np.ones(6, np.float32))


def call_dtype():
    exe = gc.compile(gc.trace(lambda x: x + 1, gc.f32[3], name="f"))
    exe(np.ones(3))


def call_integers_for_floats():
    exe = gc.compile(gc.trace(lambda x: x + 1, gc.f32[3], name="f"))
    exe(np.ones(3, np.int64))


def call_floats_for_integers():
    exe = gc.compile(gc.trace(lambda i: i + 1, gc.i64[3], name="f"))
    exe([1, 2, 0.5])


def call_none():
    exe = gc.compile(gc.trace(lambda x: x + 1, gc.f32[3], name="f"))
    exe(None)


def call_string():
    exe = gc.compile(gc.trace(lambda x: x + 1, gc.f32[3], name="f"))
    exe("1 2 3")


def call_ragged_list():
    exe = gc.compile(gc.trace(lambda x: x + 1, gc.f32[3], name="f"))
    exe([[1.0, 2.0], [3.0]])


def call_objects():
    exe = gc.compile(gc.trace(lambda x: x + 1, gc.f32[3], name="f"))
    exe(np.array([1, None, 3], object))


def call_strings():
    exe = gc.compile(gc.trace(lambda x: x + 1, gc.f32[3], name="f"))
    exe(np.array(["1", "2", "3"]))


def call_dates():
    exe = gc.compile(gc.trace(lambda x: x + 1, gc.f32[3], name="f"))
    exe(np.array(["2020-01-01"] * 3, "datetime64[D]"))


def call_with_a_type():
    exe = gc.compile(gc.trace(lambda x: x + 1, gc.f32[3], name="f"))
    exe(gc.f32[3])


def call_without_state():
    gc.evaluate(gc.parse(MLP), np.ones((2, 3), np.float32), np.zeros(2, np.int64))


def call_with_state_of_another_shape():
    state = {"w": np.ones((4, 2), np.float32)}
    gc.evaluate(gc.parse(MLP), np.ones((2, 3), np.float32), np.zeros(2, np.int64), state=state)


def call_state_changed():
    layer = nn.Linear(3, 2)
    predict = gc.compile(layer, inputs=gc.f32["N", 3])
    layer.double()
    predict(np.ones((2, 3), np.float32))


def call_out_misshapen():
    exe = gc.compile(gc.trace(lambda x: x + 1, gc.f32[3], name="f"))
    exe(np.ones(3, np.float32), out=np.empty(4, np.float32))


def index_out_of_range():
    def lookup(table, rows):
        found = gc.take(table, rows, axis=0)
        return found

    graph = gc.trace(lookup, gc.f32[10, 4], gc.i64["N"])
    gc.evaluate(graph, np.ones((10, 4), np.float32), np.array([3, 10, -1]))


def label_out_of_range():
    def loss_of(logits, labels):
        loss = F.cross_entropy(logits, labels)
        return loss

    graph = gc.trace(loss_of, gc.f32["N", 10], gc.i64["N"])
    gc.evaluate(graph, np.ones((3, 10), np.float32), np.array([3, 9, 10]))


def label_out_of_range_in_a_training_step():
    model = nn.Sequential(nn.Linear(4, 3))
    step = gc.training_step(
        model, loss=F.cross_entropy, optimizer=optim.SGD(lr=0.1), inputs=gc.f32["N", 4], targets=gc.i64["N"]
    )
    step(np.ones((2, 4), np.float32), np.array([0, 3]))


def memory_budget_too_small():
    graph = gc.trace(lambda x: gc.cumulative_sum(gc.cumulative_prod(x, axis=0), axis=1), gc.f32["N", 64], name="f")
    gc.compile(graph, memory_budget=("1KB", {"N": 128}))


def memory_budget_of_no_size():
    graph = gc.trace(lambda x: gc.tanh(x), gc.f32[3], name="f")
    gc.compile(graph, memory_budget="64 megs")


def memory_budget_without_extents():
    graph = gc.trace(lambda x: gc.tanh(x), gc.f32["N", 3], name="f")
    gc.compile(graph, memory_budget="64MB")


def memory_budget_exceeded_by_a_call():
    graph = gc.trace(lambda x: gc.cumulative_sum(gc.cumulative_prod(x, axis=0), axis=1), gc.f32["N", 64], name="f")
    exe = gc.compile(graph, memory_budget=("64KB", {"N": 8}))
    exe(np.ones((4096, 64), np.float32))


def plan_of_another_extent():
    graph = gc.trace(lambda x: gc.tanh(x), gc.f32["N", 3], name="f")
    gc.compile(graph).plan_memory(N=8, T=2)
