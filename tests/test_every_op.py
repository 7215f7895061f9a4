"""Every op of the registry keeps the promises of its declaration; a new op tests itself through its samples.

Types against values, derivatives against central differences in float64 and against each other, symbolic extents
against static ones, text against graph, the scalar expression against the reference. A missing rule is an error.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.builder import Builder
from graphc.dim import dim
from graphc.errors import GraphcError
from graphc.interpret import evaluate, run
from graphc.ir import Graph
from graphc.op import REGISTRY, Kind, Op, find_op, recording
from graphc.passes.autodiff import gradcheck
from graphc.samples import Sample
from graphc.text.parser import parse
from graphc.types import DTYPES, DType, TensorType, as_dtype, bf16, f16, f32, f64, type_of

Array = np.ndarray[Any, Any]
find_op("add")  # fills the registry

# Ops that tests and users declare are not graphc's.
OPS = [op for op in REGISTRY.values() if (op.body_function or op.infer_rule).__module__.startswith("graphc.")]
STEP = 1e-5
N = dim("N")


@dataclass(frozen=True, eq=False)
class Case:
    """One op on one of its samples."""

    op: Op
    sample: Sample
    index: int

    @cached_property
    def arrays(self) -> tuple[Array, ...]:
        return self.sample.arrays(f64)

    @cached_property
    def attributes(self) -> dict[str, Any]:
        return self.op.complete(self.sample.attributes)

    @cached_property
    def graph(self) -> Graph:
        return one_node(self.op, [type_of(a) for a in self.arrays], self.attributes)

    @cached_property
    def pulled(self) -> Graph:
        return gc.vjp(self.graph)

    @cached_property
    def pushed(self) -> Graph:
        return gc.jvp(self.graph)

    @cached_property
    def outputs(self) -> tuple[Array, ...]:
        return run(self.graph, self.arrays)[0]

    @cached_property
    def moving(self) -> list[int]:
        """The outputs that have a derivative."""
        return [i for i, value in enumerate(self.graph.outputs) if value.type.dtype.is_float]

    @cached_property
    def floating(self) -> list[int]:
        """The operands that have one."""
        return [i for i, array in enumerate(self.arrays) if array.dtype == np.float64]

    def draw(self, arrays: Iterator[Array] | list[Array], seed: int) -> list[Array]:
        """Random numbers in the shapes of these arrays: cotangents, tangents."""
        generator = np.random.default_rng(seed)
        return [generator.uniform(0.5, 1.5, a.shape) * generator.choice([-1.0, 1.0], a.shape) for a in arrays]

    def __str__(self) -> str:
        return f"{self.op.name}-{self.index}"


def one_node(op: Op, types: list[TensorType], attributes: dict[str, Any]) -> Graph:
    """A graph that applies an op to its inputs and gives its results."""
    builder = Builder(op.name)
    operands = [builder.input(op.signature.name_of(i), type) for i, type in enumerate(types)]
    with recording(builder):
        return builder.finish(builder.emit(op, tuple(x.value for x in operands), attributes))


CASES = [Case(op, sample, i) for op in OPS for i, sample in enumerate(op.samples)]
PRIMITIVES = [op for op in OPS if not op.is_composite]
SMOOTH = [
    case for case in CASES if case.sample.differentiable and any(d.dtype in (None, f64) for d in case.sample.operands)
]
ELEMENTWISE = [op for op in PRIMITIVES if op.is_elementwise and op.signature.operands]


def each(cases: list[Any]) -> Callable[[Any], Any]:
    return pytest.mark.parametrize("case", cases, ids=str)


def each_op(ops: list[Op]) -> Callable[[Any], Any]:
    return pytest.mark.parametrize("op", ops, ids=lambda op: op.name)


def same(got: Array, want: Array) -> None:
    assert got.dtype == want.dtype
    if got.dtype.itemsize == 2 and not np.issubdtype(got.dtype, np.integer):
        got, want = got.astype(np.float32), want.astype(np.float32)  # NumPy knows no NaN of bfloat16
    np.testing.assert_array_equal(got, want)


# -- declarations -----------------------------------------------------------------------------------------------------


@each_op(OPS)
def test_declaration_is_whole(op: Op) -> None:
    assert op.doc, "say in one sentence what the op gives"
    assert isinstance(op.kind, Kind)
    # A sample cannot hold a region: tests/ops/test_control.py tries the control ops.
    assert op.samples or op.kind is Kind.CONTROL, "declare a sample at least"
    if op.is_composite or op.kind is Kind.CONTROL:
        return  # derived from the body, or from the region
    assert op.reference is not None
    assert op.vjp is not None, "give define_op a vjp, graphc.op.no_gradient where it is zero"
    assert op.jvp is not None, "give define_op a jvp, graphc.op.no_tangent where it is zero"


def test_registry_names_ops_once() -> None:
    assert [name for name, op in REGISTRY.items() if op.name != name] == []


# -- types and values -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [f64, f32, f16, bf16], ids=str)
@each(CASES)
def test_values_have_the_inferred_types(case: Case, dtype: DType) -> None:
    arrays = case.sample.arrays(dtype)
    graph = one_node(case.op, [type_of(a) for a in arrays], case.attributes)
    results, _ = run(graph, arrays)
    assert [type_of(result) for result in results] == [value.type for value in graph.outputs]


@each([case for case in CASES if not case.op.is_composite and case.op.name not in ("nextafter", "cast")])
def test_16_bit_floats_are_computed_in_f32(case: Case) -> None:
    for dtype in (f16, bf16):
        narrow = case.sample.arrays(dtype)
        wide = [a.astype(np.float32) if as_dtype(a.dtype) is dtype else a for a in narrow]
        given = run(one_node(case.op, [type_of(a) for a in narrow], case.attributes), narrow)[0]
        expected = run(one_node(case.op, [type_of(a) for a in wide], case.attributes), wide)[0]
        for got, want in zip(given, expected, strict=True):
            with np.errstate(over="ignore"):
                same(got, want.astype(got.dtype))


@each([case for case in SMOOTH if case.moving])
def test_f32_is_f64_rounded(case: Case) -> None:
    arrays = case.sample.arrays(f32)
    wide = [a.astype(np.float64) if a.dtype == np.float32 else a for a in arrays]
    given, _ = run(one_node(case.op, [type_of(a) for a in arrays], case.attributes), arrays)
    expected, _ = run(one_node(case.op, [type_of(a) for a in wide], case.attributes), wide)
    for got, want in zip(given, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=3e-5, atol=3e-6)


# -- derivatives ------------------------------------------------------------------------------------------------------

DIFFERENTIABLE = [case for case in SMOOTH if case.moving]


@each(DIFFERENTIABLE)
def test_derivatives_are_those_of_central_differences(case: Case) -> None:
    assert gradcheck(case.graph, *case.arrays)


@each(DIFFERENTIABLE)
def test_forward_and_reverse_mode_agree(case: Case) -> None:
    cotangents = case.draw([case.outputs[i] for i in case.moving], 1)
    tangents = case.draw([case.arrays[i] for i in case.floating], 2)
    gradients = run(case.pulled, [*case.arrays, *cotangents])[0]
    along = run(case.pushed, [*case.arrays, *tangents])[0][len(case.outputs) :]
    close(inner(gradients, tangents), inner(cotangents, along), magnitude(gradients, tangents), rtol=1e-12)


@each(DIFFERENTIABLE)
def test_second_derivatives_are_those_of_central_differences(case: Case) -> None:
    """Of the gradient along a direction, forward over reverse and reverse over reverse."""
    cotangents = case.draw([case.outputs[i] for i in case.moving], 1)
    direction = case.draw([case.arrays[i] for i in case.floating], 2)
    weights = case.draw([case.arrays[i] for i in case.floating], 3)
    still = [np.zeros_like(ct) for ct in cotangents]

    def gradients(step: float) -> tuple[Array, ...]:
        at = list(case.arrays)
        for i, d in zip(case.floating, direction, strict=True):
            at[i] = at[i] + step * d
        return run(case.pulled, [*at, *cotangents])[0]

    ahead, behind = gradients(STEP), gradients(-STEP)
    expected = (inner(ahead, weights) - inner(behind, weights)) / (2 * STEP)
    forward = run(gc.jvp(case.pulled), [*case.arrays, *cotangents, *direction, *still])[0][len(weights) :]
    reverse = run(gc.vjp(case.pulled), [*case.arrays, *cotangents, *weights])[0][: len(direction)]
    scale = magnitude(forward, weights)
    close(inner(forward, weights), expected, scale + magnitude(ahead, weights), rtol=2e-6)
    close(inner(reverse, direction), inner(forward, weights), scale + magnitude(reverse, direction), rtol=1e-12)


def inner(a: Any, b: Any) -> float:
    return float(sum((x * y).sum() for x, y in zip(a, b, strict=True)))


def magnitude(a: Any, b: Any) -> float:
    return float(sum(np.abs(x * y).sum() for x, y in zip(a, b, strict=True)))


def close(got: float, want: float, scale: float, rtol: float) -> None:
    assert abs(got - want) <= rtol * scale + 1e-300, f"{got} is not {want}"


# -- extents and operands ---------------------------------------------------------------------------------------------

# Their samples' operands fit the numbers in their attributes only. Test of their own below.
STATIC = {"reshape", "broadcast_to", *(op.name for op in OPS if op.signature.operands[:1] == ("rng",))}


def symbolic(case: Case) -> Graph | None:
    """The graph with the first operand's leading extent, and every one equal to it, named N; None if it may not."""
    extent = next((a.shape[0] for a in case.arrays if a.ndim), None)
    types = [type_of(a) for a in case.arrays]
    named = [t.with_shape((N, *t.shape[1:])) if t.rank and t.shape[0] == extent else t for t in types]
    try:
        return one_node(case.op, named, case.attributes)
    except GraphcError:
        return None


