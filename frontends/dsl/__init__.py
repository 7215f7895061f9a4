"""Declaring graphs: a Python function over symbolic tensors becomes a graph."""

from graphc.dsl.compile import compile
from graphc.dsl.function import Function, function
from graphc.dsl.trace import trace

__all__ = ["Function", "compile", "function", "trace"]
