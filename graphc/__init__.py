"""graphc: neural networks declared as graphs, differentiated, simplified and compiled, every step readable.

    import graphc as gc

    @gc.function
    def f(x: gc.f32["N", 3], w: gc.f32[3, 4]):
        return gc.sum(gc.tanh(x @ w))

    print(f.graph)                     # the graph
    print(gc.grad(f.graph, wrt="w"))   # the graph of its gradient
    f(x, w)                            # compiled and run

Names are loaded when they are first used, so `import graphc` is quick and imports none of Numba, networkx, rich.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from graphc import errors
from graphc.types import (
    DTYPES,
    DType,
    TensorType,
    bf16,
    f16,
    f32,
    f64,
    i8,
    i16,
    i32,
    i64,
    u8,
    u16,
    u32,
    u64,
)
from graphc.types import bool_ as bool

if TYPE_CHECKING:  # `name as name` marks a name as exported
    from graphc import backends as backends
    from graphc import data as data
    from graphc import linalg as linalg
    from graphc import nn as nn
    from graphc import optim as optim
    from graphc import passes as passes
    from graphc import random as random
    from graphc import train as train
    from graphc.array import *
    from graphc.checkpoint import load as load
    from graphc.checkpoint import save as save
    from graphc.dim import Dim as Dim
    from graphc.dsl import Function as Function
    from graphc.dsl import compile as compile
    from graphc.dsl import function as function
    from graphc.dsl import trace as trace
    from graphc.face import diff as diff
    from graphc.interpret import evaluate as evaluate
    from graphc.ir import Graph as Graph
    from graphc.ir import Node as Node
    from graphc.ir import Value as Value
    from graphc.loops import scan as scan
    from graphc.op import Op as Op
    from graphc.op import composite as composite
    from graphc.op import define_op as define_op
    from graphc.passes import Pass as Pass
    from graphc.passes import Pipeline as Pipeline
    from graphc.passes import grad as grad
    from graphc.passes import gradcheck as gradcheck
    from graphc.passes import hvp as hvp
    from graphc.passes import jacobian as jacobian
    from graphc.passes import jvp as jvp
    from graphc.passes import register_pass as register_pass
    from graphc.passes import rule as rule
    from graphc.passes import value_and_grad as value_and_grad
    from graphc.passes import vjp as vjp
    from graphc.random import manual_seed as manual_seed
    from graphc.state import Cell as Cell
    from graphc.summary import summary as summary
    from graphc.tensor import Tensor as Tensor
    from graphc.text.parser import parse as parse
    from graphc.train import training_step as training_step

__version__ = "0.1.0"

float16, bfloat16, float32, float64 = f16, bf16, f32, f64
int8, int16, int32, int64 = i8, i16, i32, i64
uint8, uint16, uint32, uint64 = u8, u16, u32, u64

_MODULES = ("array", "backends", "data", "dsl", "linalg", "models", "nn", "optim", "passes", "random", "train")

_HOMES = {
    "graphc.checkpoint": ("load", "save"),
    "graphc.dim": ("Dim",),
    "graphc.dsl": ("Function", "compile", "function", "trace"),
    "graphc.face": ("diff",),
    "graphc.interpret": ("evaluate",),
    "graphc.ir": ("Graph", "Node", "Value"),
    "graphc.loops": ("scan",),
    "graphc.op": ("Op", "composite", "define_op"),
    "graphc.passes": (
        "Pass", "Pipeline", "grad", "gradcheck", "hvp", "jacobian", "jvp", "register_pass", "rule", "value_and_grad",
        "vjp",
    ),
    "graphc.random": ("manual_seed",),
    "graphc.state": ("Cell",),
    "graphc.summary": ("summary",),
    "graphc.tensor": ("Tensor",),
    "graphc.text.parser": ("parse",),
    "graphc.train": ("training_step",),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "DTYPES", "DType", "TensorType", "bf16", "bfloat16", "bool", "errors", "f16", "f32", "f64", "float16", "float32",
    "float64", "i8", "i16", "i32", "i64", "int8", "int16", "int32", "int64", "u8", "u16", "u32", "u64", "uint8",
    "uint16", "uint32", "uint64", *_MODULES, *_HOME_OF,
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"graphc.{name}")
    if name in _HOME_OF:
        value = getattr(importlib.import_module(_HOME_OF[name]), name)
    else:
        array = importlib.import_module("graphc.array")
        if name.startswith("_") or name not in array.__all__:
            raise AttributeError(_unknown(name, array.__all__))
        value = getattr(array, name)
    globals()[name] = value
    return value


def _unknown(name: str, functions: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, [*__all__, *functions], n=3)
    hint = f"; did you mean {', '.join(f'gc.{c}' for c in close)}?" if close else ""
    return f"graphc has no name {name!r}{hint}"


def __dir__() -> list[str]:
    return sorted({*__all__, *importlib.import_module("graphc.array").__all__})
