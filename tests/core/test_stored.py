"""Cells whose axes lie in another order in memory: everything reads as ever, and executables use them as they lie."""

import copy
import pickle

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from graphc.errors import StateError
from graphc.nn import functional as F
from graphc.state import Cell
from graphc.stored import StoredCell, as_counted, as_stored, cell_of

ORDER = (2, 3, 1, 0)
KERNELS = np.arange(8 * 4 * 3 * 5, dtype=np.float32).reshape(8, 4, 3, 5)


def kernels(kind: str = "parameter") -> Cell:
    return Cell(KERNELS, kind, "w", order=ORDER)


def lies_in_order(cell: Cell) -> bool:
    return cell.storage.transpose(ORDER).flags.c_contiguous and not cell.storage.flags.writeable


def test_values_read_as_ever() -> None:
    w = kernels()
    assert lies_in_order(w)
    np.testing.assert_array_equal(np.asarray(w), KERNELS)
    np.testing.assert_array_equal(w[3], KERNELS[3])
    assert (w.shape, w.size, w.type) == (KERNELS.shape, KERNELS.size, gc.f32[8, 4, 3, 5])
    assert Cell(KERNELS, order=(0, 1, 2, 3)).order is None
    assert Cell(KERNELS, order=[2, 3, 1, 0]).order == ORDER


@pytest.mark.parametrize(
    "write",
    [
        lambda w: w.assign(KERNELS + 1),
        lambda w: w.__setitem__(..., KERNELS + 1),
        lambda w: [w.__setitem__(k, KERNELS[k] + 1) for k in range(8)],
        lambda w: w.commit((KERNELS + 1).T.copy().T),
        lambda w: w.convert(gc.f64) or w.assign(KERNELS + 1),
    ],
)
def test_whoever_writes_the_order_stays(write) -> None:
    w = kernels()
    held, version = w.array, w.version
    write(w)
    assert lies_in_order(w)
    assert w.version > version
    np.testing.assert_array_equal(np.asarray(w), KERNELS + 1)
    np.testing.assert_array_equal(held, KERNELS)  # a view of that moment


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_lie_alike(twin) -> None:
    layer = nn.Conv2d(4, 8, (3, 5))
    for cell in (kernels(), layer.weight, twin(layer).weight):
        again = twin(cell)
        assert type(again) is type(cell)
        assert again.order == ORDER
        assert lies_in_order(again)
        np.testing.assert_array_equal(np.asarray(again), np.asarray(cell))


@pytest.mark.parametrize("order", [(2, 3, 1), (0, 1, 2, 2), (1, 2, 3, 4), [2, 3, 0], (2.0, 3.0, 1.0, 0.0)])
def test_an_order_is_a_permutation(order) -> None:
    with pytest.raises(StateError, match=r"w: is stored in the order .*, which is not a permutation of its 4 axes"):
        Cell(KERNELS, "parameter", "w", order=order)


def test_as_it_lies_in_memory() -> None:
    w = kernels()
    lying = as_stored(w)
    assert isinstance(lying, StoredCell)
    assert cell_of(lying) is w is cell_of(w)
    assert lying.storage.shape == (3, 5, 4, 8)
    assert lying.storage.ctypes.data == w.storage.ctypes.data
    np.testing.assert_array_equal(lying.array, KERNELS.transpose(ORDER))
    assert w.is_lent
    assert lying.is_lent
    lying.commit(np.ascontiguousarray((KERNELS * 2).transpose(ORDER)))
    assert lying.version == w.version == 1
    np.testing.assert_array_equal(np.asarray(w), KERNELS * 2)
    np.testing.assert_array_equal(as_counted(lying, KERNELS.transpose(ORDER)), KERNELS)
    assert as_counted(w, KERNELS) is KERNELS
    plain = Cell(KERNELS)
    assert as_stored(plain) is plain


def test_graphs_say_how_state_lies() -> None:
    layer = nn.Conv2d(4, 8, 3, bias=False)
    graph = gc.trace(layer, gc.f32["N", 4, 9, 9])
    assert "  parameter %weight: f32[8,4,3,3] stored (2, 3, 1, 0)\n" in str(graph)
    assert str(gc.parse(str(graph))) == str(graph)
    x = np.random.default_rng(0).standard_normal((2, 4, 9, 9)).astype(np.float32)
    parsed = gc.evaluate(gc.parse(str(graph)), x, state={"weight": np.asarray(layer.weight)})
    np.testing.assert_array_equal(parsed, gc.evaluate(graph, x))


def test_copies_for_others_lie_row_by_row() -> None:
    assert np.array(kernels()).flags.c_contiguous
    assert not np.asarray(kernels()).flags.c_contiguous


def test_errors_name_state_as_the_model_does() -> None:
    model = nn.Sequential(nn.Conv2d(4, 8, 3), nn.Flatten())
    predict = gc.compile(model.eval(), inputs=gc.f32["N", 4, 3, 3])
    predict(np.ones((1, 4, 3, 3), np.float32))
    model.double()
    rule = r"was traced with parameter %0.weight: f32\[8,4,3,3\], but it is f64\[8,4,3,3\] now; trace the model again"
    with pytest.raises(StateError, match=rule):
        predict(np.ones((1, 4, 3, 3), np.float32))


def test_slots_lie_as_their_parameter() -> None:
    layer = nn.Conv1d(3, 4, 5)
    adam = optim.Adam(lr=1e-2)
    step = gc.training_step(
        nn.Sequential(layer, nn.AdaptiveAvgPool1d(1), nn.Flatten()), loss=F.mse_loss, optimizer=adam, accumulate=2,
        inputs=gc.f32["N", 3, 8], targets=gc.f32["N", 4],
    )  # fmt: skip
    for _ in range(2):
        step(np.ones((2, 3, 8), np.float32), np.zeros((2, 4), np.float32))
    slots = adam.state.add(layer.weight, {"exp_avg": 0.0, "exp_avg_sq": 0.0})
    cells = [layer.weight, *slots.values(), *step.sums.of([layer.weight]).values()]
    assert {cell.order for cell in cells} == {(2, 1, 0)}
    assert {cell.storage.transpose(2, 1, 0).flags.c_contiguous for cell in cells} == {True}
