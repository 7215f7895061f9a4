"""A module owns parameters, buffers and other modules, and says in `forward` what it computes.

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1 = nn.Linear(784, 512)
            self.fc2 = nn.Linear(512, 10)

        def forward(self, x):                       # x: f32[N,784]
            return self.fc2(F.relu(self.fc1(x)))    # f32[N,10]

    predict = gc.compile(Classifier().eval(), inputs=gc.f32["N", 784])

Names, order and meaning are torch.nn.Module's (2.13). Calling a module appends to the graph being traced; arrays go
to what `gc.compile` and `gc.training_step` return.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import numpy as np

from graphc.builder import Builder
from graphc.errors import DTypeError, StateError, TraceError
from graphc.nn.call import calling, construction_site
from graphc.nn.parameter import Buffer, Parameter
from graphc.nn.printing import module_text
from graphc.nn.state_dict import IncompatibleKeys, load_state, read_state
from graphc.op import active_recorder
from graphc.provenance import Location
from graphc.state import Cell
from graphc.tensor import Tensor
from graphc.types import as_dtype, bf16, f16, f32, f64

REGISTRIES = ("_parameters", "_buffers", "_modules")


class Module:
    """The base of all modules; `__init__` of a subclass begins with `super().__init__()`."""

    training: bool
    forward: Callable[..., Any]
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Buffer | None]
    _modules: dict[str, Module | None]
    _declared: Location | None

    def __init__(self) -> None:
        for registry in REGISTRIES:
            object.__setattr__(self, registry, {})
        object.__setattr__(self, "training", True)
        object.__setattr__(self, "_declared", construction_site(self))

    # -- calling ------------------------------------------------------------------------------------------------------

    def __call__(self, *inputs: Any, **keywords: Any) -> Any:
        """`forward`, whose nodes are marked as this module's; TraceError outside of a trace."""
        title = type(self).__name__
        self._registry("_modules")
        if not hasattr(self, "forward"):
            raise NotImplementedError(f'{title} is missing the required "forward" function')
        recorder = active_recorder()
        if recorder is None:
            raise TraceError(
                f"{title}: called outside of a trace; to run it on arrays, compile it: "
                f'gc.compile(model, inputs=gc.f32["N", ...])'
            )
        if not isinstance(recorder, Builder):
            return self.forward(*inputs, **keywords)
        with calling(self, recorder):
            return self.forward(*inputs, **keywords)

    # -- registration -------------------------------------------------------------------------------------------------

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under a name; None keeps the name for none (a layer without bias)."""
        if not isinstance(param, Parameter | None):
            raise TypeError(f"{self._title}.{name} takes an nn.Parameter or None, not {type(param).__name__}")
        self._register("_parameters", name, param)

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Add a buffer: an nn.Buffer, an array (copied), or None for none."""
        if tensor is not None and not isinstance(tensor, Buffer):
            tensor = Buffer(tensor, persistent=persistent)
        self._register("_buffers", name, tensor)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a child module under a name."""
        if not isinstance(module, Module | None):
            raise TypeError(f"{self._title}.{name} takes an nn.Module or None, not {type(module).__name__}")
        self._register("_modules", name, module)

    register_module = add_module

    def _register(self, registry: str, name: str, value: Any) -> None:
        members = self._registry(registry)
        if not isinstance(name, str) or not name or "." in name:
            raise KeyError(f"{self._title}: {name!r} is no name for a member; it is a non-empty string without dots")
        if hasattr(self, name) and name not in members:
            raise KeyError(f"{self._title}: attribute {name!r} already exists")
        members[name] = value
        if isinstance(value, Cell):
            value.name = value.name or name

    def _registry(self, name: str) -> dict[str, Any]:
        if name not in self.__dict__:
            raise AttributeError(f"{self._title}: call super().__init__() first, before anything is assigned to it")
        registry: dict[str, Any] = self.__dict__[name]
        return registry

    @property
    def _title(self) -> str:
        return type(self).__name__

    def __setattr__(self, name: str, value: Any) -> None:
        kind = _registry_for(value)
        holder = next((r for r in REGISTRIES if name in self.__dict__.get(r, ())), None)
        if kind is not None:
            self._registry(kind)
            if holder != kind:
                self._discard(name)
            self._register(kind, name, value)
        elif holder is None:
            object.__setattr__(self, name, value)
        elif value is None:
            self.__dict__[holder][name] = None
        elif holder == "_buffers":
            self._set_buffer(name, value)
        else:
            what = "nn.Parameter" if holder == "_parameters" else "nn.Module"
            hint = f"; to set its values, write {name}[...] = value" if holder == "_parameters" else ""
            raise TypeError(f"{self._title}.{name} takes an {what} or None, not {type(value).__name__}{hint}")

    def _set_buffer(self, name: str, value: Any) -> None:
        """In a trace the update of a buffer (`self.count = self.count + 1`), outside it a new value."""
        buffer = self._buffers[name]
        if buffer is None:
            if isinstance(value, Tensor):
                raise TraceError(f"{self._title}.{name} is None and has no type; register it with its first value")
            self._buffers[name] = Buffer(value)
        elif value is not buffer:
            buffer.assign(value)

    def _discard(self, name: str) -> None:
        for registry in REGISTRIES:
            self.__dict__[registry].pop(name, None)
        self.__dict__.pop(name, None)

    def __getattr__(self, name: str) -> Any:
        for registry in REGISTRIES:
            members = self.__dict__.get(registry)
            if members is not None and name in members:
                return members[name]
        if "_modules" not in self.__dict__ and name in ("training", *REGISTRIES):
            raise AttributeError(f"{self._title}: call super().__init__() first, before anything is assigned to it")
        raise AttributeError(f"{self._title!r} object has no attribute {name!r}", name=name, obj=self)

    def __delattr__(self, name: str) -> None:
        for registry in REGISTRIES:
            if name in self._registry(registry):
                del self.__dict__[registry][name]
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        members = [name for registry in REGISTRIES for name in self.__dict__.get(registry, ())]
        return sorted({*object.__dir__(self), *members})

    # -- walking ------------------------------------------------------------------------------------------------------

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module under `prefix`, then all below it, depth first: `("", model)`, `("fc1", …)`, `("body.0", …)`."""
        seen = set() if memo is None else memo
        if self in seen:
            return
        if remove_duplicate:
            seen.add(self)
        yield prefix, self
        for name, child in self._registry("_modules").items():
            if child is not None:
                yield from child.named_modules(seen, _join(prefix, name), remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """This module and all below it, each once."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly below, each once."""
        seen: set[Module] = set()
        for name, child in self._registry("_modules").items():
            if child is not None and child not in seen:
                seen.add(child)
                yield name, child

    def children(self) -> Iterator[Module]:
        """The modules directly below, each once."""
        for _, child in self.named_children():
            yield child

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with their names, `("fc1.weight", …)`; tied ones once, under their first name."""
        yield from self._named_members("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, tied ones once."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Buffer]]:
        """The buffers with their names, those that are not persistent too."""
        yield from self._named_members("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Buffer]:
        """The buffers, each once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def _named_members(
        self, registry: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen: set[Cell] = set()
        owners = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in owners:
            for name, member in module._registry(registry).items():
                if member is not None and member not in seen:
                    if remove_duplicate:
                        seen.add(member)
                    yield _join(path, name), member

    def get_submodule(self, target: str) -> Module:
        """The module of a dotted path (`"body.0"`), this one for `""`; AttributeError names the missing part."""
        module = self
        for name in target.split(".") if target else ():
            child = module._registry("_modules").get(name)
            if child is None:
                raise AttributeError(f"{module._title} has no submodule {name!r}, which {target!r} goes through")
            module = child
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter of a dotted path: `"fc1.weight"`."""
        parameter: Parameter = self._get_member("_parameters", target)
        return parameter

    def get_buffer(self, target: str) -> Buffer:
        """The buffer of a dotted path: `"norm.running_mean"`."""
        buffer: Buffer = self._get_member("_buffers", target)
        return buffer

    def _get_member(self, registry: str, target: str) -> Any:
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        member = owner._registry(registry).get(name)
        if member is None:
            raise AttributeError(f"{owner._title} has no {registry.strip('_')[:-1]} {name!r}")
        return member

    def apply(self, fn: Callable[[Module], object]) -> Self:
        """Call a function on every module below, then on this one."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    # -- state --------------------------------------------------------------------------------------------------------

    def state_dict(self, *, prefix: str = "") -> dict[str, np.ndarray[Any, Any]]:
        """Parameters and persistent buffers by name, as read-only arrays of this moment; tied ones under each name."""
        return read_state(self, prefix)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
        """Take over values by name, cast to the dtypes here.

        Raises StateError, and changes nothing, where keys are missing or unexpected (unless not `strict`), or where
        a value's shape or kind of dtype does not fit; the error lists all of them.
        """
        if active_recorder() is not None:
            raise TraceError(f"{self._title}: load_state_dict was called inside a trace")
        if not isinstance(state_dict, Mapping):
            raise StateError(f"{self._title}: a state dict maps names to arrays, but got {type(state_dict).__name__}")
        return load_state(self, state_dict, strict)

    def to(self, dtype: object) -> Self:
        """Convert floating-point parameters and buffers; DTypeError for other dtypes. Integers stay as they are."""
        wanted = as_dtype(dtype)
        if not wanted.is_float:
            raise DTypeError(f"{self._title}.to takes a floating-point dtype, not {wanted}")
        for cell in (*self.parameters(), *self.buffers()):
            if cell.dtype.is_float and cell.dtype is not wanted:
                cell.convert(wanted)
        return self

    def float(self) -> Self:
        """`to(gc.f32)`."""
        return self.to(f32)

    def double(self) -> Self:
        """`to(gc.f64)`."""
        return self.to(f64)

    def half(self) -> Self:
        """`to(gc.f16)`."""
        return self.to(f16)

    def bfloat16(self) -> Self:
        """`to(gc.bf16)`."""
        return self.to(bf16)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze (False) or unfreeze all parameters."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def train(self, mode: bool = True) -> Self:
        """Set this module and all below it to training mode: dropout drops, batch norm uses the batch's statistics."""
        if not isinstance(mode, bool):
            raise ValueError(f"{self._title}.train takes True or False, not {mode!r}")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """`train(False)`."""
        return self.train(False)

    # -- printing -----------------------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """What the printed form says in the parentheses; a subclass's own."""
        return ""

    def __repr__(self) -> str:
        return module_text(self)


def _registry_for(value: Any) -> str | None:
    if isinstance(value, Parameter):
        return "_parameters"
    if isinstance(value, Buffer):
        return "_buffers"
    return "_modules" if isinstance(value, Module) else None


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
