"""Calls: arrays are read right or refused clearly, results belong to the caller, state is shared and safe."""

import threading

import numpy as np
import pytest

import graphc as gc
from graphc.errors import ArgumentError, BackendError, DTypeError, NumericsError, ShapeError, StateError, VerifyError

G = gc.trace(lambda x, y: gc.sum(x * 2, axis=1) + y, gc.f32["N", 3], gc.f32["N"])


def test_any_layout_and_byte_order_reads_right():
    x = np.arange(6, dtype="f4").reshape(2, 3)
    y = np.zeros(2, "f4")
    expected = gc.evaluate(G, x, y)
    wide = np.zeros((2, 6), "f4")
    wide[:, ::2] = x
    for same in (np.asfortranarray(x), wide[:, ::2], x.astype(">f4"), x.tolist()):
        np.testing.assert_array_equal(gc.evaluate(G, same, y), expected)
    x.flags.writeable = False
    np.testing.assert_array_equal(gc.evaluate(G, x, y), expected)


@pytest.mark.parametrize(
    ("arrays", "error", "text"),
    [
        ((np.ones((2, 3), "f4"),), ArgumentError, r"@lambda takes 2 inputs, .*, and got 1"),
        ((np.ones((2, 4), "f4"), np.ones(2, "f4")), ShapeError, r"axis 1 has 4, not 3"),
        ((np.ones((2, 3), "f4"), np.ones(5, "f4")), ShapeError, r"axis 0 has 5, and N is 2 from %x"),
        ((np.ones(3, "f4"), np.ones(2, "f4")), ShapeError, "of rank 2"),
        ((np.ones((2, 3)), np.ones(2, "f4")), DTypeError, r"%x is f32\[N,3\], but the array given is f64"),
        ((np.ones((2, 3), "c8"), np.ones(2, "f4")), DTypeError, "complex64"),
        ((None, np.ones(2, "f4")), ArgumentError, "takes an array, not NoneType"),
        (("text", np.ones(2, "f4")), ArgumentError, "takes an array, not str"),
        (([[1, 2], [3]], np.ones(2, "f4")), ArgumentError, "makes no array"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arrays, error, text):
    with pytest.raises(error, match=text):
        gc.evaluate(G, *arrays)


def test_dims_are_solved_across_inputs():
    g = gc.trace(lambda a, b: a[:1] + b[:1], gc.f32["2*N"], gc.f32["N"])
    assert gc.evaluate(g, np.ones(6, "f4"), np.ones(3, "f4")).tolist() == [2.0]
    with pytest.raises(ShapeError, match=r"axis 0 has 5, which is no value of 2\*N"):
        gc.evaluate(g, np.ones(5, "f4"), np.ones(3, "f4"))


def test_results_belong_to_the_caller():
    identity = gc.compile(gc.trace(lambda x: (x, x), gc.f32["N"]))
    x = np.ones(3, "f4")
    a, b = identity(x)
    a[:] = 5
    assert x.tolist() == b.tolist() == [1, 1, 1]
    out = np.empty(3, "f4")
    assert identity(x, out=(out, b))[0] is out
    with pytest.raises(ShapeError, match="its out is"):
        identity(x, out=(np.empty(2, "f4"), b))


def test_empty_batches_are_legal():
    assert gc.evaluate(G, np.ones((0, 3), "f4"), np.ones(0, "f4")).shape == (0,)


def test_backends():
    with pytest.raises(BackendError, match="there is no backend 'tpu'; there are cpu, interpreter"):
        gc.compile(G, backend="tpu")


def test_state_is_shared_and_written_at_the_end():
    cell = gc.Cell(np.zeros(3, np.float32), name="total")

    def accumulate(x):
        cell.assign(cell + x)
        return cell * 1

    step = gc.compile(gc.trace(accumulate, gc.f32[3]))
    read = gc.compile(gc.trace(lambda: cell * 10))
    assert step(np.ones(3, "f4")).tolist() == [1, 1, 1]
    assert read().tolist() == [10, 10, 10]
    assert cell.version == 1
    cell[...] = 7
    assert read().tolist() == [70, 70, 70]
    cell.assign(np.arange(3))
    assert np.asarray(cell).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(cell)[0] = 1
    with pytest.raises(ShapeError, match=r"total: has shape \(3,\), but the value has \(2,\)"):
        cell.assign(np.zeros(2))


def test_a_failed_run_leaves_the_state_untouched():
    cell = gc.Cell(np.zeros(2, np.float32), name="seen")

    def f(x, i):
        cell.assign(cell + x)
        return gc.take(x, i)

    step = gc.compile(gc.trace(f, gc.f32[2], gc.i64[1]))
    with pytest.raises(IndexError, match="7"):
        step(np.ones(2, "f4"), np.array([7]))
    assert np.asarray(cell).tolist() == [0, 0]
    assert cell.version == 0


def test_text_has_no_state_of_its_own():
    cell = gc.Cell(np.ones(2, np.float32), name="scale", kind="buffer")
    g = gc.trace(lambda x: x * cell, gc.f32[2])
    parsed = gc.parse(str(g))
    x = np.full(2, 3, "f4")
    with pytest.raises(StateError, match=r"reads buffer %scale: f32\[2\], and no value is given"):
        gc.evaluate(parsed, x)
    assert gc.evaluate(parsed, x, state={"scale": np.full(2, 2, "f4")}).tolist() == [6, 6]


def test_random_ops_advance_with_every_run_and_repeat_with_the_seed():
    def draw():
        return gc.random.uniform((4,)), gc.random.uniform((4,))

    def run(seed):
        rng = gc.Cell(np.array([seed, 0], np.uint64), kind="rng", name="rng")
        from graphc.dsl import trace

        exe = gc.compile(trace(draw, rng=rng))
        return [np.stack(exe()) for _ in range(3)]

    first, again, other = run(1), run(1), run(2)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    values = np.stack(first).ravel()
    assert len(set(values.tolist())) == values.size


def test_threads_take_turns():
    cell = gc.Cell(np.zeros((), np.int64), name="count")

    def f():
        cell.assign(cell + 1)
        return cell * 1

    exe = gc.compile(gc.trace(f))
    threads = [threading.Thread(target=lambda: [exe() for _ in range(50)]) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert int(np.asarray(cell)) == 200


def test_stages_diff_and_user_passes():
    def drop_doubling(graph):
        """x·2 → x, which is wrong."""
        renamed = {n.result: n.operands[0] for n in graph.nodes if n.op.name == "mul"}
        from graphc.passes.decompose import replace_values

        return replace_values(graph, [n for n in graph.nodes if n.op.name != "mul"], renamed)

    x, y = np.ones((2, 3), "f4"), np.zeros(2, "f4")
    pipeline = gc.passes.default_pipeline().before("dce", drop_doubling)
    exe = gc.compile(G, pipeline=pipeline)
    assert "drop_doubling" in exe.stages
    assert exe.stages["drop_doubling"].graph.count("mul") == 0
    assert "mul" in str(exe.diff("drop_doubling"))
    assert exe.bisect(x, y) == "drop_doubling"
    assert gc.compile(G).bisect(x, y) is None


def test_a_pass_that_breaks_the_graph_is_named():
    def break_it(graph):
        return graph.with_(nodes=graph.nodes[1:])

    with pytest.raises(VerifyError, match=r"after pass 'break_it': @lambda: sum: %mul is used before it is defined"):
        gc.compile(G, pipeline=[break_it])


def test_check_numerics_names_the_first_bad_op():
    def f(x):
        h = gc.log(x)
        return h + 1

    exe = gc.compile(gc.trace(f, gc.f32[3]))
    exe.check_numerics(np.ones(3, "f4"))
    with pytest.raises(NumericsError) as raised:
        exe.check_numerics(np.array([1, 0, -1], "f4"))
    assert "%h[1] is -inf" in str(raised.value)
    assert "declared at test_calls.py:" in str(raised.value)


def test_cells_have_the_methods_of_tensors():
    cell = gc.Cell(np.arange(6, dtype=np.float32).reshape(2, 3), name="w")
    g = gc.trace(lambda: cell.sum() + cell.reshape(3, 2).max() + cell.T[0, 1])
    assert gc.evaluate(g) == 15 + 5 + 3
