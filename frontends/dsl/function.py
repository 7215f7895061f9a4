"""`@gc.function`: a function whose annotations are types; calling it with arrays compiles and runs.

    @gc.function
    def f(x: gc.f32["N", 3], w: gc.f32[3, 4]):
        return gc.sum(gc.tanh(x @ w))

    f.graph                                       # its graph
    f(np.ones((2, 3), "f4"), np.ones((3, 4), "f4"))    # array(…, dtype=float32)

Called inside another trace, it traces through like a plain function.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import cached_property, update_wrapper
from typing import Any

from graphc.dsl.trace import as_spec, trace
from graphc.errors import ArgumentError
from graphc.ir import Graph
from graphc.op import active_recorder


class Function:
    """A traced function; `graph` is its graph, and a call compiles it once and runs it."""

    def __init__(self, fn: Callable[..., Any], **options: Any) -> None:
        self._fn = fn
        self._options = options
        update_wrapper(self, fn)

    @cached_property
    def graph(self) -> Graph:
        """The graph over the annotated types; ArgumentError names a parameter without one."""
        return trace(self._fn, *self._specs())

    @cached_property
    def executable(self) -> Any:
        """The compiled graph."""
        import graphc

        return graphc.compile(self.graph, **self._options)

    def __call__(self, *arrays: Any) -> Any:
        if active_recorder() is not None:
            return self._fn(*arrays)
        return self.executable(*arrays)

    def _specs(self) -> list[Any]:
        specs = []
        for parameter in inspect.signature(self._fn).parameters.values():
            annotation = self._annotation(parameter)
            specs.append(as_spec(parameter.name, annotation))
        return specs

    def _annotation(self, parameter: inspect.Parameter) -> Any:
        """The parameter's type; text (from `__future__.annotations`) is evaluated where the function was defined."""
        annotation = parameter.annotation
        if annotation is parameter.empty:
            raise ArgumentError(
                f'{self._fn.__name__}: parameter {parameter.name} has no type; write {parameter.name}: gc.f32["N"]'
            )
        if isinstance(annotation, str):
            scope = vars(sys.modules[self._fn.__module__]) if self._fn.__module__ in sys.modules else {}
            closure = inspect.getclosurevars(self._fn)
            return eval(annotation, {**scope, **getattr(self._fn, "__globals__", {})}, dict(closure.nonlocals))
        return annotation


def function(fn: Callable[..., Any] | None = None, **options: Any) -> Any:
    """Make a `Function`; options (`backend=`, `pipeline=`, `threads=`) go to `gc.compile`."""
    if fn is None:
        return lambda fn: Function(fn, **options)
    return Function(fn, **options)