@each_op([op for op in OPS if op.signature.operands and op.samples])
def test_named_extents_change_nothing(op: Op) -> None:
    allowed = 0
    for case in (case for case in CASES if case.op is op and any(a.ndim for a in case.arrays)):
        graph = symbolic(case)
        if graph is None:
            continue
        allowed += 1
        for got, want in zip(run(graph, case.arrays)[0], case.outputs, strict=True):
            same(got, want)
        if case in DIFFERENTIABLE:
            cotangents = case.draw([case.outputs[i] for i in case.moving], 1)
            expected = run(case.pulled, [*case.arrays, *cotangents])[0]
            for got, want in zip(run(gc.vjp(graph), [*case.arrays, *cotangents])[0], expected, strict=True):
                same(got, want)
    assert allowed or op.name in STATIC or not any(d.shape for s in op.samples for d in s.operands)


def test_named_extents_in_attributes() -> None:
    x, rng = np.arange(6.0).reshape(3, 2), np.array([7, 0], np.uint64)

    def shaped(x: Any, rng: Any) -> Any:
        rows = x.shape[0]
        reshaped, spread = find_op("reshape")(x, shape=(2 * rows,)), find_op("broadcast_to")(x, shape=(5, rows, 2))
        return reshaped, spread, find_op("random_bits")(rng, stream=1, shape=(rows, 4))

    static, named = gc.trace(shaped, x, rng), gc.trace(shaped, f64["N", 2], rng)
    for got, want in zip(evaluate(named, x, rng), evaluate(static, x, rng), strict=True):
        same(got, want)


