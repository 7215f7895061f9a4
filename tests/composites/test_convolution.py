"""Convolutions against plain loops over random settings, with known and with named extents, and what they refuse."""

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.composites.convolution import conv, conv_transpose
from graphc.passes.decompose import decompose
from oracles import windows

NAMES = ("D", "H", "W")


def named(array: Any, count: int) -> Any:
    """The type of examples, with names for the batch and what is slid over."""
    dtype = gc.f32 if array.dtype == np.float32 else gc.f64
    return dtype[("N", array.shape[1], *NAMES[-count:])]


def agree(function: Any, arrays: list[Any], count: int, expected: Any) -> None:
    """The function's values on arrays, traced with their extents and with names for them."""
    for specs in (arrays, [named(arrays[0], count), *arrays[1:]]):
        given = gc.evaluate(gc.trace(lambda *operands: function(*operands), *specs), *arrays)
        assert (given.shape, given.dtype) == (expected.shape, expected.dtype)
        tolerance = 1e-5 if expected.dtype == np.float32 else 1e-12
        np.testing.assert_allclose(given, expected, rtol=tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("seed", range(12))
def test_conv_is_the_sum_over_windows(count: int, seed: int) -> None:
    rng = np.random.default_rng([seed, count])
    dtype = np.float32 if seed % 3 == 0 else np.float64

    def numbers(low: int, high: int) -> tuple[int, ...]:
        return tuple(map(int, rng.integers(low, high, count)))

    groups, each, out = (int(n) for n in rng.integers(1, 4, 3))
    size, stride, dilation = numbers(1, 4), numbers(1, 4), numbers(1, 3)
    low, high = numbers(0, 4), numbers(0, 4)
    spans = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    space = tuple(max(1, span + int(rng.integers(0, 4)) - before) for span, before in zip(spans, low, strict=True))
    x, w, b = (
        rng.standard_normal(shape).astype(dtype)
        for shape in ((2, groups * each, *space), (groups * out, each, *size), (groups * out,))
    )
    operands = [x, w, b] if seed % 2 else [x, w]
    expected = windows.conv(x, w, b if seed % 2 else None, stride, low, high, dilation, groups)

    def call(*given: Any) -> Any:
        return conv(*given, stride=stride, low=low, high=high, dilation=dilation, groups=groups)

    agree(call, operands, count, expected)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("seed", range(12))
def test_conv_transpose_spreads_every_element(count: int, seed: int) -> None:
    rng = np.random.default_rng([seed, count, 1])
    dtype = np.float32 if seed % 3 == 0 else np.float64

    def numbers(low: int, high: int) -> tuple[int, ...]:
        return tuple(map(int, rng.integers(low, high, count)))

    groups, each, out = (int(n) for n in rng.integers(1, 4, 3))
    size, stride, dilation, space = numbers(1, 4), numbers(1, 4), numbers(1, 3), numbers(2, 4)
    more = tuple(int(rng.integers(0, max(s, d))) for s, d in zip(stride, dilation, strict=True))
    padding = tuple(
        min(int(rng.integers(0, 4)), ((extent - 1) * s + d * (k - 1) + m) // 2)
        for extent, s, d, k, m in zip(space, stride, dilation, size, more, strict=True)
    )
    x, w, b = (
        rng.standard_normal(shape).astype(dtype)
        for shape in ((2, groups * each, *space), (groups * each, out, *size), (groups * out,))
    )
    operands = [x, w, b] if seed % 2 else [x, w]
    expected = windows.conv_transpose(x, w, b if seed % 2 else None, stride, padding, more, dilation, groups)

    def call(*given: Any) -> Any:
        return conv_transpose(
            *given, stride=stride, padding=padding, output_padding=more, dilation=dilation, groups=groups
        )

    agree(call, operands, count, expected)


def test_the_transpose_is_the_gradient() -> None:
    """⟨conv(x), g⟩ = ⟨x, conv_transpose(g)⟩, so the cotangent of x is the transposed convolution of g."""
    rng = np.random.default_rng(4)
    x, w = rng.standard_normal((2, 4, 7, 6)), rng.standard_normal((6, 2, 3, 2))
    settings: dict[str, Any] = {"stride": (2, 3), "dilation": (1, 2), "groups": 2}
    graph = gc.trace(lambda x, w: conv(x, w, low=(1, 0), high=(1, 0), **settings), x, w)
    g = rng.standard_normal(gc.evaluate(graph, x, w).shape)
    (dx, _) = gc.evaluate(gc.vjp(graph), x, w, g)
    back = gc.trace(lambda g, w: conv_transpose(g, w, padding=(1, 0), output_padding=(0, 0), **settings), g, w)
    given = gc.evaluate(back, g, w)
    np.testing.assert_allclose(dx[:, :, : given.shape[2], : given.shape[3]], given, rtol=1e-12, atol=1e-13)


def test_one_example_is_a_batch_of_one() -> None:
    rng = np.random.default_rng(5)
    x, w, b = rng.standard_normal((3, 5, 6)), rng.standard_normal((4, 3, 2, 3)), rng.standard_normal(4)
    turned = rng.standard_normal((3, 2, 2, 3))

    def both(x: Any, w: Any, b: Any, v: Any) -> Any:
        forward = conv(x, w, b, stride=(1, 2), low=(0, 0), high=(0, 1), dilation=(1, 1))
        return forward, conv_transpose(x, v, stride=(2, 1), padding=(0, 0), output_padding=(0, 0), dilation=(1, 1))

    one = gc.evaluate(gc.trace(both, gc.f64[3, "H", "W"], w, b, turned), x, w, b, turned)
    batch = gc.evaluate(gc.trace(both, x[None], w, b, turned), x[None], w, b, turned)
    for a, each in zip(one, batch, strict=True):
        np.testing.assert_array_equal(a, each[0])


def test_gradients_with_named_extents() -> None:
    rng = np.random.default_rng(6)
    x, w, b = rng.standard_normal((2, 2, 5, 4)), rng.standard_normal((2, 1, 3, 2)), rng.standard_normal(2)

    def loss(x: Any, w: Any, b: Any) -> Any:
        y = conv(x, w, b, stride=(2, 1), low=(1, 1), high=(1, 0), dilation=(1, 2), groups=2)
        return gc.sum(gc.tanh(y) * y)

    graph = gc.trace(loss, gc.f64["N", 2, "H", "W"], w, b)
    assert gc.gradcheck(graph, x, w, b)
    assert gc.gradcheck(gc.grad(graph, wrt=["w"]), x, w, b)


def test_extents_are_formulas_of_named_ones() -> None:
    def call(x: Any, w: Any) -> Any:
        return conv(x, w, stride=(2, 1), low=(1, 1), high=(1, 1), dilation=(1, 1))

    graph = gc.trace(call, gc.f32["N", 3, "H", "W"], gc.f32[8, 3, 3, 3])
    assert str(graph.outputs[0].type) == "f32[N,8,(H-1)//2+1,W]"
    assert [node.op.name for node in graph.nodes] == ["conv"]
    assert [node.op.name for node in decompose(graph).nodes] == ["reshape", "reshape", "convolution", "reshape"]


def test_f16_accumulates_in_f32() -> None:
    x = np.full((1, 4096, 2), 8, np.float16)
    w = np.full((1, 4096, 2), 0.5, np.float16)
    settings: dict[str, Any] = {"stride": (1,), "low": (0,), "high": (0,), "dilation": (1,)}
    graph = gc.trace(lambda x, w: conv(x, w, **settings), x, w)
    assert gc.evaluate(graph, x, w).ravel() == [32768]


# -- strict -----------------------------------------------------------------------------------------------------------

STRICT: dict[str, Any] = {"stride": (3, 2), "low": (0, 0), "high": (0, 0), "dilation": (1, 1), "strict": True}
RULE = "conv: strict: axis 2 has extent 7 with its margins, and (7 - 3)/3 + 1 windows are not a whole number"


def test_strict_wants_windows_that_divide() -> None:
    w = gc.f32[2, 3, 3, 2]
    with pytest.raises(gc.errors.ShapeError) as raised:
        gc.trace(lambda x, w: conv(x, w, **STRICT), gc.f32[1, 3, 7, 8], w)
    assert raised.value.rule == RULE
    assert gc.trace(lambda x, w: conv(x, w, **STRICT), gc.f32[1, 3, 9, 8], w).outputs[0].type.shape == (1, 2, 3, 4)


@pytest.mark.parametrize("backend", ["interpreter", "cpu"])
def test_strict_asks_named_extents_when_a_call_binds_them(backend: str) -> None:
    graph = gc.trace(lambda x, w: conv(x, w, **STRICT), gc.f32["N", 3, "H", "W"], gc.f32[2, 3, 3, 2])
    executable = gc.compile(graph, backend=backend)
    w = np.ones((2, 3, 3, 2), np.float32)
    assert executable(np.ones((1, 3, 9, 8), np.float32), w).shape == (1, 2, 3, 4)
    with pytest.raises(gc.errors.ShapeError) as raised:
        executable(np.ones((1, 3, 7, 8), np.float32), w)
    assert raised.value.rule == RULE


# -- what does not fit ------------------------------------------------------------------------------------------------

PLAIN: dict[str, Any] = {"stride": (1,), "low": (0,), "high": (0,), "dilation": (1,)}
BACK: dict[str, Any] = {"stride": (1,), "padding": (0,), "output_padding": (0,), "dilation": (1,)}


@pytest.mark.parametrize(
    ("op", "specs", "changed", "rule"),
    [
        (conv, ((2, 4, 7), (5, 3, 3)), {}, "conv: x has 4 channels, but weight takes 3"),
        (conv, ((2, 4, 7), (6, 3, 3)), {"groups": 2}, "conv: x has 4 channels, but weight takes 6 in 2 groups"),
        (conv, ((2, 6, 7), (5, 3, 3)), {"groups": 2}, "conv: 5 channels that weight gives do not divide into 2 groups"),
        (conv, ((2, 3, 7), (5, 3, 3), (4,)), {}, "conv: weight gives 5 channels, but bias has 4"),
        (conv, ((2, 3, 7), (5, 3, 3), (5, 1)), {}, "conv: bias has shape (5,), but this one is f32[5,1]"),
        (conv, ((2, 3, 2), (5, 3, 3)), {}, "conv: axis 2 has extent 2, but the window reaches over 3"),
        (
            conv, ((2, 3, 1), (5, 3, 4)), {"low": (1,), "high": (1,)},
            "conv: axis 2 has extent 1, 3 with its margins, but the window reaches over 4",
        ),
        (
            conv, ((2, 3, 7, 7), (5, 3, 3)), {},
            "conv: x has shape (N, channels, ...) or (channels, ...) with 1 axes to slide over, but is f32[2,3,7,7]",
        ),
        (
            conv, ((2, 3, 7), (5, 3, 3, 3)), {},
            "conv: weight has shape (out, in/groups, ...) with 1 axes to slide over, but is f32[5,3,3,3]",
        ),
        (conv_transpose, ((2, 4, 7), (3, 5, 3)), {}, "conv_transpose: x has 4 channels, but weight takes 3"),
        (
            conv_transpose, ((2, 3, 2), (3, 5, 1)), {"padding": (1,)},
            "conv_transpose: axis 2 of x has extent 2, which gives an extent of 0",
        ),
    ],
)  # fmt: skip
def test_shapes_say_what_does_not_fit(op: Any, specs: Any, changed: dict[str, Any], rule: str) -> None:
    settings = {**(PLAIN if op is conv else BACK), **changed}
    with pytest.raises(gc.errors.ShapeError) as raised:
        gc.trace(lambda *operands: op(*operands, **settings), *(gc.f32[shape] for shape in specs))
    assert raised.value.rule == rule


@pytest.mark.parametrize(
    ("op", "changed", "rule"),
    [
        (conv, {"groups": 0}, "conv: groups is an integer of at least 1, not 0"),
        (conv, {"stride": (0,)}, "conv: stride (0,) must be positive"),
        (conv, {"low": (0, 0)}, "conv: low (0, 0) and high (0,) must have 1 numbers, as stride (1,)"),
        (
            conv_transpose, {"output_padding": (2,), "stride": (2,)},
            "conv_transpose: output_padding is at least 0 and less than stride or dilation, but along axis 2 it is 2, "
            "stride 2, dilation 1",
        ),
    ],
)  # fmt: skip
def test_settings_say_what_is_wrong(op: Any, changed: dict[str, Any], rule: str) -> None:
    settings = {**(PLAIN if op is conv else BACK), **changed}
    with pytest.raises(gc.errors.OpAttributeError) as raised:
        gc.trace(lambda x, w: op(x, w, **settings), gc.f32[2, 3, 7], gc.f32[3, 3, 3])
    assert raised.value.rule == rule


def test_dtypes_are_floats_of_one_width() -> None:
    with pytest.raises(gc.errors.DTypeError, match="conv: takes floating-point numbers, but x is i32"):
        gc.trace(lambda x, w: conv(x, w, **PLAIN), gc.i32[2, 3, 7], gc.f32[3, 3, 3])
    with pytest.raises(gc.errors.DTypeError, match="conv: x is f64, but weight is f32"):
        gc.trace(lambda x, w: conv(x, w, **PLAIN), gc.f64[2, 3, 7], gc.f32[3, 3, 3])


@pytest.mark.parametrize("backend", ["interpreter", "cpu"])
def test_a_window_that_a_named_extent_cannot_hold(backend: str) -> None:
    executable = gc.compile(
        gc.trace(lambda x, w: conv(x, w, **PLAIN), gc.f32["N", 3, "L"], gc.f32[5, 3, 3]), backend=backend
    )
    with pytest.raises(gc.errors.ShapeError, match="axis 2 has extent 2, but the window reaches over 3"):
        executable(np.ones((1, 3, 2), np.float32), np.ones((5, 3, 3), np.float32))
