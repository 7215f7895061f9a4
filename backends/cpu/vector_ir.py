"""Vectors and loops in LLVM IR, as the contraction's kernels need them: few lines of text, few passes of LLVM.

    function, b = new_function(module, "graphc.twice", [("n", I64), ("x", POINTER)])
    n, x = function.args
    v = Vectors(Tiling.of("float32"), b)

    def double(i: ir.Value) -> None:                        # x[i : i + 8] *= 2
        there = at(b, x, times(b, i, 4))
        v.store(v.multiply_add(v.splat(two), v.load(there), v.zero), there)

    count_up(b, 0, n, v.tiling.lanes, double, "i")

Numbers that are known stay Python integers up to the instruction that needs them, and fold on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from llvmlite import ir

from graphc.backends.cpu.machine import machine

I1, I8, I32, I64 = ir.IntType(1), ir.IntType(8), ir.IntType(32), ir.IntType(64)
POINTER = ir.PointerType()

Word: TypeAlias = "ir.Value | int"  # an i64 value, or a constant that folds into the addresses


@dataclass(frozen=True)
class Tiling:
    """How a dtype's contractions are cut: `rows` by two vectors of `lanes` elements of `size` bytes."""

    name: str
    size: int
    lanes: int
    rows: int

    @classmethod
    def of(cls, dtype: str) -> Tiling:
        size = {"float32": 4, "float64": 8}[dtype]
        # Two vectors of B, one of A, the rest holds C: 6 x 2 of 16 registers, 12 x 2 of 32.
        return cls(dtype, size, machine().vector_bytes // size, 12 if machine().vector_registers >= 32 else 6)

    @property
    def width(self) -> int:
        """Columns of a panel."""
        return 2 * self.lanes

    @property
    def scalar(self) -> ir.Type:
        return ir.FloatType() if self.size == 4 else ir.DoubleType()

    @property
    def vector(self) -> ir.Type:
        return ir.VectorType(self.scalar, self.lanes)

    @property
    def suffix(self) -> str:
        return f"v{self.lanes}f{8 * self.size}"


@cache
def fuses() -> bool:
    """Whether the machine multiplies and adds in one instruction; a library call per element is the alternative."""
    return not {"+fma", "+neon"}.isdisjoint(machine().features.split(","))


# -- addresses and loops ----------------------------------------------------------------------------------------------


def word(value: Word) -> ir.Value:
    return ir.Constant(I64, value) if isinstance(value, int) else value


def at(b: ir.IRBuilder, base: ir.Value, *offsets: Word) -> ir.Value:
    """The address some bytes after another."""
    for offset in offsets:
        if not (isinstance(offset, int) and offset == 0):
            base = b.gep(base, [word(offset)], source_etype=I8)
    return base


def times(b: ir.IRBuilder, x: Word, y: Word) -> Word:
    """A product, folded where both factors are known."""
    if isinstance(x, int) and isinstance(y, int):
        return x * y
    return b.mul(word(x), word(y), flags=("nsw",))


def smaller(b: ir.IRBuilder, x: ir.Value, y: Word) -> ir.Value:
    return b.select(b.icmp_signed("<", x, word(y)), x, word(y))


def repeat(b: ir.IRBuilder, head: ir.Block) -> None:
    """Jump back to a loop's head; LLVM neither unrolls nor vectorises it: the loops here are as they are to be."""
    hint = _hint(b.module, "graphc.loop", [["llvm.loop.unroll.disable"], ["llvm.loop.vectorize.enable", I1(0)]])
    b.branch(head).set_metadata("llvm.loop", hint)


def unrolled_as_vectors(module: ir.Module) -> ir.MDValue:
    """A hint for loops that LLVM may unroll when it has made vectors of them, but not before."""
    followed_by = ["llvm.loop.vectorize.followup_all", ["llvm.loop.mustprogress"]]
    return _hint(module, "graphc.vectors", [["llvm.loop.unroll.disable"], followed_by])


def _hint(module: ir.Module, name: str, hints: list[list[Any]]) -> ir.MDValue:
    """A hint about loops: a list that starts with itself; one for each module."""
    if name not in module.namedmetadata:
        operands = [_metadata(module, each) for each in hints]
        hint = ir.MDValue(module, operands, name=str(len(module.metadata)))
        hint.operands = (hint, *operands)
        module.add_named_metadata(name, hint)
    return module.namedmetadata[name].operands[0]


def _metadata(module: ir.Module, parts: list[Any]) -> ir.MDValue:
    made = [
        ir.MetaDataString(module, part) if isinstance(part, str)
        else _metadata(module, part) if isinstance(part, list) else part
        for part in parts
    ]  # fmt: skip
    return module.add_metadata(made)


def count_up(
    b: ir.IRBuilder, start: Word, stop: ir.Value, step: Word, body: Callable[[ir.Value], None], name: str
) -> None:
    """for i in range(start, stop, step): body(i)"""
    before, head = b.block, b.append_basic_block(f"{name}.head")
    inside, after = b.append_basic_block(name), b.append_basic_block(f"{name}.end")
    b.branch(head)
    b.position_at_end(head)
    i = b.phi(I64, name=name)
    i.add_incoming(word(start), before)
    b.cbranch(b.icmp_signed("<", i, stop), inside, after)
    b.position_at_end(inside)
    body(i)
    i.add_incoming(b.add(i, word(step), flags=("nsw",)), b.block)
    repeat(b, head)
    b.position_at_end(after)


def carry(
    b: ir.IRBuilder,
    count: ir.Value,
    step: int,
    values: Sequence[ir.Value],
    body: Callable[..., list[ir.Value]],
    name: str,
) -> list[ir.Value]:
    """while count >= step: values = body(*values); count -= step. Gives the values of after."""
    before, head = b.block, b.append_basic_block(f"{name}.head")
    inside, after = b.append_basic_block(name), b.append_basic_block(f"{name}.end")
    b.branch(head)
    b.position_at_end(head)
    left, *carried = phis = [b.phi(value.type) for value in (count, *values)]
    for phi, value in zip(phis, (count, *values), strict=True):
        phi.add_incoming(value, before)
    b.cbranch(b.icmp_signed(">=", left, word(step)), inside, after)
    b.position_at_end(inside)
    following = [b.sub(left, word(step)), *body(*carried)]
    for phi, value in zip(phis, following, strict=True):
        phi.add_incoming(value, b.block)
    repeat(b, head)
    b.position_at_end(after)
    return carried


def new_function(module: ir.Module, name: str, arguments: Sequence[tuple[str, ir.Type]]) -> tuple[Any, ir.IRBuilder]:
    """A function that only this module calls; inlining it would only make the callers compile longer."""
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [kind for _, kind in arguments]), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    for argument, (title, _) in zip(function.args, arguments, strict=True):
        argument.name = title
    return function, ir.IRBuilder(function.append_basic_block("entry"))