@each([case for case in CASES if case.op in ELEMENTWISE and len(case.arrays) > 1])
def test_rank_0_operands_spread(case: Case) -> None:
    for i, array in enumerate(case.arrays):
        if array.ndim and array.size:
            scalar = [a if j != i else a.ravel()[0].reshape(()) for j, a in enumerate(case.arrays)]
            spread = [a if j != i else np.broadcast_to(a.ravel()[0], a.shape) for j, a in enumerate(case.arrays)]
            if any(a.ndim for a in scalar):
                graph = one_node(case.op, [type_of(a) for a in scalar], case.attributes)
                same(evaluate(graph, *scalar), evaluate(case.graph, *spread))


# -- what elementwise ops say besides ---------------------------------------------------------------------------------

# f(NaN) is no NaN where the value does not depend on that operand: IEEE 754-2019, 9.2.1 and 5.5.1.
KEEPS_NAN_OUT = {("copysign", "b"), ("cast", "x")}


@each_op([op for op in ELEMENTWISE if op.accepts in ("float", "numeric", "any") and op.name != "where"])
def test_nan_goes_through(op: Op) -> None:
    sample = next(s for s in op.samples if all(d.dtype is None for d in s.operands))
    attributes = op.complete(sample.attributes)
    for i, name in enumerate(op.signature.operands):
        operands = [np.asarray(np.nan if i == j else 2.5) for j in range(len(op.signature.operands))]
        result = evaluate(one_node(op, [type_of(a) for a in operands], attributes), *operands)
        if result.dtype == np.float64 and (op.name, name) not in KEEPS_NAN_OUT:
            assert np.isnan(result), name


