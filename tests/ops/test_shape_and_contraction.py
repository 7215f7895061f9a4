"""Shapes and contractions: against NumPy's, with named extents, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import DTypeError, GraphcError, OpAttributeError, ShapeError
from graphc.op import find_op
from ops.one_op import value

LEFT, RIGHT = np.random.default_rng(0).standard_normal((2, 3, 4)), np.random.default_rng(1).standard_normal((4, 5, 2))


@pytest.mark.parametrize(
    ("equation", "contract", "batch"),
    [
        ("abc,cde->abde", ((2,), (0,)), ((), ())),
        ("abc,dea->bcde", ((0,), (2,)), ((), ())),
        ("abc,cda->bd", ((0, 2), (2, 0)), ((), ())),
        ("abc,cda->abd", ((2,), (0,)), ((0,), (2,))),
        ("abc,cda->cbd", ((0,), (2,)), ((2,), (0,))),
        ("abc,cda->acbd", ((), ()), ((0, 2), (2, 0))),
        ("abc,cda->cabd", ((), ()), ((2, 0), (0, 2))),
        ("abc,cde->cabde", ((), ()), ((2,), (0,))),
        ("abc,def->abcdef", ((), ()), ((), ())),
    ],
)
def test_dot_general_is_einsum(equation: str, contract: Any, batch: Any) -> None:
    got = value("dot_general", LEFT, RIGHT, contract=contract, batch=batch)
    np.testing.assert_allclose(got, np.einsum(equation, LEFT, RIGHT), rtol=1e-13, atol=1e-15)


def test_a_sum_over_nothing_is_0() -> None:
    got = value("dot_general", np.ones((2, 0)), np.ones((0, 3)), contract=((1,), (0,)))
    np.testing.assert_array_equal(got, np.zeros((2, 3)))


def test_nan_and_infinity_go_through_products() -> None:
    got = value("dot_general", np.array([[np.inf, 1.0]]), np.array([[0.0, 1.0], [1.0, np.nan]]), contract=((1,), (0,)))
    assert np.isnan(got).all()


def test_named_extents() -> None:
    def shaped(x: Any, w: Any) -> Any:
        rows = x.shape[0]
        flat = find_op("reshape")(x, shape=(rows * 6,))
        back = find_op("reshape")(flat, shape=(2, rows, 3))
        turned = find_op("permute_dims")(back, axes=(1, 2, 0))
        return find_op("dot_general")(turned, w, contract=((1,), (0,)))

    graph = gc.trace(shaped, gc.f64["N", 6], gc.f64[3, 5])
    assert graph.outputs[0].type == gc.f64["N", 2, 5]
    x, w = np.random.default_rng(0).standard_normal((4, 6)), np.random.default_rng(1).standard_normal((3, 5))
    expected = np.tensordot(x.reshape(2, 4, 3).transpose(1, 2, 0), w, axes=(1, 0))
    np.testing.assert_allclose(gc.evaluate(graph, x, w), expected, rtol=1e-13)


@pytest.mark.parametrize(
    ("op", "types", "attributes", "error", "message"),
    [
        (
            "reshape",
            (gc.f32["N", 3],),
            {"shape": (4,)},
            ShapeError,
            r"f32\[N,3\] has 3\*N elements, but shape \(4,\) has 4",
        ),
        ("broadcast_to", (gc.f32["N"],), {"shape": (4,)}, ShapeError, r"axis -1 has N and 4"),
        ("broadcast_to", (gc.f32[2, 3],), {"shape": (3,)}, ShapeError, r"\(2,3\) does not broadcast to \(3,\)"),
        ("permute_dims", (gc.f32[2, 3],), {"axes": (0, 0)}, OpAttributeError, "not a permutation of the 2 axes"),
        ("dot_general", (gc.f32[2, 3], gc.f32[4, 5]), {"contract": ((1,), (0,))}, ShapeError, "lhs has 3 along"),
        ("dot_general", (gc.f32[2], gc.f64[2]), {"contract": ((0,), (0,))}, DTypeError, "lhs is f32, but rhs is f64"),
        ("dot_general", (gc.bool[2], gc.bool[2]), {"contract": ((0,), (0,))}, DTypeError, "numbers, not booleans"),
        ("dot_general", (gc.f32[2], gc.f32[2]), {"contract": ((1,), (0,))}, OpAttributeError, "out of range"),
        ("dot_general", (gc.f32[2], gc.f32[2]), {"contract": ((0,), ())}, OpAttributeError, "1 contracted axes of lhs"),
        ("where", (gc.f32[2], gc.f32[2], gc.f32[2]), {}, DTypeError, r"condition is f32\[2\], not boolean"),
        ("sqrt", (gc.i64[2],), {}, DTypeError, r"sqrt: takes floating-point numbers, but x is i64\[2\]"),
        ("add", (gc.bool[2], gc.bool[2]), {}, DTypeError, r"add: takes numbers, but a is bool\[2\]"),
        ("bitwise_and", (gc.f32[2], gc.f32[2]), {}, DTypeError, r"bitwise_and: takes integers, but a is f32\[2\]"),
        ("logical_not", (gc.i32[2],), {}, DTypeError, r"logical_not: takes booleans, but x is i32\[2\]"),
        ("polygamma", (gc.f32[2],), {"n": 0}, OpAttributeError, "n is 0, not a positive integer"),
        ("full", (), {"value": 300, "shape": (2,), "dtype": gc.i8}, DTypeError, "full: 300 is no i8"),
        ("full", (), {"value": np.nan, "shape": (2,), "dtype": gc.i8}, DTypeError, "full: nan is no i8"),
        ("full", (), {"value": 0.5, "shape": (2,), "dtype": gc.i8}, DTypeError, "full: 0.5 is no i8"),
        ("iota", (), {"shape": (2,), "axis": 1, "dtype": gc.i8}, OpAttributeError, "axis 1 is out of range"),
        ("add", (gc.f32[2], gc.f32["N"]), {}, ShapeError, "axis -1 has 2 and N"),
    ],
)
def test_what_they_refuse(op: str, types: Any, attributes: Any, error: type[GraphcError], message: str) -> None:
    with pytest.raises(error, match=message):
        gc.trace(lambda *xs: find_op(op)(*xs, **attributes), *types)
