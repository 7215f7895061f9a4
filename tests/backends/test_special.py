"""Kernels of the ops that fusion leaves alone give what the references give, for any number of slices.

All dtypes run as plain Python on the ops' samples; compiled kernels have named dims, so that one text runs all sizes.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.backends.cpu.kernels import Source, interpreted, load
from graphc.backends.nests.special import BAD_EXTENT, BAD_INDEX, SPECIAL_OPS, special_kernel
from graphc.backends.nests.special_window import WINDOWS
from graphc.dim import dim
from graphc.errors import IndexRangeError
from graphc.ir import Literal
from graphc.op import find_op
from graphc.types import DTYPES, as_dtype, bf16, f16, f32, f64, i64, u8
from special_cases import Array, Case, Kernel, plain, run

OPS = sorted(SPECIAL_OPS)
SCATTERS = sorted(name for name in OPS if name.startswith(("index_", "scatter_")))
MOVING = ("sort", "topk", "index_set", "scatter_set")  # what they do not compute keeps the sign of its zeros
# The kernels contract a·y + x and have an exponential and a logarithm of their own; all others give the same numbers.
TOLERANCES = {"f16": 2e-3, "bf16": 1e-2, "f32": 1e-6, "f64": 1e-12}


def numbers(*shape: int, dtype: Any = f32, seed: int = 0, special: bool = False) -> Array:
    """Numbers with many equal ones; with `special`, NaN, infinities and both zeros among them."""
    generator = np.random.default_rng(seed)
    array = generator.integers(-9, 10, shape) / 4 if dtype.is_float else generator.integers(0, 9, shape)
    if special and dtype.is_float:
        chosen = generator.choice([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0], shape)
        array = np.where(generator.uniform(size=shape) < 0.3, chosen, array)
    return np.asarray(array, dtype.numpy)


def indices(*shape: int, below: int, dtype: str = "int64") -> Array:
    return np.random.default_rng(7).integers(0, below, shape).astype(dtype)


def same(case: Case, results: list[Array], expected: tuple[Array, ...]) -> None:
    for got, want in zip(results, expected, strict=True):
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        if not as_dtype(want.dtype).is_float:
            np.testing.assert_array_equal(got, want)
            continue
        wide, wide_want = got.astype(np.float64), want.astype(np.float64)
        if case.name in ("logcumsumexp", "linear_recurrence"):
            tolerance = TOLERANCES[as_dtype(want.dtype).name]
            np.testing.assert_allclose(wide, wide_want, rtol=tolerance, atol=tolerance)
        else:
            np.testing.assert_array_equal(wide, wide_want)
            if case.name in MOVING:
                numeric = ~np.isnan(wide_want)
                np.testing.assert_array_equal(np.signbit(wide)[numeric], np.signbit(wide_want)[numeric])


# -- every dtype, in plain Python -------------------------------------------------------------------------------------


def dtypes_of(name: str) -> list[Any]:
    kinds = ("float",) if name in ("logcumsumexp", "linear_recurrence") else ("float", "signed", "unsigned")
    return [dtype for dtype in DTYPES.values() if dtype.kind in kinds or name.endswith("_set")]


def window_cases(name: str, dtype: Any) -> list[Case]:
    """Windows that overlap, that leave gaps, and none at all."""
    shapes = [((2, 4, 3), (9,), (2,), (1,)), ((2, 1, 3, 2, 2), (4, 6), (5, 2), (2, 1)), ((0, 3, 2), (4,), (1,), (1,))]
    return [
        Case(
            name, (numbers(*shape, dtype=dtype, special=True),),
            {"extents": extents, "stride": stride, "dilation": dilation},
        )
        for shape, extents, stride, dilation in shapes
    ]  # fmt: skip


def small_cases(name: str, dtype: Any) -> list[Case]:
    """The op along a middle and the last axis, with special values."""
    if name in WINDOWS:
        return window_cases(name, dtype)
    cases = []
    for axis, shape in ((1, (2, 5, 3)), (0, (7,)), (1, (3, 1)), (0, (0, 2)), (1, (2, 0))):
        x = numbers(*shape, dtype=dtype, special=True)
        if name in SCATTERS:
            count = 4 if shape[axis] else 0
            covered = (*shape[:axis], count, *shape[axis + 1 :])
            taken = indices(*(covered if name.startswith("scatter") else (count,)), below=max(shape[axis], 1))
            updates = numbers(*covered, dtype=dtype, seed=1, special=True)
            cases.append(Case(name, (x, taken, updates), {"axis": axis}))
        elif name.startswith("arg") and name != "argsort":
            if shape[axis]:
                cases.append(Case(name, (x,), {"axis": axis}))
        elif name == "topk":
            cases += [Case(name, (x,), {"axis": axis, "k": min(3, shape[axis]), "largest": b}) for b in (True, False)]
        elif name in ("sort", "argsort"):
            cases += [Case(name, (x,), {"axis": axis, "descending": b}) for b in (True, False)]
        else:
            operands = (numbers(*shape, dtype=dtype, seed=1), x) if name == "linear_recurrence" else (x,)
            cases += [Case(name, operands, {"axis": axis, "reverse": b}) for b in (True, False)]
    return cases


@pytest.mark.parametrize("name", OPS)
def test_every_dtype_in_plain_python(name: str) -> None:
    tried = 0
    for dtype in dtypes_of(name):
        for case in small_cases(name, dtype):
            for slices in (1, 3):
                results, status = run(case, plain(case.kernel), slices)
                assert not status.any()
                same(case, results, case.reference())
                tried += 1
    assert tried >= 8


@pytest.mark.parametrize("name", OPS)
def test_samples_in_plain_python(name: str) -> None:
    op = find_op(name)
    for sample in op.samples:
        for dtype in (f64, f32, f16, bf16):
            case = Case(name, sample.arrays(dtype), op.complete(sample.attributes))
            results, status = run(case, plain(case.kernel), 3)
            assert not status.any()
            same(case, results, case.reference())


LITERALS: list[tuple[Array | Literal, ...]] = [
    (numbers(5), Literal(2, i64), Literal(1.5, f32)),
    (numbers(5, dtype=f16), Literal(0, i64), Literal(0.1, f16)),
    (numbers(5, dtype=bf16), Literal(4, i64), Literal(float("inf"), bf16)),
    (numbers(5, dtype=f64), Literal(4, i64), Literal(float("nan"), f64)),
    (numbers(5, dtype=i64), Literal(3, i64), Literal(-(2**63), i64)),
    (numbers(5, dtype=u8), Literal(3, i64), Literal(200, u8)),
    (numbers(5), np.array(1), Literal(dim("N5") * 3, f32)),
    (numbers(5, dtype=f16), np.array(1), Literal(dim("N5") * 3, f16)),
]


# -- compiled ---------------------------------------------------------------------------------------------------------


def compiled_cases() -> list[Case]:
    """Samples in f32, and sizes around those at which a kernel goes another way."""
    cases = []
    for name in OPS:
        op = find_op(name)
        cases += [Case(name, each.arrays(f32), op.complete(each.attributes), named=True) for each in op.samples]
    for length in (1, 2, 15, 16, 17, 32, 33, 48, 64, 65, 127, 1000):
        for shape, axis in (((3, length), 1), ((2, length, 3), 1)):
            x = numbers(*shape, special=True, seed=length)
            for descending in (False, True):
                settings = {"axis": axis, "descending": descending}
                cases += [Case(name, (x,), settings, named=True) for name in ("sort", "argsort")]
    for length, k in ((1, 1), (7, 3), (200, 3), (300, 130), (131, 130)):
        x = numbers(2, length, special=True, seed=length)
        cases.append(Case("topk", (x,), {"axis": 1, "k": k, "largest": True}, named=True))
    for shape in ((1, 1, 1), (3, 50, 7), (2, 9, 40), (1, 200, 64)):
        x, a = numbers(*shape), numbers(*shape, seed=1) / 4
        for axis in (0, 1, 2):
            settings = {"axis": axis, "reverse": False}
            cases.append(Case("cumulative_sum", (x,), settings, named=True))
            cases.append(Case("logcumsumexp", (x,), settings, named=True))
            cases.append(Case("linear_recurrence", (a, x), settings, named=True))
            cases.append(Case("argmax", (numbers(*shape, special=True),), {"axis": axis}, named=True))
        for name in SCATTERS:
            count = 3 * shape[1]
            taken = indices(count, below=shape[1])
            if name.startswith("scatter"):
                taken = indices(shape[0], count, shape[2], below=shape[1])
            updates = numbers(shape[0], count, shape[2], seed=2, special=True)
            cases.append(Case(name, (x, taken, updates), {"axis": 1}, named=True))
    for dtype in dtypes_of("cumulative_sum"):
        x = np.full((2, 70), 3, dtype.numpy)
        cases.append(Case("cumulative_prod", (x,), {"axis": 1, "reverse": False}, named=True))
    for dtype in (f16, bf16, f64):
        x, updates = numbers(4, 6, 5, dtype=dtype), numbers(4, 30, 5, dtype=dtype, seed=3) / dtype.numpy.type(3)
        cases.append(Case("cumulative_sum", (x,), {"axis": 1, "reverse": True}, named=True))
        cases.append(Case("logcumsumexp", (x,), {"axis": 1, "reverse": False}, named=True))
        if dtype is f16:
            cases.append(Case("sort", (x,), {"axis": 1, "descending": False}, named=True))
        cases.append(Case("index_add", (x, indices(30, below=6, dtype="uint8"), updates), {"axis": 1}, named=True))
    for name in ("sort", "argsort", "index_max"):
        x = np.uint64(2**64 - 1) - numbers(40, dtype=DTYPES["u64"])
        if name == "index_max":
            cases.append(
                Case(name, (x, indices(9, below=40, dtype="uint64"), x[:9][::-1].copy()), {"axis": 0}, named=True)
            )
        else:
            cases.append(Case(name, (x,), {"axis": 0, "descending": False}, named=True))
    for operands in LITERALS:
        cases.append(Case("index_add", operands, {"axis": 0}, named=True))
    return cases


@pytest.fixture(scope="module")
def compiled() -> Callable[[Case], Kernel]:
    """Kernels by their text, all compiled together."""
    texts = {case.kernel.text: case.kernel.title for case in COMPILED}
    loaded, _ = load([Source(title, text) for text, title in texts.items()])
    functions: dict[str, Any]
    if interpreted():
        functions = {text: each.function for text, each in zip(texts, loaded, strict=True)}
    else:
        c_type = ctypes.CFUNCTYPE(None, ctypes.c_size_t, ctypes.c_int64, ctypes.c_int64)
        functions = {text: c_type(each.address) for text, each in zip(texts, loaded, strict=True)}
    return lambda case: functions[case.kernel.text]


COMPILED = compiled_cases()


@pytest.mark.parametrize("name", OPS)
def test_compiled(name: str, compiled: Callable[[Case], Kernel]) -> None:
    cases = [case for case in COMPILED if case.name == name]
    assert len(cases) >= 4
    for case in cases:
        expected = case.reference()
        first, status = run(case, compiled(case), 1)
        assert not status.any(), str(case)
        same(case, first, expected)
        for slices in (3, 64):
            results, status = run(case, compiled(case), slices)
            assert not status.any(), str(case)
            assert [r.tobytes() for r in results] == [r.tobytes() for r in first], f"{case} in {slices} slices"


# -- what the texts depend on -----------------------------------------------------------------------------------------


def test_named_dims_share_texts() -> None:
    assert len({case.kernel.text for case in COMPILED}) < len(COMPILED) / 2


def test_texts_do_not_depend_on_names() -> None:
    texts = set()
    for x, n in (("x", "N"), ("logits", "batch")):
        graph = gc.parse(f"graph @g(%{x}: f32[{n},5]) {{ %y: f32[{n},5] = sort(%{x}, axis=0)\n return %y }}")
        kernel = special_kernel(graph.nodes[0])
        assert kernel is not None
        assert [str(extent) for extent in kernel.extents] == [n]
        texts.add(kernel.text)
    assert len(texts) == 1


def test_other_ops_have_no_special_kernel() -> None:
    graph = gc.trace(lambda x: gc.exp(x), gc.f32["N", 3])
    assert special_kernel(graph.nodes[0]) is None


def test_named_dims_become_extents_of_the_row() -> None:
    graph = gc.trace(lambda x: gc.cumulative_sum(x, axis=1), gc.f32["N", 4, "M"])
    kernel = special_kernel(graph.nodes[0])
    assert kernel is not None
    n, m = dim("N"), dim("M")
    assert (kernel.extents, kernel.units, kernel.temporaries) == ((n, m), n * m, ())
    assert "length = 4" in kernel.text


# -- trouble, and literals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["int64", "int8", "uint64"])
@pytest.mark.parametrize("name", SCATTERS)
def test_bad_indices_are_reported(name: str, dtype: str) -> None:
    for shape in ((2, 5, 3), (2, 5), (2, 5, 0)):
        covered = (2, 4, *shape[2:]) if name.startswith("scatter") and 0 not in shape else (4,)
        if name.startswith("scatter") and 0 in shape:
            continue  # no index either
        taken = indices(*covered, below=5, dtype=dtype)
        bad = 5 if dtype == "int64" else np.array(-3).astype(dtype)
        taken[(-1,) * taken.ndim] = bad
        case = Case(name, (numbers(*shape), taken, numbers(2, 4, *shape[2:])), {"axis": 1})
        with pytest.raises(IndexRangeError):
            case.reference()
        for slices in (1, 3):
            _, status = run(case, plain(case.kernel), slices)
            assert list(status[:2]) == [BAD_INDEX, 5 if dtype == "int64" else -3]


def test_bad_indices_are_reported_by_compiled_kernels(compiled: Callable[[Case], Kernel]) -> None:
    tried = 0
    for case in COMPILED:
        if case.name not in SCATTERS or len(case.arrays) < 3 or case.arrays[1].dtype != np.int64:
            continue
        if case.arrays[1].size == 0:
            continue
        taken = case.arrays[1].copy()
        taken[(0,) * taken.ndim] = -(10**15)
        broken = Case(case.name, (case.arrays[0], taken, case.arrays[2]), case.attributes, case.named)
        for slices in (1, 3):
            _, status = run(broken, compiled(broken), slices)
            assert list(status[:2]) == [BAD_INDEX, -(10**15)]
        tried += 1
    assert tried >= 20


def test_axes_that_turn_out_too_short_are_reported() -> None:
    cases = [
        Case("topk", (numbers(2, 3),), {"k": 4, "axis": 1}, named=True),
        Case("topk", (numbers(2, 3),), {"k": 400, "axis": 1}, named=True),
        Case("argmax", (numbers(2, 0),), {"axis": 1}, named=True),
        Case("argmin", (numbers(0, 2),), {"axis": 0}, named=True),
    ]
    for case in cases:
        if "k" in case.attributes:
            node = case.node  # has k results, which the row does not depend on
            assert [value.type.shape[1] for value in node.results] == [case.attributes["k"]] * 2
        _, status = run(case, plain(case.kernel), 3)
        assert list(status[:2]) == [BAD_EXTENT, case.arrays[0].shape[case.attributes["axis"]]]


@pytest.mark.parametrize("operands", LITERALS, ids=lambda operands: repr(operands[2]))
def test_literals_are_written_into_the_text(operands: Any, compiled: Callable[[Case], Kernel]) -> None:
    for name in ("index_add", "index_max", "index_set"):
        case = Case(name, operands, {"axis": 0}, named=True)
        for function in (plain(case.kernel), *([compiled(case)] if name == "index_add" else [])):
            results, status = run(case, function, 2)
            assert not status.any()
            same(case, results, case.reference())