def stack(b: ir.IRBuilder, size: int) -> ir.Value:
    """The address of bytes on the stack; to be called in the entry block."""
    memory = b.alloca(ir.ArrayType(I8, size))
    memory.align = 64
    return b.inttoptr(b.ptrtoint(memory, I64), POINTER)


def intrinsic(module: ir.Module, name: str, result: ir.Type, arguments: list[ir.Type]) -> ir.Function:
    return module.globals.get(name) or ir.Function(module, ir.FunctionType(result, arguments), name)


# -- vectors ----------------------------------------------------------------------------------------------------------


class Vectors:
    """Loads, stores and arithmetic on vectors of one tiling, in one function."""

    def __init__(self, tiling: Tiling, b: ir.IRBuilder) -> None:
        self.tiling, self.module, self.b = tiling, b.module, b
        self.kind = tiling.vector
        self.zero = ir.Constant(self.kind, None)
        self.mask_kind = ir.VectorType(I1, tiling.lanes)

    def splat(self, scalar: ir.Value) -> ir.Value:
        lanes = self.tiling.lanes
        empty = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
        first = self.b.insert_element(empty, scalar, ir.Constant(I32, 0))
        return self.b.shuffle_vector(first, empty, ir.Constant(ir.VectorType(I32, lanes), None))

    def mask(self, columns: ir.Value) -> ir.Value:
        """True in the first `columns` lanes."""
        lanes = self.tiling.lanes
        numbers = ir.Constant(ir.VectorType(I32, lanes), list(range(lanes)))
        return self.b.icmp_signed("<", numbers, self.splat(self.b.trunc(columns, I32)))

    def scalar(self, address: ir.Value) -> ir.Value:
        value = self.b.load(address, typ=self.tiling.scalar)
        value.align = self.tiling.size
        return value

    def load(self, address: ir.Value, mask: ir.Value | None = None) -> ir.Value:
        if mask is None:
            value = self.b.load(address, typ=self.kind)
            value.align = self.tiling.size
            return value
        call = intrinsic(
            self.module, f"llvm.masked.load.{self.tiling.suffix}.p0", self.kind, [POINTER, self.mask_kind, self.kind]
        )
        return self.b.call(call, [address, mask, self.zero])

    def store(self, value: ir.Value, address: ir.Value, mask: ir.Value | None = None) -> None:
        if mask is None:
            self.b.store(value, address).align = self.tiling.size
            return
        call = intrinsic(
            self.module,
            f"llvm.masked.store.{self.tiling.suffix}.p0",
            ir.VoidType(),
            [self.kind, POINTER, self.mask_kind],
        )
        self.b.call(call, [value, address, mask])

    def fetch(self, address: ir.Value) -> None:
        """Ask for the cache line at an address, which is read later."""
        call = intrinsic(self.module, "llvm.prefetch.p0", ir.VoidType(), [POINTER, I32, I32, I32])
        reading, near, data = (ir.Constant(I32, number) for number in (0, 2, 1))
        self.b.call(call, [address, reading, near, data])

    def multiply_add(self, x: ir.Value, y: ir.Value, z: ir.Value) -> ir.Value:
        if not fuses():
            return self.b.fadd(self.b.fmul(x, y), z)
        call = intrinsic(self.module, f"llvm.fma.{self.tiling.suffix}", self.kind, [self.kind] * 3)
        return self.b.call(call, [x, y, z])
