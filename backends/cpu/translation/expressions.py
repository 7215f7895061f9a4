"""The expressions of a kernel as LLVM instructions: operators, elements behind pointers, calls.

    walk.value(ast.parse("x_in[i] * scale", mode="eval").body)      # Scalar(types.float32, …)

What is called brings its own instructions: intrinsics of `graphc.backends.cpu.functions`, `pointer` and `contraction`,
and the words of `graphc.backends.cpu.atomics`. A plain function is written out in its place.
"""

# Numba's types are hardly annotated.
# mypy: allow-untyped-calls

from __future__ import annotations

import ast
import contextlib
import inspect
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.errors import TypingError
from numba.core.extending import _Intrinsic

from graphc.backends.cpu.atomics import EMITTED
from graphc.backends.cpu.pointer import Pointer, load_element
from graphc.backends.cpu.translation.names import Frame, NeedsSlot
from graphc.backends.cpu.translation.scalars import (
    I1,
    Scalar,
    Unknown,
    arithmetic,
    boolean,
    cast,
    compared,
    constant_of,
    converted,
    extreme,
    inverted,
    is_integer,
    llvm_type,
    negative,
    truth,
)


class Conversions:
    """What the instructions of an intrinsic ask of Numba's target context."""

    @staticmethod
    def get_dummy_value() -> Any:
        return None

    @staticmethod
    def cast(builder: Any, ref: Any, source: Any, target: Any) -> Any:
        return cast(builder, Scalar(source, ref), target)


