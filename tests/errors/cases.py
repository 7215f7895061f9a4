"""Mistakes, one a function; tests/errors/NAME.txt holds the function's source and the error that it ends in."""

import tempfile
from pathlib import Path

import numpy as np

import graphc as gc
from graphc import nn, optim
from graphc.ir import Graph, Node, Value
from graphc.nn import functional as F
from graphc.ops.reduction import sum as sum_op
from graphc.state import Cell

MLP = """graph @mlp(%x: f32[N,3], %y: i64[N]) {
  parameter %w: f32[3,2]
  %h: f32[N,2] = dot_general(%x, %w, contract=((1,), (0,)))
  %loss: f32[] = sum(%h, axis=(0, 1))
  return %loss
}"""


# -- shapes and dtypes -----------------------------------------------------------------------------------------------


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


# -- calls -----------------------------------------------------------------------------------------------------------


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


# -- tracing ---------------------------------------------------------------------------------------------------------


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


# -- derivatives -----------------------------------------------------------------------------------------------------


def gradient_of_a_vector():
    gc.grad(gc.trace(lambda x: x * x, gc.f32["N"], name="f"))


def gradient_of_an_integer_input():
    graph = gc.trace(lambda x, i: gc.sum(gc.take(x, i, axis=0)), gc.f32["N"], gc.i64[3], name="f")
    gc.grad(graph, wrt=["i"])


def gradient_of_an_unknown_input():
    gc.grad(gc.trace(lambda weight: gc.sum(weight * weight), gc.f32["N"], name="f"), wrt=["wieght"])


# -- passes and backends ---------------------------------------------------------------------------------------------


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


# -- names -----------------------------------------------------------------------------------------------------------


def name_of_an_op():
    from graphc.op import find_op

    find_op("sigmiod")


def name_of_a_function():
    gc.logsumexpp  # noqa: B018


def name_of_a_value():
    gc.parse(MLP)["%los"]


# -- text ------------------------------------------------------------------------------------------------------------


def text_unexpected_sign():
    gc.parse(MLP.replace("(%h, axis", "(%h = 4, axis"))


def text_unclosed_call():
    gc.parse(MLP.replace("(0, 1))", "(0, 1)"))


def text_ends_early():
    gc.parse(MLP[: MLP.index("return")])


def text_after_the_graph():
    gc.parse(MLP + "\n}")


def text_empty():
    gc.parse("")


def text_unknown_op():
    gc.parse(MLP.replace("sum", "summ"))


def text_unknown_value():
    gc.parse(MLP.replace("sum(%h", "sum(%hh"))


def text_value_used_before_it_is_defined():
    gc.parse(MLP.replace("dot_general(%x", "dot_general(%loss"))


def text_name_defined_twice():
    gc.parse(MLP.replace("%h: ", "%x: "))


def text_statement():
    gc.parse(MLP.replace("return", "retrun"))


def text_state_kind():
    gc.parse(MLP.replace("parameter", "paramter"))


def text_dtype():
    gc.parse(MLP.replace("%loss: f32", "%loss: float32"))


def text_extent():
    gc.parse(MLP.replace("%h: f32[N,2]", "%h: f32[N+,2]"))


def text_extent_negative():
    gc.parse(MLP.replace("%w: f32[3,2]", "%w: f32[3,2-4]"))


def text_types_disagree():
    gc.parse(MLP.replace("%h: f32[N,2]", "%h: f32[N,3]"))


def text_operands_do_not_fit():
    gc.parse(MLP.replace("%w: f32[3,2]", "%w: f32[4,2]"))


def text_number_of_results():
    gc.parse(MLP.replace("%loss: f32[] =", "%loss: f32[], %more: f32[] ="))


def text_number_of_operands():
    gc.parse(MLP.replace("sum(%h,", "sum(%h, %h,"))


def text_unknown_attribute():
    gc.parse(MLP.replace("axis=", "axes="))


def text_missing_attribute():
    gc.parse(MLP.replace(", axis=(0, 1)", ""))


def text_attribute_given_twice():
    gc.parse(MLP.replace("axis=(0, 1)", "axis=(0, 1), axis=(0,)"))


def text_attribute_of_another_kind():
    gc.parse(MLP.replace("axis=(0, 1)", 'axis="all"'))


def text_operand_after_attributes():
    gc.parse(MLP.replace("axis=(0, 1)", "axis=(0, 1), %h"))


def text_literal_without_dtype():
    gc.parse(MLP.replace("return %loss", "return 1.0"))


def text_literal_of_another_dtype():
    gc.parse(MLP.replace("return %loss", "return 0.5:i64"))


def text_unknown_dim():
    gc.parse(MLP.replace("return %loss", "return M:i64"))


def text_string_that_does_not_end():
    gc.parse(MLP.replace("axis=(0, 1)", 'axis="all'))


def text_escape():
    gc.parse(MLP.replace("axis=(0, 1)", r'axis="a\x"'))


def text_array_too_short():
    gc.parse("graph @f() { %c: f32[2,2] = constant(value=f32[2,2]{1.0, 2.0, 3.0}) return %c }")


def text_array_damaged():
    gc.parse('graph @f() { %c: f32[2] = constant(value=f32[2]{base64 "AACAPw="}) return %c }')


def text_array_element():
    gc.parse("graph @f() { %c: u8[2] = constant(value=u8[2]{1, 256}) return %c }")


def text_update_of_an_input():
    gc.parse(MLP.replace("return", "update %x = %x return"))


def text_update_with_another_type():
    gc.parse(MLP.replace("return", "update %w = %h return"))


def text_long_line():
    gc.parse("graph @f(" + ", ".join(f"%input_{i}: f32[N]" for i in range(20)) + " %more: f32[N]) { return }")


def text_of_a_wide_script():
    gc.parse("graph @f(%入力: f32[N]) {\n  %y: f32[N] = exp(%出力)\n  return %y\n}")


def text_of_a_file():
    from graphc.text.parser import parse

    parse(MLP.replace("sum", "summ"), file="models/mlp.ir")
