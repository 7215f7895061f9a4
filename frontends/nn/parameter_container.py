"""Parameters in a list or by name, as a module; arrays given to them become parameters.

self.scales = nn.ParameterList([np.ones(3, np.float32) for _ in range(4)])
self.heads = nn.ParameterDict({"a": nn.Parameter(...), "b": nn.Parameter(...)})
"""

from __future__ import annotations

import operator
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Self

from graphc.nn.module import Module
from graphc.nn.parameter import Parameter
from graphc.nn.printing import compose


def as_parameter(value: Any) -> Parameter:
    """A parameter as it is, an array as a new one."""
    return value if isinstance(value, Parameter) else Parameter(value)


class ParameterList(Module):
    """Parameters named "0", "1" …, read and changed like a list."""

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self.extend(values or ())

    def append(self, value: Any) -> Self:
        """Add a parameter at the end."""
        self.register_parameter(str(len(self)), as_parameter(value))
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add parameters at the end."""
        for value in list(values):
            self.append(value)
        return self

    def _key(self, index: int) -> str:
        position = operator.index(index)
        if not -len(self) <= position < len(self):
            raise IndexError(f"{self._title} has {len(self)} parameters, so there is none at {index}")
        return str(position % len(self))

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return self._parameters[self._key(index)]

    def __setitem__(self, index: int, value: Any) -> None:
        self.register_parameter(self._key(index), as_parameter(value))

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._parameters.values())

    def __iadd__(self, values: Iterable[Any]) -> Self:
        return self.extend(values)

    def __repr__(self) -> str:
        return parameters_text(self)


class ParameterDict(Module):
    """Parameters by name, in insertion order."""

    def __init__(self, parameters: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None) -> None:
        super().__init__()
        self.update(parameters or {})

    def update(self, parameters: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Add or replace parameters."""
        for name, value in parameters.items() if isinstance(parameters, Mapping | ParameterDict) else parameters:
            self[name] = value

    def __getitem__(self, key: str) -> Any:
        return self._parameters[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.register_parameter(key, as_parameter(value))

    def __delitem__(self, key: str) -> None:
        del self._parameters[key]

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __contains__(self, key: object) -> bool:
        return key in self._parameters

    def keys(self) -> KeysView[str]:
        """The names."""
        return self._parameters.keys()

    def values(self) -> ValuesView[Parameter | None]:
        """The parameters."""
        return self._parameters.values()

    def items(self) -> ItemsView[str, Parameter | None]:
        """The pairs of name and parameter."""
        return self._parameters.items()

    def pop(self, key: str) -> Any:
        """Remove and return a parameter."""
        return self._parameters.pop(key)

    def __repr__(self) -> str:
        return parameters_text(self)


def parameters_text(module: Module) -> str:
    """`(0): f32[3,4]`, one parameter a line."""
    lines = [f"({name}): {'None' if p is None else p.type}" for name, p in module._parameters.items()]
    return compose(type(module).__name__, module.extra_repr(), lines)
