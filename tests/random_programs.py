"""Random graphs whose arithmetic is exact, so that a pass may not change a single bit.

Inputs are small whole numbers (or special values) in f64, i8 and booleans; what is applied to them keeps results dyadic
and small: no division but by powers of two, few products. So sums do not depend on their order, and comparisons do not
flip. `smooth_graphs` have the functions that networks are made of, for gradients up to rounding.
"""

from hypothesis import strategies as st

from graphc.builder import Builder
from graphc.dim import dim
from graphc.op import find_op, recording
from graphc.types import TensorType, bool_, f64, i8

N = dim("N")
NUMBERS = {
    "float": [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -2.0],
    "signed": [0, 1, -1, 2, 7, -128],
    "bool": [True, False],
}
SOURCES = [
    (f64, (N, 3)),
    (f64, (3,)),
    (f64, ()),
    (f64, (3, 3)),
    (f64, (N, 1)),
    (i8, (N, 3)),
    (bool_, (N, 3)),
    (bool_, (3,)),
]
UNARY = {
    "float": ["neg", "neg", "abs", "relu", "sign", "floor", "ceil", "trunc", "round", "identity", "stop_gradient"],
    "signed": ["neg", "neg", "abs", "relu", "bitwise_not", "bitwise_not", "square", "sign"],
    "bool": ["logical_not", "logical_not", "identity"],
}
BINARY = {
    "float": ["add", "add", "sub", "sub", "maximum", "minimum"],
    "signed": ["add", "sub", "mul", "maximum", "bitwise_and", "bitwise_or", "bitwise_xor", "floordiv", "rem"],
    "bool": ["logical_and", "logical_or", "logical_xor"],
}
COMPARISONS = ["equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]
SMOOTH = ["tanh", "sigmoid", "neg", "square", "sin", "exp"]
MOST_PRODUCTS = 4


class Program:
    """A graph that grows by one random op a step."""

    def __init__(self, draw):
        self.draw = draw
        self.builder = Builder("random")
        self.tensors = [self.builder.input(f"x{i}", TensorType(t, s)) for i, (t, s) in enumerate(SOURCES)]
        self.products = 0

    def choose(self, things):
        return self.draw(st.sampled_from(things))

    def tensor(self, *kinds):
        """A tensor of one of these kinds of dtype, the latest ones first."""
        fitting = [t for t in reversed(self.tensors) if not kinds or t.dtype.kind in kinds]
        return self.choose(fitting)

    def partner(self, x):
        """A number, or a tensor that broadcasts with x without making it larger."""
        if self.draw(st.booleans()):
            return self.choose(NUMBERS[x.dtype.kind])
        fitting = [t for t in reversed(self.tensors) if t.dtype is x.dtype and spreads(t.shape, x.shape)]
        return self.choose(fitting)

    def step(self):
        made = self.choose([
            self.unary, self.unary, self.binary, self.binary, self.binary, self.product, self.compared, self.chosen,
            self.converted, self.rearranged, self.rearranged, self.repeated, self.reduced, self.contracted,
            self.joined, self.part, self.constant,
        ])()  # fmt: skip
        if made is not None:
            self.tensors.append(made)

    def unary(self):
        x = self.tensor()
        return find_op(self.choose(UNARY[x.dtype.kind]))(x)

    def binary(self):
        x = self.tensor()
        operands = [x, self.partner(x)]
        if self.draw(st.booleans()):
            operands.reverse()
        return find_op(self.choose(BINARY[x.dtype.kind]))(*operands)

    def product(self):
        x = self.tensor("float")
        if self.draw(st.booleans()):
            return find_op(self.choose(["mul", "div"]))(x, self.choose([1.0, -1.0, 2.0, 0.5, 4.0, -0.25]))
        if self.products == MOST_PRODUCTS:
            return None
        self.products += 1
        return find_op("square")(x) if self.draw(st.booleans()) else find_op("mul")(x, self.partner(x))

    def compared(self):
        x = self.tensor("float", "signed")
        return find_op(self.choose(COMPARISONS))(x, self.partner(x))

    def chosen(self):
        c = self.tensor("bool")
        fitting = [t for t in reversed(self.tensors) if spreads(t.shape, c.shape)]
        x = self.choose(fitting)
        y = self.choose([t for t in fitting if t.dtype is x.dtype])
        return find_op("where")(c, x, y)

    def converted(self):
        x = self.tensor("float", "bool", "signed")
        return find_op("cast")(x, dtype=self.choose([f64, x.dtype] if x.dtype.kind != "float" else [f64]))

    def rearranged(self):
        x = self.tensor()
        how = self.choose(["permute_dims", "reshape", "flip"])
        if how == "permute_dims":
            return find_op(how)(x, axes=tuple(self.draw(st.permutations(range(x.ndim)))))
        if how == "flip":
            return find_op(how)(
                x, axis=tuple(sorted(self.draw(st.sets(st.sampled_from(range(x.ndim)))))) if x.ndim else ()
            )
        return find_op(how)(x, shape=self.choose([(1, *x.shape), (*x.shape, 1), (x.size,), x.shape]))

    def repeated(self):
        x = self.tensor()
        return (
            find_op("broadcast_to")(x, shape=self.choose([x.shape, (2, *x.shape), (N, *x.shape)]))
            if x.ndim < 3
            else None
        )

    def reduced(self):
        x = self.tensor("float", "float", "bool")
        op = self.choose(["any", "all"] if x.dtype.kind == "bool" else ["sum", "sum", "sum", "max", "min"])
        axis = tuple(sorted(self.draw(st.sets(st.sampled_from(range(x.ndim)))))) if x.ndim else ()
        return find_op(op)(x, axis=axis, keepdims=self.draw(st.booleans()))

    def contracted(self):
        x, w = self.tensor("float"), self.tensor("float")
        pairs = [(i, j) for i in range(x.ndim) for j in range(w.ndim) if x.shape[i] == w.shape[j] and x.shape[i] != 1]
        if not pairs or self.products == MOST_PRODUCTS or x.ndim + w.ndim > 5:
            return None
        self.products += 1
        i, j = self.choose(pairs)
        shared = [(a, b) for a, b in pairs if a != i and b != j][:1] if self.draw(st.booleans()) else []
        batch = tuple(tuple(pair[side] for pair in shared) for side in (0, 1))
        return find_op("dot_general")(x, w, contract=((i,), (j,)), batch=batch)

    def joined(self):
        x = self.tensor()
        fitting = [t for t in self.tensors if t.type == x.type]
        return find_op("concat")(x, *self.choose([[], [x], fitting[:2]]), axis=0) if x.ndim else None

    def part(self):
        x = self.tensor()
        if not x.ndim or not isinstance(x.shape[-1], int) or x.shape[-1] < 2:
            return None
        start, stride = self.choose([(0, 1), (1, 1), (0, 2)])
        starts = (*(0 for _ in x.shape[:-1]), start)
        return find_op("slice")(x, starts=starts, limits=x.shape, strides=(*(1 for _ in x.shape[:-1]), stride))

    def constant(self):
        kind = self.choose(["same", "different", "full"])
        if kind == "full":
            return find_op("full")(value=self.choose([0.0, 1.0, -0.0]), shape=(N, 3), dtype=f64)
        return self.builder.tensor([[0.5, 0.5, 0.5]] if kind == "same" else [1.0, -0.0, 2.0])

    def finish(self):
        count = self.draw(st.integers(1, 3))
        return self.builder.finish(self.tensors[-count:])


def spreads(shape, over):
    """Whether a shape broadcasts to another."""
    return len(shape) <= len(over) and all(a in (1, b) for a, b in zip(shape[::-1], over[::-1], strict=False))


@st.composite
def exact_graphs(draw):
    """Graphs of up to 25 ops, whose results are exact."""
    program = Program(draw)
    with recording(program.builder):
        for _ in range(draw(st.integers(1, 25))):
            program.step()
        return program.finish()


@st.composite
def smooth_graphs(draw):
    """Graphs of up to 12 differentiable ops with one scalar output."""
    builder = Builder("smooth")
    tensors = [builder.input(f"x{i}", TensorType(f64, shape)) for i, shape in enumerate([(N, 3), (3,), (3, 3), ()])]
    with recording(builder):
        for _ in range(draw(st.integers(1, 12))):
            x = draw(st.sampled_from(tensors[::-1]))
            how = draw(st.sampled_from(["unary", "unary", "binary", "binary", "dot", "sum", "norm"]))
            if how == "unary":
                made = find_op(draw(st.sampled_from(SMOOTH)))(find_op("tanh")(x))
            elif how == "binary":
                fitting = [t for t in tensors[::-1] if spreads(t.shape, x.shape)]
                made = find_op(draw(st.sampled_from(["add", "sub", "mul"])))(
                    x, draw(st.sampled_from([*fitting, 2.0, 0.5]))
                )
            elif how == "dot" and x.ndim == 2 and x.shape[1] == 3:
                made = find_op("dot_general")(find_op("tanh")(x), tensors[2], contract=((1,), (1,)))
            elif how == "norm" and x.ndim:
                made = x / find_op("sqrt")(find_op("sum")(x * x, axis=(x.ndim - 1,), keepdims=True) + 1.0)
            else:
                made = find_op("sum")(find_op("sin")(x), axis=(0,) if x.ndim else (), keepdims=False)
            tensors.append(made)
        total = builder.tensor(0.0)
        for tensor in tensors:
            total = find_op("sum")(find_op("sin")(tensor), axis=tuple(range(tensor.ndim))) + total
        return builder.finish([total])
