"""Random bits in CPU kernels: every position against the op's reference, in any order."""

import numpy as np
import pytest

from compiled_functions import compiled
from graphc import ops
from graphc.backends.cpu.functions.intrinsic import TWINS
from graphc.op import REGISTRY

assert ops


@pytest.mark.parametrize("seed", [0, 7, 2**40 + 1, 2**64 - 1])
@pytest.mark.parametrize("step", [0, 2**33 + 5])
@pytest.mark.parametrize("stream", [0, 3, 2**32 - 1])
def test_random_bits_are_those_of_the_op(seed: int, step: int, stream: int) -> None:
    reference = REGISTRY["random_bits"].reference
    assert reference is not None
    expected = reference(np.array([seed, step], np.uint64), stream=stream, shape=(1001,))
    position = np.random.default_rng(0).permutation(1001)
    given = (np.full(1001, seed, np.uint64), np.full(1001, step, np.uint64), np.full(1001, stream), position)
    (words,) = compiled(("random_bits",), np.uint64, np.uint64, np.int64, np.int64)(*given)
    np.testing.assert_array_equal(words, expected[position], strict=True)
    np.testing.assert_array_equal(TWINS["random_bits"](*given), words, strict=True)
