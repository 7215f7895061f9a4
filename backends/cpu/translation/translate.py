"""From the text of a kernel to an LLVM module, in one walk over its syntax tree: a few milliseconds a kernel.

    module = translate(source_module, text, "kernel", "void(uintp, int64, int64)", "relu_kernel_3f2a")
    str(module)                                 # LLVM IR with one C function that others can see

Kernels are written in a small part of Python: typed pointers, numbers, `range`, `while`, `if`, and calls of names that
bring their own instructions. There, each value's type is that of its operands, and nothing has to be inferred; Numba's
front end, which is made for all of Python, takes ten times as long. It compiles what is beyond this part: `translate`
raises Unknown, and never gives a module that means something else.
"""

# Numba's types are hardly annotated.
# mypy: allow-untyped-calls

from __future__ import annotations

import ast
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import sigutils
from numba.core.cpu_options import FastMathOptions
from numba.core.fastmathpass import rewrite_module

from graphc.backends.cpu.jobs import AS_VECTORS, FLAGS
from graphc.backends.cpu.pointer import store_element
from graphc.backends.cpu.translation.expressions import Expressions, functions_of, unknown
from graphc.backends.cpu.translation.names import Frame, NeedsSlot, assigned_within, assignments
from graphc.backends.cpu.translation.scalars import (
    I64,
    Scalar,
    Unknown,
    arithmetic,
    cast,
    llvm_type,
    number,
    stored,
)
from graphc.backends.cpu.vector_ir import unrolled_as_vectors

_DEEPEST = 16  # calls within calls that are written out: functions may not call themselves


def translate(module: ModuleType, text: str, function: str, signature: str, symbol: str) -> ir.Module:
    """The LLVM module of a function of a source; raises Unknown where Numba has to read it."""
    arguments, result = sigutils.normalize_signature(signature)
    definitions = functions_of(text)
    if function not in definitions:
        raise Unknown(f"where {function} is")
    slots: set[str] = set()
    while True:
        translated = ir.Module(symbol)
        kind = ir.FunctionType(ir.VoidType() if result is types.none else llvm_type(result), map(llvm_type, arguments))
        target = ir.Function(translated, kind, symbol)
        target.attributes.add("nounwind")
        try:
            _Walk(vars(module), definitions, target, slots).whole(definitions[function], arguments, result)
        except NeedsSlot as name:
            slots.add(str(name))
            continue
        rewrite_module(translated, FastMathOptions(set(FLAGS["fastmath"])))
        return translated


