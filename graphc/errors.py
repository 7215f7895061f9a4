"""Every error says what was expected, what came, and where.

    ShapeError: affine: x has 784 features, but weight takes 512
      %h = affine(%x: f32[N,784], %fc1.weight: f32[128,512], %fc1.bias: f32[128])
      declared at model.py:14, in Classifier.fc1

The first line is the rule with both values, then the line of the IR, then the line of the user's code. The code
that finds a mistake knows only the rule; whoever knows the node (the builder, the interpreter, the verifier) adds
the rest with `located`.
"""

from __future__ import annotations

from typing import Self


class GraphcError(Exception):
    """The base of all graphc errors: a rule, and optionally the IR line and the user's line it concerns."""

    def __init__(self, rule: str, *, line: str | None = None, where: str | None = None) -> None:
        super().__init__(rule)
        self.rule = rule
        self.line = line
        self.where = where

    def located(self, *, line: str | None = None, where: str | None = None) -> Self:
        """Add the IR line and the user's line, where they are not known yet; returns the error, to be raised."""
        self.line = self.line or line
        self.where = self.where or where
        return self

    def __str__(self) -> str:
        parts = [self.rule]
        if self.line:
            parts.append(f"  {self.line}")
        if self.where:
            parts.append(f"  declared at {self.where}")
        return "\n".join(parts)


class ShapeError(GraphcError, ValueError):
    """Shapes do not fit together, or an array's shape does not fit the graph's."""


class DTypeError(GraphcError, TypeError):
    """Dtypes do not fit together, or an array's dtype is not the one that the graph declares."""


class OpAttributeError(GraphcError, ValueError):
    """An attribute of an op (an axis, a count, a mode) is out of range or of the wrong kind."""


class ArgumentError(GraphcError, TypeError):
    """A call has the wrong number of arguments, or an argument that is not an array at all."""


class IndexRangeError(GraphcError, IndexError):
    """An index (a class label, a row of an embedding) lies outside the axis it points into."""


class UnknownOpError(GraphcError, LookupError):
    """A graph names an op that is not in the registry."""


class TraceError(GraphcError, RuntimeError):
    """A traced function did what cannot be a graph: branched on a value, read a tensor as a number, mixed traces."""


class GradientError(GraphcError, ValueError):
    """A derivative was asked for that does not exist: an integer input, an op without a rule, a vector output."""


class ParseError(GraphcError, ValueError):
    """IR text that is not a graph; shows the line and a caret."""


class VerifyError(GraphcError, ValueError):
    """A graph that breaks a rule of the IR; names the pass that made it, where one did."""


class RewriteError(GraphcError, ValueError):
    """Rewrite rules that cycle, or a rule that would change the type of a value."""


class StateError(GraphcError, ValueError):
    """State (parameters, buffers, optimizer slots) that is missing, misshapen, or does not belong to the graph."""


class CheckpointError(GraphcError, ValueError):
    """A checkpoint file that is damaged or does not belong to the model it is loaded into."""


class BackendError(GraphcError, ValueError):
    """A backend that does not exist or is not installed."""


class MemoryBudgetError(GraphcError, MemoryError):
    """A memory budget that no plan fits, or that a call with these extents would exceed."""


class NumericsError(GraphcError, ArithmeticError):
    """A value became NaN or infinite; names the op, the element and the user's line."""


class MissingPackageError(GraphcError, ImportError):
    """A package that an optional part of graphc needs; says how to install it."""

    @classmethod
    def of(cls, package: str, what: str, extra: str) -> Self:
        """The error of what needs a package that one of graphc's extras installs."""
        return cls(f'{what} need {package}: pip install "graphc[{extra}]"')
