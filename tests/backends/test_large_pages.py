"""Memory in large pages: where it begins, how much there is of it, and what happens where there are none."""

import mmap

import numpy as np
import pytest

import graphc as gc
from graphc import nn
from graphc.backends.cpu import large_pages
from graphc.backends.cpu.array_address import address_of
from graphc.backends.cpu.large_pages import LARGE_PAGE, LEAST, memory

HAS_LARGE_PAGES = hasattr(mmap, "MADV_HUGEPAGE")


@pytest.mark.parametrize("size", [0, 1, LEAST - 1, LEAST, LARGE_PAGE + 1, 5_000_000])
def test_so_many_bytes_to_write_to(size):
    block = memory(size)
    assert (block.dtype, block.shape, block.flags.writeable) == (np.uint8, (size,), True)
    block[:] = 7
    assert block.sum(dtype=np.int64) == 7 * size
    if HAS_LARGE_PAGES and size >= LEAST:
        assert address_of(block) % LARGE_PAGE == 0


def test_parts_keep_all_of_it():
    part = memory(LEAST)[100:200].view(np.float32)
    part[:] = 1.5
    memory(LEAST)[:] = 255
    assert part.tolist() == [1.5] * 25


@pytest.mark.skipif(not HAS_LARGE_PAGES, reason="a system without large pages")
def test_a_system_that_refuses_gives_ordinary_memory(monkeypatch):
    class Refusing:
        MADV_HUGEPAGE = MAP_PRIVATE = MAP_ANONYMOUS = 0

        def mmap(self, *_, **__):
            raise OSError("no")

    monkeypatch.setattr(large_pages, "mmap", Refusing())
    block = memory(LEAST)
    block[:] = 1
    assert block.size == LEAST


def test_what_is_prepared_lies_side_by_side():
    """A prediction's packed weights: each where a line of the cache begins, all in one piece of memory."""
    model = nn.Sequential(nn.Linear(700, 601), nn.ReLU(), nn.Linear(601, 300)).eval()
    predict = gc.compile(model, inputs=gc.f32["N", 700])
    x = np.random.default_rng(0).standard_normal((9, 700)).astype(np.float32)
    np.testing.assert_allclose(predict(x), gc.evaluate(gc.trace(model, gc.f32["N", 700]), x), rtol=1e-4, atol=1e-5)
    arrays = list(predict._memory.preparation.arrays.values())
    assert len(arrays) == 2
    first, second = sorted(arrays, key=address_of)
    assert address_of(first) % 64 == address_of(second) % 64 == 0
    assert address_of(first) + first.nbytes <= address_of(second) < address_of(first) + first.nbytes + 64
