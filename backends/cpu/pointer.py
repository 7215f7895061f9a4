"""What generated kernels read and write with: typed pointers into memory that the row names.

    x = f32(row, 1)                      # word 1 of the row is the address of %x
    n = extent(row, 4)                   # word 4 is a number
    for i in range(share(n, slice, slices), share(n, slice + 1, slices)):
        x[i] = x[i] * float32(2)

Indices count elements and are not checked. Accesses through different words are declared not to overlap, so that LLVM
vectorises without run-time checks; where two words do name one array, a kernel reads an element before it writes it.
With NUMBA_DISABLE_JIT=1 the same names are plain Python over the same memory (`graphc.backends.cpu.pointer_twin`).
"""

# Numba's registration of types is not typed.
# mypy: allow-untyped-calls, allow-untyped-decorators

from __future__ import annotations

import operator
import os
from typing import Any

if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
    from graphc.backends.cpu.pointer_twin import *  # noqa: F403
else:
    from llvmlite import ir
    from numba.core import types
    from numba.core.cgutils import get_or_insert_function
    from numba.core.datamodel import models
    from numba.core.datamodel.registry import register_default
    from numba.core.imputils import lower_builtin
    from numba.core.typing.templates import AbstractTemplate, Signature, infer_global
    from numba.extending import intrinsic

    _I64 = ir.IntType(64)
    _I32 = ir.IntType(32)
    CACHE_LINE = 64  # bytes
    MOST_SCOPES = 40  # words beyond share a scope with nothing, which costs speed only

    _STORED: dict[str, tuple[Any, Any]] = {
        "bool": (types.boolean, ir.IntType(8)),
        "u8": (types.uint8, ir.IntType(8)),
        "u16": (types.uint16, ir.IntType(16)),
        "u32": (types.uint32, ir.IntType(32)),
        "u64": (types.uint64, ir.IntType(64)),
        "i8": (types.int8, ir.IntType(8)),
        "i16": (types.int16, ir.IntType(16)),
        "i32": (types.int32, ir.IntType(32)),
        "i64": (types.int64, ir.IntType(64)),
        "f16": (types.uint16, ir.IntType(16)),
        "bf16": (types.uint16, ir.IntType(16)),
        "f32": (types.float32, ir.FloatType()),
        "f64": (types.float64, ir.DoubleType()),
    }

    class Pointer(types.Type):
        """A pointer to elements of a dtype, from one word of the row. 16-bit floats are read as their bits."""

        def __init__(self, dtype: str, word: int) -> None:
            self.dtype = dtype
            self.word = word
            self.element, self.stored = _STORED[dtype]
            super().__init__(name=f"pointer({dtype}, {word})")

    @register_default(Pointer)
    class _PointerModel(models.PrimitiveModel):
        def __init__(self, manager: Any, kind: Pointer) -> None:
            super().__init__(manager, kind, kind.stored.as_pointer())

    def _pointer(dtype: str) -> Any:
        @intrinsic(prefer_literal=True)
        def of_row(context: Any, row: Any, word: Any) -> Any:
            if not isinstance(word, types.IntegerLiteral):
                return None
            kind = Pointer(dtype, word.literal_value)

            def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
                words = builder.inttoptr(arguments[0], kind.stored.as_pointer().as_pointer())
                return builder.load(builder.gep(words, [ir.Constant(_I64, kind.word)]))

            return kind(types.uintp, word), generate  # the literal in the signature tells the words apart

        return of_row

    f16, bf16, f32, f64 = (_pointer(name) for name in ("f16", "bf16", "f32", "f64"))
    u8, u16, u32, u64 = (_pointer(name) for name in ("u8", "u16", "u32", "u64"))
    i8, i16, i32, i64 = (_pointer(name) for name in ("i8", "i16", "i32", "i64"))
    bool_ = _pointer("bool")

    @intrinsic(prefer_literal=True)
    def extent(context: Any, row: Any, word: Any) -> Any:
        """The number in a word of the row."""

        def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
            words = builder.inttoptr(arguments[0], _I64.as_pointer())
            return builder.load(builder.gep(words, [ir.Constant(_I64, word.literal_value)]))

        return types.int64(types.uintp, word), generate

    @intrinsic
    def share(context: Any, n: Any, slice: Any, slices: Any) -> Any:
        """Where a slice begins: ⌊n·slice/slices⌋."""

        def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
            n, part, parts = arguments
            return builder.udiv(builder.mul(n, part), parts)

        return types.int64(types.int64, types.int64, types.int64), generate

    @intrinsic
    def address(context: Any, pointer: Any, index: Any) -> Any:
        """The address of an element."""

        def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
            return builder.ptrtoint(builder.gep(arguments[0], [arguments[1]]), _I64)

        return types.uintp(pointer, types.int64), generate

    @intrinsic(prefer_literal=True)
    def fetch(context: Any, start: Any, size: Any) -> Any:
        """Ask for so many bytes from an address on to be brought near; no harm where there is no memory."""
        if not isinstance(size, types.IntegerLiteral):
            return None

        def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
            kind = ir.FunctionType(ir.VoidType(), [ir.PointerType(), _I32, _I32, _I32])
            prefetch = get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
            for_reading, to_last_cache, data = (ir.Constant(_I32, number) for number in (0, 1, 1))
            for offset in range(0, sig.args[1].literal_value, CACHE_LINE):
                line = builder.add(arguments[0], ir.Constant(_I64, offset))
                builder.call(prefetch, [builder.inttoptr(line, ir.PointerType()), for_reading, to_last_cache, data])
            return context.get_dummy_value()

        return types.none(types.uintp, size), generate

    @intrinsic
    def fail(context: Any, row: Any, code: Any, found: Any) -> Any:
        """Report trouble in the row's status block: a code, and the number that was wrong."""

        def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
            row, code, found = arguments
            block = builder.load(builder.inttoptr(row, _I64.as_pointer().as_pointer()))
            builder.store(found, builder.gep(block, [ir.Constant(_I64, 1)]))
            builder.store_atomic(code, block, "release", 8)
            return context.get_dummy_value()

        return types.none(types.uintp, types.int64, types.int64), generate

    def _scoped(builder: Any, instruction: Any, word: int) -> None:
        """Declare that an access through one word touches nothing that other words name."""
        if word >= MOST_SCOPES:
            return
        module = builder.module
        cache = module.__dict__.setdefault("graphc_scopes", {})
        if not cache:
            domain = module.add_metadata(["graphc"])
            scopes = [module.add_metadata([f"word {i}", domain]) for i in range(MOST_SCOPES)]
            cache["scopes"] = scopes
        if word not in cache:
            scopes = cache["scopes"]
            own = module.add_metadata([scopes[word]])
            others = module.add_metadata([scope for i, scope in enumerate(scopes) if i != word])
            cache[word] = (own, others)
        own, others = cache[word]
        instruction.set_metadata("alias.scope", own)
        instruction.set_metadata("noalias", others)

    @infer_global(operator.getitem)
    class _Get(AbstractTemplate):
        def generic(self, arguments: Any, keywords: Any) -> Any:
            pointer, index = arguments
            if isinstance(pointer, Pointer) and isinstance(index, types.Integer):
                return Signature(pointer.element, (pointer, types.int64), None)
            return None

    @infer_global(operator.setitem)
    class _Set(AbstractTemplate):
        def generic(self, arguments: Any, keywords: Any) -> Any:
            pointer, index, _ = arguments
            if isinstance(pointer, Pointer) and isinstance(index, types.Integer):
                return Signature(types.none, (pointer, types.int64, pointer.element), None)
            return None

    def load_element(builder: Any, kind: Pointer, pointer: Any, index: Any) -> Any:
        """The element at an index, as instructions."""
        loaded = builder.load(builder.gep(pointer, [index], inbounds=True), align=_alignment(kind))
        _scoped(builder, loaded, kind.word)
        if kind.dtype == "bool":
            return builder.icmp_unsigned("!=", loaded, ir.Constant(loaded.type, 0))
        return loaded

    def store_element(builder: Any, kind: Pointer, pointer: Any, index: Any, value: Any) -> None:
        """Set the element at an index."""
        if kind.dtype == "bool":
            value = builder.zext(value, ir.IntType(8)) if value.type.width == 1 else value
        stored = builder.store(value, builder.gep(pointer, [index], inbounds=True), align=_alignment(kind))
        _scoped(builder, stored, kind.word)

    @lower_builtin(operator.getitem, Pointer, types.Integer)
    def _get(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        return load_element(builder, sig.args[0], *arguments)

    @lower_builtin(operator.setitem, Pointer, types.Integer, types.Any)
    def _set(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        store_element(builder, sig.args[0], *arguments)
        return context.get_dummy_value()

    def _alignment(kind: Pointer) -> int:
        stored = kind.stored
        return 4 if isinstance(stored, ir.FloatType) else 8 if isinstance(stored, ir.DoubleType) else stored.width // 8
