"""What all optimizers share: groups of parameters, slots beside each parameter, and the update recorded in a graph.

    class Momentum(Optimizer):
        "v ← μ·v + g,  p ← p − lr·v"
        def __init__(self, params=None, lr=1e-3, momentum=0.9):
            super().__init__(params, {"lr": lr, "momentum": momentum})

        def slots(self, group):
            return {"velocity": 0.0}

        def update(self, p, g, s, h):
            velocity = h.momentum * s.velocity + g
            return p - h.lr * velocity, {"velocity": velocity}

An optimizer is the formula of one parameter's update over traced tensors; this class applies it to every parameter
that has a gradient. Slots belong to the optimizer, one cell per parameter and name, shared by all steps that it serves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from graphc.builder import Builder
from graphc.errors import ArgumentError, OpAttributeError, StateError
from graphc.ir import Literal
from graphc.op import recording
from graphc.ops.elementwise import neg
from graphc.optim.groups import ParamGroup, number
from graphc.optim.scalars import Namespace, Scalars
from graphc.optim.slots import Clock, Slots
from graphc.provenance import Provenance
from graphc.state import Cell
from graphc.tensor import Tensor

Defaults = dict[str, Any]


class Optimizer:
    """The base of all optimizers.

    `params` is None (all trainable parameters of the models that the optimizer is used on), an iterable of parameters
    or of (name, parameter), or a list of dicts with key `"params"` and hyperparameters of their own, as in torch.

    A subclass gives `update`, and where needed `slots`, `counters` and `scalars`; `optional` names the hyperparameters
    whose term is left out when they are zero, `fixed` those that act at the start only.
    """

    optional: ClassVar[frozenset[str]] = frozenset({"weight_decay"})
    fixed: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, params: Any, defaults: Defaults) -> None:
        self.defaults = defaults
        self.param_groups: list[ParamGroup] = []
        self.state = Slots(type(self).__name__)
        self.layout = 0  # counts changes that make the graph of a step out of date
        self.takes_all = params is None
        if params is None:
            self._append({"params": []})
            return
        if isinstance(params, int | float | str | Cell | dict) or not isinstance(params, Iterable):
            raise ArgumentError(
                f"{self._name}: the first argument is the parameters (an iterable of them, or a list of dicts), not "
                f"{params!r}; to update all parameters of the model, give hyperparameters by name: {self._name}(lr=...)"
            )
        entries = list(params)
        if not entries:
            raise OpAttributeError(f"{self._name}: got an empty parameter list")
        for group in entries if isinstance(entries[0], Mapping) else [{"params": entries}]:
            self.add_param_group(group)

    @property
    def _name(self) -> str:
        return type(self).__name__

    # -- the formula, given by subclasses ---------------------------------------------------------------------------

    def slots(self, group: ParamGroup) -> Mapping[str, float]:
        """The tensors kept beside each parameter, of its shape and dtype, and the number they start with."""
        return {}

    def counters(self, group: ParamGroup) -> Mapping[str, float]:
        """The f64 numbers kept for all parameters of a group; `step` counts the updates."""
        return {}

    def scalars(self, h: Namespace) -> Mapping[str, Tensor]:
        """The numbers that follow from hyperparameters and counters, in f64; a counter's name gives its new value."""
        return {}

    def update(self, p: Tensor, g: Tensor, s: Namespace, h: Namespace) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The new parameter and the new slots, from the parameter, its gradient, its slots and the numbers.

        `h` has hyperparameters and `scalars` as rank-0 tensors of the parameter's dtype; an optional one that is zero
        is None there. Numbers are computed in f64 and rounded once, as torch computes them in Python.
        """
        raise NotImplementedError

    # -- groups -----------------------------------------------------------------------------------------------------

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add parameters with hyperparameters of their own: `{"params": [...], "lr": 0.1}`.

        Raises ArgumentError where an entry is no parameter or a key no hyperparameter, OpAttributeError where a
        parameter is in a group already or a value is out of range.
        """
        if self.takes_all:
            raise ArgumentError(f"{self._name}: updates all parameters of the model; it takes no further groups")
        if not isinstance(param_group, Mapping) or "params" not in param_group:
            raise ArgumentError(f'{self._name}: a parameter group is a dict with key "params", not {param_group!r}')
        given = param_group["params"]
        if isinstance(given, set | frozenset):
            raise ArgumentError(f"{self._name}: parameters come in an ordered collection, not a set")
        cells = []
        for entry in [given] if isinstance(given, Cell) else given:
            name, cell = entry if isinstance(entry, tuple) else (None, entry)
            if not isinstance(cell, Cell):
                raise ArgumentError(f"{self._name}: optimizes parameters, but one of params is {cell!r}")
            if name is not None:
                self.state.names[cell] = name
            if cell in cells or any(cell in group.params for group in self.param_groups):
                raise OpAttributeError(f"{self._name}: parameter {self.state.name_of(cell)} is given twice")
            cells.append(cell)
        self._append({**param_group, "params": cells})

    def _append(self, entry: Mapping[str, Any]) -> None:
        annotations = {key: entry[key] for key in ("name", "initial_lr") if key in entry}
        unknown = [key for key in entry if key not in self.defaults and key not in ("params", *annotations)]
        if unknown:
            raise ArgumentError(
                f"{self._name} has no hyperparameter {unknown[0]!r}; it has {', '.join(self.defaults)}"
            )
        values = {key: entry.get(key, default) for key, default in self.defaults.items()}
        self.check(values)
        index = len(self.param_groups)
        group = ParamGroup(
            self._name, entry["params"], values, optional=self.optional, fixed=self.fixed,
            prefix=f"group{index}." if index else "", on_restructure=self._restructured,
        )  # fmt: skip
        group.update(annotations)
        self.param_groups.append(group)
        self._restructured()

    def check(self, values: Mapping[str, Any]) -> None:
        """Raise OpAttributeError, in torch's words, for a hyperparameter that is out of range."""
        for key, value in values.items():
            if key == "betas":
                for index, beta in enumerate(value):
                    if not 0 <= number(f"{self._name}: betas[{index}]", beta) < 1:
                        raise OpAttributeError(
                            f"{self._name}: invalid beta parameter at index {index}: {beta}; it is in [0, 1)"
                        )
            elif not isinstance(value, bool) and not number(f"{self._name}: {key}", value) >= 0:
                title = {"lr": "learning rate", "eps": "epsilon value"}.get(key, f"{key} value")
                raise OpAttributeError(f"{self._name}: invalid {title}: {value}; it is at least 0")

    def _restructured(self) -> None:
        self.layout += 1

    # -- use by a training step -------------------------------------------------------------------------------------

    def adopt(self, named: Iterable[tuple[str, Cell]]) -> list[Cell]:
        """Learn a model's parameters and their names; the ones that this optimizer updates, in the model's order."""
        chosen = []
        for name, cell in named:
            self.state.names.setdefault(cell, name)
            if self.takes_all and cell not in self.param_groups[0].params:
                self.param_groups[0].params.append(cell)
            if any(cell in group.params for group in self.param_groups):
                chosen.append(cell)
        return chosen

    def record(self, builder: Builder, gradients: Mapping[Cell, Tensor]) -> None:
        """Append the update of these parameters to a graph: new parameters, slots and counters, as updates of cells."""
        for group in self.param_groups:
            reached = [cell for cell in group.params if cell in gradients]
            for cell in reached:
                self.state.add(cell, self.slots(group))
            counters = self.counters(group)
            clocks, split = self.state.clocks(reached, counters, group=self.param_groups.index(group))
            if split:
                self._restructured()
            for clock, cells in clocks:
                scalars = self._record_scalars(builder, group, clock)
                for cell in cells:
                    self._record_update(builder, group, scalars, cell, gradients[cell])

    def _record_scalars(self, builder: Builder, group: ParamGroup, clock: Clock) -> Scalars:
        with recording(builder), builder.provenance(Provenance(rule=f"optim.{self._name}")):
            values = {key: group[key] for key in group if key != "params" and key not in group.cells}
            values |= {key: builder.read(cell) if group.uses(key) else None for key, cell in group.cells.items()}
            values |= {key: builder.read(cell) for key, cell in clock.cells.items()}
            if "step" in clock.cells:
                values["step"] = values["step"] + 1
            values |= self.scalars(Namespace(values))
            for key, cell in clock.cells.items():
                builder.update(cell, values[key])
                self._rename(builder, values[key], f"{cell.name}_next")
        return Scalars(values)

    def _record_update(
        self, builder: Builder, group: ParamGroup, scalars: Scalars, cell: Cell, gradient: Tensor
    ) -> None:
        name = self.state.name_of(cell)
        slots = self.state.of(cell)
        with recording(builder), builder.provenance(Provenance(module=name, rule=f"optim.{self._name}")):
            declared = {key: builder.read(slots[key]) for key in self.slots(group)}
            signed = neg(gradient) if group["maximize"] else gradient
            parameter = builder.read(cell)
            updated, new_slots = self.update(parameter, signed, Namespace(declared), scalars.cast_to(cell.dtype))
            if set(new_slots) != set(declared):
                raise StateError(f"{self._name}: update gives slots {set(new_slots)}, but declares {set(declared)}")
            for key, value in new_slots.items():
                builder.update(slots[key], value)
                self._rename(builder, value, f"{slots[key].name}_next")
            builder.update(cell, updated)
            self._rename(builder, updated, f"{name}_next")

    @staticmethod
    def _rename(builder: Builder, tensor: Tensor, wish: str) -> None:
        """Name a new value after the state that it becomes, unless it is state or a literal itself."""
        if not isinstance(tensor.value, Literal) and all(tensor.value is not s.value for s in builder.state):
            builder.rename(tensor.value, wish)

    # -- saving and loading -----------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """`{"state": {parameter: {slot: array}}, "param_groups": [{hyperparameter: value, "params": [names]}]}`.

        Where a parameter is known by no name yet (before a step was made), it is called by its position.
        """
        groups = [
            {**{key: group[key] for key in group}, "params": [self.state.name_of(cell) for cell in group.params]}
            for group in self.param_groups
        ]
        return {"state": self.state.read(), "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over slots, counters and hyperparameters; parameters by name, or by torch's running numbers.

        Slots of parameters that no step has been made for yet wait until one is. Raises StateError, and changes
        nothing, where the groups, a parameter or a shape does not match.
        """
        groups = list(state_dict["param_groups"])
        if len(groups) != len(self.param_groups):
            raise StateError(
                f"{self._name}: the state dict has {len(groups)} parameter groups, but the optimizer "
                f"{len(self.param_groups)}"
            )
        for group, saved in zip(self.param_groups, groups, strict=True):
            if group.params and len(saved["params"]) != len(group.params):
                raise StateError(
                    f"{self._name}: a parameter group of the state dict has {len(saved['params'])} parameters, but the "
                    f"optimizer's has {len(group.params)}"
                )
        numbered = [key for saved in groups for key in saved["params"]]
        cells = [cell for group in self.param_groups for cell in group.params]
        by_number = {
            key: self.state.name_of(cell) for key, cell in zip(numbered, cells, strict=False) if isinstance(key, int)
        }
        known = {key for group in self.param_groups for key in group} - {"params"}
        values = [{key: value for key, value in saved.items() if key in known} for saved in groups]
        for saved_values in values:
            self.check({**self.defaults, **{k: v for k, v in saved_values.items() if k in self.defaults}})
        self.state.load({by_number.get(key, key): value for key, value in state_dict["state"].items()})
        for group, saved_values in zip(self.param_groups, values, strict=True):
            group.update({key: value for key, value in saved_values.items() if key not in self.fixed})

    def __repr__(self) -> str:
        return f"{self._name}({', '.join(map(repr, self.param_groups))})"


def _as_counter(value: float) -> np.ndarray[Any, Any]:
    return np.array(value, np.float64)
