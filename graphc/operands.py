"""What operands become before an op sees them: scalars literals, dtypes promoted, shapes broadcast.

x + 1          x: f32[N,3]   ->  add(%x, 1.0)
x + b          b: f32[3]     ->  %b1 = broadcast_to(%b, shape=(N, 3)); add(%x, %b1)
x + i          i: i8, x: i32 ->  %i1 = cast(%i, dtype=i32); add(%x, %i1)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.dim import Dim, broadcast_extent
from graphc.errors import ArgumentError, DTypeError, ShapeError, TraceError
from graphc.ir import Literal
from graphc.op import Op
from graphc.quotient import Quotient
from graphc.state import own
from graphc.types import DType, Shape, as_dtype, bool_, f32, i64, promote

if TYPE_CHECKING:
    from graphc.builder import Builder
    from graphc.tensor import Tensor

ACCEPTED: dict[str, tuple[tuple[str, ...], str]] = {
    "any": (("bool", "signed", "unsigned", "float"), "any dtype"),
    "numeric": (("signed", "unsigned", "float"), "numbers"),
    "float": (("float",), "floating-point numbers"),
    "integer": (("signed", "unsigned"), "integers"),
    "integral": (("bool", "signed", "unsigned"), "integers or booleans"),
    "bool": (("bool",), "booleans"),
}


def default_dtype(scalar: object) -> DType:
    """The dtype of a scalar with no tensor beside it: bool, i64 or f32."""
    if isinstance(scalar, bool):
        return bool_
    return i64 if isinstance(scalar, int | Dim) else f32


def literal_of(scalar: Any, dtype: DType, what: str) -> Literal:
    """A scalar in the dtype of the tensors beside it, as the array API allows it; DTypeError otherwise."""
    if isinstance(scalar, bool):
        fits = dtype.kind == "bool"
    elif isinstance(scalar, int | Dim):
        fits = dtype.kind != "bool"
    else:
        fits = dtype.is_float
    if not fits:
        raise DTypeError(
            f"{what}: a Python {type(scalar).__name__} ({scalar}) does not combine with {dtype}; use gc.astype"
        )
    if dtype.is_integer and isinstance(scalar, int):
        info = np.iinfo(dtype.numpy)
        if not info.min <= scalar <= info.max:
            raise DTypeError(f"{what}: {scalar} is out of range for {dtype} ({info.min} to {info.max})")
    return Literal(scalar, dtype)


def as_constant(operand: Any, where: Callable[[], str | None]) -> Literal | np.ndarray[Any, Any]:
    """A literal from a scalar or a rank-0 array, a sealed array from an array or nested lists."""
    if isinstance(operand, bool | int | float | Dim):
        return Literal(operand, default_dtype(operand))
    if not isinstance(operand, np.ndarray | np.generic | list | tuple):
        raise ArgumentError(
            f"{operand!r} ({type(operand).__name__}) is not a tensor, an array or a number", where=where()
        )
    try:
        array = np.asarray(operand)
    except TraceError:
        raise ArgumentError(
            "a list of tensors is not a tensor; join them with gc.stack or gc.concat", where=where()
        ) from None
    except ValueError as error:
        raise ArgumentError(f"this {type(operand).__name__} makes no array: {error}", where=where()) from None
    if array.ndim == 0:
        return Literal(array.item(), as_dtype(array.dtype))
    return own(array)


def elementwise_operands(builder: Builder, op: Op, operands: Sequence[Any]) -> list[Tensor]:
    """The operands of an elementwise op in one dtype and one shape, or rank 0."""
    operands = [x.item() if isinstance(x, np.generic) else x for x in operands]  # np.sqrt(2) is as weak as 1.414
    promoted = range(len(operands)) if op.promoted is None else op.promoted
    tensors: list[Tensor | None] = [None if _is_weak(x) else builder.tensor(x) for x in operands]
    known = [tensor.dtype for i in promoted if (tensor := tensors[i]) is not None]
    weak = [operands[i] for i in promoted if tensors[i] is None]
    try:
        dtype = promote(*known) if known else _default_of(weak)
    except DTypeError as error:
        raise DTypeError(f"{op.name}: {error.rule}") from None
    if weak and known and dtype.is_integer and any(isinstance(w, float | Quotient) for w in weak):
        raise DTypeError(f"{op.name}: a Python float does not combine with {dtype}; convert with gc.astype(x, gc.f32)")
    for i, operand in enumerate(operands):
        if tensors[i] is None:
            own_dtype = dtype if i in promoted else default_dtype(operand)
            tensors[i] = _weak_tensor(builder, op, operand, own_dtype)
        elif i in promoted:
            tensors[i] = _cast(builder, tensors[i], dtype)
    return _broadcast(builder, op, _accepted(op, tensors, promoted))


def _is_weak(operand: object) -> bool:
    return isinstance(operand, bool | int | float | Dim | Quotient)


def _default_of(weak: Sequence[Any]) -> DType:
    kinds = [default_dtype(w) for w in weak]
    return f32 if f32 in kinds else i64 if i64 in kinds else bool_


def _weak_tensor(builder: Builder, op: Op, scalar: Any, dtype: DType) -> Tensor:
    if isinstance(scalar, Quotient):
        from graphc.ops.elementwise import div, mul

        result = builder.tensor(literal_of(scalar.numerator, dtype, op.name))
        if scalar.scale != 1:
            result = builder.node(mul, result, scalar.scale)
        return result if scalar.denominator == 1 else builder.node(div, result, scalar.denominator)
    return builder.tensor(literal_of(scalar, dtype, op.name))


def _cast(builder: Builder, tensor: Any, dtype: DType) -> Tensor:
    if tensor.dtype is dtype:
        return tensor  # type: ignore[no-any-return]
    if isinstance(tensor.value, Literal) and not isinstance(tensor.value.value, Dim):
        return builder.tensor(Literal(tensor.value.value, dtype))
    from graphc.ops.elementwise import cast

    return builder.node(cast, tensor, dtype=dtype)


def _accepted(op: Op, tensors: Sequence[Any], promoted: Sequence[int] | range) -> list[Tensor]:
    kinds, words = ACCEPTED[op.accepts]
    for i in promoted:
        if tensors[i].dtype.kind not in kinds:
            raise DTypeError(
                f"{op.name}: takes {words}, but {op.signature.name_of(i)} is {tensors[i].type}; convert with gc.astype"
            )
    return list(tensors)


def _broadcast(builder: Builder, op: Op, tensors: list[Tensor]) -> list[Tensor]:
    shapes = [tensor.shape for tensor in tensors if tensor.ndim]
    if all(shape == shapes[0] for shape in shapes):
        return tensors
    shape = broadcast_shapes(*shapes, what=op.name)
    from graphc.ops.shape import broadcast_to

    return [
        builder.node(broadcast_to, tensor, shape=shape) if tensor.ndim and tensor.shape != shape else tensor
        for tensor in tensors
    ]


def broadcast_shapes(*shapes: Shape, what: str = "broadcast") -> Shape:
    """The shape that these broadcast to, by NumPy's rule; ShapeError names the axis where they do not.

    A named dim is never taken for 1.
    """
    result: Shape = ()
    for shape in shapes:
        rank = max(len(result), len(shape))
        left = (1,) * (rank - len(result)) + result
        right = (1,) * (rank - len(shape)) + shape
        extents = []
        for axis, (a, b) in enumerate(zip(left, right, strict=True)):
            extent = broadcast_extent(a, b)
            if extent is None:
                raise ShapeError(
                    f"{what}: shapes {shape_text(result)} and {shape_text(shape)} do not broadcast: "
                    f"axis {axis - rank} has {a} and {b}"
                )
            extents.append(extent)
        result = tuple(extents)
    return result


def shape_text(shape: Shape) -> str:
    """A shape as errors print it: `(N,3)`."""
    return f"({','.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
