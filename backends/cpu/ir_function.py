"""A function of vector IR over numbers that a kernel may know or not.

    class Doubled(IrFunction):
        title, names = "doubled", ("n", "source", "target")     # target[i] = 2·source[i], 0 <= i < n

        def body(self) -> None:
            self.b ...                          # the builder, self.v for vectors, self["n"] an integer or a value

    Doubled(module, Tiling.of("float32"), {"n": 64}).emit()     # graphc.doubled.v8f32.64.x.x

What the kernel gives as a literal is an integer, so that extents and strides fold into the addresses; the function
exists once per module and combination of literals.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from graphc.backends.cpu.vector_ir import I64, POINTER, Tiling, Vectors, Word, new_function, times

ADDRESSES = frozenset(
    {"a", "b", "c", "packed", "source", "target", "scratch", "next0", "next1", "next2", "next3"}
)  # fmt: skip


class IrFunction:
    """A function being written; those that derive from it say its name, its arguments and its body."""

    title: str
    names: tuple[str, ...]

    def __init__(self, module: ir.Module, tiling: Tiling, literals: dict[str, int]) -> None:
        self.module, self.tiling, self.literals = module, tiling, literals

    def emit(self) -> ir.Function:
        """The function, written where the module has none for these literals."""
        known = ".".join(str(self.literals.get(name, "x")) for name in self.names)
        name = f"graphc.{self.title}.{self.tiling.suffix}.{known}"
        if name in self.module.globals:
            return self.module.globals[name]
        arguments = [(x, POINTER if x in ADDRESSES else I64) for x in self.names]
        function, self.b = new_function(self.module, name, arguments)
        self.v = Vectors(self.tiling, self.b)
        self.given: dict[str, Any] = dict(zip(self.names, function.args, strict=True)) | self.literals
        self.body()
        self.b.ret_void()
        return function

    def body(self) -> None:
        """Write the function."""
        raise NotImplementedError

    def __getitem__(self, name: str) -> Word:
        """An argument: a number where it is known."""
        value: Word = self.given[name]
        return value

    def bytes_of(self, *factors: Word) -> Word:
        """A product of numbers of elements, in bytes."""
        total: Word = self.tiling.size
        for factor in factors:
            total = times(self.b, total, factor)
        return total

    @property
    def strides(self) -> dict[str, Word]:
        """The arguments that are strides, those with two words in their names, in bytes."""
        return {name: self.bytes_of(self[name]) for name in self.names if "_" in name}
