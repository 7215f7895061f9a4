"""What the text of a graph looks like."""

import ml_dtypes
import numpy as np
import pytest

import graphc as gc
from graphc.dim import dim
from graphc.ir import Graph, Literal, Node, Value
from graphc.op import find_op
from graphc.provenance import Location, Provenance
from graphc.state import Cell
from graphc.text.attribute_text import print_attribute, read_attribute
from graphc.text.parser import parse
from graphc.text.reader import Reader

N = dim("N")


def traced_step():
    weight = Cell(np.zeros((3, 2), np.float32), kind="parameter", name="fc.weight")
    mean = Cell(np.zeros(2, np.float32), kind="buffer", name="mean")

    def step(x, y):
        h = gc.tanh(x @ weight)
        mean.assign(gc.sum(h, axis=0) / x.shape[0])
        top, place = gc.topk(h * 0.5, 1)
        return gc.where(y, top[:, 0], -np.inf), place, 2.0

    return gc.trace(step, gc.f32["N", 3], gc.bool["N"])


def test_a_graph_with_state(golden):
    golden("text/step.ir", str(traced_step()))


def test_provenance_stands_in_comments_in_one_column(golden):
    graph = parse(str(traced_step()), file="models/step.py")
    long = Node(
        find_op("constant"), (), {"value": np.arange(8, dtype=np.float64) / 7}, (Value("long", gc.f64[8]),),
        provenance=Provenance(Location("/home/me/a\nb.py", 3), module="Net.fc", origin="h", rule="fold"),
    )  # fmt: skip
    nowhere = Node(find_op("full"), (), {"value": 1, "shape": (), "dtype": gc.i8}, (Value("one", gc.i8()),))
    graph = graph.with_(nodes=(*graph.nodes, long, nowhere))
    text = graph.to_text(provenance=True)
    golden("text/step_with_provenance.ir", text)
    assert str(parse(text)) == str(graph)


def test_derivatives_say_what_they_differentiate():
    graph = gc.trace(lambda x: gc.sum(gc.sin(x) * x), gc.f32["N"], name="f")
    (line,) = [line for line in gc.grad(graph).to_text(provenance=True).splitlines() if "= cos(" in line]
    assert line.endswith(", gradient of %sin")
    assert "// test_printer.py:" in line


