"""DataLoader: every item once an epoch, in an order that the seed fixes."""

import numpy as np
import pytest

import graphc as gc
from graphc.data import ArrayDataset, DataLoader
from graphc.errors import ArgumentError

COUNT = 11
DATASET = ArrayDataset(np.arange(COUNT, dtype="f4")[:, None] * np.ones(3, "f4"), np.arange(COUNT))


def labels(loader):
    return [y.tolist() for _, y in loader]


def test_batches_in_order():
    loader = DataLoader(DATASET, batch_size=4)
    assert labels(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]]
    x, y = next(iter(loader))
    assert x.shape == (4, 3)
    assert x[:, 0].tolist() == y.tolist()


@pytest.mark.parametrize("batch_size", [1, 4, COUNT, 100])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
def test_every_item_once_an_epoch(batch_size, drop_last, shuffle):
    loader = DataLoader(DATASET, batch_size, shuffle, drop_last=drop_last, seed=0)
    batches = labels(loader)
    assert len(batches) == len(loader)
    items = [item for batch in batches for item in batch]
    assert len(set(items)) == len(items) == (COUNT - COUNT % batch_size if drop_last else COUNT)
    if drop_last:
        assert all(len(batch) == batch_size for batch in batches)


def test_epochs_differ_and_repeat_with_the_seed():
    def epochs(seed):
        loader = DataLoader(DATASET, 4, shuffle=True, seed=seed)
        return [labels(loader) for _ in range(3)]

    first, second, third = epochs(5)
    assert first != second != third
    assert [first, second, third] == epochs(5) != epochs(6)


def test_an_epoch_can_be_resumed():
    loader = DataLoader(DATASET, 4, shuffle=True, seed=5)
    labels(loader)
    second = labels(loader)
    resumed = DataLoader(DATASET, 4, shuffle=True, seed=5)
    resumed.epoch = 1
    assert labels(resumed) == second


def test_without_a_seed_the_order_follows_manual_seed():
    gc.manual_seed(3)
    first = labels(DataLoader(DATASET, 4, shuffle=True))
    other = labels(DataLoader(DATASET, 4, shuffle=True))
    gc.manual_seed(3)
    assert first == labels(DataLoader(DATASET, 4, shuffle=True)) != other


def test_two_walks_at_once_do_not_disturb_each_other():
    loader = DataLoader(DATASET, 3, shuffle=True, seed=1)
    alone = [labels(loader), labels(loader)]
    loader.epoch = 0
    pairs = list(zip(loader, loader, strict=True))
    assert [[pair[i][1].tolist() for pair in pairs] for i in (0, 1)] == alone


def test_batches_are_the_callers_own():
    x, _ = next(iter(DataLoader(DATASET, COUNT)))
    x[:] = -1
    assert DATASET.arrays[0][1, 0] == 1


def test_a_list_is_a_dataset():
    assert [batch.tolist() for batch in DataLoader([0.5, 1.5, 2.5], 2)] == [[0.5, 1.5], [2.5]]


def test_an_empty_dataset_has_no_batches():
    assert list(DataLoader(ArrayDataset(np.zeros((0, 3))), 4, shuffle=True, seed=0)) == []


@pytest.mark.parametrize("batch_size", [0, -1, 2.0, True, None])
def test_batch_sizes_that_are_none(batch_size):
    with pytest.raises(ArgumentError, match="batch_size is a positive integer"):
        DataLoader(DATASET, batch_size)
