"""An op is declared once: its shape rule, value, derivatives, kernel expression and samples stand in one place.

    exp = define_op(
        "exp", kind=Kind.ELEMENTWISE,
        infer=lambda x: x,
        reference=np.exp,
        vjp=lambda g, y, x: (g * y,),
        jvp=lambda t, y, x: t[0] * y,
        scalar="exp({x})",
        samples=[sample(real(4, 5))],
    )

The signature of `infer` (of the body, for a composite) is the op's signature: positional parameters are operands (a
default of None makes trailing ones optional, `*xs` takes any number), keyword-only parameters are attributes.

    infer(*types, **attributes)              -> TensorType or a tuple of them
    reference(*arrays, **attributes)         -> array or a tuple of them, with extents as integers
    vjp(g, y, *operands, **attributes)       -> one cotangent per operand, None for none
    jvp(tangents, y, *operands, **attributes)-> the tangent of the result; a tangent that is None is zero
    batching, lowering: read `kind` and `scalar`, never the name

`g` and `y` are tuples for ops with several results; a `g` that is None there means that no gradient arrives.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

from graphc.errors import ArgumentError, OpAttributeError, TraceError, UnknownOpError
from graphc.samples import Sample
from graphc.types import TensorType

if TYPE_CHECKING:
    from graphc.ir import Graph

Rule = Callable[..., Any]


class Kind(StrEnum):
    """What fusion and lowering need to know of an op."""

    ELEMENTWISE = "elementwise"  # result[i] depends on operand[i] alone
    BROADCAST = "broadcast"  # an element goes to many places
    INJECTIVE = "injective"  # an element goes to at most one place
    REDUCTION = "reduction"  # an axis is folded into one value
    SCAN = "scan"  # an axis is folded, every prefix kept
    CONTRACTION = "contraction"  # sum of products over shared axes
    WINDOW = "window"  # sum or maximum over sliding windows
    GATHER = "gather"  # reads at computed indices
    SCATTER = "scatter"  # writes at computed indices
    CREATION = "creation"  # no operands: a formula of the position
    RANDOM = "random"  # a formula of the position and a counter
    CONTROL = "control"  # holds regions
    OPAQUE = "opaque"  # none of these: sorting
    COMPOSITE = "composite"  # a function of other ops


@dataclass(frozen=True)
class Signature:
    """The operands and attributes that an op takes."""

    operands: tuple[str, ...]
    required: int
    variadic: bool
    attributes: Mapping[str, Any]  # name -> default, inspect.Parameter.empty where there is none

    @classmethod
    def of(cls, rule: Rule) -> Signature:
        parameters = list(inspect.signature(rule).parameters.values())
        positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        variadic = [p for p in parameters if p.kind is p.VAR_POSITIONAL]
        return cls(
            operands=tuple(p.name for p in (*positional, *variadic)),
            required=sum(p.default is p.empty for p in positional),
            variadic=bool(variadic),
            attributes={p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != "regions"},
        )

    def name_of(self, index: int) -> str:
        """What an error calls the operand at a position."""
        if self.variadic and index >= len(self.operands) - 1:
            return f"{self.operands[-1]}[{index - len(self.operands) + 1}]"
        return self.operands[index]

    def __str__(self) -> str:
        names = [n if i < self.required else f"{n}=None" for i, n in enumerate(self.operands)]
        if self.variadic:
            names[-1] = f"*{self.operands[-1]}"
        empty = inspect.Parameter.empty
        names += [n if d is empty else f"{n}={d!r}" for n, d in self.attributes.items()]
        return f"({', '.join(names)})"


@dataclass(frozen=True, eq=False)
class Op:
    """A primitive or composite op; calling it on traced tensors appends a node to the current graph."""

    name: str
    kind: Kind
    signature: Signature
    infer_rule: Rule | None
    reference: Rule | None = None
    vjp: Rule | None = None
    jvp: Rule | None = None
    scalar: str | None = None
    body_function: Rule | None = None
    samples: Sequence[Sample] = ()
    accepts: str = "any"
    promoted: tuple[int, ...] | None = None
    commutative: bool = False
    doc: str = ""
    results: tuple[str, ...] = ()
    module: str = ""  # that declares it

    def __call__(self, *operands: Any, **attributes: Any) -> Any:
        return current_recorder(self.name).apply(self, operands, attributes)

    def infer(self, *types: TensorType, regions: tuple[Graph, ...] = (), **attributes: Any) -> tuple[TensorType, ...]:
        """The types of the results; raises ShapeError or DTypeError where the operands do not fit."""
        if self.infer_rule is None:
            return tuple(value.type for value in self.body(types, attributes).outputs)
        given: Any = self.infer_rule(*types, **attributes, **({"regions": regions} if regions else {}))
        return given if isinstance(given, tuple) else (given,)

    def body(self, types: tuple[TensorType, ...], attributes: Mapping[str, Any]) -> Graph:
        """The graph that a composite stands for, over operands of these types."""
        return _body(self, types, tuple(attributes.items()))

    @property
    def is_composite(self) -> bool:
        return self.body_function is not None

    @cached_property
    def is_elementwise(self) -> bool:
        return self.kind is Kind.ELEMENTWISE

    def complete(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """All attributes in the order of the signature, defaults filled in; OpAttributeError for unknown ones."""
        known = self.signature.attributes
        for name in attributes:
            if name not in known:
                raise OpAttributeError(f"{self.name}: no attribute {name!r}; the op is {self.name}{self.signature}")
        completed = {name: attributes.get(name, default) for name, default in known.items()}
        for name, value in completed.items():
            if value is inspect.Parameter.empty:
                raise OpAttributeError(
                    f"{self.name}: attribute {name!r} is missing; the op is {self.name}{self.signature}"
                )
        return completed

    def result_name(self, index: int) -> str:
        """What a result is called until it has a better name."""
        return f"{self.name}.{self.results[index - 1]}" if 0 < index <= len(self.results) else self.name

    def check_count(self, count: int) -> None:
        """Raise ArgumentError unless the op takes this many operands."""
        most = len(self.signature.operands)
        if count < self.signature.required or (count > most and not self.signature.variadic):
            raise ArgumentError(f"{self.name}: got {count} operands; the op is {self.name}{self.signature}")

    def __repr__(self) -> str:
        return f"<op {self.name}{self.signature}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return find_op, (self.name,)


@lru_cache(maxsize=4096)
def _body(op: Op, types: tuple[TensorType, ...], attributes: tuple[tuple[str, Any], ...]) -> Graph:
    from graphc.builder import trace_body

    return trace_body(op, types, dict(attributes))


# -- the registry ---------------------------------------------------------------------------------------------------

REGISTRY: dict[str, Op] = {}


def define_op(
    name: str,
    *,
    kind: Kind,
    infer: Rule,
    reference: Rule,
    vjp: Rule | None = None,
    jvp: Rule | None = None,
    scalar: str | None = None,
    samples: Sequence[Sample] = (),
    accepts: str = "any",
    promoted: tuple[int, ...] | None = None,
    commutative: bool = False,
    doc: str = "",
) -> Op:
    """Declare a primitive op and register it; the module's docstring describes the rules.

    `accepts` is what an elementwise op's operands may be: "float", "integer", "numeric", "bool", "integral" (integer or
    bool) or "any". `promoted` are the positions of the operands that promote together (all, when None). An op without
    `vjp` or `jvp` raises GradientError when a derivative is asked through it; `no_gradient` declares a zero one.
    """
    return _register(
        Op(
            name, kind, Signature.of(infer), infer, reference, vjp, jvp, scalar, None,
            tuple(samples), accepts, promoted, commutative, doc, module=_declaring_module(),
        )
    )  # fmt: skip


def composite(
    name: str | None = None,
    *,
    infer: Rule | None = None,
    vjp: Rule | None = None,
    jvp: Rule | None = None,
    samples: Sequence[Sample] = (),
    results: tuple[str, ...] = (),
) -> Callable[[Rule], Op]:
    """Declare an op as a function of other ops; it stays one named node until the pass `decompose`.

        @composite(samples=[sample(real(4, 5))])
        def silu(x):
            "x·σ(x)"
            return x * sigmoid(x)

    Types follow from the body, unless `infer` checks the operands first to say more clearly what is wrong. A `vjp` or
    `jvp` replaces the derivative of the body. `results` names the results of an op with several, the first being the
    op's own: `results=("mean", "var")` prints `%batch_norm, %batch_norm.mean, %batch_norm.var`.
    """

    def declare(body: Rule) -> Op:
        doc = inspect.getdoc(body) or ""
        title = name or body.__name__
        return _register(
            Op(
                title, Kind.COMPOSITE, Signature.of(body), infer, None, vjp, jvp,
                body_function=body, samples=tuple(samples), doc=doc, results=results, module=_declaring_module(),
            )
        )  # fmt: skip

    return declare


def no_gradient(g: Any, y: Any, *operands: Any, **attributes: Any) -> tuple[None, ...]:
    """The vjp of an op whose result does not change with its operands, almost everywhere."""
    return (None,) * len(operands)


def no_tangent(tangents: Any, y: Any, *operands: Any, **attributes: Any) -> None:
    """The jvp that goes with `no_gradient`."""
    return None


def _declaring_module() -> str:
    """The module whose own lines declare an op, maybe through functions of `graphc.ops.declare`."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_name != "<module>" and _is_graphcs(frame):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__", ""))


