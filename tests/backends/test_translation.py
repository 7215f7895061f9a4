"""Kernels are translated to LLVM directly, and mean what Python says; what is beyond that, Numba compiles."""

from __future__ import annotations

import ctypes
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn, optim
from graphc.backends.cpu import compile as compiler
from graphc.backends.cpu import driver_source
from graphc.backends.cpu.jobs import Job, import_source
from graphc.backends.cpu.kernels import Source, load
from graphc.backends.cpu.lower_graph import lower
from graphc.backends.cpu.native import link
from graphc.backends.cpu.translation.scalars import Unknown
from graphc.backends.cpu.translation.translate import translate
from graphc.nn import functional as F
from graphc.op import REGISTRY, find_op
from graphc.passes import default_pipeline
from graphc.types import bf16, f32, type_of

sys.path.insert(0, str(Path(__file__).parent))
from on_cpu import one_node

IMPORTS = """from graphc.backends.cpu.atomics import add, read, signed, write
from graphc.backends.cpu.functions import add_reassociated, exp, maximum
from graphc.backends.cpu.pointer import bool_, extent, f32, f64, i64, share
from numpy import float32, int32, int64
"""
COUNTER = itertools.count()
FRONT_ENDS = ["translated", "by Numba"]


def source(text: str) -> tuple[Any, str]:
    """The module of a text, imported, and the text."""
    whole = IMPORTS + text
    return import_source(Path(f"/of_tests/translation_{next(COUNTER)}.py"), whole), whole


def native(text: str, signature: str, front_end: str = "translated") -> int:
    """The address of `kernel` in a text, by one of the two front ends."""
    module, whole = source(text)
    symbol = f"translation_{next(COUNTER)}"
    if front_end == "translated":
        data, externals = compiler._emit(translate(module, whole, "kernel", signature, symbol), unrolls=False)
        assert not externals
    else:
        data, _ = compiler._compile(module.kernel, signature, symbol)
    return link(data, symbol)


def of_integers(text: str, arguments: int, front_end: str = "translated") -> Callable[..., int]:
    """A function of int64."""
    address = native(text, f"int64({', '.join(['int64'] * arguments)})", front_end)
    return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * arguments)(address)


def over_arrays(text: str, *arrays: Any, front_end: str = "translated") -> None:
    """Run a kernel whose row holds the status block and these arrays."""
    address = native(text, "void(uintp, int64, int64)", front_end)
    row = np.array([0, *(array.ctypes.data for array in arrays)], np.int64)
    ctypes.CFUNCTYPE(None, ctypes.c_size_t, ctypes.c_int64, ctypes.c_int64)(address)(row.ctypes.data, 0, 1)


# -- what the statements mean ---------------------------------------------------------------------------------------

