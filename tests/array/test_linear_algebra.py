"""Products of matrices and the linalg functions against NumPy; einsum against np.einsum."""

import math

import numpy as np
import pytest

from graphc import array as xp
from graphc import linalg
from graphc.dsl.trace import trace
from graphc.errors import ArgumentError, DTypeError, OpAttributeError, ShapeError
from graphc.interpret import evaluate
from graphc.types import bool_, f32

MATMULS = [
    ((3,), (3,)), ((3,), (3, 4)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((5, 2, 3), (5, 3, 4)),
    ((2, 3), (5, 3, 4)), ((5, 2, 3), (3,)), ((3,), (5, 3, 4)), ((6, 1, 2, 3), (5, 3, 4)), ((1, 2, 3), (5, 3, 4)),
    ((6, 5, 2, 3), (1, 5, 3, 4)), ((1, 1, 2, 3), (1, 3, 4)), ((0, 3), (3, 4)), ((2, 0), (0, 4)), ((1, 3), (3, 1)),
    ((1, 1), (1, 1)), ((6, 5, 1, 3), (6, 5, 3, 1)),
]  # fmt: skip


@pytest.mark.parametrize("shapes", MATMULS, ids=str)
def test_matmul(check, make, shapes):
    a, b = make(shapes[0], "float64", 1), make(shapes[1], "float64", 2)
    check(lambda xp, a, b: xp.matmul(a, b), a, b)
    check(lambda xp, a, b: a @ b, a, b)


def test_matmul_dtypes(check, make):
    for left, right in [("int8", "int8"), ("int32", "uint8"), ("float32", "float64")]:
        check(lambda xp, a, b: xp.matmul(a, b), make((2, 3), left), make((3, 4), right))
    check(lambda xp, a: a @ np.eye(3, dtype=np.float32), make((2, 3)), symbolic=False)
    check(lambda xp, a: np.eye(2, dtype=np.float32) @ a, make((2, 3)), symbolic=False)


def test_matmul_transposes_nothing_that_it_need_not():
    graph = trace(lambda x, w: xp.matmul(x, w), f32["B", "T", 8], f32[8, 4])
    assert [node.op.name for node in graph.nodes] == ["dot_general"]
    graph = trace(lambda q, k: xp.matmul(q, k.mT), f32["B", 2, "T", 8], f32["B", 2, "T", 8])
    assert [node.op.name for node in graph.nodes] == ["permute_dims", "dot_general"]


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (f32[2, 3], f32[4, 5], r"x1 is f32\[2,3\] and x2 is f32\[4,5\]: 3 columns meet 4 rows"),
        (f32["N", 3], f32["N", 3], r"3 columns meet N rows"),
        (f32[2, 2, 3], f32[5, 3, 4], r"axis -3 has 2 and 5"),
        (f32(), f32[3], r"x1 is the scalar f32\[\]; multiply with \*"),
    ],
)
def test_matmul_of_what_does_not_fit(a, b, words):
    with pytest.raises(ShapeError, match=words):
        trace(lambda a, b: xp.matmul(a, b), a, b)


def test_products_of_booleans():
    for function in (xp.matmul, xp.vecdot, lambda a, b: xp.tensordot(a, b, axes=1)):
        with pytest.raises(DTypeError, match="takes numbers, not booleans"):
            trace(lambda a, b, f=function: f(a, b), bool_[3], bool_[3])


def test_tensordot(check, make):
    a, b = make((2, 3, 4), "float64"), make((4, 3, 5), "float64")
    check(lambda xp, a, b: xp.tensordot(a, b, axes=1), a, b)
    check(lambda xp, a, b: xp.tensordot(a, b, axes=0), a, b)
    check(lambda xp, a, b: xp.tensordot(a, b), make((2, 3, 4), "float64"), make((3, 4, 5), "float64"))
    check(lambda xp, a, b: xp.tensordot(a, b, axes=((1, 2), (1, 0))), a, b)
    check(lambda xp, a, b: xp.tensordot(a, b, axes=([-1], [0])), a, b)
    with pytest.raises(ShapeError, match=r"axis 0 of x1 \(f32\[2,3\]\) has 2, but axis 1 of x2 \(f32\[2,3\]\) has 3"):
        trace(lambda a: xp.tensordot(a, a, axes=([0], [1])), f32[2, 3])
    with pytest.raises(OpAttributeError, match="cannot sum over 3 axes"):
        trace(lambda a: xp.tensordot(a, a, axes=3), f32[2, 3])


def test_vecdot(check, make):
    a, b = make((2, 3, 4), "float64", 1), make((3, 4), "float64", 2)
    check(lambda xp, a, b: xp.vecdot(a, b), a, b)
    check(lambda xp, a, b: xp.vecdot(a, b, axis=-2), a, b)
    check(lambda xp, a: xp.vecdot(a, a, axis=0), a)
    check(lambda xp, a: xp.vecdot(a, a), make((3,), "int8"))
    with pytest.raises(ShapeError, match="axis -1 has 3 and 4"):
        trace(lambda a, b: xp.vecdot(a, b), f32[2, 3], f32[4])


