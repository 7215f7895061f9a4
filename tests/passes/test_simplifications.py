"""What golden graphs cannot show: limits, content of constants, provenance, state that changes, cost."""

import time

import numpy as np
import pytest

import graphc as gc
from graphc import nn
from graphc.ir import Literal
from graphc.passes import Pipeline, algebra, canonicalize, cse, fold, fold_batch_norm
from graphc.passes.algebra_arithmetic import inverse_is_exact, product_is_safe
from graphc.passes.algebra_integers import wrapped
from graphc.passes.canonicalize_operands import cast_skips, holds
from graphc.passes.cse import attribute_key
from graphc.passes.fold import LIMIT, uniform_literal
from graphc.types import DTYPES, bf16, bool_, f16, f32, f64, i8, i16, i32, i64, u8


def same(a, b):
    """Whether arrays of any dtype are equal, NaN to NaN."""
    return a.dtype == b.dtype and np.array_equal(a.astype(np.float64), b.astype(np.float64), equal_nan=True)


# -- fold -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "folds"), [(LIMIT, True), (LIMIT + 1, False)])
def test_large_results_stay_ops(size, folds):
    values = np.arange(size, dtype=np.float32)
    graph = gc.trace(lambda x: gc.exp(-gc.asarray(values)) + x, gc.f32[size])
    assert fold(graph)[1] == ({"folded": 2} if folds else {})


@pytest.mark.parametrize("dtype", [f16, bf16, f32, f64])
@pytest.mark.parametrize("number", [0.1, -0.0, 1e-7, np.inf, -np.inf, np.nan, 3.0])
def test_a_literal_is_the_shortest_number_that_is_the_same(dtype, number):
    array = np.full(3, number, dtype.numpy)
    literal = uniform_literal(array, dtype)
    assert literal is not None
    assert same(np.asarray(literal.value, dtype.numpy), array[0])
    assert np.signbit(literal.value) == np.signbit(array[0])
    if number == 0.1 and dtype is not bf16:
        assert repr(literal) == f"0.1:{dtype}"


def test_arrays_are_uniform_bit_for_bit():
    assert uniform_literal(np.array([0.0, -0.0]), f64) is None
    assert uniform_literal(np.array([np.nan, np.nan]), f64) is not None
    assert uniform_literal(np.zeros((0, 3)), f64) is None
    assert uniform_literal(np.array([True, True]), bool_) == Literal(True, bool_)


def test_folded_nodes_say_where_they_come_from():
    def f(x):
        table = gc.asarray([1.0, 2.0]) * 3
        return x + table

    graph = gc.trace(f, gc.f32[2])
    (made,) = [node for node in fold(graph)[0].nodes if node.provenance.rule == "fold"]
    assert made.result.name == "table"
    assert made.provenance.location is not None


# -- cse --------------------------------------------------------------------------------------------------------------


def test_attributes_of_other_kinds_are_other_attributes():
    keys = [
        attribute_key(value) for value in (0, 0.0, -0.0, False, None, "0", (0,), f32, np.zeros(1), np.zeros(1, "f4"))
    ]
    assert len(set(keys)) == len(keys)
    assert attribute_key(float("nan")) == attribute_key(float("nan"))
    assert attribute_key(np.zeros((2, 0))) != attribute_key(np.zeros((0, 2)))
    strided = np.arange(6.0).reshape(2, 3).T
    assert attribute_key(strided) == attribute_key(np.ascontiguousarray(strided))


def test_large_constants_merge_by_content():
    table = np.random.default_rng(0).normal(size=(300, 300))
    graph = gc.trace(lambda x: (x + gc.asarray(table)) * (x + gc.asarray(table.copy())), gc.f64[300, 300])
    assert cse(graph)[1] == {"merged": 2}


# -- algebra and canonicalize -----------------------------------------------------------------------------------------


def test_only_powers_of_two_have_an_exact_inverse():
    assert all(inverse_is_exact(c, f32) for c in (2.0, -8.0, 0.25, 2.0**100))
    assert not any(inverse_is_exact(c, f32) for c in (3.0, 0.0, 2.0**127, 2.0**-127, 2.0**-140, np.inf, np.nan))
    assert inverse_is_exact(2.0**200, f64)
    assert not inverse_is_exact(2.0**15, f16)


