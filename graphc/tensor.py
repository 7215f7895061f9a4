"""Traced tensors: what a traced function computes with.

    def f(x):               # x: f32[N,3]
        h = x * 2 + 1       # every operator appends a node to the graph
        return h[:, 0]      # f32[N]

Operators follow the Python array API standard: Python scalars take the tensor's dtype, tensors of mixed dtypes promote,
shapes broadcast. A traced tensor has a type but no values; asking it for one raises TraceError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from graphc.dim import Extent
from graphc.errors import TraceError
from graphc.op import find_op
from graphc.types import DType, Shape, TensorType

if TYPE_CHECKING:
    from graphc.builder import Builder
    from graphc.ir import Value


def _binary(name: str) -> tuple[Any, Any]:
    def forward(self: Any, other: Any) -> Any:
        return find_op(name)(self, other) if _is_operand(other) else NotImplemented

    def reflected(self: Any, other: Any) -> Any:
        return find_op(name)(other, self) if _is_operand(other) else NotImplemented

    return forward, reflected


def _unary(name: str) -> Any:
    return lambda self: find_op(name)(self)


def _is_operand(other: object) -> bool:
    return not isinstance(other, str | bytes | list | tuple | dict | set) and other is not None


class Operators:
    """The operators of tensors, shared by traced tensors and by the model's cells (parameters, buffers)."""

    __slots__ = ()

    __add__, __radd__ = _binary("add")
    __sub__, __rsub__ = _binary("sub")
    __mul__, __rmul__ = _binary("mul")
    __truediv__, __rtruediv__ = _binary("div")
    __floordiv__, __rfloordiv__ = _binary("floordiv")
    __mod__, __rmod__ = _binary("rem")
    __pow__, __rpow__ = _binary("pow")
    __lshift__, __rlshift__ = _binary("shift_left")
    __rshift__, __rrshift__ = _binary("shift_right")
    __lt__, _ = _binary("less")
    __le__, _ = _binary("less_equal")
    __gt__, _ = _binary("greater")
    __ge__, _ = _binary("greater_equal")
    __neg__ = _unary("neg")
    __abs__ = _unary("abs")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """What `array + tensor` and `np.exp(tensor)` reach: an operator of the tensor, or TraceError."""
        name = _OPERATOR_OF.get(ufunc.__name__)
        if method != "__call__" or options or name is None:
            _refuse_numpy(ufunc, self)
        left, right = inputs
        if isinstance(left, Operators):
            return getattr(left, f"__{name}__")(right)
        return getattr(right, f"__{_REFLECTED.get(name, 'r' + name)}__")(left)

    def __pos__(self) -> Any:
        return find_op("identity")(self)

    def __and__(self, other: Any) -> Any:
        return find_op(_logical(self, "and"))(self, other)

    def __rand__(self, other: Any) -> Any:
        return find_op(_logical(self, "and"))(other, self)

    def __or__(self, other: Any) -> Any:
        return find_op(_logical(self, "or"))(self, other)

    def __ror__(self, other: Any) -> Any:
        return find_op(_logical(self, "or"))(other, self)

    def __xor__(self, other: Any) -> Any:
        return find_op(_logical(self, "xor"))(self, other)

    def __rxor__(self, other: Any) -> Any:
        return find_op(_logical(self, "xor"))(other, self)

    def __invert__(self) -> Any:
        return find_op(_logical(self, "not"))(self)

    def __matmul__(self, other: Any) -> Any:
        from graphc.array import matmul

        return matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        from graphc.array import matmul

        return matmul(other, self)

    def __getitem__(self, key: Any) -> Any:
        from graphc.indexing import getitem

        return getitem(self, key)

    @property
    def T(self) -> Any:
        """The transpose of a matrix; of any rank, all axes reversed."""
        from graphc.array import permute_dims

        return permute_dims(self, tuple(reversed(range(self.ndim))))  # type: ignore[attr-defined]

    @property
    def mT(self) -> Any:
        """The last two axes exchanged."""
        from graphc.array import matrix_transpose

        return matrix_transpose(self)

    # -- the few methods that everyone types; the functions of graphc do the work -----------------------------------

    def astype(self, dtype: object) -> Any:
        from graphc.array import astype

        return astype(self, dtype)

    def reshape(self, *shape: Any) -> Any:
        from graphc.array import reshape

        return reshape(self, shape[0] if len(shape) == 1 else shape)

    def sum(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        from graphc.array import sum

        return sum(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        from graphc.array import mean

        return mean(self, axis=axis, keepdims=keepdims)

    def max(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        from graphc.array import max

        return max(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Any = None, *, keepdims: bool = False) -> Any:
        from graphc.array import min

        return min(self, axis=axis, keepdims=keepdims)


# NumPy's functions behind the operators of its arrays, and the names of ours
_OPERATOR_OF = {
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "truediv", "floor_divide": "floordiv",
    "remainder": "mod", "power": "pow", "left_shift": "lshift", "right_shift": "rshift", "matmul": "matmul",
    "bitwise_and": "and", "bitwise_or": "or", "bitwise_xor": "xor", "less": "lt", "less_equal": "le",
    "greater": "gt", "greater_equal": "ge", "equal": "eq", "not_equal": "ne",
}  # fmt: skip
_REFLECTED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}


def _refuse_numpy(function: Any, tensor: Any) -> NoReturn:
    """TraceError for a function of NumPy on a traced tensor; names graphc's where there is one of that name."""
    import graphc

    name = function.__name__
    module = (getattr(function, "__module__", None) or "numpy").replace("numpy", "np", 1)
    instead = f"use gc.{name}" if name in graphc.array.__all__ else "build it from graphc's functions"
    builder = getattr(tensor, "builder", None)
    raise TraceError(
        f"{module}.{name} takes arrays, and {tensor!r} is being traced and has no values; {instead}",
        where=builder.where() if builder else None,
    )


def _logical(operand: Any, name: str) -> str:
    return f"logical_{name}" if operand.dtype.kind == "bool" else f"bitwise_{name}"


class Tensor(Operators):
    """A value of a graph under construction."""

    __slots__ = ("builder", "value")

    def __init__(self, builder: Builder, value: Value) -> None:
        self.builder = builder
        self.value = value

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> Any:
        return find_op("equal")(self, other) if _is_operand(other) else NotImplemented

    def __ne__(self, other: object) -> Any:
        return find_op("not_equal")(self, other) if _is_operand(other) else NotImplemented

    @property
    def type(self) -> TensorType:
        return self.value.type

    @property
    def shape(self) -> Shape:
        """The extents: integers, and `Dim`s that take part in arithmetic and in `gc.reshape`."""
        return self.value.type.shape

    @property
    def ndim(self) -> int:
        return self.value.type.rank

    @property
    def dtype(self) -> DType:
        return self.value.type.dtype

    @property
    def size(self) -> Extent:
        """The number of elements."""
        return self.value.type.size

    # -- what a tensor without values cannot do ---------------------------------------------------------------------

    def _no_value(self, wish: str, instead: str) -> NoReturn:
        raise TraceError(
            f"%{self.value.name}: {self.type} is being traced and has no value to {wish}; {instead}",
            where=self.builder.where(),
        )

    def __bool__(self) -> bool:
        self._no_value("branch on", "choose between two tensors with gc.where(condition, a, b)")

    def __float__(self) -> float:
        self._no_value("convert to float", "compute with it as a tensor, and read the result of the call")

    def __int__(self) -> int:
        self._no_value("convert to int", "compute with it as a tensor, and read the result of the call")

    def __index__(self) -> int:
        self._no_value("index with", "index a tensor with it through gc.take")

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function.__name__ in ("shape", "ndim", "size") and args == (self,):
            return getattr(self, function.__name__)
        _refuse_numpy(function, self)

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        self._no_value("give NumPy", "use graphc's function of the same name instead of NumPy's")

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("a rank-0 tensor has no length")
        extent = self.shape[0]
        if not isinstance(extent, int):
            self._no_value(f"take the length of (its extent is {extent})", "use x.shape[0] in arithmetic")
        return extent

    def __iter__(self) -> Any:
        if self.ndim and not isinstance(self.shape[0], int):
            self._no_value(f"iterate over (it has {self.shape[0]} rows)", "compute with the whole tensor")
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"Tensor({self.value!r})"
