"""Datasets, their parts, and how items become batches."""

from collections import Counter

import ml_dtypes
import numpy as np
import pytest

import graphc as gc
from graphc.data import ArrayDataset, Dataset, Subset, TensorDataset, collate, random_split
from graphc.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError

X = np.arange(12, dtype="f4").reshape(6, 2)
Y = np.arange(6) * 10


class Squares(Dataset):
    def __len__(self):
        return 5

    def __getitem__(self, index):
        return {"x": np.float32(index), "square": index**2, "name": f"n{index}"}


def test_items_of_arrays_are_tuples_of_rows():
    dataset = ArrayDataset(X, Y)
    x, y = dataset[2]
    assert (len(dataset), x.tolist(), y) == (6, [4.0, 5.0], 20)
    assert repr(dataset) == "ArrayDataset(6 × (float32[2], int64[]))"
    assert len(ArrayDataset(X)[0]) == 1  # a tuple, for one array too
    assert TensorDataset is ArrayDataset


def test_arrays_are_not_copied():
    assert np.shares_memory(ArrayDataset(X, Y).arrays[0], X)


@pytest.mark.parametrize("arrays", [(X, Y[:5]), (X, np.float32(1)), (np.float32(1),)])
def test_arrays_of_different_lengths_are_refused(arrays):
    with pytest.raises(ShapeError, match="first extents must be equal"):
        ArrayDataset(*arrays)


def test_a_dataset_needs_arrays():
    with pytest.raises(ArgumentError, match="one array or more"):
        ArrayDataset()


def test_a_batch_of_rows_equals_the_rows_collated():
    dataset = ArrayDataset(X, Y)
    for given, wanted in zip(dataset.batch(np.array([4, 0])), collate([dataset[4], dataset[0]]), strict=True):
        np.testing.assert_array_equal(given, wanted)
        assert given.dtype == wanted.dtype


def test_a_batch_of_a_users_dataset():
    batch = Squares().batch(np.array([3, 1]))
    assert batch["x"].dtype == np.float32
    assert batch["x"].tolist() == [3.0, 1.0]
    assert batch["square"].dtype == np.int64
    assert batch["square"].tolist() == [9, 1]
    assert batch["name"] == ["n3", "n1"]


@pytest.mark.parametrize("missing", ["__len__", "__getitem__"])
def test_a_dataset_without_its_methods_says_so(missing):
    dataset = type("Empty", (Dataset,), {})()
    with pytest.raises(NotImplementedError, match=f"Empty declares no {missing}"):
        len(dataset) if missing == "__len__" else dataset[0]


@pytest.mark.parametrize(
    ("items", "dtype", "values"),
    [
        ([1, 2], "i8", [1, 2]),
        ([0, 0.5], "f4", [0, 0.5]),
        ([True, False], "?", [True, False]),
        ([np.uint8(1), np.uint8(2)], "u1", [1, 2]),
        ([np.ones(2, "f2"), np.zeros(2, "f2")], "f2", [[1, 1], [0, 0]]),
        ([np.ones(1, ml_dtypes.bfloat16)], ml_dtypes.bfloat16, [[1]]),
    ],
)
def test_collated_numbers(items, dtype, values):
    batch = collate(items)
    assert batch.dtype == np.dtype(dtype)
    assert batch.tolist() == values


def test_collated_structures():
    inner, label = collate([((X[0], 1), 2), ((X[1], 3), 4)])
    assert inner[0].shape == (2, 2)
    assert (inner[1].tolist(), label.tolist()) == ([1, 3], [2, 4])


@pytest.mark.parametrize(
    ("items", "error", "text"),
    [
        ([], ShapeError, "one item or more"),
        ([X[0], X[:2]], ShapeError, r"different shapes: item 0 has \(2,\), item 1 \(2, 2\)"),
        ([(1, 2), (1,)], ShapeError, "different lengths: item 0 has 2, item 1 1"),
        ([{"a": 1}, {"b": 1}], ShapeError, r"different keys: item 0 has \['a'\], item 1 \['b'\]"),
        ([X[0], X[0].astype("f8")], DTypeError, "different dtypes: float32, float64"),
        ([object()], DTypeError, "not object"),
        ([None], DTypeError, "not NoneType"),
    ],
)
def test_items_that_make_no_batch(items, error, text):
    with pytest.raises(error, match=text):
        collate(items)


def test_a_subset_keeps_its_order():
    subset = Subset(ArrayDataset(X, Y), [5, 0, 5])
    assert [int(subset[i][1]) for i in range(len(subset))] == [50, 0, 50]
    assert subset.batch(np.array([2, 1]))[1].tolist() == [50, 0]
    assert subset[1:][1].tolist() == subset[[1, 2]][1].tolist() == [0, 50]
    assert Subset(subset, [1])[0][1] == 0
    assert Subset(list("abc"), [2, 0]).batch(np.array([0, 1])) == ["c", "a"]


@pytest.mark.parametrize("index", [6, -1])
def test_a_subset_of_what_is_not_there(index):
    with pytest.raises(IndexRangeError, match=f"index {index} is outside the dataset, which has 6 items"):
        Subset(ArrayDataset(X, Y), [0, index])


@pytest.mark.parametrize(
    ("total", "lengths", "counts"),
    [
        (1797, [0.8, 0.2], [1438, 359]),
        (10, [1 / 3, 1 / 3, 1 / 3], [4, 3, 3]),
        (6, [4, 2], [4, 2]),
        (6, [6, 0], [6, 0]),
        (1, [1, 0], [1, 0]),
        (1, [0.5, 0.5], [1, 0]),
        (0, [], []),
    ],
)
def test_parts_are_disjoint_and_complete(total, lengths, counts):
    parts = random_split(list(range(total)), lengths, seed=0)
    assert [len(part) for part in parts] == counts
    assert Counter(i for part in parts for i in part.indices.tolist()) == Counter(range(total))


def test_the_seed_fixes_the_parts():
    def order(**seed):
        return random_split(range(50), [0.5, 0.5], **seed)[0].indices.tolist()

    assert order(seed=3) == order(seed=3) != order(seed=4)
    gc.manual_seed(7)
    first = order()
    assert first != order()
    gc.manual_seed(7)
    assert first == order()


@pytest.mark.parametrize("lengths", [[3, 2], [5, 2], [0.5, 0.4], [2.5, 3.5], []])
def test_lengths_that_do_not_add_up(lengths):
    with pytest.raises(ArgumentError, match="add up to the 6 items of the dataset, or shares that add up to 1, not "):
        random_split(ArrayDataset(X), lengths)


def test_negative_lengths():
    with pytest.raises(ArgumentError, match="not negative"):
        random_split(ArrayDataset(X), [-1, 7])
