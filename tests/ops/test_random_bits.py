"""Random bits: Philox4x32-10 to the letter, and a function of seed, step, stream and position alone."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.errors import DTypeError, OpAttributeError, ShapeError
from graphc.op import find_op
from graphc.ops.random import philox
from ops.one_op import value

# The vectors published with the authors' implementation: Random123 1.14, tests/kat_vectors, "philox4x32 10".
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_published_vectors(counter: tuple[int, ...], key: tuple[int, int], words: tuple[int, ...]) -> None:
    assert tuple(philox([[word] for word in counter], key)[:, 0].tolist()) == words


def bits(seed: int, step: int, stream: int, shape: tuple[int, ...]) -> np.ndarray:
    return value("random_bits", np.array([seed, step], np.uint64), stream=stream, shape=shape)


def test_key_is_the_seed_and_counter_the_block_stream_and_step() -> None:
    counter, (low, high), _ = KNOWN[2]
    seed, step = low + (high << 32), counter[2] + (counter[3] << 32)
    assert bits(0, 0, 0, (4,)).tolist() == list(KNOWN[0][2])
    expected = philox([[0, 1], [counter[1]] * 2, [counter[2]] * 2, [counter[3]] * 2], (low, high)).T.reshape(-1)
    assert bits(seed, step, counter[1], (2, 4)).reshape(-1).tolist() == expected.tolist()


def test_an_element_depends_on_its_position_alone() -> None:
    long = bits(7, 1, 2, (24,))
    np.testing.assert_array_equal(bits(7, 1, 2, (2, 3, 4)).reshape(-1), long)
    np.testing.assert_array_equal(bits(7, 1, 2, (7,)), long[:7])
    assert bits(7, 1, 2, ()) == long[0]
    assert bits(7, 1, 2, (0, 3)).shape == (0, 3)


def test_seed_step_and_stream_give_other_bits() -> None:
    lines = [bits(*which, (64,)).tobytes() for which in [(7, 0, 0), (8, 0, 0), (7, 1, 0), (7, 0, 1), (7 << 32, 0, 0)]]
    assert len(set(lines)) == len(lines)


def test_bits_are_fair() -> None:
    words = bits(1, 0, 0, (20_000,))
    ones = np.unpackbits(words.view(np.uint8)).reshape(20_000, 32).mean(axis=0)
    assert np.abs(ones - 0.5).max() < 5 * 0.5 / np.sqrt(20_000)  # five standard deviations


def test_what_it_refuses() -> None:
    draw = find_op("random_bits")
    with pytest.raises(DTypeError, match=r"rng is i64\[2\], not u64\[2\] of seed and step"):
        gc.trace(lambda rng: draw(rng, stream=0, shape=(3,)), gc.i64[2])
    with pytest.raises(ShapeError, match=r"rng is u64\[3\], not u64\[2\] of seed and step"):
        gc.trace(lambda rng: draw(rng, stream=0, shape=(3,)), gc.u64[3])
    with pytest.raises(OpAttributeError, match="stream -1 is not an integer of 32 bits"):
        gc.trace(lambda rng: draw(rng, stream=-1, shape=(3,)), gc.u64[2])
    with pytest.raises(ShapeError, match="more than the 17179869184 of one stream"):
        gc.trace(lambda rng: draw(rng, stream=0, shape=(1 << 20, 1 << 20)), gc.u64[2])
