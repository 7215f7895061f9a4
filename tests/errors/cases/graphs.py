"""Derivatives that do not exist, passes that break graphs, damaged checkpoints, unknown names."""

import tempfile
from pathlib import Path

import numpy as np

import graphc as gc
from graphc import nn
from graphc.ir import Graph, Node, Value
from graphc.ops.reduction import sum as sum_op

MLP = """graph @mlp(%x: f32[N,3], %y: i64[N]) {
  parameter %w: f32[3,2]
  %h: f32[N,2] = dot_general(%x, %w, contract=((1,), (0,)))
  %loss: f32[] = sum(%h, axis=(0, 1))
  return %loss
}"""


def gradient_of_a_vector():
    gc.grad(gc.trace(lambda x: x * x, gc.f32["N"], name="f"))


def gradient_of_an_integer_input():
    graph = gc.trace(lambda x, i: gc.sum(gc.take(x, i, axis=0)), gc.f32["N"], gc.i64[3], name="f")
    gc.grad(graph, wrt=["i"])


def gradient_of_an_unknown_input():
    gc.grad(gc.trace(lambda weight: gc.sum(weight * weight), gc.f32["N"], name="f"), wrt=["wieght"])


def verify_after_pass():
    def halve(graph):
        x = graph.inputs[0]
        (node,) = graph.nodes
        broken = Node(node.op, (x,), node.attributes, (Value("y", gc.f32[3]),), (), node.provenance)
        return graph.with_(nodes=(broken,), outputs=broken.results)

    def double(x):
        y = gc.exp(x)
        return y

    gc.compile(gc.trace(double, gc.f32["N"]), pipeline=[halve])


def verify_of_a_graph():
    x, y, z = (Value(name, gc.f32[3]) for name in "xyz")
    exp = gc.trace(gc.exp, gc.f32[3]).nodes[0].op
    gc.compile(Graph("late", (x,), (Node(exp, (y,), {}, (z,)), Node(exp, (x,), {}, (y,))), (z,)))


def pass_returns_something_else():
    def forget(graph):
        graph.with_(outputs=())

    gc.compile(gc.trace(lambda x: x, gc.f32[3], name="f"), pipeline=[forget])


def pass_rule_changes_the_type():
    @gc.rule
    def drop_sum(x):
        """sum(x)  →  x"""
        return sum_op(x, axis=(0,)), x

    gc.compile(gc.trace(lambda x: gc.sum(x), gc.f32[3], name="f"), pipeline=[gc.passes.RewritePass("mine", [drop_sum])])


def checkpoint_damaged():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.safetensors")
        gc.save(path, nn.Linear(3, 2))
        path.write_bytes(path.read_bytes()[:-4])
        gc.load(path)


def checkpoint_of_another_model():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.safetensors")
        gc.save(path, nn.Linear(3, 2))
        gc.load(path, nn.Linear(4, 2))


def package_missing():
    raise gc.errors.MissingPackageError.of("scikit-learn", "the digits", "examples")


def pass_unknown():
    gc.compile(gc.trace(lambda x: x, gc.f32[3], name="f"), pipeline=["canonicalise"])


def backend_unknown():
    gc.compile(gc.trace(lambda x: x, gc.f32[3], name="f"), backend="tpu")


def numerics():
    def f(x):
        h = gc.log(x)
        return gc.sum(h * x)

    exe = gc.compile(gc.trace(f, gc.f32["N"]))
    exe.check_numerics(np.array([1, 2, 0, -1], np.float32))


def name_of_an_op():
    from graphc.op import find_op

    find_op("sigmiod")


def name_of_a_function():
    gc.logsumexpp  # noqa: B018


def name_of_a_value():
    gc.parse(MLP)["%los"]
