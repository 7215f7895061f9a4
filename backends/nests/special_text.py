"""How the text of a kernel is put together: names for the words of its row, then loops that a builder wrote.

    text = KernelText(node, operands=("x",), results=("y",))
    text.numbers(length=n, inner=16)                # Dims become words of the row, integers are written out
    text.read("x", "k")                             # x[k]; of f16, load_f16_bits(x[k])
    text.kernel("cumulative_sum", doc, body, units=lines, cost=size)

A row is the address of the status block, one pointer for each operand that is no literal, for each result and for each
temporary, then the numbers that are known at run time only. Names come from the builder, never from the graph, so that
nodes of equal structure have equal texts. 16-bit floats are read and written as float32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from textwrap import dedent, indent

from graphc.dim import Dim, Extent
from graphc.ir import Literal, Node
from graphc.types import DType, Shape, f32

BAD_INDEX = 1  # codes in the status block: an index that its axis does not have,
BAD_EXTENT = 2  # an extent that is too small for the op; the reference says precisely what is wrong


@dataclass(frozen=True)
class SpecialKernel:
    """A kernel for one node: `kernel(row, slice, slices)` for every slice, of which there is at least one.

    The row holds the status block, then `extents` behind the pointers to operands, results and temporaries. A temporary
    has the elements given here for all slices together; with `temporaries_per_slice`, that many for each slice, one
    after the other. More slices than `units` do no harm. `cost` is about how many element operations it takes.
    """

    title: str
    text: str
    extents: tuple[Extent, ...]
    temporaries: tuple[tuple[DType, Extent], ...]
    temporaries_per_slice: bool
    units: Extent
    cost: Extent


def product(extents: Shape) -> Extent:
    """The product of extents; 1 of none."""
    result: Extent = 1
    for extent in extents:
        result = result * extent
    return result


def split(shape: Shape, axis: int) -> tuple[Extent, Extent, Extent]:
    """What lies before an axis, its length, and what lies behind: (2, N, 3, 4) at 1 is 2, N, 12."""
    return product(shape[:axis]), shape[axis], product(shape[axis + 1 :])


def computed(dtype: DType) -> DType:
    """The dtype that kernels compute in."""
    return f32 if dtype.name in ("f16", "bf16") else dtype


class KernelText:
    """The names of a kernel's arrays and numbers, each bound to a word of the row or to a constant."""

    def __init__(self, node: Node, operands: tuple[str, ...], results: tuple[str, ...]) -> None:
        self._arrays: dict[str, DType] = {}
        self._constants: dict[str, Literal] = {}
        self._temporaries: list[tuple[DType, Extent]] = []
        self._numbers: dict[str, Extent] = {}
        self._pointer_names: set[str] = set()
        self._functions: set[str] = set()
        for name, value in zip(operands, node.operands, strict=True):
            if isinstance(value, Literal):
                self._constants[name] = value
            else:
                self._arrays[name] = value.type.dtype
        for name, value in zip(results, node.results, strict=True):
            self._arrays[name] = value.type.dtype

    def temporary(self, name: str, dtype: DType, count: Extent) -> None:
        """A scratch array."""
        self._arrays[name] = dtype
        self._temporaries.append((dtype, count))

    def numbers(self, **extents: Extent) -> None:
        """Integers that the body names."""
        self._numbers.update(extents)

    def dtype(self, name: str) -> DType:
        """The dtype of an array."""
        return self._arrays[name]

    def function(self, name: str) -> str:
        """A scalar function of the backend, imported."""
        self._functions.add(name)
        return name

    def fail(self, code: int, found: str) -> str:
        """The statement that reports trouble."""
        self._pointer_names.add("fail")
        return f"fail(row, {code}, {found})"

    def read(self, name: str, index: str) -> str:
        """The element in the dtype that kernels compute in. An i64 is one in plain Python too: it wraps around."""
        if name in self._constants:
            return name
        dtype = self._arrays[name].name
        if dtype in ("f16", "bf16"):
            return f"{self.function(f'load_{dtype}_bits')}({name}[{index}])"
        return f"np.int64({name}[{index}])" if dtype == "i64" else f"{name}[{index}]"

    def index(self, name: str, at: str) -> str:
        """The element of an array of indices as an i64; one beyond becomes negative, as bad as it was."""
        return f"np.int64({name if name in self._constants else f'{name}[{at}]'})"

    def write(self, name: str, index: str, value: str) -> str:
        """The statement that stores a number of the dtype that kernels compute in."""
        dtype = self._arrays[name].name
        if dtype in ("f16", "bf16"):
            value = f"{self.function(f'store_{dtype}_bits')}({value})"
        return f"{name}[{index}] = {value}"

    def copy(self, target: str, at: str, source: str, index: str) -> str:
        """The statement that copies an element: of equal dtypes without a detour."""
        if source in self._arrays and self._arrays[source] is self._arrays[target]:
            return f"{target}[{at}] = {source}[{index}]"
        return self.write(target, at, self.read(source, index))

    def kernel(
        self, title: str, doc: str, body: str, *, units: Extent, cost: Extent, per_slice: bool = False
    ) -> SpecialKernel:
        """The kernel of this body, which names `row`, `slice`, `slices`, the arrays and the numbers."""
        extents: list[Extent] = []
        lines = [f'"""{doc}"""']
        for word, (name, dtype) in enumerate(self._arrays.items(), 1):
            lines.append(f"{name} = {self._pointer(dtype)}(row, {word})")
        for name, extent in self._numbers.items():
            lines.append(f"{name} = {self._number(extent, extents)}")
        for name, literal in self._constants.items():
            lines.append(f"{name} = {self._constant(literal, extents)}")
        inside = indent("\n".join(lines) + "\n" + body, "    ")
        text = f"{self._imports(inside)}\n\ndef kernel(row, slice, slices):\n{inside}\n"
        return SpecialKernel(title, text, tuple(extents), tuple(self._temporaries), per_slice, units, cost)

    def _imports(self, inside: str) -> str:
        lines = ["import numpy as np\n"] if "np." in inside else []
        if self._functions:
            lines.append(f"from graphc.backends.cpu.functions import {', '.join(sorted(self._functions))}")
        names = self._pointer_names | ({"share"} if "share(" in inside else set())
        lines.append(f"from graphc.backends.cpu.pointer import {', '.join(sorted(names))}")
        return "\n".join(lines) + "\n"

    def _pointer(self, dtype: DType) -> str:
        name = "bool_" if dtype.kind == "bool" else dtype.name
        self._pointer_names.add(name)
        return name

    def _number(self, extent: Extent, extents: list[Extent]) -> str:
        """An integer, or the word that will hold it."""
        if not isinstance(extent, Dim):
            return str(extent)
        self._pointer_names.add("extent")
        extents.append(extent)
        return f"extent(row, {len(self._arrays) + len(extents)})"

    def _constant(self, literal: Literal, extents: list[Extent]) -> str:
        """A literal in the dtype that kernels compute in, rounded to its own."""
        value, dtype = literal.value, literal.type.dtype
        if dtype.kind == "bool":
            return str(value)
        number = self._number(value, extents) if isinstance(value, Dim) else _written(value)
        text = f"np.{computed(dtype).numpy.name}({number})"
        if computed(dtype) is not dtype:
            rounding = self.function(f"store_{dtype.name}_bits")
            text = f"{self.function(f'load_{dtype.name}_bits')}({rounding}({text}))"
        return text


def nested(template: str, **blocks: str) -> str:
    """A template with the lines of blocks where `<name>` stands alone, as deep as that; nothing for an empty one."""
    lines: list[str] = []
    for line in dedent(template).strip("\n").splitlines():
        name = line.strip()[1:-1] if line.strip().startswith("<") else None
        if name is None:
            lines.append(line)
        elif blocks[name]:
            lines.append(indent(dedent(blocks[name]).strip("\n"), line[: len(line) - len(line.lstrip())]))
    return "\n".join(lines)


def _written(value: float) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "np.nan" if math.isnan(value) else "np.inf" if value > 0 else "-np.inf"
    return repr(value)