@pytest.mark.parametrize("offset", [-5, -2, -1, 0, 1, 3, 6])
@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (2, 5, 3), (2, 0, 3)], ids=str)
def test_diagonal_and_trace(check, make, shape, offset):
    x = make(shape, "float64")
    symbolic = offset == 0 and shape == (4, 4)
    diagonal = np.linalg.diagonal(x, offset=offset)
    check(lambda xp, x: linalg.diagonal(x, offset=offset), x, expected=diagonal, symbolic=symbolic)
    trace_of = np.linalg.trace(x, offset=offset)
    check(lambda xp, x: linalg.trace(x, offset=offset), x, expected=trace_of, symbolic=symbolic)


def test_trace_of_small_integers(check, make):
    x = np.full((3, 3), 100, np.int8)
    check(lambda xp, x: linalg.trace(x), x, expected=np.int64(300))
    check(lambda xp, x: linalg.trace(x, dtype=f32), x, expected=np.float32(300))


@pytest.mark.parametrize("ord", [2, 1, 0, 3, 0.5, -1, math.inf, -math.inf])
def test_vector_norm(check, make, ord):
    x = make((2, 3, 4), "float64")
    for axis in (None, 0, (0, 2), -1):
        for keepdims in (False, True):
            wanted = np.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=ord)
            check(
                lambda xp, x, a=axis, k=keepdims: linalg.vector_norm(x, axis=a, keepdims=k, ord=ord), x, expected=wanted
            )


def test_vector_norm_of_nothing(check):
    for ord in (2, 1, math.inf):
        x = np.zeros((0, 3), np.float32)
        check(
            lambda xp, x, o=ord: linalg.vector_norm(x, axis=0, ord=o),
            x,
            expected=np.zeros(3, np.float32),
            symbolic=False,
        )


@pytest.mark.parametrize("ord", ["fro", 1, -1, math.inf, -math.inf])
def test_matrix_norm(check, make, ord):
    x = make((2, 3, 4), "float64")
    for keepdims in (False, True):
        wanted = np.linalg.matrix_norm(x, ord=ord, keepdims=keepdims)
        check(lambda xp, x, k=keepdims: linalg.matrix_norm(x, ord=ord, keepdims=k), x, expected=wanted)


def test_matrix_norms_of_singular_values_are_left_out():
    for ord in (2, -2, "nuc"):
        with pytest.raises(OpAttributeError, match='ord is "fro"'):
            trace(lambda x, o=ord: linalg.matrix_norm(x, ord=o), f32[3, 3])


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 8])
def test_matrix_power(check, make, n):
    x = make((2, 3, 3), "float64")
    check(lambda xp, x: linalg.matrix_power(x, n), x, expected=np.linalg.matrix_power(x, n))


def test_matrix_power_errors():
    with pytest.raises(OpAttributeError, match="graphc has no inverse"):
        trace(lambda x: linalg.matrix_power(x, -1), f32[3, 3])
    with pytest.raises(ShapeError, match="takes square matrices"):
        trace(lambda x: linalg.matrix_power(x, 2), f32[3, 4])


def test_outer_and_cross(check, make):
    check(lambda xp, a, b: linalg.outer(a, b), make((3,)), make((4,)), expected=np.outer(make((3,)), make((4,))))
    a, b = make((2, 3), "float64", 1), make((2, 3), "float64", 2)
    check(lambda xp, a, b: linalg.cross(a, b), a, b, expected=np.cross(a, b), symbolic=False)
    check(lambda xp, a, b: linalg.cross(a, b[0]), a, b, expected=np.cross(a, b[0]), symbolic=False)
    check(lambda xp, a, b: linalg.cross(a.T, b.T, axis=0), a, b, expected=np.cross(a, b).T, symbolic=False)
    with pytest.raises(ShapeError, match=r"cross: axis -1 has the extent 3, but x1 is f32\[2,4\]"):
        trace(lambda a: linalg.cross(a, a), f32[2, 4])


# -- einsum -----------------------------------------------------------------------------------------------------------

