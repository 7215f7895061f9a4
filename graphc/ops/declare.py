"""How an elementwise primitive is written: its value, its partial derivatives, its scalar expression.

    tanh = unary("tanh", np.tanh, lambda y, x: 1 - y * y, "tanh({x})")
    mul = binary("mul", np.multiply, lambda y, a, b: (b, a), "{a} * {b}")

The partials give both derivatives: reverse mode multiplies the cotangent with each, forward mode sums the tangents
times each. A partial that is the number 1 or -1 costs no multiplication, a boolean one lets the cotangent pass or
blocks it (so that 0·inf is no trouble), None means zero almost everywhere. Scalar expressions name the operands, and
`{zero}` and `{one}` in the operand's dtype; what they call is an intrinsic of the backends, named like its op.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from graphc.errors import DTypeError, ShapeError
from graphc.op import Kind, Op, define_op, no_gradient, no_tangent
from graphc.operands import ACCEPTED, shape_text
from graphc.samples import Sample, exactly, real, sample
from graphc.types import TensorType, bool_

Rule = Callable[..., Any]


def same(what: str, names: Sequence[str], *types: TensorType, dtypes: bool = True) -> TensorType:
    """The common type of operands that are of one shape or of rank 0, and, unless told otherwise, of one dtype."""
    shaped = [(name, type) for name, type in zip(names, types, strict=True) if type.rank]
    for name, type in shaped[1:]:
        if type.shape != shaped[0][1].shape:
            raise ShapeError(
                f"{what}: {shaped[0][0]} has shape {shape_text(shaped[0][1].shape)}, "
                f"but {name} has {shape_text(type.shape)}"
            )
    if dtypes:
        for name, type in zip(names, types, strict=True):
            if type.dtype is not types[0].dtype:
                raise DTypeError(f"{what}: {names[0]} is {types[0].dtype}, but {name} is {type.dtype}")
    return TensorType(types[0].dtype, shaped[0][1].shape if shaped else ())


def checked(what: str, names: Sequence[str], accepts: str, *types: TensorType) -> TensorType:
    """The common type of operands of an accepted dtype; DTypeError or ShapeError otherwise."""
    kinds, words = ACCEPTED[accepts]
    for name, type in zip(names, types, strict=True):
        if type.dtype.kind not in kinds:
            raise DTypeError(f"{what}: takes {words}, but {name} is {type}; convert with gc.astype")
    return same(what, names, *types)


def computed_in_f32(reference: Rule) -> Rule:
    """16-bit floats are storage types: compute in f32 and round once. Also silences NumPy's warnings: IEEE rules."""

    @wraps(reference)
    def wrapped(*arrays: Any, **attributes: Any) -> Any:
        with np.errstate(all="ignore"):
            narrow = arrays[0].dtype
            if narrow.itemsize != 2 or narrow.kind in "iu":
                return reference(*arrays, **attributes)
            wide = (a.astype(np.float32) if a.dtype == narrow else a for a in arrays)
            result = reference(*wide, **attributes)
            return result.astype(narrow) if result.dtype == np.float32 else result

    return wrapped


def times(factor: Any, cotangent: Any) -> Any:
    """factor · cotangent, where None is zero; a boolean factor lets the cotangent pass or blocks it."""
    if cotangent is None or factor is None:
        return None
    if not isinstance(factor, int | float) and factor.dtype is bool_:
        from graphc.ops.choice import where

        return where(factor, cotangent, 0)
    if isinstance(factor, int):
        return cotangent if factor == 1 else -cotangent if factor == -1 else cotangent * factor
    return cotangent * factor


def plus(terms: list[Any]) -> Any:
    """The sum of terms, where None is zero."""
    present = [term for term in terms if term is not None]
    total = present[0] if present else None
    for term in present[1:]:
        total = total + term
    return total


def unary(
    name: str,
    reference: Rule,
    derivative: Rule | None,
    scalar: str,
    *,
    accepts: str = "float",
    result: Callable[[TensorType], TensorType] | None = None,
    samples: Sequence[Sample],
    doc: str = "",
) -> Op:
    """Declare an elementwise op of one operand; `derivative(y, x)` is dy/dx, None for zero almost everywhere."""

    def infer(x: TensorType) -> TensorType:
        type = checked(name, ("x",), accepts, x)
        return result(type) if result else type

    def vjp(g: Any, y: Any, x: Any) -> tuple[Any, ...]:
        assert derivative is not None
        return (times(derivative(y, x), g),)

    def jvp(t: Any, y: Any, x: Any) -> Any:
        assert derivative is not None
        return times(derivative(y, x), t[0])

    return define_op(
        name, kind=Kind.ELEMENTWISE, infer=infer, reference=computed_in_f32(reference),
        vjp=vjp if derivative else no_gradient, jvp=jvp if derivative else no_tangent,
        scalar=scalar, samples=samples, accepts=accepts, doc=doc,
    )  # fmt: skip


def binary(
    name: str,
    reference: Rule,
    partials: Rule | None,
    scalar: str,
    *,
    accepts: str = "float",
    commutative: bool = False,
    own_precision: bool = False,
    samples: Sequence[Sample],
    doc: str = "",
) -> Op:
    """Declare an elementwise op of two operands; `partials(y, a, b)` is (dy/da, dy/db), None for both zero.

    `own_precision` keeps 16-bit floats from being computed in f32, for an op about the representation itself.
    """

    def infer(a: TensorType, b: TensorType) -> TensorType:
        return checked(name, ("a", "b"), accepts, a, b)

    def vjp(g: Any, y: Any, a: Any, b: Any) -> tuple[Any, ...]:
        assert partials is not None
        return tuple(times(partial, g) for partial in partials(y, a, b))

    def jvp(t: Any, y: Any, a: Any, b: Any) -> Any:
        assert partials is not None
        return plus([times(partial, tangent) for partial, tangent in zip(partials(y, a, b), t, strict=True)])

    return define_op(
        name, kind=Kind.ELEMENTWISE, infer=infer, reference=reference if own_precision else computed_in_f32(reference),
        vjp=vjp if partials else no_gradient, jvp=jvp if partials else no_tangent,
        scalar=scalar, samples=samples, accepts=accepts, commutative=commutative, doc=doc,
    )  # fmt: skip


def compare(
    name: str, reference: Rule, scalar: str, *, accepts: str = "numeric", commutative: bool = False, doc: str
) -> Op:
    """Declare a comparison: two operands of one dtype, a boolean result, no derivative."""
    special = exactly([0.0, -0.0, np.nan, np.inf, 1.0])
    return define_op(
        name,
        kind=Kind.ELEMENTWISE,
        infer=lambda a, b: checked(name, ("a", "b"), accepts, a, b).with_dtype(bool_),
        reference=computed_in_f32(reference),
        vjp=no_gradient,
        jvp=no_tangent,
        scalar=scalar,
        samples=[sample(real(4, 5), real(4, 5)), sample(special, exactly([-0.0, 0.0, np.nan, 1.0, 1.0]))],
        accepts=accepts,
        commutative=commutative,
        doc=doc,
    )
