"""IR text as a graph: `str(parse(str(g))) == str(g)`, and text that is no graph gives a ParseError at its place.

    >>> g = parse("graph @f(%x: f32[N,3]) { %y: f32[N,3] = mul(%x, 2.0) return %y }")
    >>> evaluate(g, np.ones((1, 3), np.float32))
    array([[2., 2., 2.]], dtype=float32)

The grammar (docs/ir.md has it with examples; line breaks are as good as spaces):

    graph     = "graph" "@" name "(" [value ":" type {"," value ":" type}] ")" "{" {statement} return "}"
    statement = kind value ":" type ["stored" tuple]                                  -- state
              | value ":" type {"," value ":" type} "=" op "(" [arguments] ")" ["{" {region} "}"]
              | "update" value "=" operand
    return    = "return" [operand {"," operand}]
    arguments = operand {"," operand} {"," name "=" attribute}
    operand   = value | number [":" dtype] | extent [":" dtype]

Every name, type and attribute is checked as it is read, by the verifier's rules, so that what comes back is sound.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from graphc.errors import ArgumentError, GraphcError
from graphc.ir import STATE_KINDS, Graph, Literal, Node, State, Value
from graphc.op import Op, find_op
from graphc.order import Axes, order_problem
from graphc.provenance import UNKNOWN, Location, Provenance
from graphc.text.array_text import number_problem
from graphc.text.attribute_text import read_attribute, read_dtype, read_scalar, read_type
from graphc.text.lexer import Token
from graphc.text.reader import Reader, close_matches
from graphc.types import DType
from graphc.verify import check_literal, infer_results, types_disagree, update_problem

_DEEPEST = 50  # nested regions


def parse(text: str, *, file: str | None = None) -> Graph:
    """The graph of a text, as `str(graph)` prints it; comments after `//` are ignored.

    `file` is named in errors and becomes the provenance of the nodes. State has no cells: give its values to
    `evaluate(graph, ..., state={name: array})`. Raises ParseError, with the line and a caret, for any other text.
    """
    if not isinstance(text, str):
        raise ArgumentError(f"parse takes a string, not {type(text).__name__}")
    reader = Reader(text, file)
    reader.expect("word", "graph")
    graph = _GraphReader(reader).read()
    if not reader.at("end"):
        reader.fail_expecting("the end of the text", starts_line=True)
    return graph


class _GraphReader:
    """Reads one graph or region."""

    def __init__(self, reader: Reader, depth: int = 0, dims: frozenset[str] = frozenset()) -> None:
        self.reader = reader
        self.depth = depth
        self.values: dict[str, Value] = {}
        self.state: dict[Value, State] = {}
        self.nodes: list[Node] = []
        self.updates: dict[Value, Value] = {}
        self.dims = dims  # those of the graph around a region, then those of inputs and state

    def read(self) -> Graph:
        """The graph, from its name on."""
        reader = self.reader
        name = reader.expect("graph", what="a name such as @f")
        if name.text == "@":
            reader.fail("expected a name after '@'", name)
        inputs = self.read_inputs()
        reader.expect("{")
        while not reader.at("word", "return"):
            self.read_statement()
        reader.take()
        outputs = self.read_outputs()
        reader.expect("}", what="',' or '}'" if outputs else "an output or '}'")
        return Graph(
            name.text[1:], inputs, tuple(self.nodes), outputs, tuple(self.state.values()), tuple(self.updates.items())
        )

    def read_inputs(self) -> tuple[Value, ...]:
        reader = self.reader
        reader.expect("(")
        inputs: list[Value] = []
        while not reader.accept(")"):
            if inputs and not reader.accept(","):
                reader.fail_expecting("','", "')'")
            inputs.append(self.read_definition("an input such as %x"))
            self.dims |= inputs[-1].type.dims
        return tuple(inputs)

    def read_outputs(self) -> tuple[Value, ...]:
        reader = self.reader
        if reader.at("}"):
            return ()
        outputs = [self.read_operand_with_dtype()]
        while reader.accept(","):
            outputs.append(self.read_operand_with_dtype())
        return tuple(outputs)

    def read_statement(self) -> None:
        reader = self.reader
        token = reader.token
        if token.kind == "value":
            self.read_node()
        elif token.kind == "word" and token.text in STATE_KINDS:
            reader.take()
            value = self.read_definition("a value such as %w")
            self.state[value] = State(value, token.text, order=self.read_order(value))
            self.dims |= value.type.dims
        elif reader.accept("word", "update"):
            self.read_update()
        else:
            hint = close_matches(token.text, (*STATE_KINDS, "update", "return")) if token.kind == "word" else ""
            wanted = ("a node such as '%y: f32[N] = …'", "state", "'update'", "'return'")
            reader.fail_expecting(*wanted, hint=hint, starts_line=True)

    def read_order(self, value: Value) -> Axes | None:
        """`stored (2, 3, 1, 0)`, where the axes of state lie in memory in another order."""
        if not self.reader.accept("word", "stored"):
            return None
        token = self.reader.token
        order: Axes = read_attribute(self.reader)
        if problem := order_problem(order, value.type.rank):
            self.reader.fail(f"%{value.name} {problem}", token)
        return order

    # -- values -----------------------------------------------------------------------------------------------------

    def read_definition(self, what: str) -> Value:
        """`%x: f32[N]`, a name that is new."""
        value = self.read_result(what)
        self.values[value.name] = value
        return value

    def read_result(self, what: str) -> Value:
        reader = self.reader
        token = reader.expect("value", what=what)
        name = token.text[1:]
        if not name:
            reader.fail("expected a name after '%'", token)
        if name in self.values:
            reader.fail(f"%{name} is defined already", token)
        reader.expect(":", what="':' and a type")
        return Value(name, read_type(reader))

    def read_value(self) -> Value:
        """`%x`, a name that is known."""
        token = self.reader.take()
        value = self.values.get(token.text[1:])
        if value is None:
            self.reader.fail(self.undefined(token), token)
        return value

    def undefined(self, token: Token) -> str:
        later = self.reader.tokens[self.reader.index :]
        for place, following in pairwise(later):
            if place.text == token.text and following.kind == ":":
                return f"{token.text} is used before it is defined, on line {place.line}"
        return f"no value is named {token.text}{close_matches(token.text[1:], self.values, '%')}"

    def read_operand(self) -> Value | tuple[Any, Token]:
        """`%x` or `0.5:f64`; a number without a dtype comes back as it is, with its place."""
        reader = self.reader
        token = reader.token
        if token.kind == "value":
            return self.read_value()
        scalar = read_scalar(reader)
        return self.literal(scalar, read_dtype(reader), token) if reader.accept(":") else (scalar, token)

    def read_operand_with_dtype(self) -> Value:
        operand = self.read_operand()
        if not isinstance(operand, Value):
            scalar, token = operand
            self.reader.fail(f"a literal needs its dtype here: {scalar}:f32", token)
        return operand

    def literal(self, scalar: Any, dtype: DType, token: Token) -> Literal:
        if problem := number_problem(scalar, dtype):
            self.reader.fail(f"literal {problem}", token)
        literal = Literal(scalar, dtype)
        try:
            check_literal(literal, self.dims)
        except GraphcError as error:
            self.reader.fail(error.rule, token)
        return literal

    # -- nodes ------------------------------------------------------------------------------------------------------

    def read_node(self) -> None:
        reader = self.reader
        places = [reader.token]
        results = [self.read_result("a result such as %y")]
        while reader.accept(","):
            places.append(reader.token)
            results.append(self.read_result("a result such as %y"))
        reader.expect("=", what="'='")
        name = reader.expect("word", what="the name of an op")
        try:
            op = find_op(name.text)
        except GraphcError as error:
            reader.fail(error.rule, name)
        operands, given = self.read_arguments(op)
        regions = self.read_regions()
        place = reader.place_of(name)
        provenance = Provenance(Location(*place)) if place else UNKNOWN
        try:
            node = Node(op, operands, op.complete(given), tuple(results), regions, provenance)
            inferred = infer_results(node, self.dims)
        except GraphcError as error:
            reader.fail(error.rule, name)
        if len(inferred) != len(results):
            count = f"{len(inferred)} {'result' if len(inferred) == 1 else 'results'}"
            reader.fail(f"{op.name} gives {count}, but {len(results)} are named", places[0])
        for value, type, token in zip(results, inferred, places, strict=True):
            if value.type != type:
                reader.fail(types_disagree(node, inferred), token)
            if value.name in self.values:
                reader.fail(f"%{value.name} is defined already", token)
            self.values[value.name] = value
        self.nodes.append(node)

    def read_arguments(self, op: Op) -> tuple[tuple[Value, ...], dict[str, Any]]:
        """Operands, then attributes, up to the closing parenthesis."""
        reader = self.reader
        operands: list[Value | tuple[Any, Token]] = []
        attributes: dict[str, Any] = {}
        reader.expect("(")
        while not reader.accept(")"):
            if (operands or attributes) and not reader.accept(","):
                reader.fail_expecting("','", "')'")
            token = reader.token
            if token.kind == "word" and reader.following.kind == "=":
                if token.text not in op.signature.attributes:
                    close = close_matches(token.text, op.signature.attributes)
                    reader.fail(
                        f"{op.name} has no attribute {token.text!r}{close or f'; the op is {op.name}{op.signature}'}",
                        token,
                    )
                if token.text in attributes:
                    reader.fail(f"attribute {token.text!r} is given twice", token)
                reader.index += 2
                attributes[token.text] = read_attribute(reader)
            elif attributes:
                reader.fail_expecting("an attribute such as axis=(0,)")
            else:
                operands.append(self.read_operand())
        return self.with_dtypes(operands), attributes

    def with_dtypes(self, operands: list[Value | tuple[Any, Token]]) -> tuple[Value, ...]:
        """The operands; numbers without a dtype become literals of the first value's, or of the first literal's."""
        typed = [operand for operand in operands if isinstance(operand, Value)]
        typed.sort(key=lambda operand: isinstance(operand, Literal))
        dtype = typed[0].type.dtype if typed else None
        values: list[Value] = []
        for operand in operands:
            if isinstance(operand, Value):
                values.append(operand)
            elif dtype is None:
                scalar, token = operand
                self.reader.fail(f"a literal needs its dtype where no operand gives one: {scalar}:f32", token)
            else:
                scalar, token = operand
                values.append(self.literal(scalar, dtype, token))
        return tuple(values)

    def read_regions(self) -> tuple[Graph, ...]:
        reader = self.reader
        opening = reader.token
        if not reader.accept("{"):
            return ()
        if self.depth == _DEEPEST:
            reader.fail(f"at most {_DEEPEST} regions nest", opening)
        regions: list[Graph] = []
        while not reader.accept("}"):
            reader.expect("word", "region", what="'region' or '}'" if regions else "'region'")
            regions.append(_GraphReader(reader, self.depth + 1, self.dims).read())
        return tuple(regions)

    def read_update(self) -> None:
        """`update %step = %step_1`."""
        reader = self.reader
        token = reader.token
        if token.kind != "value":
            reader.fail_expecting("the state to update, such as %w")
        old = self.read_value()
        reader.expect("=", what="'='")
        new = self.read_operand_with_dtype()
        if problem := update_problem(old, new, self.state, self.updates):
            reader.fail(problem, token)
        self.updates[old] = new