PROGRAMS = {
    "quotients": ("def kernel(a, b):\n    return a // 7 * 1000 + a % 7 * 10 + a // -3 + a % -3\n", 2),
    "halves of a word": (
        "def kernel(a, b):\n    return (a >> 1) * 3 + (a >> 32) * 5 + ((a * b) >> 63) + (-a >> 4)\n",
        2,
    ),
    "by what is not known": ("def kernel(a, b):\n    return (a // b) * 100 + a % b\n", 2),
    "a total": (
        "def kernel(a, b):\n    total = 0\n    for i in range(b, a):\n        total += i * i\n    return total\n",
        2,
    ),
    "steps": (
        "def kernel(a, b):\n    t = 0\n    for i in range(a, b, 3):\n        t = t * 3 + i\n"
        "    for i in range(a, b, -2):\n        t = t * 5 - i\n    return t\n",
        2,
    ),
    "the last turn": (
        "def kernel(a, b):\n    i = -1\n    j = b\n    for i in range(5):\n        j = i + j\n    return i * 100 + j\n",
        2,
    ),
    "jumps": (
        "def kernel(a, b):\n    t = 0\n    for i in range(20):\n        if i % 3 == b % 3:\n            continue\n"
        "        if i > a:\n            break\n        t += i\n    while True:\n        t += 7\n"
        "        if t > 50 and not t % 2:\n            return t\n",
        2,
    ),
    "branches": (
        "def kernel(a, b):\n    if a < b:\n        x = a\n    else:\n        x = b * 2\n"
        "    y = x if 0 <= x < 5 or x == -7 else -x\n    return min(x, y, 3) * 100 + max(a, b)\n",
        2,
    ),
    "calls": (
        "def twice(x):\n    if x < 0:\n        return -1\n    t = x\n    t += x\n    return t\n\n\n"
        "def kernel(a, b):\n    t = a\n    x = twice(t)\n    return x * 10 + twice(x + b)\n",
        2,
    ),
    "several at once": ("def kernel(a, b):\n    a, b = b, a\n    return a * 10 - b\n", 2),
    "bits": ("def kernel(a, b):\n    return (a ^ b) + (~a & b) + (a | 5) + (a < b) * 3\n", 2),
    "narrow integers": ("def kernel(a, b):\n    return int32(a) * 3 + int32(b)\n", 2),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_integers_mean_what_python_says(name: str) -> None:
    text, arguments = PROGRAMS[name]
    module, _ = source(text)
    compiled = of_integers(text, arguments)
    for a, b in itertools.product((-9, -7, -1, 0, 1, 4, 12), (-8, -1, 1, 2, 5)):
        assert compiled(a, b) == int(module.kernel(a, b)), (a, b)


def test_a_quotient_by_zero_is_zero() -> None:
    assert of_integers("def kernel(a, b):\n    return a // b + a % b\n", 2)(9, 0) == 0


def test_what_need_not_be_looked_at_is_not() -> None:
    """An element outside of an array is behind a condition that does not hold."""
    text = (
        "def kernel(row, slice, slices):\n    x = f32(row, 1)\n    y = f32(row, 2)\n    far = 1 << 50\n"
        "    y[0] = x[far] if y[1] > float32(3.0) else float32(5.0)\n"
        "    if y[1] > float32(3.0) and x[far] > float32(0.0):\n        y[2] = float32(1.0)\n"
        "    if y[1] <= float32(3.0) or x[far] > float32(0.0):\n        y[3] = float32(2.0)\n"
    )
    x, y = np.zeros(1, np.float32), np.zeros(4, np.float32)
    over_arrays(text, x, y)
    assert y.tolist() == [5.0, 0.0, 0.0, 2.0]


def test_nothing_holds_of_nan_but_that_it_differs() -> None:
    text = (
        "def kernel(row, slice, slices):\n    x = f32(row, 1)\n    y = bool_(row, 2)\n    y[0] = x[0] < x[1]\n"
        "    y[1] = x[0] >= x[1]\n    y[2] = x[0] == x[0]\n    y[3] = x[0] != x[0]\n    y[4] = not (x[0] <= x[1])\n"
    )
    x, y = np.array([np.nan, 1.0], np.float32), np.zeros(5, np.bool_)
    over_arrays(text, x, y)
    assert y.tolist() == [False, False, False, True, True]


def test_numbers_beyond_f32_are_infinite() -> None:
    x = np.zeros(3, np.float32)
    text = (
        "from math import inf\n\n\ndef kernel(row, slice, slices):\n    x = f32(row, 1)\n"
        "    x[0] = float32(1e300)\n    x[1] = float32(-inf)\n    x[2] = 0.1\n"
    )
    over_arrays(text, x)
    assert x.tolist() == [np.inf, -np.inf, float(np.float32(0.1))]


KERNEL = """
def kernel(row, slice, slices):
    x = f32(row, 1)
    y = f32(row, 2)
    total = float32(0.0)
    for i in range(share(100, slice, slices), share(100, slice + 1, slices)):
        best = x[10 * i]
        for j in range(1, 10):
            best = maximum(best, x[10 * i + j])
        part = float32(0.0)
        for j in range(10):
            part = add_reassociated(part, exp(x[10 * i + j] - best))
        y[i] = best if not (best <= float32(0.0)) else -part
        total = add_reassociated(total, part)
    y[100] = total
"""


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_both_front_ends_compute_the_same(front_end: str) -> None:
    x = np.random.default_rng(3).standard_normal((100, 10)).astype(np.float32) - np.float32(1.4)
    y = np.empty(101, np.float32)
    over_arrays(KERNEL, x, y, front_end=front_end)
    best = x.max(1)
    part = np.exp(x.astype(np.float64) - best[:, None]).sum(1)
    np.testing.assert_allclose(y[:100], np.where(best > 0, best, -part), rtol=1e-6)
    np.testing.assert_allclose(y[100], part.sum(), rtol=1e-6)


# -- what it does not know --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("return f32(row, 1)[0] * 2", "float32 meets int64"),
        ("return f64(row, 1)[0] + f32(row, 2)[0]", "float64 meets float32"),
        (
            "x = 2\n    for i in range(3):\n        x = f32(row, 1)[0]\n    return x",
            "x is int64, then float32",
        ),
        ("return [1, 2]", "List"),
        ("return row.shape", "Attribute"),
        ("return print(row)", "a call of print"),
        ("if row > 3:\n        y = 1\n    return y", "uint64 meets int64"),
        ("for i in (1, 2):\n        pass", "no range"),
        ("raise ValueError", "Raise"),
        ("assert row", "Assert"),
        ("return y\n    y = 1", "y before it has a value"),
        ("return maximum(f32(row, 1)[0], f64(row, 1)[0])", "maximum of float32, float64"),
        ("return kernel(row)", "calls itself"),
    ],
)
def test_what_is_left_to_numba(body: str, complaint: str) -> None:
    module, whole = source(f"def kernel(row):\n    {body}\n")
    with pytest.raises(Unknown, match=complaint):
        translate(module, whole, "kernel", "float32(uintp)", "k")


