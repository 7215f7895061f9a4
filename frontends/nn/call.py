"""Calls of modules in a trace: each node learns which module of the model it belongs to, and where that was made.

    %h: f32[N,512] = affine(%x, %fc1.weight, %fc1.bias)    // model.py:14, Classifier.fc1

The outermost module that is called is the model; the paths are those of its `named_modules`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphc.provenance import Location, user_frame

if TYPE_CHECKING:
    from graphc.builder import Builder
    from graphc.nn.module import Module


@dataclass(frozen=True)
class Call:
    """A module being called in a builder's trace: its path, and the paths of all modules of its model."""

    builder: Builder
    path: str
    paths: Mapping[int, str]


_innermost: ContextVar[Call | None] = ContextVar("graphc_nn_call", default=None)


@contextmanager
def calling(module: Module, builder: Builder) -> Iterator[None]:
    """Nodes appended in this block belong to `module`."""
    outer = _innermost.get()
    if outer is None or outer.builder is not builder.outermost:
        call = _call_of_model(module, builder)
    else:
        path = outer.paths.get(id(module)) or f"{outer.path}.{type(module).__name__}"
        call = Call(outer.builder, path, outer.paths)
    token = _innermost.set(call)
    try:
        with builder.module(call.path, module.__dict__["_declared"]):
            yield
    finally:
        _innermost.reset(token)


def _call_of_model(model: Module, builder: Builder) -> Call:
    builder.name_cells(model.named_parameters())
    builder.name_cells(model.named_buffers())
    title = type(model).__name__
    paths = {id(module): f"{title}.{path}" if path else title for path, module in model.named_modules()}
    return Call(builder.outermost, title, paths)


def construction_site(module: Module) -> Location | None:
    """The line that makes a module: the innermost one outside graphc and outside the module's own `__init__`."""
    frame = user_frame(sys._getframe(2))
    while frame is not None:
        code = frame.f_code
        own = code.co_name == "__init__" and code.co_varnames and frame.f_locals.get(code.co_varnames[0]) is module
        if not own:
            return Location(code.co_filename, frame.f_lineno)
        frame = user_frame(frame.f_back)
    return None
