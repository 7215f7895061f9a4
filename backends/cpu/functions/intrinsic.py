"""From a formula in the vocabulary to a name that kernels import: a Numba intrinsic, and a twin in plain Python.

    exp = declare("exp", formula)       # exp(x) in compiled code; with NUMBA_DISABLE_JIT=1 exp(np.float32(1)) in Python

The intrinsic puts the formula's instructions into the kernel itself: no call, nothing for Numba's front end to type.
Operands of one call have one dtype, and the result has it, unless the declaration says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core.errors import TypingError
from numba.extending import intrinsic
from numba.np.numpy_support import as_dtype, from_dtype

from graphc.backends.cpu.functions.value import DType, Value
from graphc.backends.cpu.functions.vocabulary import Number

Formula = Callable[..., Number]

# Numba's types are hardly annotated.
_types: Any = types

TWINS: dict[str, Callable[..., Any]] = {}


def declare(
    name: str, formula: Formula, operands: int = 1, *, result: Any = None, mixed: bool = False, literal: bool = False
) -> Any:
    """The function of this name: `result` is its dtype, where it is not that of the first operand.

    `mixed` takes operands of several dtypes; `literal` hands the first one, an integer known at compile time, to the
    formula as a Python integer. The twin stands in `TWINS` too, and takes arrays.
    """
    fixed = None if result is None else np.dtype(result)
    TWINS[name] = _twin(name, formula, fixed, literal)
    configuration: Any = numba.config
    if configuration.DISABLE_JIT:
        return TWINS[name]
    build = _typing(name, formula, fixed, mixed, literal)
    typing = _ARITIES[operands](build)
    typing.__name__ = typing.__qualname__ = name
    return intrinsic(prefer_literal=literal)(typing)


# Numba reads the number of operands off the signature.
_ARITIES: dict[int, Callable[[Callable[..., Any]], Any]] = {
    1: lambda build: lambda context, x: build(x),
    2: lambda build: lambda context, a, b: build(a, b),
    3: lambda build: lambda context, a, b, c: build(a, b, c),
    4: lambda build: lambda context, a, b, c, d: build(a, b, c, d),
}


def _typing(name: str, formula: Formula, fixed: DType | None, mixed: bool, literal: bool) -> Callable[..., Any]:
    def build(*operands: Any) -> Any:
        known: tuple[int, ...] = ()
        if literal:
            if not isinstance(operands[0], types.IntegerLiteral):
                raise TypingError(f"{name}: the first operand is {operands[0]}, not an integer literal")
            known = (operands[0].literal_value,)
        given: list[Any] = [_types.unliteral(operand) for operand in operands[len(known) :]]
        if any(not _is_scalar(each) for each in given):
            raise TypingError(f"{name}: operands are {', '.join(map(str, given))}, not scalars that kernels carry")
        if not mixed and len(set(given)) > 1:
            raise TypingError(f"{name}: operands are {', '.join(map(str, given))}, not of one dtype")
        dtypes = [as_dtype(each) for each in given]
        target = fixed or dtypes[0]

        def generate(context: Any, builder: Any, signature: Any, refs: Any) -> Any:
            values = [Value(builder, ref, dtype) for ref, dtype in zip(refs[len(known) :], dtypes, strict=True)]
            value = formula(*known, *values)
            assert value.dtype == target, f"{name} of {dtypes} gives {value.dtype}"
            return value.ref

        return from_dtype(target)(*operands[: len(known)], *given), generate

    return build


def _is_scalar(type: Any) -> bool:
    """Whether values of a Numba type are carried in kernels; 16-bit floats are only stored."""
    return isinstance(type, types.Integer | types.Boolean) or type in (types.float32, types.float64)


def _twin(name: str, formula: Formula, fixed: DType | None, literal: bool) -> Callable[..., Any]:
    @wraps(formula)
    def twin(*operands: Any) -> Any:
        known = operands[:1] if literal else ()
        arrays = [np.asarray(operand) for operand in operands[len(known) :]]
        with np.errstate(all="ignore"):
            value = np.asarray(formula(*known, *arrays))
        assert value.dtype == (fixed or arrays[0].dtype), f"{name} gives {value.dtype}"
        return value[()]

    twin.__name__ = twin.__qualname__ = name
    return twin
