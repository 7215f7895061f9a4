"""A parameter group: parameters and the hyperparameters that update them, which may change between steps.

    >>> optimizer = optim.Adam(lr=1e-3)
    >>> optimizer.param_groups[0]["lr"] = 1e-4          # the next step uses it; nothing is compiled again
    >>> optimizer.param_groups[0]["betas"] = (0.8, 0.99)

Every number is a cell of state that the compiled step reads, so a new value is a write and no more. Two
things are part of the step's graph instead: flags (`nesterov`, `amsgrad`), and whether a term that zero
switches off is there at all (`weight_decay`, `momentum`). When one of those changes, the step traces itself
again at its next call.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import ArgumentError, StateError
from graphc.state import Cell

ANNOTATIONS = ("name", "initial_lr")  # keys for the user or a schedule, which no formula reads


def number(what: str, value: Any) -> float:
    """A float from a number or a rank-0 array; ArgumentError for anything else."""
    if isinstance(value, numbers.Real | np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return float(value)
    raise ArgumentError(f"{what} is a number, not {value!r}")


def pair(what: str, value: Any) -> tuple[float, float]:
    """Two floats from a sequence of two numbers; ArgumentError for anything else."""
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise ArgumentError(f"{what} is a pair of numbers, not {value!r}")
    return number(f"{what}[0]", value[0]), number(f"{what}[1]", value[1])


class ParamGroup(MutableMapping[str, Any]):
    """Reads and writes like torch's dict: `group["lr"]`, `group["betas"]`, `group["params"]`.

    `hyperparameters` are the values by name: floats, pairs of floats (`betas`) and flags. Those named in
    `optional` leave a term out when they are zero; those in `fixed` cannot change later. Raises ArgumentError
    for a key that the optimizer does not have.
    """

    def __init__(
        self,
        owner: str,
        params: Sequence[Cell],
        hyperparameters: Mapping[str, Any],
        *,
        optional: frozenset[str] = frozenset(),
        fixed: frozenset[str] = frozenset(),
        prefix: str = "",
        on_restructure: Callable[[], None] = lambda: None,
    ) -> None:
        self.params = list(params)
        self.cells: dict[str, Cell] = {}
        self._owner = owner
        self._plain: dict[str, Any] = {}
        self._optional = optional
        self._fixed = fixed
        self._on_restructure = on_restructure
        self._keys = list(hyperparameters)
        for key, value in hyperparameters.items():
            if isinstance(value, bool) or key in fixed:
                self._plain[key] = value
            else:
                for name, part in self._parts(key, value):
                    self.cells[name] = Cell(np.float64(part), kind="hyperparameter", name=prefix + name)

    def _parts(self, key: str, value: Any) -> list[tuple[str, float]]:
        """The numbers of a hyperparameter: `betas` is the pair of `beta1` and `beta2`."""
        if key != "betas":
            return [(key, number(f"{self._owner}: {key}", value))]
        return [(f"beta{i}", beta) for i, beta in enumerate(pair(f"{self._owner}: betas", value), 1)]

    @property
    def structure(self) -> tuple[Any, ...]:
        """What of the group is part of a step's graph: flags, and which optional terms are there."""
        flags = tuple(self._plain[key] for key in self._keys if key in self._plain)
        return flags + tuple(self[key] != 0 for key in self._keys if key in self._optional)

    def uses(self, name: str) -> bool:
        """Whether the term of an optional hyperparameter is part of the graph."""
        return name not in self._optional or self[name] != 0

    # -- as a mapping ----------------------------------------------------------------------------------------

    def __getitem__(self, key: str) -> Any:
        if key == "params":
            return self.params
        if key == "betas" and "beta1" in self.cells:
            return self["beta1"], self["beta2"]
        if key in self.cells:
            return float(self.cells[key].array)
        return self._plain[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if key in ANNOTATIONS:
            self._plain[key] = value
            return
        if key in self._fixed:
            raise StateError(f"{self._owner}: {key} acts when the optimizer is made; it cannot be set later")
        if key == "params":
            raise StateError(f"{self._owner}: the parameters of a group are fixed; use add_param_group")
        before = self.structure
        if key in self._plain:
            self._plain[key] = bool(value)
        elif key in self._keys:
            for name, part in self._parts(key, value):
                self.cells[name].commit(np.array(part))
        else:
            raise ArgumentError(f"{self._owner} has no hyperparameter {key!r}; it has {', '.join(self._keys)}")
        if self.structure != before:
            self._on_restructure()

    def __delitem__(self, key: str) -> None:
        raise StateError(f"{self._owner}: {key} cannot be removed from a parameter group")

    def __iter__(self) -> Iterator[str]:
        yield "params"
        yield from self._keys
        yield from (key for key in ANNOTATIONS if key in self._plain)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        values = ", ".join(f"{key}={self[key]!r}" for key in self if key != "params")
        return f"ParamGroup({len(self.params)} params, {values})"
