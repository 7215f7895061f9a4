"""Attention agrees with torch: the function with its masks, the layer in all its forms, the encoder."""

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc import nn
from graphc.nn import functional as F
from oracles.case import Case, read
from oracles.compare import check, compare, gradients, traced

CASES = read("nn_attention")
FUNCTIONAL = [case for case in CASES if case.function == "scaled_dot_product_attention"]
MODULES = [case for case in CASES if "parameters" in case]
STRUCTURES = [case for case in CASES if case.name.startswith(("repr-", "tree-"))]

RNG = np.random.default_rng(0)


def run(function: Any, *arrays: Any) -> Any:
    """The function's value on arrays."""
    return gc.evaluate(gc.trace(function, *arrays), *arrays)


@pytest.mark.parametrize("case", FUNCTIONAL, ids=lambda case: case.name)
def test_the_function_agrees_with_torch(case: Case) -> None:
    check(case, F.scaled_dot_product_attention)


def called(case: Case) -> Any:
    """The case's module with its parameters, as a function of the case's inputs that gives a tuple of results."""
    module = getattr(nn, case.function)(**case.arguments).double()
    module.load_state_dict(case["parameters"])

    class Called(nn.Module):
        def forward(self, *tensors: Any) -> tuple[Any, ...]:
            given = dict(zip(case["inputs"], tensors, strict=True))
            if case.facts["shared"]:
                given |= {"key": given["query"], "value": given["query"]}
            results = module(**given, **case.facts["call"])
            return results if isinstance(results, tuple) else (results, None)

    called = Called()
    for name, parameter in module.named_parameters():  # the names that torch's gradients have
        called._parameters[name] = parameter
    return called


@pytest.mark.parametrize("case", MODULES, ids=lambda case: case.name)
def test_modules_agree_with_torch(case: Case) -> None:
    module, inputs = called(case), case["inputs"]
    for index, (name, expected) in enumerate(case["outputs"].items()):
        graph = traced(lambda *tensors, index=index: module(*tensors)[index], inputs)
        compare(gc.evaluate(graph, *inputs.values()), expected, name)
    expected = case["gradients"]
    given = gradients(lambda *t: module(*t)[0], inputs, case["cotangents"]["output"], list(expected))
    for name, gradient in given.items():
        compare(gradient, expected[name], f"gradient of {name}")
    if case.facts["call"].get("need_weights") is False:
        assert "weights" not in case["outputs"]


def encoder() -> nn.Module:
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 6), 2, norm=nn.LayerNorm(4))


@pytest.mark.parametrize("case", STRUCTURES, ids=lambda case: case.name)
def test_prints_and_stores_what_torch_does(case: Case) -> None:
    module = encoder() if case.name.startswith("tree-") else getattr(nn, case.function)(**case.arguments)
    assert repr(module) == case.facts["repr"]
    state = {name: [array.dtype.name, list(array.shape)] for name, array in module.state_dict().items()}
    assert state == case.facts["state"]
    assert list(state) == list(case.facts["state"])


# -- the function -----------------------------------------------------------------------------------------------------

Q, K, V = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(2, 5, 4)), RNG.normal(size=(2, 5, 6))


def test_dropout_drops_weights_by_the_counter_of_the_graph() -> None:
    """With V the identity the result is the weights: what is kept is divided by 1 − p, and the seed says what is."""
    q, k = RNG.normal(size=(40, 30, 4)), RNG.normal(size=(40, 50, 4))
    unit = np.broadcast_to(np.eye(50), (40, 50, 50)).copy()

    def dropped(seed: int) -> Any:
        attend = gc.trace(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, dropout_p=0.25), q, k, unit)
        attend.state[0].cell[...] = [seed, 0]
        return gc.evaluate(attend, q, k, unit)

    kept, weights = dropped(3), run(F.scaled_dot_product_attention, q, k, unit)
    assert abs((kept == 0).mean() - 0.25) < 0.01
    np.testing.assert_allclose(kept[kept > 0], weights[kept > 0] / 0.75, rtol=1e-12)
    np.testing.assert_array_equal(kept, dropped(3))
    assert (kept != dropped(4)).any()


def test_the_gradient_goes_through_the_weights_that_dropout_kept() -> None:
    graph = gc.trace(lambda q, k, v: gc.sum(F.scaled_dot_product_attention(q, k, v, dropout_p=0.5) ** 2), Q, K, V)
    assert gc.gradcheck(graph, Q, K, V)


def test_everything_is_dropped_at_1() -> None:
    assert not run(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, dropout_p=1.0), Q, K, V).any()


