"""Kernels of single ops, run on arrays as the backend runs them: compiled, or as plain Python over the same memory.

    case = Case("sort", (x,), {"axis": 0})
    results, status = run(case, plain(case.kernel), slices=3)       # like case.reference()

Extents are named dims where the case says so: one text then serves all sizes. Every array lies between guards, so that
a kernel that writes beside it is found out.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np

import graphc.backends.cpu.functions  # noqa: F401  (declares the twins)
from graphc.backends.cpu import pointer_twin
from graphc.backends.cpu.functions.intrinsic import TWINS
from graphc.backends.nests.special import SpecialKernel, special_kernel
from graphc.builder import Builder
from graphc.dim import Dim, Extent, dim, evaluate_extent
from graphc.errors import ShapeError
from graphc.ir import Literal, Node, Value
from graphc.op import Op, find_op, recording
from graphc.types import type_of

Array = np.ndarray[Any, Any]
Kernel = Callable[[int, int, int], Any]
GUARD = 64  # bytes on either side of an array


@dataclass(frozen=True, eq=False)
class Case:
    """An op on arrays and literals. With `named`, extents are dims, `N5` for 5, so that equal extents are one dim."""

    name: str
    operands: tuple[Array | Literal, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    named: bool = False

    @cached_property
    def op(self) -> Op:
        return find_op(self.name)

    @cached_property
    def arrays(self) -> list[Array]:
        return [operand for operand in self.operands if not isinstance(operand, Literal)]

    @cached_property
    def bindings(self) -> dict[str, int]:
        return {f"N{extent}": extent for array in self.arrays for extent in array.shape}

    @cached_property
    def node(self) -> Node:
        if self.named:
            with suppress(ShapeError):  # indices that cover only the first places of an axis know how many
                return self._node(lambda extent: dim(f"N{extent}"))
        return self._node(lambda extent: extent)

    def _node(self, extent_of: Callable[[int], Extent]) -> Node:
        builder = Builder(self.name)
        values: list[Value] = []
        for i, operand in enumerate(self.operands):
            if isinstance(operand, Literal):
                values.append(operand)
            else:
                type = type_of(operand).with_shape(map(extent_of, operand.shape))
                values.append(builder.input(self.op.signature.name_of(i), type).value)
        with recording(builder):
            return builder.finish(builder.emit(self.op, tuple(values), self.op.complete(self.attributes))).nodes[-1]

    @cached_property
    def kernel(self) -> SpecialKernel:
        kernel = special_kernel(self.node)
        assert kernel is not None
        return kernel

    def reference(self) -> tuple[Array, ...]:
        assert self.op.reference is not None
        given = self.op.reference(*map(self._array, self.operands), **self.op.complete(self.attributes))
        return given if isinstance(given, tuple) else (given,)

    def _array(self, operand: Array | Literal) -> Array:
        if not isinstance(operand, Literal):
            return operand
        value = evaluate_extent(operand.value, self.bindings) if isinstance(operand.value, Dim) else operand.value
        return np.asarray(value).astype(operand.type.dtype.numpy)

    def __str__(self) -> str:
        types = [repr(x) if isinstance(x, Literal) else str(type_of(x)) for x in self.operands]
        return f"{self.name}({', '.join(types)}, {self.attributes}){' named' if self.named else ''}"


def plain(kernel: SpecialKernel) -> Kernel:
    """The kernel as Python, whether or not Numba is at work."""
    twins = {"graphc.backends.cpu.pointer": pointer_twin, "graphc.backends.cpu.functions": SimpleNamespace(**TWINS)}

    def find(name: str, *others: Any) -> Any:
        return twins.get(name) or __import__(name, *others)

    namespace: dict[str, Any] = {"__builtins__": {**vars(builtins), "__import__": find}}
    exec(compile(kernel.text, kernel.title, "exec"), namespace)
    function: Kernel = namespace["kernel"]
    return function


class _Memory:
    """An array between guards."""

    def __init__(self, count: int, dtype: np.dtype[Any]) -> None:
        self.bytes = np.full(count * dtype.itemsize + 2 * GUARD, 0xA5, np.uint8)
        self.array = self.bytes[GUARD : len(self.bytes) - GUARD].view(dtype)

    @property
    def address(self) -> int:
        return int(self.bytes.ctypes.data) + GUARD

    def check(self) -> None:
        assert (self.bytes[:GUARD] == 0xA5).all(), "a kernel wrote before an array"
        assert (self.bytes[len(self.bytes) - GUARD :] == 0xA5).all(), "a kernel wrote behind an array"


def run(case: Case, function: Kernel, slices: int) -> tuple[list[Array], Array]:
    """The results and the status block after all slices of the case's kernel, the last slice first."""
    status = np.zeros(8, np.int64)
    memory = []
    for array in case.arrays:
        memory.append(_Memory(array.size, array.dtype))
        memory[-1].array[:] = array.ravel()
    results = []
    for value in case.node.results:
        shape = tuple(evaluate_extent(extent, case.bindings) for extent in value.type.shape)
        memory.append(_Memory(int(np.prod(shape, dtype=np.int64)), value.type.dtype.numpy))
        results.append(memory[-1].array.reshape(shape))
    times = slices if case.kernel.temporaries_per_slice else 1
    for dtype, count in case.kernel.temporaries:
        memory.append(_Memory(times * evaluate_extent(count, case.bindings), dtype.numpy))
    numbers = [evaluate_extent(extent, case.bindings) for extent in case.kernel.extents]
    row = np.array([status.ctypes.data, *(each.address for each in memory), *numbers], np.int64)
    with np.errstate(all="ignore"):  # integers wrap around
        for slice in reversed(range(slices)):
            function(int(row.ctypes.data), slice, slices)
    for each in memory:
        each.check()
    for given, each in zip(case.arrays, memory, strict=False):
        assert given.tobytes() == each.array.tobytes(), "a kernel wrote to an operand"
    return [np.array(result) for result in results], status
