"""What is graphc's own in convolutions, pools and patches: padding="full", strict, named extents; how they start."""

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn
from graphc.nn import functional as F
from oracles import windows

RNG = np.random.default_rng(0)


def run(function: Any, *arrays: Any) -> Any:
    return gc.evaluate(gc.trace(function, *arrays), *arrays)


# -- padding ----------------------------------------------------------------------------------------------------------


def test_full_padding_has_every_window_that_meets_the_input() -> None:
    x, w = RNG.standard_normal((2, 3, 4, 5)), RNG.standard_normal((4, 3, 3, 2))
    expected = windows.conv(x, w, None, (1, 1), (4, 1), (4, 1), (2, 1), 1)
    np.testing.assert_allclose(run(lambda x, w: F.conv2d(x, w, padding="full", dilation=(2, 1)), x, w), expected)
    line = run(lambda x, w: F.conv1d(x, w, padding="full"), x[:1, :1, 0], w[:1, :1, ::-1, 0])
    np.testing.assert_allclose(line[0, 0], np.convolve(x[0, 0, 0], w[0, 0, :, 0]))


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_same_padding_keeps_named_extents(mode: str, kernel: int) -> None:
    layer = nn.Conv2d(3, 4, kernel, padding="same", padding_mode=mode, dtype=gc.f64)
    graph = gc.trace(layer, gc.f64["N", 3, "H", "W"])
    assert str(graph.outputs[0].type) == "f64[N,4,H,W]"
    x = RNG.standard_normal((2, 3, 6, 7))
    before, after = (kernel - 1) // 2, kernel - 1 - (kernel - 1) // 2
    numpy = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode]
    framed = np.pad(x, ((0, 0), (0, 0), (before, after), (before, after)), numpy)  # type: ignore[call-overload]
    weight, bias = layer.state_dict().values()
    expected = windows.conv(framed, weight, bias, (1, 1), (0, 0), (0, 0), (1, 1), 1)
    np.testing.assert_allclose(gc.evaluate(graph, x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("mode", "room"), [("reflect", 3), ("circular", 4)])
def test_margins_are_copied_from_what_is_there(mode: str, room: int) -> None:
    layer = nn.Conv1d(2, 2, 3, padding=5, padding_mode=mode)
    with pytest.raises(gc.errors.ShapeError) as raised:
        gc.trace(layer, gc.f32["N", 2, 4])
    assert raised.value.rule == (
        f"Conv1d: padding_mode {mode!r} has {room} elements to copy along axis 2 of (N,2,4), but the padding is 5"
    )


# -- strict -----------------------------------------------------------------------------------------------------------


def test_strict_layers_want_a_stride_that_divides() -> None:
    """(W - F + 2P)/S + 1 of the notes: 227 with an 11 at stride 4 is AlexNet's, 224 is not."""
    layer = nn.Conv2d(3, 2, 11, 4, strict=True)
    assert gc.trace(layer, gc.f32["N", 3, 227, 227]).outputs[0].type.shape[2:] == (55, 55)
    with pytest.raises(gc.errors.ShapeError) as raised:
        gc.trace(layer, gc.f32["N", 3, 224, 227])
    assert raised.value.rule == (
        "conv: strict: axis 2 has extent 224 with its margins, and (224 - 11)/4 + 1 windows are not a whole number"
    )
    assert gc.trace(nn.Conv2d(3, 2, 11, 4), gc.f32["N", 3, 224, 227]).outputs[0].type.shape[2:] == (54, 55)


# -- transposed -------------------------------------------------------------------------------------------------------


def test_an_output_size_chooses_the_output_padding() -> None:
    layer = nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1)
    for wanted in ((9, 10), (2, 2, 9, 10)):
        graph = gc.trace(lambda x, wanted=wanted: layer(x, output_size=wanted), gc.f32["N", 3, 5, 5])
        assert graph.outputs[0].type.shape[1:] == (2, 9, 10)
    named = gc.trace(lambda x: layer(x, output_size=(2 * x.shape[2], 9)), gc.f32["N", 3, "H", 5])
    assert str(named.outputs[0].type) == "f32[N,2,2*H,9]"
    with pytest.raises(gc.errors.ShapeError) as raised:
        gc.trace(lambda x: layer(x, output_size=(9, 11)), gc.f32["N", 3, 5, 5])
    assert raised.value.rule == (
        "ConvTranspose2d: an input of (5,5) gives (9,9) to (10,10), but output_size is (9, 11)"
    )
    with pytest.raises(gc.errors.ShapeError, match="output_size has 2 or 4 extents"):
        gc.trace(lambda x: layer(x, output_size=(9,)), gc.f32["N", 3, 5, 5])


