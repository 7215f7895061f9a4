"""Modules that hold modules: in sequence, by index, by name.

    model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 10))
    model[0], model[-1], model[:2], len(model)

Names, keys of the state dict and methods are torch's.
"""

from __future__ import annotations

import operator
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Self, overload

from graphc.nn.module import Module
from graphc.nn.printing import list_text


class Indexed(Module):
    """What `Sequential` and `ModuleList` share: children named "0", "1" …, read and changed like a list."""

    def _key(self, index: int, length: int | None = None) -> str:
        """The child's name at an index, negative ones counted from the end; IndexError beyond."""
        length = len(self) if length is None else length
        position = operator.index(index)
        if not -length <= position < length:
            raise IndexError(f"{self._title} has {length} modules, so there is none at {index}")
        names = list(self._modules)
        return names[position]

    def _refill(self, children: Iterable[Module | None]) -> None:
        """Take these children, named anew from 0."""
        children = list(children)
        self._modules.clear()
        for child in children:
            self.append(child)

    def append(self, module: Any) -> Self:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end."""
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Put a module before the one at an index."""
        children = list(self._modules.values())
        if not isinstance(module, Module):
            raise TypeError(f"{self._title}.insert takes an nn.Module, not {type(module).__name__}")
        if not -len(children) <= index <= len(children):
            raise IndexError(f"{self._title} has {len(children)} modules, so {index} is no place to insert at")
        children.insert(index, module)
        self._refill(children)
        return self

    def pop(self, index: int = -1) -> Module:
        """Remove and return a module."""
        module: Module = self[index]
        del self[index]
        return module

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Any:
        """The module at an index; a container of the same class over the same modules for a slice."""
        if isinstance(index, slice):
            return self._part(list(self._modules.items())[index])
        return self._modules[self._key(index)]

    def _part(self, items: list[tuple[str, Module | None]]) -> Self:
        raise NotImplementedError

    def __setitem__(self, index: int, module: Module) -> None:
        self.add_module(self._key(index), module)

    def __delitem__(self, index: int | slice) -> None:
        keys = list(self._modules)[index] if isinstance(index, slice) else [self._key(index)]
        named = all(key == str(i) for i, key in enumerate(self._modules))
        for key in keys:
            del self._modules[key]
        if named:
            self._refill(self._modules.values())

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def __iadd__(self, modules: Iterable[Module]) -> Self:
        return self.extend(modules)


class Sequential(Indexed):
    """Modules called one after the other: `Sequential(a, b)(x)` is `b(a(x))`.

    Takes modules, or one mapping (an `OrderedDict`) of names to modules.
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named: Mapping[str, Any] = modules[0]
        else:
            named = {str(index): module for index, module in enumerate(modules)}
        for name, module in named.items():
            self.add_module(name, module)

    def forward(self, input: Any) -> Any:
        """Each module on what the one before gave; the input itself where there are none."""
        for module in self:
            input = module(input)
        return input

    def _part(self, items: list[tuple[str, Module | None]]) -> Self:
        return type(self)(dict(items))  # type: ignore[arg-type]

    def __add__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            return NotImplemented
        return Sequential(*self, *other)


class ModuleList(Indexed):
    """Modules in a list; it computes nothing itself."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(modules or ())

    def _part(self, items: list[tuple[str, Module | None]]) -> Self:
        return type(self)(module for _, module in items if module is not None)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        return list_text(self)


class ModuleDict(Module):
    """Modules by name, in insertion order; it computes nothing itself."""

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__()
        self.update(modules or {})

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add or replace modules."""
        for name, module in modules.items() if isinstance(modules, Mapping | ModuleDict) else modules:
            self[name] = module

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def keys(self) -> KeysView[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> ValuesView[Module | None]:
        """The modules."""
        return self._modules.values()

    def items(self) -> ItemsView[str, Module | None]:
        """The pairs of name and module."""
        return self._modules.items()

    def pop(self, key: str) -> Any:
        """Remove and return a module."""
        return self._modules.pop(key)

    def clear(self) -> None:
        """Remove all modules."""
        self._modules.clear()