@each([case for case in CASES if case.op in ELEMENTWISE])
def test_scalar_expression_gives_the_value(case: Case) -> None:
    assert case.op.scalar is not None, "say how the emitters write one element"
    fields = {field for _, field, _, _ in string.Formatter().parse(case.op.scalar) if field}
    assert fields <= {*case.op.signature.operands, *case.op.signature.attributes, "zero", "one"}
    names: dict[str, Any] = {name: intrinsic(op) for name, op in REGISTRY.items() if op.kind is Kind.ELEMENTWISE}
    names |= {name: lambda x, to=dtype: names["cast"](x, dtype=to) for name, dtype in DTYPES.items()}
    expression = compile(
        case.op.scalar.format(**{f: f"_{f}" for f in fields - set(case.attributes)}, **case.attributes),
        str(case),
        "eval",
    )
    dtype = next((a.dtype for a in case.arrays if a.dtype != bool), np.dtype(bool))
    names |= {"_zero": dtype.type(0), "_one": dtype.type(1)}
    for place in np.ndindex(case.outputs[0].shape):
        elements = [a[place] if a.ndim else a[()] for a in case.arrays]
        scope = names | {f"_{name}": e for name, e in zip(case.op.signature.operands, elements, strict=True)}
        with np.errstate(all="ignore"):
            got = np.asarray(eval(expression, scope))  # the expression is the declaration's own
        # NumPy's loops over many elements round otherwise than those over one.
        np.testing.assert_allclose(got, case.outputs[0][place], rtol=1e-14)


def intrinsic(op: Op) -> Callable[..., Any]:
    """The function that an expression calls by an op's name."""

    def call(*elements: Any, **attributes: Any) -> Any:
        *leading, arrays = (
            [e for e in elements if type(e) is int],
            [np.asarray(e) for e in elements if type(e) is not int],
        )
        given = dict(zip(op.signature.attributes, leading[0], strict=False)) | attributes
        assert op.reference is not None
        return np.asarray(op.reference(*arrays, **given))[()]

    return call


# -- text -------------------------------------------------------------------------------------------------------------


@each(CASES)
def test_text_is_parsed_back(case: Case) -> None:
    text = str(case.graph)
    again = parse(text)
    assert str(again) == text
    for got, want in zip(run(again, case.arrays)[0], case.outputs, strict=True):
        same(got, want)