def test_masks_may_be_arrays_and_lists() -> None:
    listed = run(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, [True, False, True, True, False]), Q, K, V)
    seen = [0, 2, 3]
    np.testing.assert_allclose(listed, run(F.scaled_dot_product_attention, Q, K[:, seen], V[:, seen]), rtol=1e-12)


def test_16_bit_floats_are_computed_in_f32() -> None:
    half = [x.astype(np.float16) for x in (Q, K, V)]
    exact = run(F.scaled_dot_product_attention, *(x.astype(np.float32) for x in half))
    np.testing.assert_array_equal(run(F.scaled_dot_product_attention, *half), exact.astype(np.float16))


WHAT = "scaled_dot_product_attention"


@pytest.mark.parametrize(
    ("shapes", "options", "error", "rule"),
    [
        (
            ((3, 4), (5, 4), (5, 4)), {"attn_mask": np.ones((3, 5), bool), "is_causal": True}, "ArgumentError",
            f"{WHAT}: takes attn_mask or is_causal, not both: attn_mask is bool[3,5]",
        ),
        (
            ((3, 4), (5, 4), (5, 4)), {"dropout_p": 1.5}, "OpAttributeError",
            f"{WHAT}: dropout_p is a probability from 0 to 1, not 1.5",
        ),
        (
            ((5, 3, 4), (2, 5, 4), (2, 5, 4)), {"enable_gqa": True}, "ShapeError",
            f"{WHAT}: with enable_gqa query has a multiple of key's 2 heads, but it has 5",
        ),
        (
            ((6, 3, 4), (2, 5, 4), (3, 5, 4)), {"enable_gqa": True}, "ShapeError",
            f"{WHAT}: with enable_gqa key and value have as many heads, but 2 and 3",
        ),
        (
            ((3, 4), (5, 4), (5, 4)), {"enable_gqa": True}, "ShapeError",
            f"{WHAT}: with enable_gqa query has 3 axes or more, but this one is f64[3,4]",
        ),
        (
            ((4, 3, 4), (2, 5, 4), (2, 5, 4)), {"enable_gqa": True, "attn_mask": np.ones((2, 3, 5), bool)},
            "ShapeError", f"{WHAT}: query has 4 heads, but attn_mask has 2",
        ),
    ],
)  # fmt: skip
def test_the_function_says_what_does_not_fit(shapes: Any, options: Any, error: str, rule: str) -> None:
    with pytest.raises(getattr(gc.errors, error)) as caught:
        gc.trace(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, **options), *map(np.zeros, shapes))
    assert caught.value.rule == rule


# -- the layer --------------------------------------------------------------------------------------------------------


def test_projections_start_uniform_and_biases_at_0() -> None:
    gc.manual_seed(0)
    layer = nn.MultiheadAttention(64, 8, add_bias_kv=True)
    limit = np.sqrt(6 / (64 + 192))
    weight = np.asarray(layer.in_proj_weight)
    assert 0.98 * limit < np.abs(weight).max() <= limit
    assert abs(weight.var() - limit**2 / 3) < 0.02 * limit**2
    assert not np.asarray(layer.in_proj_bias).any()
    assert not np.asarray(layer.out_proj.bias).any()
    assert abs(np.asarray(layer.bias_k).std() - np.sqrt(2 / 128)) < 0.02
    apart = nn.MultiheadAttention(64, 8, kdim=32)
    limit = np.sqrt(6 / (64 + 32))
    assert 0.98 * limit < np.abs(np.asarray(apart.k_proj_weight)).max() <= limit


def test_one_input_is_projected_by_one_product() -> None:
    layer = nn.MultiheadAttention(8, 2)
    shared = gc.trace(lambda x: layer(x, x, x, need_weights=False)[0], gc.f32["T", "N", 8])
    assert [node.op.name for node in shared.nodes].count("affine") == 2
    apart = gc.trace(lambda x, y: layer(x, y, y, need_weights=False)[0], gc.f32["T", "N", 8], gc.f32["S", "N", 8])
    assert [node.op.name for node in apart.nodes].count("affine") == 4
    assert [node.op.name for node in apart.nodes].count("scaled_dot_product_attention") == 1