def test_regions_are_indented(golden):
    inner = "region @inner(%b: f32[3]) { %e: f32[3] = exp(%b) return %e }"
    middle = f"region @middle(%a: f32[3]) {{ %d: f32[3] = fused(%a) {{ {inner} }} return %d, %a }}"
    nested = parse(f"graph @outer(%a: f32[3]) {{ %b: f32[3], %c: f32[3] = fused(%a) {{ {middle} }} return %b }}")
    golden("text/regions.ir", str(nested))
    jacobian = gc.jacobian(gc.trace(lambda x: x * x, gc.f32[3], name="f"))
    assert "    region @" in str(jacobian)
    assert str(parse(str(jacobian))) == str(jacobian)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (True, "True"),
        (-3, "-3"),
        (2**64 - 1, "18446744073709551615"),
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (1e-300, "1e-300"),
        (float("-inf"), "-inf"),
        (float("nan"), "nan"),
        (np.float64(0.5), "0.5"),
        (gc.bf16, "bf16"),
        (gc.bool, "bool"),
        (N, "N"),
        ((N - 1) // 2 + 1, "(N-1)//2+1"),
        (dim("nan"), "(nan)"),
        (-dim("inf"), "(-inf)"),
        (dim("f32"), "(f32)"),
        (dim("f32") * 2, "2*f32"),
        ((), "()"),
        ((1,), "(1,)"),
        ((1, (2, None), "x"), '(1, (2, None), "x")'),
        ("", '""'),
        ('a "b" \\ \n\t\r', '"a \\"b\\" \\\\ \\n\\t\\r"'),
        ("é λ 入 😀", '"é λ 入 😀"'),
        ("\0\x85\u2028\ud800\U000e0001", '"\\u0000\\u0085\\u2028\\ud800\\U000e0001"'),
        (np.array(1, np.int8), "i8[]{1}"),
        (np.zeros((0, 3), np.float32), "f32[0,3]{}"),
        (np.array([[True], [False]]), "bool[2,1]{True, False}"),
        (np.array([0.1, 1, 16777216, 1e20, 1e-45, np.nan, -np.inf, -0.0], "f4"),
         "f32[8]{0.1, 1.0, 16777216.0, 1e+20, 1e-45, nan, -inf, -0.0}"),
        (np.array([0.1, 1e300]), "f64[2]{0.1, 1e+300}"),
        (np.array([0.1, 65504, 6e-8], np.float16), "f16[3]{0.1, 65504.0, 6e-08}"),
        (np.array([0.1, 1, 3e38], ml_dtypes.bfloat16), "bf16[3]{0.100098, 1.0, 3.00406e+38}"),
        (np.array([2**64 - 1, 0], np.uint64), "u64[2]{18446744073709551615, 0}"),
        (np.array([-(2**63)]), "i64[1]{-9223372036854775808}"),
        (np.array([1, 2], ">i4"), "i32[2]{1, 2}"),
        (np.arange(6, dtype="f4").reshape(2, 3).T, "f32[3,2]{0.0, 3.0, 1.0, 4.0, 2.0, 5.0}"),
        (np.array([0x7FC00001], np.uint32).view("f4"), 'f32[1]{base64 "AQDAfw=="}'),
        (np.zeros(33, bool), 'bool[33]{base64 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}'),
    ],
)  # fmt: skip
def test_attributes_print_and_read_back(value, text):
    assert print_attribute(value) == text
    graph = Graph("g", (), (Node(find_op("full"), (), {"value": value, "shape": (), "dtype": gc.f32}, ()),), ())
    assert f"value={text}" in str(graph)
    again = read_attribute_text(text)
    if isinstance(value, np.ndarray):
        assert again.dtype == value.dtype.newbyteorder("=")
        assert again.shape == value.shape
        assert again.tobytes() == value.astype(again.dtype).tobytes()
    else:
        assert repr(again) == repr(value if not isinstance(value, np.float64) else float(value))


def read_attribute_text(text):
    reader = Reader(f"({text},)")
    (value,) = read_attribute(reader)
    assert reader.at("end")
    return value


def test_attributes_with_their_default_are_left_out_down_to_the_sign_of_a_zero():
    pad = find_op("pad")
    x = Value("x", gc.f32[2])
    call = {"low": (1,), "high": (1,), "interior": None}
    for value, expected in [(0.0, ""), (-0.0, ", value=-0.0"), (0, ", value=0"), (float("nan"), ", value=nan")]:
        node = Node(pad, (x,), pad.complete({**call, "value": value}), (Value("y", gc.f32[4]),))
        assert str(node) == f"%y: f32[4] = pad(%x, low=(1,), high=(1,){expected})"


def test_literals_say_their_dtype_only_where_no_operand_gives_it():
    x = Value("x", gc.f32["N"])
    add = find_op("add")
    half, wide = Literal(0.5, gc.f32), Literal(0.5, gc.f64)

    def text(*operands):
        return str(Node(add, operands, {}, (Value("y", gc.f32["N"]),))).partition(" = ")[2]

    assert text(x, half) == "add(%x, 0.5)"
    assert text(half, x) == "add(0.5, %x)"
    assert text(x, wide) == "add(%x, 0.5:f64)"
    assert text(half, half) == "add(0.5:f32, 0.5:f32)"
    assert text(x, Literal(N // 2, gc.f32)) == "add(%x, N//2)"
    assert text(x, Literal(N // 2, gc.f64)) == "add(%x, (N//2):f64)"
    graph = Graph("g", (x,), (), (Literal(N // 2, gc.i64), Literal(N, gc.i64), half))
    assert str(graph).splitlines()[1] == "  return (N//2):i64, N:i64, 0.5:f32"
    assert str(parse(str(graph))) == str(graph)


def test_an_attribute_of_another_kind_is_refused():
    with pytest.raises(TypeError, match="an attribute cannot be a list"):
        print_attribute([1])


def test_names_of_nodes_are_read_aloud_with_their_types():
    (node,) = parse("graph @f(%x: f32[N]) { %y: f32[N] = mul(%x, 2.0) return %y }").nodes
    assert node.line == "%y: f32[N] = mul(%x: f32[N], 2.0)"
