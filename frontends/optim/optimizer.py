"""What all optimizers share: groups of parameters, slots beside each parameter, the update put into a graph.

    class Momentum(Optimizer):
        "v ← μ·v + g,  p ← p − lr·v"
        def __init__(self, params=None, lr=1e-3, momentum=0.9):
            super().__init__(params, {"lr": lr, "momentum": momentum, "maximize": False})

        def slots(self, group):
            return {"velocity": 0.0}

        def update(self, p, g, s, h):
            velocity = h.momentum * s.velocity + g
            return p - h.lr * velocity, {"velocity": velocity}

An optimizer is the formula of one parameter's update over traced tensors; this class applies it to every
parameter that has a gradient. Slots belong to the optimizer, one cell per parameter and name, shared by all
steps that it serves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from graphc.builder import Builder
from graphc.errors import ArgumentError, OpAttributeError, StateError
from graphc.op import recording
from graphc.ops.elementwise import neg
from graphc.optim.groups import ANNOTATIONS, ParamGroup, number, pair
from graphc.optim.scalars import Namespace, Scalars
from graphc.optim.slots import Clock, Slots
from graphc.provenance import Provenance
from graphc.state import Cell, count_layout_change
from graphc.tensor import Tensor

Updated = tuple[Tensor, Mapping[str, Tensor]]


class Optimizer:
    """The base of all optimizers.

    `params` is None (all trainable parameters of the models that the optimizer is used on), an iterable of
    parameters or of (name, parameter), or a list of dicts with key `"params"` and hyperparameters of their
    own, as in torch.

    A subclass gives `update`, and where needed `slots`, `counters` and `scalars`; `optional` names the
    hyperparameters whose term is left out when they are zero, `fixed` those that act at the start only.
    """

    optional: ClassVar[frozenset[str]] = frozenset({"weight_decay"})
    fixed: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, params: Any, defaults: Mapping[str, Any]) -> None:
        self.defaults = dict(defaults)
        self.param_groups: list[ParamGroup] = []
        self.state = Slots(type(self).__name__)
        self.layout = 0  # counts the changes that put the graph of a step out of date
        self.takes_all = params is None
        if params is None:
            self._append({"params": []})
            return
        if isinstance(params, int | float | str | Cell | Mapping) or not isinstance(params, Iterable):
            raise ArgumentError(
                f"{self._name}: the first argument is the parameters (an iterable of them, or a list of dicts), "
                f"not {params!r}; without it, hyperparameters go by name: {self._name}(lr=...)"
            )
        entries = list(params)
        if not entries:
            raise OpAttributeError(f"{self._name}: got an empty parameter list")
        for group in entries if isinstance(entries[0], Mapping) else [{"params": entries}]:
            self.add_param_group(group)

    @property
    def _name(self) -> str:
        return type(self).__name__

    # -- the formula, given by subclasses --------------------------------------------------------------------

    def slots(self, group: ParamGroup) -> Mapping[str, float]:
        """The tensors kept beside each parameter, of its shape and dtype, and the number they start with."""
        return {}

    def counters(self, group: ParamGroup) -> Mapping[str, float]:
        """The f64 numbers kept for the parameters of a group together; `step` counts the updates."""
        return {}

    def scalars(self, h: Namespace) -> Mapping[str, Tensor]:
        """The numbers that follow from hyperparameters and counters, in f64.

        Under a counter's name stands its new value; that of `step` is taken care of.
        """
        return {}

    def update(self, p: Tensor, g: Tensor, s: Namespace, h: Namespace) -> Updated:
        """The new parameter and the new slots, from the parameter, its gradient, its slots and the numbers.

        `h` has hyperparameters and `scalars` as rank-0 tensors of the parameter's dtype; an optional one that
        is zero is None there. Numbers are computed in f64 and rounded once, as torch computes them in Python.
        """
        raise NotImplementedError

    # -- groups ----------------------------------------------------------------------------------------------

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add parameters with hyperparameters of their own: `{"params": [...], "lr": 0.1}`.

        Raises ArgumentError where an entry is no parameter or a key no hyperparameter, OpAttributeError where
        a parameter is in a group already or a value is out of range.
        """
        if self.takes_all:
            raise ArgumentError(f"{self._name}: updates all parameters of the model and takes no more groups")
        if not isinstance(param_group, Mapping) or "params" not in param_group:
            raise ArgumentError(f'{self._name}: a group is a dict with key "params", not {param_group!r}')
        given = param_group["params"]
        if isinstance(given, set | frozenset):
            raise ArgumentError(f"{self._name}: parameters come in an ordered collection, not a set")
        taken = {cell for group in self.param_groups for cell in group.params}
        cells = []
        for entry in [given] if isinstance(given, Cell) else given:
            name, cell = entry if isinstance(entry, tuple) else (None, entry)
            if not isinstance(cell, Cell):
                raise ArgumentError(f"{self._name}: optimizes parameters, but one of params is {cell!r}")
            if name is not None:
                self.state.names[cell] = name
            if cell in taken:
                raise OpAttributeError(f"{self._name}: parameter {self.state.name_of(cell)} is given twice")
            taken.add(cell)
            cells.append(cell)
        self._append({**param_group, "params": cells})

    def _append(self, entry: Mapping[str, Any]) -> None:
        for key in entry:
            if key not in self.defaults and key not in ("params", *ANNOTATIONS):
                known = ", ".join(self.defaults)
                raise ArgumentError(f"{self._name} has no hyperparameter {key!r}; it has {known}")
        values = {key: entry.get(key, default) for key, default in self.defaults.items()}
        self.check(values)
        group = ParamGroup(
            self._name, entry["params"], values, optional=self.optional, fixed=self.fixed,
            prefix=_prefix(len(self.param_groups)), on_restructure=self._restructured,
        )  # fmt: skip
        group.update({key: entry[key] for key in ANNOTATIONS if key in entry})
        self.param_groups.append(group)
        self._restructured()

    def check(self, values: Mapping[str, Any]) -> None:
        """Raise OpAttributeError, in torch's words, for a hyperparameter that is out of range."""
        for key, value in values.items():
            if key == "betas":
                for index, beta in enumerate(pair(f"{self._name}: betas", value)):
                    if not 0 <= beta < 1:
                        raise OpAttributeError(
                            f"{self._name}: invalid beta parameter at index {index}: {beta}; it is in [0, 1)"
                        )
            elif not isinstance(value, bool) and not number(f"{self._name}: {key}", value) >= 0:
                title = {"lr": "learning rate", "eps": "epsilon value"}.get(key, f"{key} value")
                raise OpAttributeError(f"{self._name}: invalid {title}: {value}; it is at least 0")

    def _restructured(self) -> None:
        self.layout += 1
        count_layout_change()

    # -- use by a training step ------------------------------------------------------------------------------

    def adopt(self, named: Iterable[tuple[str, Cell]]) -> list[Cell]:
        """Learn a model's parameters and their names; gives those that this optimizer updates."""
        owned = {cell for group in self.param_groups for cell in group.params}
        chosen = []
        for name, cell in named:
            self.state.names.setdefault(cell, name)
            if self.takes_all and cell not in owned:
                self.param_groups[0].params.append(cell)
            if self.takes_all or cell in owned:
                chosen.append(cell)
        if self.takes_all:
            self.state.check_waiting()
        return chosen

    def record(self, builder: Builder, gradients: Mapping[Cell, Tensor]) -> None:
        """Append the update of these parameters to a graph: new parameters, slots and counters."""
        for index, group in enumerate(self.param_groups):
            reached = [cell for cell in group.params if cell in gradients]
            prefix = _prefix(index)
            clocks, split = self.state.clocks(reached, self.counters(group), prefix)
            if split:
                self._restructured()
            for clock, cells in clocks:
                scalars = self._record_scalars(builder, group, clock, prefix)
                for cell in cells:
                    self._record_update(builder, group, scalars, cell, gradients[cell])

    def _record_scalars(self, builder: Builder, group: ParamGroup, clock: Clock, prefix: str) -> Scalars:
        with recording(builder), builder.provenance(Provenance(rule=f"optim.{self._name}")):
            values = {key: value for key, value in group.items() if key not in group.cells}
            for key, cell in group.cells.items():
                values[key] = builder.read(cell) if group.uses(key) else None
            for key, cell in clock.cells.items():
                values[key] = builder.read(cell)
            if "step" in values:
                values["step"] = values["step"] + 1
            derived = self.scalars(Namespace(values))
            values |= derived
            for key, tensor in derived.items():
                builder.rename(tensor.value, prefix + key)
            for key, cell in clock.cells.items():
                builder.update(cell, values[key])
        return Scalars(values)

    def _record_update(
        self, builder: Builder, group: ParamGroup, scalars: Scalars, cell: Cell, gradient: Tensor
    ) -> None:
        name = self.state.name_of(cell)
        slots = self.state.add(cell, self.slots(group))
        with recording(builder), builder.provenance(Provenance(module=name, rule=f"optim.{self._name}")):
            old = {slot: builder.read(slot_cell) for slot, slot_cell in slots.items()}
            signed = neg(gradient) if group["maximize"] else gradient
            numbers = scalars.cast_to(cell.dtype)
            updated, new = self.update(builder.read(cell), signed, Namespace(old), numbers)
            if set(new) != set(slots):
                declared, given = sorted(slots), sorted(new)
                raise StateError(f"{self._name}: update gives slots {given}, but {declared} are declared")
            for target, tensor in [*((slots[slot], tensor) for slot, tensor in new.items()), (cell, updated)]:
                builder.update(target, tensor)

    # -- saving and loading ----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Slots and counters by parameter name, and the groups.

        {"state": {"fc.weight": {"step": 12.0, "exp_avg": array, …}},
         "param_groups": [{"lr": 0.001, …, "params": ["fc.weight", "fc.bias"]}]}
        """
        groups = [
            {**group, "params": [self.state.name_of(cell) for cell in group.params]} for group in self.param_groups
        ]
        return {"state": self.state.read(), "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over slots, counters and hyperparameters; parameters by name, or by torch's running numbers.

        Slots of parameters that no step has been made for yet wait until one is. Raises StateError, and
        changes nothing, where the groups, a parameter or a shape does not match.
        """
        groups = list(state_dict["param_groups"])
        if len(groups) != len(self.param_groups):
            ours = len(self.param_groups)
            raise StateError(f"{self._name}: the state dict has {len(groups)} groups, but the optimizer {ours}")
        owners = self._owners(groups)
        for key in state_dict["state"]:
            if key not in owners:
                raise StateError(f"{self._name}: the state dict has slots of {key!r}, but no group has it")
        values = [{key: saved[key] for key in self.defaults if key in saved} for saved in groups]
        for saved in values:
            self.check({**self.defaults, **saved})
        if self.state.load({owners[key]: slots for key, slots in state_dict["state"].items()}):
            self._restructured()
        for group, saved in zip(self.param_groups, values, strict=True):
            group.update({key: value for key, value in saved.items() if key not in self.fixed})

    def _owners(self, groups: Iterable[Mapping[str, Any]]) -> dict[Any, Cell | str]:
        """The parameter that each key of a state dict means; the key itself where none is known yet."""
        named = {name: cell for cell, name in self.state.names.items()}
        owners: dict[Any, Cell | str] = {}
        for group, saved in zip(self.param_groups, groups, strict=True):
            if group.params and len(saved["params"]) != len(group.params):
                raise StateError(
                    f"{self._name}: a group of the state dict has {len(saved['params'])} parameters, "
                    f"but the optimizer's has {len(group.params)}"
                )
            for index, key in enumerate(saved["params"]):
                if key in named:
                    owners[key] = named[key]
                elif group.params and (isinstance(key, int) or group.params[index] not in self.state.names):
                    owners[key] = group.params[index]
                elif isinstance(key, str) and not group.params:
                    owners[key] = key
                else:
                    raise StateError(f"{self._name}: the state dict has {key!r}, which the optimizer has not")
        return owners

    def __repr__(self) -> str:
        return f"{self._name}({', '.join(map(repr, self.param_groups))})"


def _prefix(index: int) -> str:
    """What the cells of a parameter group are called: `lr`, `group1.lr`."""
    return f"group{index}." if index else ""
