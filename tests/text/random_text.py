"""Random graphs with everything that IR text can hold, and random damage to text."""

import math

import numpy as np
from hypothesis import strategies as st

from graphc.dim import dim
from graphc.ir import STATE_KINDS, Graph, Literal, Node, State, Value
from graphc.op import find_op
from graphc.provenance import Location, Provenance
from graphc.types import DTYPES, TensorType, bool_, f32, f64, i64

N, H, NAN = dim("N"), dim("H"), dim("nan")
EXTENTS = [0, 1, 2, 3, N, 4 * N, N * H + 2 * N - 1, (H - 1) // 2 + 1, N % 4, N**2, NAN, -N + 5, 3 - (N // 2)]
NAMES = st.text("abcXYZ019_.éλ入", min_size=1, max_size=5)
DTYPE = st.sampled_from(list(DTYPES.values()))
FLOATS = st.sampled_from([f32, f64, DTYPES["f16"], DTYPES["bf16"]])
SHAPES = st.lists(st.sampled_from(EXTENTS), max_size=3).map(tuple)


class Draft:
    """A graph under construction, with names drawn at random."""

    def __init__(self, draw):
        self.draw = draw
        self.names = set()
        self.values = []
        self.nodes = []

    def value(self, type):
        name = self.draw(NAMES.filter(lambda name: name not in self.names))
        self.names.add(name)
        return Value(name, type)

    def source(self, type):
        value = self.value(type)
        self.values.append(value)
        return value

    def node(self, name, operands, regions=(), **attributes):
        op = find_op(name)
        attributes = op.complete(attributes)
        types = op.infer(*(o.type for o in operands), regions=regions, **attributes)
        results = tuple(self.value(type) for type in types)
        line = self.draw(st.integers(1, 99))
        provenance = Provenance(Location("model.py", line), module="Net.fc") if line % 2 else Provenance(rule="cse")
        self.nodes.append(Node(op, tuple(operands), attributes, results, regions, provenance))
        self.values.extend(results)

    def pick(self, accept=lambda type: True):
        found = [value for value in self.values if accept(value.type)]
        return self.draw(st.sampled_from(found)) if found else None


def literals(dtype):
    """Literals of a dtype, the strangest first."""
    if dtype.is_float:
        values = st.one_of(
            st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf, 1e300, 5e-324]),
            st.floats(),
            st.sampled_from([N, NAN]),
        )
    elif dtype is bool_:
        values = st.booleans()
    else:
        info = np.iinfo(dtype.numpy)
        values = st.one_of(st.integers(int(info.min), int(info.max)), st.sampled_from([N, 2 * N + 1, (H - 1) // 2]))
    return values.map(lambda value: Literal(value, dtype))


@st.composite
def arrays(draw):
    """Arrays of any dtype, with any bits, small and large."""
    dtype = draw(DTYPE)
    shape = draw(st.sampled_from([(), (0,), (2, 0, 3), (1,), (3,), (2, 2), (40,)]))
    size = int(np.prod(shape)) * dtype.itemsize
    data = np.frombuffer(draw(st.binary(min_size=size, max_size=size)), np.uint8)
    return (data % 2).astype(bool).reshape(shape) if dtype is bool_ else data.view(dtype.numpy).reshape(shape)


def unary(draft, draw):
    x = draft.pick(lambda type: type.dtype.is_float)
    draft.node(draw(st.sampled_from(["exp", "neg", "tanh"])), [x])


def binary(draft, draw):
    x = draft.pick(lambda type: type.dtype.is_float)
    other = draw(literals(x.type.dtype))
    draft.node(draw(st.sampled_from(["add", "div"])), draw(st.sampled_from([[x, other], [other, x], [x, x]])))


def only_literals(draft, draw):
    dtype = draw(FLOATS)
    draft.node("mul", [draw(literals(dtype)), draw(literals(dtype))])


def cast(draft, draw):
    draft.node("cast", [draft.pick()], dtype=draw(DTYPE))


def reduce(draft, draw):
    x = draft.pick(lambda type: type.dtype.is_float)
    axis = tuple(sorted(draw(st.sets(st.sampled_from(range(x.type.rank)))))) if x.type.rank else ()
    draft.node("sum", [x], axis=axis, keepdims=draw(st.booleans()))


def constant(draft, draw):
    draft.node("constant", [], value=draw(arrays()))


def full(draft, draw):
    draft.node("full", [], value=draw(st.floats()), shape=draw(SHAPES), dtype=f64)


def two_results(draft, draw):
    x = draft.pick(lambda type: type.dtype.is_float and type.rank and type.shape[-1] == 3)
    if x is not None:
        draft.node("topk", [x], k=2, axis=x.type.rank - 1)


def many_operands(draft, draw):
    x = draft.pick(lambda type: type.rank)
    if x is not None:
        draft.node("concat", [x] * draw(st.integers(1, 3)), axis=0)


def region(draft, draw):
    x, y = draft.pick(), draft.pick()
    inner = Draft(draw)
    inputs = (inner.source(x.type), inner.source(y.type))
    if x.type.dtype.is_float:
        inner.node("add", [inputs[0], Literal(N, x.type.dtype)])
    outputs = tuple(draw(st.lists(st.sampled_from(inner.values), min_size=1, max_size=2)))
    body = Graph("body", inputs, tuple(inner.nodes), outputs)
    draft.node("fused", [x, y], regions=(body,))


STEPS = [unary, binary, only_literals, cast, reduce, constant, full, two_results, many_operands, region]


@st.composite
def graphs(draw):
    """Sound graphs of up to twelve nodes, with state, updates, regions and every kind of attribute."""
    draft = Draft(draw)
    inputs = [draft.source(TensorType(f32, (N, H, NAN))), draft.source(TensorType(f64, (N, 3)))]
    inputs += [draft.source(TensorType(draw(DTYPE), draw(SHAPES))) for _ in range(draw(st.integers(0, 2)))]
    state = []
    for _ in range(draw(st.integers(0, 2))):
        value = draft.source(TensorType(draw(FLOATS), draw(SHAPES)))
        order = draw(st.one_of(st.none(), st.permutations(range(value.type.rank)).map(tuple)))
        state.append(State(value, draw(st.sampled_from(STATE_KINDS)), order=order))
    for step in draw(st.lists(st.sampled_from(STEPS), max_size=12)):
        step(draft, draw)
    outputs = draw(st.lists(st.one_of(st.sampled_from(draft.values), literals(i64), literals(f32)), max_size=3))
    updates = tuple((s.value, draft.pick(lambda type, s=s: type == s.value.type)) for s in state if draw(st.booleans()))
    name = draw(NAMES)
    return Graph(name, tuple(inputs), tuple(draft.nodes), tuple(outputs), tuple(state), updates)


PIECES = [
    "%", "%x", "@", "(", ")", "[", "]", "{", "}", ",", ":", "=", "-", "*", "**", "//", "\n", " ", "  // no", '"', "\\",
    "f32", "f32[", "f32[2]{", "base64", "inf", "nan", "None", "True", "1", "0", "1e999", "9" * 200, "0.5", "N", "max(",
    "N//0", "N%", "**9", "return", "update", "parameter", "region", "graph", "axis=", "dtype=", "shape=(", "é", "\0",
    "\x85", "(((((((", "]]]", "%\u0661", "\u0661",
]  # fmt: skip


@st.composite
def damaged(draw, texts):
    """A text with a few pieces taken out, put in, moved or doubled."""
    text = draw(texts)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + draw(st.sampled_from([0, 1, 3, 10, 200])))))
        piece = draw(st.one_of(st.just(""), st.sampled_from(PIECES), st.characters(), st.just(text[start:end] * 2)))
        text = text[:start] + piece + text[end:]
    return text
