"""The CPU backend's scalar functions over whole arrays: compiled as kernels compile them, and what to feed them.

compiled(("exp",), np.float32)(x)           [exp of every element]
compiled(("rem", "floordiv"), np.int8, np.int8)(a, b)
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numba
import numpy as np

from graphc.backends.cpu import functions
from graphc.backends.cpu.functions.intrinsic import TWINS

Array = np.ndarray[Any, Any]

FASTMATH = {"contract", "arcp", "afn", "nsz"}
INTEGERS = [np.dtype(f"{kind}{width}") for kind in "iu" for width in (1, 2, 4, 8)]
FLOATS = [np.dtype(np.float32), np.dtype(np.float64)]


@cache
def compiled(names: tuple[str, ...], *dtypes: Any) -> Callable[..., list[Array]]:
    """Functions of the same operands in one compiled loop over arrays of these dtypes."""
    loop = dispatcher(names, *dtypes)
    results = result_dtypes(names, *dtypes)

    def run(*arrays: Array) -> list[Array]:
        given = [np.ascontiguousarray(array, dtype) for array, dtype in zip(arrays, dtypes, strict=True)]
        outputs = [np.empty(given[0].shape, dtype) for dtype in results]
        loop(*(array.reshape(-1) for array in (*given, *outputs)))
        return outputs

    return run


@cache
def dispatcher(names: tuple[str, ...], *dtypes: Any) -> Any:
    """The Numba function under `compiled`, with its LLVM text."""
    operands = [f"x{k}" for k in range(len(dtypes))]
    outputs = [f"y{k}" for k in range(len(names))]
    called = ", ".join(f"{operand}[i]" for operand in operands)
    lines = [f"def loop({', '.join(operands + outputs)}):", "    for i in range(x0.size):"]
    lines += [f"        {output}[i] = {name}({called})" for name, output in zip(names, outputs, strict=True)]
    space = {name: getattr(functions, name) for name in names}
    exec("\n".join(lines), space)
    arrays = [numba.from_dtype(np.dtype(dtype))[::1] for dtype in (*dtypes, *result_dtypes(names, *dtypes))]
    return numba.njit([numba.void(*arrays)], fastmath=FASTMATH)(space["loop"])


def result_dtypes(names: Sequence[str], *dtypes: Any) -> list[Any]:
    """What the twins give for operands of these dtypes."""
    ones = [np.ones(1, dtype) for dtype in dtypes]
    return [TWINS[name](*ones).dtype for name in names]


def walk(per_exponent: int = 40) -> Array:
    """float32 of every exponent and both signs, special values among them, and more where functions bend."""
    random = np.random.default_rng(7)
    exponents = np.repeat(np.arange(256, dtype=np.uint32), per_exponent)
    mantissas = random.integers(0, 1 << 23, exponents.size, dtype=np.uint32)
    mantissas[::per_exponent], mantissas[1::per_exponent], mantissas[2::per_exponent] = 0, 1, (1 << 23) - 1
    words = (exponents << np.uint32(23)) | mantissas
    near = [random.uniform(-size, size, 20_000).astype(np.float32) for size in (1.0, 4.0, 20.0, 110.0)]
    return np.concatenate([words.view(np.float32), (words | np.uint32(1 << 31)).view(np.float32), *near])


def walk64() -> Array:
    """float64 over exponents and signs, with special values."""
    random = np.random.default_rng(8)
    scattered = np.ldexp(random.uniform(-2, 2, 2000), random.integers(-1074, 1023, 2000))
    near = [random.uniform(-size, size, 500) for size in (1.0, 4.0, 20.0, 700.0)]
    special = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, np.inf, -np.inf, np.nan, 5e-324, np.finfo(np.float64).max]
    return np.concatenate([scattered, *near, special])


def last_places(y: Array, reference: Array) -> Array:
    """How far float32 results are from references, as a rule of float64, in last places of the rounded reference.

    Infinite where one is NaN, infinite or a zero of the other sign and the rounded reference is not.
    """
    with np.errstate(all="ignore"):
        rounded = reference.astype(np.float32)
        exact = reference.astype(np.float64)
        unit = np.spacing(np.minimum(np.abs(rounded), np.finfo(np.float32).max)).astype(np.float64)
        distance = np.abs(y.astype(np.float64) - exact) / unit
    same = (np.isnan(y) & np.isnan(rounded)) | ((y == rounded) & (np.signbit(y) == np.signbit(rounded)))
    other = (np.isfinite(y) != np.isfinite(rounded)) | ((y == 0) & (rounded == 0))
    return np.where(
        same & ~np.isfinite(distance),
        0.0,
        np.where(other & ~same, np.inf, np.where(np.isnan(distance), np.inf, distance)),
    )