@pytest.mark.parametrize("options", [{}, {"add_bias_kv": True, "add_zero_attn": True}], ids=["plain", "appended"])
@pytest.mark.parametrize("need_weights", [False, True])
def test_is_causal_needs_no_mask(options: dict[str, bool], need_weights: bool) -> None:
    """torch asks for the mask that the flag stands for; the flag alone says the same here."""
    layer = nn.MultiheadAttention(4, 2, batch_first=True, **options).double()
    x, later = RNG.normal(size=(2, 5, 4)), np.triu(np.ones((5, 5), bool), 1)
    flag = run(lambda x: layer(x, x, x, need_weights=need_weights, is_causal=True)[0], x)
    mask = run(lambda x: layer(x, x, x, need_weights=need_weights, attn_mask=later)[0], x)
    np.testing.assert_allclose(flag, mask, rtol=1e-12)


@pytest.mark.parametrize("need_weights", [False, True])
def test_an_example_of_padding_alone_gives_the_bias_and_no_nan(need_weights: bool) -> None:
    layer = nn.MultiheadAttention(4, 2, batch_first=True).double()
    layer.out_proj.bias[...] = np.arange(4.0)
    x, padding = RNG.normal(size=(2, 3, 4)), np.array([[True, True, True], [False, False, True]])

    def loss(x: Any) -> Any:
        return gc.sum(layer(x, x, x, padding, need_weights)[0] ** 2)

    result = run(lambda x: layer(x, x, x, padding, need_weights)[0], x)
    np.testing.assert_array_equal(result[0], np.broadcast_to(np.arange(4.0), (3, 4)))
    names = ["x", *(name for name, _ in layer.named_parameters())]
    gradients_of = gc.evaluate(gc.grad(gc.trace(nn_called(loss, layer), x), wrt=names), x)
    assert all(np.isfinite(each).all() for each in gradients_of)
    assert not gradients_of[0][0].any()


def nn_called(function: Any, layer: nn.Module) -> nn.Module:
    """A module with the layer's parameters that computes the function."""

    class Loss(nn.Module):
        def forward(self, x: Any) -> Any:
            return function(x)

    loss = Loss()
    for name, parameter in layer.named_parameters():
        loss._parameters[name] = parameter
    return loss


def test_dropout_acts_in_training_alone_and_shows_in_the_weights() -> None:
    layer = nn.MultiheadAttention(8, 2, dropout=0.5, batch_first=True)
    x = RNG.normal(size=(4, 20, 8)).astype(np.float32)

    def weights(x: Any) -> Any:
        return layer(x, x, x, average_attn_weights=False)[1]

    assert abs((run(weights, x) == 0).mean() - 0.5) < 0.03
    assert (run(lambda x: layer(x, x, x, need_weights=False)[0], x) != 0).any()
    layer.eval()
    np.testing.assert_allclose(run(weights, x).sum(-1), 1, rtol=1e-5)
    names = [node.op.name for node in gc.trace(lambda x: layer(x, x, x, need_weights=False)[0], x).nodes]
    assert "dropout" not in names


def test_one_graph_serves_any_batch_and_length() -> None:
    layer = nn.MultiheadAttention(64, 4, batch_first=True)
    specs = gc.f32["N", "T", 64], gc.f32["N", "S", 64], gc.bool["N", "S"], gc.bool["4*N", "T", "S"]
    graph = gc.trace(lambda x, y, padding, mask: layer(x, y, y, padding, attn_mask=mask), *specs)
    assert [str(value.type) for value in graph.outputs] == ["f32[N,T,64]", "f32[N,T,S]"]
    for n, t, s in ((2, 3, 5), (1, 5, 2), (0, 3, 3)):
        x, y = (RNG.normal(size=(n, m, 64)).astype(np.float32) for m in (t, s))
        padding, mask = RNG.random((n, s)) < 0.3, RNG.random((4 * n, t, s)) < 0.3
        static = gc.trace(lambda x, y, p, m: layer(x, y, y, p, attn_mask=m), x, y, padding, mask)
        for named, plain in zip(
            gc.evaluate(graph, x, y, padding, mask), gc.evaluate(static, x, y, padding, mask), strict=True
        ):
            np.testing.assert_allclose(named, plain, rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"embed_dim": 8, "num_heads": 3}, "MultiheadAttention: embed_dim 8 is not divisible by num_heads 3"),
        (
            {"embed_dim": 0, "num_heads": 3},
            "MultiheadAttention: embed_dim and num_heads are above 0, but they are 0 and 3",
        ),
        (
            {"embed_dim": 8, "num_heads": 2, "dropout": -0.1},
            "MultiheadAttention: dropout is a probability from 0 to 1, not -0.1",
        ),
    ],
)
def test_the_layer_refuses_what_makes_no_sense(arguments: dict[str, Any], rule: str) -> None:
    with pytest.raises(gc.errors.OpAttributeError) as caught:
        nn.MultiheadAttention(**arguments)
    assert caught.value.rule == rule


