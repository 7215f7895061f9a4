"""What a rewrite rule looks for: its function, called on variables instead of tensors, leaves a tree of op calls.

    def double_negation(x):
        return neg(neg(x)), x

    pattern, result = trace_pattern(double_negation)     # neg(neg(x)), and the variable x

A variable stands for any value, or for an attribute where it is used as one; used twice it stands for the same thing
twice. A parameter annotated `Number` stands for a literal and gives its Python value. A number in a pattern stands for
a literal of this very value (0.0 is not -0.0). Commutative ops are looked for in both orders.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product
from typing import Any, NoReturn, TypeAlias

from graphc.dim import Dim
from graphc.errors import RewriteError
from graphc.op import Op, find_op, recording
from graphc.provenance import Location, assigned_names
from graphc.tensor import Operators
from graphc.types import type_of

Number: TypeAlias = "bool | int | float"

_TYPE_FACTS = ("type", "shape", "ndim", "dtype", "size")


class PatternValue(Operators):
    """What stands for a tensor in a pattern: no type, no value, but ops apply to it."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> Any:
        return find_op("equal")(self, other)

    def __ne__(self, other: object) -> Any:
        return find_op("not_equal")(self, other)

    def __bool__(self) -> NoReturn:
        raise RewriteError("a pattern cannot branch on what it matches; give the rule a `where`")

    def __getattr__(self, name: str) -> NoReturn:
        if name in _TYPE_FACTS:
            raise RewriteError(
                f"a pattern has no .{name} yet; return the replacement as a function, which is called at a match: "
                "`return pattern, lambda: replacement`"
            )
        raise AttributeError(name)


class Variable(PatternValue):
    """A parameter of the rule's function."""

    __slots__ = ("is_number", "name")

    def __init__(self, name: str, is_number: bool = False) -> None:
        self.name = name
        self.is_number = is_number

    def __repr__(self) -> str:
        return self.name


class Part(PatternValue):
    """A result of an op call in a pattern."""

    __slots__ = ("call", "index")

    def __init__(self, call: Call, index: int) -> None:
        self.call = call
        self.index = index

    def __repr__(self) -> str:
        return f"{self.call}" if self.call.count == 1 else f"{self.call}[{self.index}]"


@dataclass(frozen=True, eq=False)
class Call:
    """An op call in a pattern; operands are variables, parts, or numbers; `position` numbers the function's calls."""

    position: int
    op: Op
    operands: tuple[Any, ...]
    attributes: Mapping[str, Any]
    count: int
    site: Location | None

    def __str__(self) -> str:
        attributes = [f"{name}={value}" for name, value in self.attributes.items()]
        return f"{self.op.name}({', '.join([*map(str, self.operands), *attributes])})"


class PatternRecorder:
    """Notes the op calls of a rule's function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.code = getattr(function, "__code__", None)
        self.calls: list[Call] = []

    def apply(self, op: Op, operands: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
        while operands and operands[-1] is None and len(operands) > op.signature.required:
            operands = operands[:-1]
        op.check_count(len(operands))
        for operand in operands:
            if not isinstance(operand, PatternValue | bool | int | float | Dim):
                raise RewriteError(f"{op.name}: a pattern is made of variables, ops and numbers, not {operand!r}")
        count = _result_count(op)
        call = Call(len(self.calls), op, tuple(operands), op.complete(attributes), count, self._site())
        self.calls.append(call)
        parts = tuple(Part(call, i) for i in range(count))
        return parts[0] if count == 1 else parts

    def tensor(self, operand: Any) -> NoReturn:
        """What functions of the array API ask for, to look at shapes: a pattern has none."""
        raise RewriteError(
            "a pattern calls ops, which take what they are given, not functions that look at shapes first: "
            "graphc.ops.reduction.sum(x, axis=axis) instead of gc.sum(x)"
        )

    def _site(self) -> Location | None:
        """The line of the rule's function that is running."""
        frame = sys._getframe(2)
        while frame is not None and frame.f_code is not self.code:
            frame = frame.f_back  # type: ignore[assignment]
        return None if frame is None else Location(frame.f_code.co_filename, frame.f_lineno)