# -- patches ----------------------------------------------------------------------------------------------------------


def test_a_matrix_times_the_columns_is_a_convolution() -> None:
    x, w = RNG.standard_normal((2, 3, 5, 6)), RNG.standard_normal((4, 3, 3, 2))

    def both(x: Any, w: Any) -> Any:
        columns = F.unfold(x, (3, 2), padding=1, stride=(1, 2))
        y = F.conv2d(x, w, padding=1, stride=(1, 2))
        return gc.reshape(w, (4, -1)) @ columns, gc.reshape(y, (2, 4, -1))

    product, convolved = run(both, x, w)
    np.testing.assert_allclose(product, convolved, rtol=1e-11, atol=1e-13)


def test_folding_what_was_unfolded_counts_the_windows() -> None:
    def both(x: Any) -> Any:
        return F.fold(F.unfold(x, 2, padding=1), x.shape[2:], 2, padding=1)

    graph = gc.trace(both, gc.f64["N", 3, "H", "W"])
    assert str(graph.outputs[0].type) == "f64[N,3,H,W]"
    x = RNG.standard_normal((2, 3, 4, 5))
    np.testing.assert_allclose(gc.evaluate(graph, x), 4 * x)
    assert gc.gradcheck(graph, x)


# -- how layers start -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [
        (lambda: nn.Conv1d(8, 64, 5, groups=2), 20),
        (lambda: nn.Conv2d(8, 64, (3, 5)), 120),
        (lambda: nn.Conv3d(4, 64, 3), 108),
        (lambda: nn.ConvTranspose2d(64, 8, 3, groups=2), 36),
    ],
)
def test_weights_start_uniform_within_one_over_root_fan_in(layer: Any, fan_in: int) -> None:
    gc.manual_seed(0)
    made = layer()
    limit = 1 / np.sqrt(fan_in)
    for value in made.state_dict().values():
        assert np.abs(value).max() <= limit
    weight = made.state_dict()["weight"]
    assert np.abs(weight).max() > 0.98 * limit
    assert abs(weight.std() * np.sqrt(3) - limit) < 0.05 * limit


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: nn.Conv2d(3, 4, 3, groups=2), "Conv2d: in_channels is 3, which does not divide into 2 groups"),
        (lambda: nn.Conv2d(4, 3, 3, groups=2), "Conv2d: out_channels is 3, which does not divide into 2 groups"),
        (lambda: nn.Conv2d(4, 4, 3, groups=0), "Conv2d: groups is an integer of at least 1, not 0"),
        (lambda: nn.Conv2d(4, 4, (3, 3, 3)), "Conv2d: kernel_size is an integer or 2 of them, not (3, 3, 3)"),
        (lambda: nn.Conv1d(4, 4, 2.5), "Conv1d: kernel_size is an integer, not 2.5"),
        (lambda: nn.Conv2d(4, 4, 3, 0), "Conv2d: stride is at least 1, not 0"),
        (
            lambda: nn.Conv2d(4, 4, 3, padding="other"),
            "Conv2d: padding is a number or one of valid, same, full, not 'other'",
        ),
        (
            lambda: nn.Conv2d(4, 4, 3, 2, padding="same"),
            "Conv2d: padding='same' needs stride 1, but the stride is (2, 2)",
        ),
        (
            lambda: nn.Conv2d(4, 4, 3, padding_mode="other"),
            "Conv2d: padding_mode is one of zeros, reflect, replicate, circular, not 'other'",
        ),
        (
            lambda: nn.ConvTranspose2d(4, 4, 3, padding_mode="reflect"),
            "ConvTranspose2d: padding_mode is 'zeros', not 'reflect'",
        ),
    ],
)
def test_layers_say_at_once_what_makes_no_sense(make: Any, rule: str) -> None:
    with pytest.raises(gc.errors.OpAttributeError) as raised:
        make()
    assert raised.value.rule == rule


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (nn.Conv2d(3, 4, 3), (5, 5), r"conv2d: the input has shape \(N, C, H, W\) or \(C, H, W\), but this one is f32"),
        (nn.MaxPool1d(3), (5,), r"max_pool1d: the input has shape \(N, C, L\) or \(C, L\), but this one is f32\[5\]"),
        (nn.BatchNorm2d(3), (2, 3, 4), r"BatchNorm2d takes 4 axes, \(N, C, H, W\), but the input is \(2,3,4\)"),
        (nn.BatchNorm3d(3), (2, 3, 4, 4), r"BatchNorm3d takes 5 axes, \(N, C, D, H, W\), but the input is"),
    ],
)
def test_layers_want_inputs_of_their_rank(layer: nn.Module, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(gc.errors.ShapeError, match=message):
        gc.trace(layer, gc.f32[shape])