class Expressions(ABC):
    """What a walk over a function knows of values; `target` is the LLVM function, `names` what its module has."""

    def __init__(
        self, names: Mapping[str, Any], definitions: Mapping[str, ast.FunctionDef], target: Any, slots: set[str]
    ) -> None:
        self.names, self.definitions, self.target, self.kept = names, definitions, target, slots
        self.entry = target.append_basic_block("entry")
        self.b = ir.IRBuilder(target.append_basic_block("body"))
        self.frames: list[Frame] = []
        self.typed: dict[Any, Any] = {}

    @property
    def frame(self) -> Frame:
        return self.frames[-1]

    def block(self, name: str) -> Any:
        return self.target.append_basic_block(name)

    @abstractmethod
    def written_out(self, definition: ast.FunctionDef, values: Sequence[Scalar]) -> Scalar | None:
        """A function's statements, and what it returns."""

    def read(self, name: str) -> Scalar:
        """What a name is here: a value of the function, or of its module."""
        frame = self.frame
        if name in frame.slots:
            slot = frame.slots[name]
            return Scalar(slot.kind, self.b.load(slot.ref))
        for suite in reversed(frame.suites):
            if name in suite:
                return suite[name]
        if name in frame.names:
            if frame.prefix + name in self.kept:
                raise Unknown(f"{name} before it has a value")
            raise NeedsSlot(frame.prefix + name)
        if name not in self.names:
            raise Unknown(f"the name {name}")
        return constant_of(self.names[name])

    def value(self, node: ast.expr) -> Scalar:
        found = self.value_or_none(node)
        if found is None:
            raise Unknown(f"the value of {ast.unparse(node)}")
        return found

    def value_or_none(self, node: ast.expr) -> Scalar | None:
        found: Scalar | None = getattr(self, f"of_{type(node).__name__.lower()}", unknown)(node)
        return found

    def of_constant(self, node: ast.Constant) -> Scalar:
        return constant_of(node.value)

    def of_name(self, node: ast.Name) -> Scalar:
        return self.read(node.id)

    def of_binop(self, node: ast.BinOp) -> Scalar:
        return arithmetic(self.b, node.op, self.value(node.left), self.value(node.right))

    def of_unaryop(self, node: ast.UnaryOp) -> Scalar:
        if isinstance(node.op, ast.Not):
            return boolean(self.b.not_(self.truth(node.operand)))
        if isinstance(node.op, ast.USub):
            return negative(self.b, self.value(node.operand))
        if isinstance(node.op, ast.Invert):
            return inverted(self.b, self.value(node.operand))
        raise Unknown(type(node.op).__name__)

    def of_compare(self, node: ast.Compare) -> Scalar:
        left = self.value(node.left)
        held = None
        for sign, operand in zip(node.ops, node.comparators, strict=True):
            right = self.value(operand)
            holds = compared(self.b, sign, left, right)
            held = holds if held is None else self.b.and_(held, holds)
            left = right
        return boolean(held)

    def of_boolop(self, node: ast.BoolOp) -> Scalar:
        return boolean(self.truth(node, only_booleans=True))

    def of_ifexp(self, node: ast.IfExp) -> Scalar:
        condition = self.truth(node.test)
        yes, no, end = self.block("then"), self.block("otherwise"), self.block("chosen")
        self.b.cbranch(condition, yes, no)
        values, blocks = [], []
        for block, each in ((yes, node.body), (no, node.orelse)):
            self.b.position_at_end(block)
            values.append(self.value(each))
            blocks.append(self.b.block)
            self.b.branch(end)
        if values[0].kind != values[1].kind:
            raise Unknown(f"{values[0].kind} or {values[1].kind}")
        self.b.position_at_end(end)
        phi = self.b.phi(llvm_type(values[0].kind))
        for value, block in zip(values, blocks, strict=True):
            phi.add_incoming(value.ref, block)
        return Scalar(values[0].kind, phi)

    def truth(self, node: ast.expr, only_booleans: bool = False) -> Any:
        """Whether an expression holds, as one bit; operands of `and` and `or` that do not matter are not computed."""
        if not isinstance(node, ast.BoolOp):
            value = self.value(node)
            if only_booleans and value.kind is not types.boolean:
                raise Unknown(f"and, or of {value.kind}")
            return truth(self.b, value)
        end = self.block("decided")
        decided = ir.Constant(I1, int(isinstance(node.op, ast.Or)))
        early = []
        for each in node.values[:-1]:
            holds, further = self.truth(each, only_booleans), self.block("further")
            early.append(self.b.block)
            self.b.cbranch(holds, *((end, further) if isinstance(node.op, ast.Or) else (further, end)))
            self.b.position_at_end(further)
        last, block = self.truth(node.values[-1], only_booleans), self.b.block
        self.b.branch(end)
        self.b.position_at_end(end)
        phi = self.b.phi(I1)
        phi.add_incoming(last, block)
        for each in early:
            phi.add_incoming(decided, each)
        return phi

    def place(self, node: ast.Subscript) -> tuple[Scalar, Any]:
        """The pointer and the index of an element."""
        pointer, index = self.value(node.value), self.value(node.slice)
        if not isinstance(pointer.kind, Pointer) or not is_integer(index.kind):
            raise Unknown(f"{pointer.kind} at {index.kind}")
        return pointer, cast(self.b, index, types.int64)

    def of_subscript(self, node: ast.Subscript) -> Scalar:
        pointer, index = self.place(node)
        return Scalar(pointer.kind.element, load_element(self.b, pointer.kind, pointer.ref, index))

    # -- calls --------------------------------------------------------------------------------------------------------

    def of_call(self, node: ast.Call) -> Scalar | None:
        if node.keywords or any(isinstance(each, ast.Starred) for each in node.args):
            raise Unknown(f"arguments of {ast.unparse(node)}")
        called = self.callee(node.func)
        values = [self.value(each) for each in node.args]
        if isinstance(called, _Intrinsic):
            return self.intrinsic(called, values)
        if called is min or called is max:
            return extreme(self.b, "<" if called is min else ">", values)
        if isinstance(called, type) and issubclass(called, np.generic) and len(values) == 1:
            return converted(self.b, called, values[0])
        if callable(called) and called in EMITTED:
            emit, result = EMITTED[called]
            ref = emit(self.b, *(cast(self.b, value, types.int64) for value in values))
            return None if result is types.void else Scalar(result, ref)
        if isinstance(called, FunctionType):
            return self.inside(called, values)
        raise Unknown(f"a call of {ast.unparse(node.func)}")

    def inside(self, called: FunctionType, values: Sequence[Scalar]) -> Scalar | None:
        """A function of the kernel's module, or one that the driver shares, among the names of its own module."""
        outer = self.names, self.definitions
        if called.__globals__ is not self.names:
            if not called.__module__.startswith("graphc.backends.cpu."):
                raise Unknown(f"a call of {called.__name__}")
            module = sys.modules[called.__module__]
            self.names, self.definitions = called.__globals__, functions_of(inspect.getsource(module))
        if called.__name__ not in self.definitions:
            raise Unknown(f"a call of {called.__name__}")
        result = self.written_out(self.definitions[called.__name__], values)
        self.names, self.definitions = outer
        return result

    def callee(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name) and node.id not in self.frame.names:
            return self.names.get(node.id, {"min": min, "max": max}.get(node.id))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            return getattr(self.names.get(node.value.id), node.attr, None)
        raise Unknown(f"a call of {ast.unparse(node)}")

    def intrinsic(self, called: Any, values: Sequence[Scalar]) -> Scalar | None:
        """The instructions that the intrinsic brings."""
        literals = tuple(value.literal if called._prefer_literal else None for value in values)
        key = called, tuple(value.kind for value in values), literals
        if key not in self.typed:
            self.typed[key] = self.typing(called, [value.kind for value in values], literals)
        signature, generate = self.typed[key]
        refs = []
        for value, wanted in zip(values, signature.args, strict=True):
            refs.append(value.ref if isinstance(wanted, types.Literal) else cast(self.b, value, wanted))
        ref = generate(Conversions, self.b, signature, refs)
        return None if signature.return_type is types.none else Scalar(signature.return_type, ref)

    def typing(self, called: Any, kinds: Sequence[Any], literals: Sequence[int | None]) -> tuple[Any, Any]:
        """The signature of a call, and what writes its instructions; first with the numbers that are known."""
        known = [kind if x is None else types.literal(x) for kind, x in zip(kinds, literals, strict=True)]
        for given in [known, kinds] if called._prefer_literal else [kinds]:
            with contextlib.suppress(TypingError):
                if (found := called._defn(None, *given)) is not None:
                    signature, generate = found
                    return signature, generate
        raise Unknown(f"{called._name} of {', '.join(map(str, kinds))}")


@cache
def functions_of(text: str) -> Mapping[str, ast.FunctionDef]:
    """The functions of a module's text, by name."""
    return {each.name: each for each in ast.parse(text).body if isinstance(each, ast.FunctionDef)}


def unknown(node: ast.AST) -> Any:
    """What stands for a part of Python that kernels are not written in."""
    raise Unknown(f"{type(node).__name__}: {ast.unparse(node)}")