def _is_graphcs(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == "graphc"


def _register(op: Op) -> Op:
    if not re.fullmatch(r"[^\W\d]\w*(\.\w+)*", op.name):
        raise OpAttributeError(f"{op.name!r} cannot name an op; a name is letters, digits and _, with dots between")
    if op.name in REGISTRY:
        raise OpAttributeError(f"an op named {op.name!r} is declared already: {REGISTRY[op.name]!r}")
    REGISTRY[op.name] = op
    return op


def find_op(name: str) -> Op:
    """The op of this name; UnknownOpError with close matches otherwise."""
    import graphc.composites
    import graphc.ops  # noqa: F401  (both fill the registry)

    if name not in REGISTRY:
        import difflib

        close = difflib.get_close_matches(name, REGISTRY, n=3)
        raise UnknownOpError(f"no op is named {name!r}" + (f"; did you mean {', '.join(close)}?" if close else ""))
    return REGISTRY[name]


# -- who records calls ----------------------------------------------------------------------------------------------


class Recorder(Protocol):
    """What a call of an op does: a builder appends a node, a pattern notes what to match."""

    def apply(self, op: Op, operands: Sequence[Any], attributes: Mapping[str, Any]) -> Any: ...


_recorder: ContextVar[Recorder | None] = ContextVar("graphc_recorder", default=None)


def current_recorder(what: str) -> Recorder:
    """The innermost recorder; TraceError outside of any trace."""
    recorder = _recorder.get()
    if recorder is None:
        raise TraceError(
            f"{what}: called outside of a trace; graphc functions build graphs, so call it in a function given to "
            "gc.trace, gc.function or gc.compile (gc.evaluate runs one on arrays)"
        )
    return recorder


def active_recorder() -> Recorder | None:
    """The innermost recorder, None outside of any trace."""
    return _recorder.get()


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Send calls of ops to this recorder within a `with` block."""
    token = _recorder.set(recorder)
    try:
        yield
    finally:
        _recorder.reset(token)