def test_numba_compiles_what_is_beyond(tmp_path: Path) -> None:
    """Floats beside integers, say: `x * 2` of f64."""
    text = "def kernel(x):\n    return x * 2\n"
    job = Job("beyond" * 5, "beyond_0", text, "kernel", "float64(float64)", str(tmp_path))
    data, metadata = compiler.compile_source(job)
    assert ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(link(data, metadata["symbol"]))(1.25) == 2.5
    assert "float64" in metadata["beyond_translation"]


def test_the_report_names_what_numba_has_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path / "cache"))
    beyond = Source("beyond", "def kernel(x):\n    return x * 7919\n", "kernel", "float64(float64)")
    known = Source("known", "def kernel(x):\n    return x + 7919\n", "kernel", "int64(int64)")
    _, report = load([beyond, known])
    ((name, reason),) = report.by_numba.items()
    assert report.compiled == 2
    assert "beyond" in name
    assert "float64" in reason


# -- and what it knows: all that is emitted ---------------------------------------------------------------------------


def assert_translated(source: Source, folder: Path) -> None:
    name = f"emitted_{next(COUNTER)}"
    module = import_source(folder / f"{name}.py", source.text)
    translate(module, source.text, source.function, source.signature, name)


def test_erfc_and_the_exp_in_its_derivative_share_their_beginning() -> None:
    """LLVM turns -(x·x) to (-x)·x before it looks for what is computed twice; erfc has it so."""
    body = """
def kernel(row, slice, slices):
    x_in, y_out, z_out = f32(row, 1), f32(row, 2), f32(row, 3)
    for i in range(4096):
        x = x_in[i]
        y_out[i] = erfc(x)
        z_out[i] = {}
"""
    reduced = []
    for statement in ("-(x * x)", "exp(-(x * x))"):
        module, whole = source("from graphc.backends.cpu.functions import erfc\n" + body.format(statement))
        translated = translate(module, whole, "kernel", "void(uintp, int64, int64)", f"translation_{next(COUNTER)}")
        lines = str(compiler._optimized(translated, unrolls=False)).splitlines()
        reduced.append(sum("fma" in line and "0x3FF7154760000000" in line for line in lines))  # 1/ln 2
    assert reduced[0] == reduced[1] > 0


def test_the_driver_is_translated(tmp_path: Path) -> None:
    for each in driver_source.sources():
        assert_translated(each, tmp_path)


find_op("add")


@pytest.mark.parametrize("op", [op for op in REGISTRY.values() if op.samples], ids=lambda op: op.name)
def test_the_kernels_of_every_op_are_translated(op: Any, tmp_path: Path) -> None:
    for sample, dtype in itertools.product(op.samples, (f32, bf16)):
        types = [type_of(array) for array in sample.arrays(dtype)]
        try:
            graph = one_node(op, types, op.complete(sample.attributes))
        except gc.errors.DTypeError:
            continue
        program = lower(default_pipeline().run(graph), None).program
        for kernel in program.kernels:
            assert_translated(Source(kernel.name, kernel.source), tmp_path)


def test_the_kernels_of_a_training_step_are_translated(tmp_path: Path) -> None:
    """Convolutions, statistics, products and their gradients, each with what is fused to it."""
    block = (nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
    model = nn.Sequential(*block, nn.Flatten(), nn.Linear(16 * 16 * 16, 10))
    step = gc.training_step(model, F.cross_entropy, optim.Adam(), gc.f32["N", 16, 16, 16], gc.i64["N"])
    for kernel in step.kernels:
        assert_translated(Source(kernel.name, kernel.source), tmp_path)