def test_constants_gather_only_where_nothing_can_overflow_in_between():
    assert product_is_safe(2.0, 3.0, f32)
    assert product_is_safe(0.5, 0.0, f32)
    assert not product_is_safe(1e30, 1e-30, f32)
    assert not product_is_safe(1e20, 1e20, f32)
    assert not product_is_safe(1e-20, 1e-20, f32)
    assert not product_is_safe(300.0, 300.0, f16)
    assert not product_is_safe(2, 3, i32)
    assert not product_is_safe(np.inf, 2.0, f32)


def test_integers_wrap_around_as_their_dtype_does():
    for total in (-129, -128, -1, 0, 127, 128, 300, 1 << 40):
        assert wrapped(total, i8) == np.array(total, np.int64).astype(np.int8)
        assert wrapped(total, u8) == np.array(total, np.int64).astype(np.uint8)


@pytest.mark.parametrize("first", DTYPES.values(), ids=str)
def test_casts_are_skipped_only_where_nothing_is_lost(first):
    generator = np.random.default_rng(0)
    if first.kind == "bool":
        values = np.array([True, False])
    elif first.is_integer:
        info = np.iinfo(first.numpy)
        values = generator.integers(info.min, info.max, 200, dtype=first.numpy, endpoint=True)
        values = np.concatenate([values, np.array([info.min, info.max, 0, 1], first.numpy)])
    else:
        values = np.concatenate(
            [generator.normal(size=200), generator.normal(size=50) * 1e4, [0.0, -0.0, np.inf, np.nan]]
        )
        values = values.astype(first.numpy)
    for between in DTYPES.values():
        for last in DTYPES.values():
            if cast_skips(first, between, last):
                there = gc.evaluate(gc.trace(lambda x, b=between, c=last: x.astype(b).astype(c), values), values)
                direct = gc.evaluate(gc.trace(lambda x, c=last: x.astype(c), values), values)
                assert same(there, direct), f"{first} -> {between} -> {last}"


def test_what_a_dtype_holds():
    assert holds(f32, i16)
    assert holds(f32, f16)
    assert holds(f16, u8)
    assert holds(i16, u8)
    assert not holds(f32, i32)
    assert not holds(f16, bf16)
    assert not holds(bf16, f16)
    assert not holds(u8, i8)
    assert not holds(i64, f16)


def test_a_scalar_that_meets_a_tensor_is_not_repeated():
    def f(x, s):
        return x / gc.broadcast_to(gc.sqrt(s), x.shape)

    after = Pipeline(["canonicalize", "algebra"]).run(gc.trace(f, gc.f32["N", 3], gc.f32())).last.graph
    assert [node.op.name for node in after.nodes] == ["rsqrt", "mul"]


# -- fold_batch_norm --------------------------------------------------------------------------------------------------


def test_folded_weights_follow_the_state():
    model = nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)).eval()
    x = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    graph = gc.trace(model, gc.f32["N", 8])
    after, counts = fold_batch_norm.run(graph)
    assert counts == {"into_affine": 1}
    for variance in (1.0, 4.0):
        model[1].running_var[...] = variance
        model[1].running_mean[...] = 0.5
        np.testing.assert_allclose(gc.evaluate(after, x), gc.evaluate(graph, x), rtol=1e-5, atol=1e-6)


def test_a_batch_norm_that_learns_is_not_folded():
    model = nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4)).train()
    assert fold_batch_norm.run(gc.trace(model, gc.f32["N", 8]))[1] == {}


# -- cost -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("each", [canonicalize, algebra], ids=lambda each: each.name)
def test_a_value_that_thousands_read_costs_no_more_than_a_chain(each):
    """Without care each of the n rewrites of readers looks at all n readers again: minutes instead of a second."""

    def fan(x):
        parts = [gc.reshape(gc.negative(-(1.0 * x)), x.shape) * 1.0 for _ in range(4000)]
        while len(parts) > 1:
            parts = [a + b for a, b in zip(parts[::2], parts[1::2], strict=True)] if len(parts) % 2 == 0 else parts[1:]
        return parts[0]

    graph = gc.trace(fan, gc.f32["N"])
    start = time.perf_counter()
    each(graph)
    assert time.perf_counter() - start < 20
