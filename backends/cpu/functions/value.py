"""A scalar in a kernel that is being compiled: it reads as a NumPy scalar, and its operators emit LLVM instructions.

    x = Value(builder, llvm_value, np.dtype(np.float32))
    (x * 0.5 + 1).view(np.int32) >> 23          # fmul, fadd, bitcast, ashr

Python numbers beside it take its dtype, as beside a NumPy array. Integers wrap around; `astype` and `view` are NumPy's,
but where a float is NaN or beyond the target integers, the result of `astype` is open and `select` must not choose it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

DType = np.dtype[Any]

BOOL = np.dtype(np.bool_)
F32, F64 = np.dtype(np.float32), np.dtype(np.float64)

# Numba gives its fastmath flags to every instruction of the module that has none. `afn` says how calls may be computed
# and nothing of arithmetic: an instruction that has it stays exact.
EXACT = ("afn",)


def llvm_type(dtype: DType) -> Any:
    """The LLVM type of a dtype; signs are in the instructions."""
    if dtype.kind == "f":
        return ir.FloatType() if dtype == F32 else ir.DoubleType()
    return ir.IntType(1 if dtype == BOOL else dtype.itemsize * 8)


class Value:
    """One value in a function that `builder` is at work on."""

    __slots__ = ("builder", "dtype", "ref")

    def __init__(self, builder: Any, ref: Any, dtype: DType) -> None:
        self.builder = builder
        self.ref = ref
        self.dtype = dtype

    def like(self, operand: Any) -> Value:
        """An operand as it stands beside this value: a value of the same dtype, or a Python number."""
        if isinstance(operand, Value):
            if operand.dtype != self.dtype:
                raise TypeError(f"operands are {self.dtype} and {operand.dtype}")
            return operand
        if isinstance(operand, np.generic | np.ndarray):
            operand = operand.item()
        if self.dtype.kind in "iu":
            operand &= (1 << self.dtype.itemsize * 8) - 1
        number = float(operand) if self.dtype.kind == "f" else int(operand)
        return Value(self.builder, ir.Constant(llvm_type(self.dtype), number), self.dtype)

    def astype(self, dtype: Any) -> Value:
        """The same number in another dtype: integers wrap around, floats lose their fraction."""
        target = np.dtype(dtype)
        if target == self.dtype:
            return self
        if target == BOOL:
            return self != 0
        name = self._conversion(target)
        return Value(self.builder, getattr(self.builder, name)(self.ref, llvm_type(target)), target)

    def _conversion(self, target: DType) -> str:
        source, signed = self.dtype, self.dtype.kind == "i"
        if source.kind == "f":
            if target.kind == "f":
                return "fpext" if target.itemsize > source.itemsize else "fptrunc"
            return "fptosi" if target.kind == "i" else "fptoui"
        if target.kind == "f":
            return "sitofp" if signed else "uitofp"
        wider = source == BOOL or target.itemsize > source.itemsize
        if not wider:
            return "trunc" if target.itemsize < source.itemsize else "bitcast"
        return "sext" if signed else "zext"

    def view(self, dtype: Any) -> Value:
        """The same bits in a dtype of the same width."""
        target = np.dtype(dtype)
        return Value(self.builder, self.builder.bitcast(self.ref, llvm_type(target)), target)

    # -- operators ----------------------------------------------------------------------------------------------------

    def _binary(self, other: Any, on_floats: str, on_integers: str, swapped: bool = False) -> Value:
        operands = [self.ref, self.like(other).ref]
        if swapped:
            operands.reverse()
        if self.dtype.kind == "f":
            return Value(self.builder, getattr(self.builder, on_floats)(*operands, flags=EXACT), self.dtype)
        return Value(self.builder, getattr(self.builder, on_integers)(*operands), self.dtype)

    def _compare(self, other: Any, sign: str) -> Value:
        right = self.like(other).ref
        if self.dtype.kind == "f":
            compare = self.builder.fcmp_unordered if sign == "!=" else self.builder.fcmp_ordered
            return Value(self.builder, compare(sign, self.ref, right, flags=EXACT), BOOL)
        compare = self.builder.icmp_signed if self.dtype.kind == "i" else self.builder.icmp_unsigned
        return Value(self.builder, compare(sign, self.ref, right), BOOL)

    def __add__(self, other: Any) -> Value:
        return self._binary(other, "fadd", "add")

    def __sub__(self, other: Any) -> Value:
        return self._binary(other, "fsub", "sub")

    def __rsub__(self, other: Any) -> Value:
        return self._binary(other, "fsub", "sub", swapped=True)

    def __mul__(self, other: Any) -> Value:
        return self._binary(other, "fmul", "mul")

    def __truediv__(self, other: Any) -> Value:
        return self._binary(other, "fdiv", "")

    def __rtruediv__(self, other: Any) -> Value:
        return self._binary(other, "fdiv", "", swapped=True)

    def __and__(self, other: Any) -> Value:
        return self._binary(other, "", "and_")

    def __or__(self, other: Any) -> Value:
        return self._binary(other, "", "or_")

    def __xor__(self, other: Any) -> Value:
        return self._binary(other, "", "xor")

    def __lshift__(self, other: Any) -> Value:
        return self._binary(other, "", "shl")

    def __rshift__(self, other: Any) -> Value:
        return self._binary(other, "", "ashr" if self.dtype.kind == "i" else "lshr")

    __radd__, __rmul__, __rand__, __ror__, __rxor__ = __add__, __mul__, __and__, __or__, __xor__

    def __invert__(self) -> Value:
        return Value(self.builder, self.builder.not_(self.ref), self.dtype)

    def __neg__(self) -> Value:
        if self.dtype.kind == "f":
            return Value(self.builder, self.builder.fneg(self.ref, flags=EXACT), self.dtype)
        return Value(self.builder, self.builder.neg(self.ref), self.dtype)

    def __lt__(self, other: Any) -> Value:
        return self._compare(other, "<")

    def __le__(self, other: Any) -> Value:
        return self._compare(other, "<=")

    def __gt__(self, other: Any) -> Value:
        return self._compare(other, ">")

    def __ge__(self, other: Any) -> Value:
        return self._compare(other, ">=")

    def __eq__(self, other: Any) -> Value:  # type: ignore[override]
        return self._compare(other, "==")

    def __ne__(self, other: Any) -> Value:  # type: ignore[override]
        return self._compare(other, "!=")

    __hash__ = None  # type: ignore[assignment]

    # -- calls --------------------------------------------------------------------------------------------------------

    def select(self, yes: Any, no: Any) -> Value:
        """`yes` where this boolean holds, else `no`; one of them is a value."""
        pattern = yes if isinstance(yes, Value) else no
        chosen, other = pattern.like(yes), pattern.like(no)
        return Value(self.builder, self.builder.select(self.ref, chosen.ref, other.ref), chosen.dtype)

    def intrinsic(self, name: str, *others: Any) -> Value:
        """LLVM's intrinsic of this name over operands of one dtype: `x.intrinsic("floor")` is llvm.floor.f32."""
        operands = [self.ref, *(self.like(other).ref for other in others)]
        function = self.builder.module.declare_intrinsic(f"llvm.{name}", [llvm_type(self.dtype)], self._type(others))
        return Value(self.builder, self.builder.call(function, operands), self.dtype)

    def libm(self, name: str, *others: Any) -> Value:
        """C's function of this name on doubles."""
        operands = [self.ref, *(self.like(other).ref for other in others)]
        module = self.builder.module
        function = module.globals.get(name) or _declare(module, name, self._type(others))
        return Value(self.builder, self.builder.call(function, operands), self.dtype)

    def _type(self, others: tuple[Any, ...]) -> Any:
        own = llvm_type(self.dtype)
        return ir.FunctionType(own, [own] * (1 + len(others)))

    def remainder(self, other: Any) -> Value:
        """C's fmod, or the remainder of the truncated quotient of integers."""
        return self._binary(other, "frem", "srem" if self.dtype.kind == "i" else "urem")

    def quotient(self, other: Any) -> Value:
        """The truncated quotient of integers."""
        return self._binary(other, "", "sdiv" if self.dtype.kind == "i" else "udiv")

    def reassociated(self, other: Any, on_floats: str, on_integers: str) -> Value:
        """A sum or product whose order LLVM may change, where it reduces a loop; wrapping on integers."""
        if self.dtype.kind != "f":
            return self._binary(other, "", on_integers)
        operation: Callable[..., Any] = getattr(self.builder, on_floats)
        flags = ("reassoc", "contract", "nsz")
        return Value(self.builder, operation(self.ref, self.like(other).ref, flags=flags), self.dtype)


def _declare(module: Any, name: str, signature: Any) -> Any:
    function = ir.Function(module, signature, name)
    function.attributes.add("nounwind")
    return function