@cache
def _result_count(op: Op) -> int:
    """How many results an op gives, by its first sample: a pattern has no types to infer it from."""
    if not op.samples:
        return 1
    sample = op.samples[0]
    return len(op.infer(*(type_of(array) for array in sample.arrays()), **sample.attributes))


@dataclass(frozen=True, eq=False)
class Pattern:
    """The op calls that a rule looks for, and the parameters that they bind; `root` is the call they hang from."""

    root: Call
    outputs: tuple[int, ...]
    parameters: tuple[str, ...]
    calls: Mapping[int, Call]
    function: Callable[..., Any]

    @cached_property
    def depth(self) -> int:
        """The length of the longest path of calls: 2 for neg(neg(x))."""
        depth: dict[int, int] = {}
        for position in sorted(self.calls):
            parts = [operand for operand in self.calls[position].operands if isinstance(operand, Part)]
            depth[position] = 1 + max((depth[part.call.position] for part in parts), default=0)
        return depth[self.root.position]

    @cached_property
    def names(self) -> Mapping[str, tuple[int, int]]:
        """The calls that the function's source assigns to names, `h = affine(x, w)`: name -> (position, result)."""
        last: dict[tuple[str, ...], Call] = {}
        for position in sorted(self.calls):
            call = self.calls[position]
            if call.site is not None and (found := assigned_names(call.site)[0]):
                last[found] = call
        return {
            name: (call.position, index)
            for found, call in last.items()
            if len(found) == call.count
            for index, name in enumerate(found)
        }

    @cached_property
    def orders(self) -> tuple[Mapping[int, tuple[Any, ...]], ...]:
        """The operands of each call in every order that commutative ops allow."""
        choices = [
            [(position, call.operands), (position, call.operands[::-1])]
            if call.op.commutative and len(call.operands) == 2 and call.operands[0] is not call.operands[1]
            else [(position, call.operands)]
            for position, call in self.calls.items()
        ]
        return tuple(dict(order) for order in product(*choices))

    def __str__(self) -> str:
        return str(self.root)


def trace_pattern(function: Callable[..., Any]) -> tuple[Pattern, Any]:
    """The pattern of a rule's function, and what else it returned; RewriteError where it is no pattern.

    The function returns `(pattern, replacement)`, or the pattern alone; a pattern is an op call, or a tuple of
    results of one call.
    """
    variables = variables_of(function)
    recorder = PatternRecorder(function)
    with recording(recorder):
        returned = function(**variables)
    replacement: Any = None
    if isinstance(returned, tuple) and len(returned) == 2 and not _is_results(returned):
        returned, replacement = returned
    parts = returned if isinstance(returned, tuple) else (returned,)
    if not _is_results(parts):
        raise RewriteError(f"{returned!r} is no pattern; a pattern is an op applied to variables")
    root = parts[0].call
    calls, parameters = _reached(root)
    pattern = Pattern(root, tuple(part.index for part in parts), tuple(parameters), calls, function)
    return pattern, replacement


def _is_results(parts: tuple[Any, ...]) -> bool:
    """Whether these are results of one op call."""
    return bool(parts) and all(isinstance(part, Part) and part.call is parts[0].call for part in parts)


def variables_of(function: Callable[..., Any]) -> dict[str, Variable]:
    """A variable for each parameter of a rule's function."""
    variables = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise RewriteError(f"parameter *{name} has no single meaning in a pattern; name each variable")
        annotation = parameter.annotation
        variables[name] = Variable(name, annotation is Number or annotation in ("Number", "gc.passes.Number"))
    return variables


def _reached(root: Call) -> tuple[dict[int, Call], dict[str, None]]:
    """The calls that a pattern consists of by position, and the variables in them."""
    calls: dict[int, Call] = {}
    names: dict[str, None] = {}
    pending = [root]
    while pending:
        call = pending.pop()
        calls[call.position] = call
        for operand in call.operands:
            if isinstance(operand, Part):
                pending.append(operand.call)
            elif isinstance(operand, Variable):
                names[operand.name] = None
        for value in call.attributes.values():
            names.update((variable.name, None) for variable in _variables_in(value))
    return dict(sorted(calls.items())), names


def _variables_in(attribute: Any) -> Iterator[Variable]:
    if isinstance(attribute, Variable):
        yield attribute
    elif isinstance(attribute, tuple):
        for item in attribute:
            yield from _variables_in(item)