EINSUMS = [
    ("ij,jk->ik", [(2, 3), (3, 4)]),
    ("ij,jk", [(2, 3), (3, 4)]),
    ("ij,kj->ki", [(2, 3), (4, 3)]),
    ("bij,bjk->bik", [(5, 2, 3), (5, 3, 4)]),
    ("bhid,bhjd->bhij", [(2, 3, 4, 5), (2, 3, 6, 5)]),
    ("...ij,...jk->...ik", [(5, 2, 3), (3, 4)]),
    ("...ij,...jk", [(6, 1, 2, 3), (5, 3, 4)]),
    ("i...,i...->...", [(2, 3, 4), (2, 3, 4)]),
    ("...", [(2, 3)]),
    ("...j->...", [(2, 3)]),
    ("ij->ji", [(2, 3)]),
    ("ba", [(2, 3)]),
    ("ij->", [(2, 3)]),
    ("ij->j", [(2, 3)]),
    ("ii", [(3, 3)]),
    ("ii->i", [(3, 3)]),
    ("iij->j", [(3, 3, 2)]),
    ("iii->i", [(3, 3, 3)]),
    ("ijij->ij", [(2, 3, 2, 3)]),
    ("ii,ij->j", [(3, 3), (3, 4)]),
    ("i,j->ij", [(2,), (3,)]),
    ("i,i->i", [(3,), (3,)]),
    ("i,i", [(3,), (3,)]),
    ("i,i->", [(3,), (3,)]),
    ("ij,ij->i", [(2, 3), (2, 3)]),
    ("ij,k->k", [(2, 3), (4,)]),
    ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)]),
    ("ij,jk,kl,lm->im", [(2, 30), (30, 4), (4, 50), (50, 3)]),
    ("a,ab,abc->abc", [(2,), (2, 3), (2, 3, 4)]),
    ("a,b,c,d->", [(2,), (3,), (4,), (5,)]),
    ("ij,ij->ij", [(1, 3), (2, 3)]),
    ("ij,ij->", [(1, 3), (2, 1)]),
    ("ij,jk->ik", [(2, 1), (3, 4)]),
    (",ij->ij", [(), (2, 3)]),
    ("->", [()]),
    (" i j , j k -> i k ", [(2, 3), (3, 4)]),
    ("Ab,bA->A", [(2, 3), (3, 2)]),
    ("ij,jk->ik", [(0, 3), (3, 4)]),
    ("ij,jk->ik", [(2, 0), (0, 4)]),
    ("bi,oi,bo->b", [(4, 2), (3, 2), (4, 3)]),
]


@pytest.mark.parametrize(("subscripts", "shapes"), EINSUMS, ids=str)
def test_einsum(check, make, subscripts, shapes):
    arrays = [make(shape, "float64", seed) for seed, shape in enumerate(shapes)]
    check(lambda xp, *xs: xp.einsum(subscripts, *xs), *arrays)


def test_einsum_with_lists_of_subscripts(check, make):
    a, b = make((2, 3), "float64"), make((3, 4), "float64")
    check(lambda xp, a, b: xp.einsum(a, [0, 1], b, [1, 2], [2, 0]), a, b)
    check(lambda xp, a, b: xp.einsum(a, [0, 1], b, [1, 2]), a, b)
    check(lambda xp, a: xp.einsum(a, [Ellipsis, 1]), a)
    check(lambda xp, a: xp.einsum(a, [..., 1], [1, ...]), a)


def test_einsum_dtypes(check, make):
    check(lambda xp, a, b: xp.einsum("ij,jk", a, b), make((2, 3), "int8"), make((3, 4), "int8"))
    check(lambda xp, a, b: xp.einsum("ij,jk", a, b), make((2, 3), "int32"), make((3, 4), "int8"))
    x = make((300,), "float16")
    check(lambda xp, x: xp.einsum("i,i->", x, x), x, expected=np.float16((x.astype(np.float32) ** 2).sum()))


def test_einsum_contracts_the_cheapest_pair_first():
    graph = trace(lambda a, b, v: xp.einsum("ij,jk,k->i", a, b, v), f32[100, 100], f32[100, 100], f32[100])
    made = [str(node.result.type) for node in graph.nodes if node.op.name == "dot_general"]
    assert made == ["f32[100]", "f32[100]"]


def test_einsum_over_named_extents():
    graph = trace(
        lambda q, k, v: xp.einsum("bts,bsd->btd", xp.einsum("btd,bsd->bts", q, k), v), *[f32["B", "T", 8]] * 3
    )
    assert [node.op.name for node in graph.nodes] == ["dot_general", "dot_general"]
    q, k, v = (np.random.default_rng(i).normal(size=(2, 3, 8)).astype(np.float32) for i in range(3))
    np.testing.assert_allclose(evaluate(graph, q, k, v), q @ k.transpose(0, 2, 1) @ v, rtol=1e-5)


@pytest.mark.parametrize(
    ("subscripts", "error", "words"),
    [
        ("ij,jk->iz", ArgumentError, "the result has the subscript 'z', which no operand has"),
        ("ij,jk->ii", ArgumentError, "the result has the subscript 'i' twice"),
        ("ij->i", ArgumentError, "the subscripts name 1 operands, but 2 are given"),
        ("ijk,jk", ArgumentError, r"the term 'ijk' has 3 subscripts, but its operand is f32\[2,3\]"),
        ("i,jk", ArgumentError, r"the term 'i' has 1 subscripts, but its operand is f32\[2,3\]"),
        ("ij,ij", ShapeError, r"subscript 'i' has the extents 2 and 3 in f32\[2,3\], f32\[3,4\]"),
        ("i1,jk", ArgumentError, "'1' in 'i1,jk' is neither a letter"),
        ("...j,jk->k", ArgumentError, "operands have `...`, so the result needs it too"),
    ],
)
def test_einsum_errors(subscripts, error, words):
    with pytest.raises(error, match=words):
        trace(lambda a, b: xp.einsum(subscripts, a, b), f32[2, 3], f32[3, 4])
