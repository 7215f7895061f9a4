"""What is wrong is refused before anything changes; what is only unusual is read right."""

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from graphc.errors import GraphcError
from graphc.nn import functional as F


def snapshot(step):
    return {state.value.name: np.array(state.cell.array) for state in step.graph.state}


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (np.ones((3, 4), "f4"), np.array([0, 2, 3])),
        (np.ones((3, 4), "f4"), np.array([0, -1, 2])),
        (np.ones((3, 4), "f4"), np.array([0, 1])),
        (np.ones((3, 5), "f4"), np.array([0, 1, 2])),
        (np.ones((3, 4)), np.array([0, 1, 2])),
        (np.ones((3, 4), "f4"), np.array([0.0, 1.0, 2.0])),
        (np.ones((1, 4), "f4"), np.array([0])),
        (np.ones((0, 4), "f4"), np.zeros(0, int)),
        (None, np.array([0, 1, 2])),
    ],
    ids=["label", "negative", "count", "features", "dtype", "labels", "one row", "empty", "none"],
)
def test_a_step_that_is_refused_leaves_the_state_untouched(images, labels):
    gc.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
    inputs, targets = gc.f32["N", 4], gc.i64["N"]
    step = gc.training_step(model, loss=F.cross_entropy, optimizer=optim.Adam(lr=0.1), inputs=inputs, targets=targets)
    good = np.arange(12, dtype="f4").reshape(3, 4), np.array([0, 1, 2])
    step(*good)
    before = snapshot(step)
    assert {state.kind for state in step.graph.state} >= {"parameter", "buffer", "slot", "rng"}
    with pytest.raises(GraphcError):
        step(images, labels)
    after = snapshot(step)
    assert before.keys() == after.keys()
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array, err_msg=name)
    step(*good)


def read_only(array):
    array.flags.writeable = False
    return array


ARRAY = np.arange(12, dtype="f4").reshape(3, 4)


@pytest.mark.parametrize(
    "given",
    [
        np.asfortranarray(ARRAY),
        np.ascontiguousarray(ARRAY.T).T,
        np.repeat(ARRAY, 2, axis=0)[::2],
        ARRAY[::-1, ::-1].copy()[::-1, ::-1],
        np.zeros((3, 9), "f4")[:, 1::2] + ARRAY,
        ARRAY.astype(">f4"),
        ARRAY.astype(">f4").T.copy().T,
        read_only(ARRAY.copy()),
        np.frombuffer(b"\0" + ARRAY.tobytes(), "f4", offset=1).reshape(3, 4),
        ARRAY.tolist(),
        tuple(map(tuple, ARRAY.astype(int).tolist())),
    ],
    ids=[
        "fortran", "transposed", "strided", "reversed", "sliced", "big-endian", "big-endian transposed", "read-only",
        "unaligned", "list", "tuples",
    ],
)  # fmt: skip
def test_arrays_of_any_layout_are_read_right_and_left_alone(given):
    exe = gc.compile(gc.trace(lambda x: x * 2 + 1, gc.f32["N", 4]))
    before = np.array(given)
    result = exe(given)
    np.testing.assert_array_equal(result, ARRAY * 2 + 1)
    np.testing.assert_array_equal(np.array(given), before)
    result[...] = 0  # it is the caller's


def test_nan_passes_through_visibly():
    def f(x):
        h = gc.relu(x - gc.mean(x, axis=0))
        return gc.max(gc.softmax(h, axis=1), axis=1)

    x = np.ones((3, 4), "f4")
    x[1, 2] = np.nan
    assert np.isnan(gc.evaluate(gc.trace(f, gc.f32["N", 4]), x)).all()


def test_text_that_is_refused_names_one_place_however_long_it_is():
    text = "graph @f(%x: f32[N]) {\n" + "  %y: f32[N] = exp(%x)\n" * 10_000
    with pytest.raises(gc.errors.ParseError, match="line 3, column 3: %y is defined already"):
        gc.parse(text)
