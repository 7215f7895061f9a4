"""Loops over the leading axis of sequences, as one node of the graph: `gc.scan`.

    def step(h, x):                                  # h: f32[N,4], x: f32[N,3]
        h = gc.tanh(x @ w + h @ u)
        return h, h                                  # the next carry, and what is stacked

    h, ys = gc.scan(step, h0, xs)                    # xs: f32[T,N,3]   ->   h: f32[N,4], ys: f32[T,N,4]

The body is traced once, whatever the length. Tensors and parameters of the trace around it may be used in it: they
become operands of the scan.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.dim import Dim, Extent
from graphc.errors import ArgumentError, ShapeError
from graphc.ir import Literal
from graphc.op import current_recorder, recording
from graphc.ops.creation import full
from graphc.ops.recurrence import scan as scan_op
from graphc.region_builder import RegionBuilder
from graphc.tensor import Tensor

Structure = Any  # a tensor, a tuple of tensors, or None


def scan(
    body: Callable[[Any, Any], Any], init: Any, xs: Any = None, *, reverse: bool = False, length: Extent | None = None
) -> tuple[Any, Any]:
    """Run `body(carry, x) -> (carry, y)` for each place of the leading axis of xs; the last carry, and the stacked ys.

        total, sums = gc.scan(lambda c, x: (c + x, c + x), gc.zeros((3,)), xs)
        xs: f32[T,3]   ->   total: f32[3], sums: f32[T,3]

    `init` and `xs` are a tensor or a tuple of tensors, and so are carries and ys; xs and ys may be None. All xs have
    the same leading extent, which may be a named one and may be 0; without xs, `length` says how many steps there are.
    `reverse` starts at the last place; ys lie in the order of xs all the same. Carries keep their types from step to
    step. Raises ArgumentError where the body does not give a pair of such structures, ShapeError where lengths differ
    or a carry changes its type, TraceError where the body assigns to state or draws random numbers. jax.lax.scan.
    """
    builder: Any = current_recorder("scan")
    carries = [_array(builder, builder.tensor(each)) for each in _parts("init", init)]
    sequences = [builder.tensor(each) for each in _parts("xs", xs)]
    count = _length(builder, sequences, length)
    inner = RegionBuilder(builder, getattr(body, "__name__", "body").strip("<>"))
    with recording(inner):
        carry = [inner.input("carry" if len(carries) == 1 else f"carry_{i}", c.type) for i, c in enumerate(carries)]
        places = [
            inner.input("x" if len(sequences) == 1 else f"x_{i}", s.type.with_shape(s.shape[1:]))
            for i, s in enumerate(sequences)
        ]
        given = body(_like(init, carry), _like(xs, places))
        if not isinstance(given, tuple) or len(given) != 2:
            raise ArgumentError(
                f"scan: the body returns a pair (carry, y), not {_described(given)}", where=inner.where()
            )
        after = _next_carries(inner, init, carries, given[0])
        stacked = [inner.tensor(each) for each in _parts("y", given[1])]
        if not after and not stacked:
            raise ArgumentError("scan: the body gives neither a carry nor a y, so there is nothing to compute")
        region = inner.finish([*after, *stacked])
    operands = (*(each.value for each in (*carries, *sequences)), *inner.captured)
    attributes = {"carried": len(carries), "scanned": len(sequences), "length": count, "reverse": reverse}
    results = [Tensor(builder, value) for value in builder.emit(scan_op, operands, attributes, (region,))]
    return _like(init, results[: len(carries)]), _like(given[1], results[len(carries) :])


# -- structures -------------------------------------------------------------------------------------------------------


def _parts(what: str, structure: Structure) -> Sequence[Any]:
    """The tensors of a structure."""
    if structure is None:
        return ()
    if isinstance(structure, tuple | list):
        for each in structure:
            if each is None or isinstance(each, tuple | list | dict):
                raise ArgumentError(
                    f"scan: {what} is a tensor or a flat tuple of tensors, but it holds {_described(each)}"
                )
        return structure
    if isinstance(structure, dict):
        raise ArgumentError(f"scan: {what} is a tensor or a flat tuple of tensors, not {_described(structure)}")
    return (structure,)


def _like(structure: Structure, parts: Sequence[Any]) -> Any:
    """Tensors in the structure of others."""
    if structure is None:
        return None
    return tuple(parts) if isinstance(structure, tuple | list) else parts[0]


def _described(given: Any) -> str:
    if isinstance(given, Tensor):
        return f"a tensor, {given.type}"
    if isinstance(given, tuple | list):
        return f"a {type(given).__name__} of {len(given)}"
    return "None" if given is None else f"a {type(given).__name__}"


def _array(builder: Any, tensor: Any) -> Any:
    """A carry lies in memory from the first step on: a number becomes an array of rank 0."""
    if not isinstance(tensor.value, Literal):
        return tensor
    return builder.node(full, value=tensor.value.value, shape=(), dtype=tensor.dtype)


def _length(builder: Any, sequences: Sequence[Any], length: Extent | None) -> Extent:
    for i, sequence in enumerate(sequences):
        if not sequence.ndim:
            raise ShapeError(
                f"scan: xs[{i}] is {sequence.type}, which has no leading axis to walk along", where=builder.where()
            )
        if sequence.shape[0] != sequences[0].shape[0]:
            raise ShapeError(
                f"scan: xs have one leading extent, but xs[0] is {sequences[0].type} and xs[{i}] is {sequence.type}",
                where=builder.where(),
            )
    if not sequences:
        if length is None:
            raise ArgumentError("scan: takes xs, or a length where there are none", where=builder.where())
        if not isinstance(length, int | Dim) or isinstance(length, bool):
            raise ArgumentError(f"scan: length is an extent, not {length!r}", where=builder.where())
        return length
    found: Extent = sequences[0].shape[0]
    if length is not None and length != found:
        raise ShapeError(f"scan: length is {length}, but xs[0] is {sequences[0].type}", where=builder.where())
    return found


def _next_carries(inner: RegionBuilder, init: Structure, carries: Sequence[Any], given: Structure) -> list[Tensor]:
    """The carries that the body gives, which must be like those that it gets."""
    parts = _parts("carry", given)
    if len(parts) != len(carries) or isinstance(given, tuple | list) != isinstance(init, tuple | list):
        raise ArgumentError(
            f"scan: the carry starts as {_described(init)}, but the body returns {_described(given)}",
            where=inner.where(),
        )
    after = [inner.tensor(part) for part in parts]
    for i, (new, old) in enumerate(zip(after, carries, strict=True)):
        if isinstance(new.value, Literal) and not old.ndim:
            after[i] = new = inner.node(full, value=new.value.value, shape=(), dtype=old.dtype)
        if new.type != old.type:
            name = f"carry[{i}]" if isinstance(init, tuple | list) else "the carry"
            raise ShapeError(
                f"scan: {name} is {old.type} before a step, but the body returns a {new.type}", where=inner.where()
            )
    return after