class _Walk(Expressions):
    """The walk over one function, and over those that it calls."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.loops: list[tuple[Any, Any]] = []  # where `continue` and `break` go
        self.vectors_first = given[0].get("UNROLL") == AS_VECTORS

    def whole(self, definition: ast.FunctionDef, arguments: Sequence[Any], result: Any) -> None:
        """The function itself."""
        given = [Scalar(kind, ref) for kind, ref in zip(arguments, self.target.args, strict=True)]
        value = self.written_out(definition, given)
        if result is types.none:
            self.b.ret_void()
        elif value is None:
            raise Unknown("a result is missing")
        else:
            self.b.ret(cast(self.b, value, result))
        ir.IRBuilder(self.entry).branch(self.target.blocks[1])

    def written_out(self, definition: ast.FunctionDef, values: Sequence[Scalar]) -> Scalar | None:
        """A function's statements, and what it returns."""
        if len(self.frames) > _DEEPEST:
            raise Unknown(f"{definition.name} calls itself")
        prefix = f"{self.frame.prefix if self.frames else ''}{definition.name}."
        names, given = [each.arg for each in definition.args.args], definition.args
        if len(names) != len(values) or given.vararg or given.kwarg or given.kwonlyargs or given.posonlyargs:
            raise Unknown(f"{definition.name} with {len(values)} arguments")
        assigned = list(assignments(definition.body, (), names))
        self.kept |= {prefix + name for name in assigned_within(assigned)}
        self.frames.append(Frame(prefix, frozenset(name for name, _ in assigned), end=self.block("return")))
        loops, self.loops = self.loops, []
        self.suite(definition.body, **dict(zip(names, values, strict=True)))
        self.jump(self.frame.end)
        frame, self.loops = self.frames.pop(), loops
        self.b.position_at_end(frame.end)
        return frame.result and Scalar(frame.result.kind, self.b.load(frame.result.ref))

    def assign(self, name: str, value: Scalar) -> None:
        frame = self.frame
        if frame.prefix + name not in self.kept:
            frame.suites[-1][name] = value
            return
        if name not in frame.slots:
            frame.slots[name] = Scalar(value.kind, self.on_stack(value.kind))
        slot = frame.slots[name]
        if slot.kind != value.kind:
            raise Unknown(f"{name} is {slot.kind}, then {value.kind}")
        self.b.store(value.ref, slot.ref)

    def on_stack(self, kind: Any) -> Any:
        return ir.IRBuilder(self.entry).alloca(llvm_type(kind))

    # -- statements ---------------------------------------------------------------------------------------------------

    def suite(self, statements: Sequence[ast.stmt], **names: Scalar) -> None:
        """Statements after which their names are gone, and what comes after a jump never runs."""
        self.frame.suites.append({})
        for name, value in names.items():
            self.assign(name, value)
        for statement in statements:
            if self.b.block.is_terminated:
                break
            getattr(self, f"on_{type(statement).__name__.lower()}", unknown)(statement)
        self.frame.suites.pop()

    def on_pass(self, statement: ast.Pass) -> None:
        pass

    def on_expr(self, statement: ast.Expr) -> None:
        if not isinstance(statement.value, ast.Constant):  # a docstring
            self.value_or_none(statement.value)

    def on_assign(self, statement: ast.Assign) -> None:
        target = statement.targets[0]
        if len(statement.targets) > 1:
            raise Unknown("one value for several names")
        if isinstance(target, ast.Tuple):
            if not isinstance(statement.value, ast.Tuple) or len(statement.value.elts) != len(target.elts):
                raise Unknown("assignment to several names of what is not as many values")
            values = [self.value(each) for each in statement.value.elts]
            for each, value in zip(target.elts, values, strict=True):
                self.store(each, value)
        else:
            self.store(target, self.value(statement.value))

    def on_augassign(self, statement: ast.AugAssign) -> None:
        if not isinstance(statement.target, ast.Name):
            raise Unknown("an update in memory")
        before = self.read(statement.target.id)
        self.store(statement.target, arithmetic(self.b, statement.op, before, self.value(statement.value)))

    def store(self, target: ast.expr, value: Scalar) -> None:
        if isinstance(target, ast.Name):
            self.assign(target.id, value)
            return
        if not isinstance(target, ast.Subscript):
            raise Unknown(f"assignment to {ast.unparse(target)}")
        pointer, index = self.place(target)
        store_element(self.b, pointer.kind, pointer.ref, index, stored(self.b, value, pointer.kind.element))

    def on_if(self, statement: ast.If) -> None:
        condition = self.truth(statement.test)
        yes, end = self.block("if"), self.block("endif")
        no = self.block("else") if statement.orelse else end
        self.b.cbranch(condition, yes, no)
        for block, statements in ((yes, statement.body), (no, statement.orelse)):
            if statements:
                self.b.position_at_end(block)
                self.suite(statements)
                self.jump(end)
        self.b.position_at_end(end)

    def on_for(self, statement: ast.For) -> None:
        call, target = statement.iter, statement.target
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "range"):
            raise Unknown("a loop over what is no range")
        if not isinstance(target, ast.Name) or statement.orelse:
            raise Unknown("a loop with several names, or with else")
        bounds = [self.value(each) for each in call.args]
        if any(bound.kind is not types.int64 for bound in bounds):
            raise Unknown("a range of what is not int64")
        start, stop, step = {1: (number(0), *bounds, number(1)), 2: (*bounds, number(1)), 3: bounds}[len(bounds)]
        if not step.literal:
            raise Unknown("a step that is not known")
        count = self.count(start, stop, step.literal)
        place = self.on_stack(types.int64)
        self.b.store(ir.Constant(I64, 0), place)
        head, body, after, end = (self.block(each) for each in ("for", "do", "next", "endfor"))
        self.b.branch(head)
        self.b.position_at_end(head)
        turn = self.b.load(place)
        self.b.cbranch(self.b.icmp_signed("<", turn, count), body, end)
        self.b.position_at_end(body)
        here = arithmetic(self.b, ast.Add(), start, arithmetic(self.b, ast.Mult(), Scalar(types.int64, turn), step))
        self.inside_loop(statement.body, after, end, **{target.id: here})
        self.b.position_at_end(after)
        self.b.store(self.b.add(turn, ir.Constant(I64, 1), flags=("nsw", "nuw")), place)
        again = self.b.branch(head)
        if self.vectors_first and not _has_loop(statement):
            again.set_metadata("llvm.loop", unrolled_as_vectors(self.b.module))
        self.b.position_at_end(end)

    def count(self, start: Scalar, stop: Scalar, step: int) -> Any:
        """How often a loop runs; where that is a number, LLVM sees it, as in range(first, first + 64)."""
        ahead = (start, stop) if step < 0 else (stop, start)
        distance = arithmetic(self.b, ast.Sub(), *ahead)
        if abs(step) == 1:
            return distance.ref
        whole = arithmetic(self.b, ast.Add(), distance, number(abs(step) - 1))
        return arithmetic(self.b, ast.FloorDiv(), whole, number(abs(step))).ref

    def on_while(self, statement: ast.While) -> None:
        if statement.orelse:
            raise Unknown("while with else")
        head, body, end = (self.block(each) for each in ("while", "do", "endwhile"))
        self.b.branch(head)
        self.b.position_at_end(head)
        self.b.cbranch(self.truth(statement.test), body, end)
        self.b.position_at_end(body)
        self.inside_loop(statement.body, head, end)
        self.b.position_at_end(end)

    def inside_loop(self, statements: Sequence[ast.stmt], again: Any, end: Any, **names: Scalar) -> None:
        self.loops.append((again, end))
        self.suite(statements, **names)
        self.jump(again)
        self.loops.pop()

    def on_continue(self, statement: ast.Continue) -> None:
        self.b.branch(self.loops[-1][0])

    def on_break(self, statement: ast.Break) -> None:
        self.b.branch(self.loops[-1][1])

    def on_return(self, statement: ast.Return) -> None:
        frame = self.frame
        if statement.value is not None:
            value = self.value(statement.value)
            if frame.result is None:
                frame.result = Scalar(value.kind, self.on_stack(value.kind))
            self.b.store(cast(self.b, value, frame.result.kind), frame.result.ref)
        self.b.branch(frame.end)

    def jump(self, block: Any) -> None:
        """Go on there, unless a return, break or continue has gone elsewhere."""
        if not self.b.block.is_terminated:
            self.b.branch(block)


def _has_loop(loop: ast.For) -> bool:
    return any(isinstance(each, ast.For | ast.While) for statement in loop.body for each in ast.walk(statement))