def refusal(layer: nn.Module, *specs: Any, **masks: Any) -> gc.errors.GraphcError:
    """What the layer says to these inputs, in a trace."""
    with pytest.raises(gc.errors.GraphcError) as caught:
        gc.trace(lambda q, k, v: layer(q, k, v, **masks)[0], *specs)
    return caught.value


@pytest.mark.parametrize(
    ("specs", "rule"),
    [
        ((gc.f32["N", 3, 6], gc.f32["N", 5, 8], gc.f32["N", 5, 8]), "embed_dim is 8, but query has 6 features"),
        ((gc.f32["N", 3, 8], gc.f32["N", 5, 6], gc.f32["N", 5, 8]), "kdim is 8, but key has 6 features"),
        ((gc.f32["N", 3, 8], gc.f32["N", 5, 8], gc.f32["N", 5, 6]), "vdim is 8, but value has 6 features"),
        (
            (gc.f32["N", 3, 8], gc.f32["N", 5, 8], gc.f32["N", 4, 8]),
            "key is f32[N,5,8], but value is f32[N,4,8]: they differ before features",
        ),
        ((gc.f32[2, 3, 8], gc.f32[3, 5, 8], gc.f32[3, 5, 8]), "query has batch 2, but key has 3"),
        (
            (gc.f32["N", 3, 8], gc.f32[5, 8], gc.f32[5, 8]),
            "query, key and value have 3 axes, or 2 without a batch, not f32[N,3,8], f32[5,8] and f32[5,8]",
        ),
    ],
)
def test_the_layer_says_which_inputs_do_not_fit(specs: Any, rule: str) -> None:
    assert refusal(nn.MultiheadAttention(8, 2, batch_first=True), *specs).rule == f"MultiheadAttention: {rule}"


@pytest.mark.parametrize(
    ("masks", "rule"),
    [
        (
            {"attn_mask": np.zeros((2, 4), bool)},
            "attn_mask has shape (3,5) or (4,3,5), but this one has (2,4)",
        ),
        ({"key_padding_mask": np.zeros((2, 4), bool)}, "key_padding_mask has shape (2,5), but this one has (2,4)"),
        (
            {"attn_mask": np.zeros((3, 5), np.int64)},
            "attn_mask is boolean or of floats, but it is i64[3,5]",
        ),
    ],
)
def test_the_layer_says_which_masks_do_not_fit(masks: Any, rule: str) -> None:
    specs = gc.f32[2, 3, 8], gc.f32[2, 5, 8], gc.f32[2, 5, 8]
    error = refusal(nn.MultiheadAttention(8, 2, batch_first=True), *specs, **masks)
    assert error.rule == f"MultiheadAttention: {rule}"
    assert "test_attention.py" in str(error)


# -- the encoder ------------------------------------------------------------------------------------------------------


def test_the_encoders_layers_are_copies() -> None:
    layer = nn.TransformerEncoderLayer(4, 2, 6)
    model = nn.TransformerEncoder(layer, 3)
    assert len(list(model.parameters())) == 3 * len(list(layer.parameters()))
    for copied in model.layers:
        for name, array in copied.state_dict().items():
            np.testing.assert_array_equal(array, layer.state_dict()[name])


def test_the_encoder_is_its_layers_then_its_norm() -> None:
    model, x = encoder().double().eval(), RNG.normal(size=(5, 2, 4))
    padding, later = np.array([[0, 0, 0, 0, 1], [0] * 5], bool), np.triu(np.ones((5, 5), bool), 1)

    def by_hand(x: Any) -> Any:
        for layer in model.layers:
            x = layer(x, later, padding)
        return model.norm(x)

    expected = run(by_hand, x)
    np.testing.assert_array_equal(run(lambda x: model(x, later, padding), x), expected)
    np.testing.assert_allclose(run(lambda x: model(x, None, padding, is_causal=True), x), expected, rtol=1e-12)


def test_activations_are_names_functions_and_modules() -> None:
    x = RNG.normal(size=(5, 4)).astype(np.float32)
    results = []
    for activation in ("gelu", F.gelu, nn.GELU()):
        gc.manual_seed(0)
        results.append(run(nn.TransformerEncoderLayer(4, 2, 6, 0.0, activation), x))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])
    with pytest.raises(gc.errors.OpAttributeError) as caught:
        nn.TransformerEncoderLayer(4, 2, activation="tanh")
    assert caught.value.rule == "TransformerEncoderLayer: activation is one of relu, gelu, or a function, not 'tanh'"
