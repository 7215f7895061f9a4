"""Attention: the function with its masks, the layer in all its forms, encoder layers of a transformer.

`arguments` of a module are the constructor's, fact `call` holds those of the call, and fact `shared` says that one
input is query, key and value. Groups of a module: parameters, inputs, outputs (`output`, and `weights` where they were
asked for), cotangents, gradients. Cases `repr-…` hold facts only, as in `layers`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from tests.oracles.case import Case
from tests.oracles.torch_cases.call import array, backward, functional_case, leaves
from tests.oracles.torch_cases.layers import fill, state_facts
from torch import nn

FILE = "nn_attention"

SEES = np.array([[1, 0, 1, 1, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 1]], bool)
NOWHERE = np.array([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 1]], bool)
HIDDEN = np.where(SEES, 0.0, -np.inf)


def functional() -> Iterator[Case]:
    rng = np.random.default_rng(30)

    def operands(q: Any = (2, 3, 4), k: Any = (2, 5, 4), v: Any = (2, 5, 6), **more: Any) -> dict[str, np.ndarray]:
        return {"query": rng.normal(size=q), "key": rng.normal(size=k), "value": rng.normal(size=v), **more}

    grouped = ((2, 6, 3, 4), (2, 2, 5, 4), (2, 2, 5, 4))
    rows: list[tuple[str, dict[str, np.ndarray], dict[str, Any]]] = [
        ("plain", operands(), {}),
        ("matrices", operands((3, 4), (5, 4), (5, 6)), {}),
        ("scale", operands(), {"scale": 0.3}),
        ("causal", operands(), {"is_causal": True}),
        ("causal-long", operands((2, 5, 4), (2, 3, 4), (2, 3, 6)), {"is_causal": True}),
        ("boolean", operands(attn_mask=SEES), {}),
        ("boolean-keys", operands(attn_mask=SEES[0]), {}),
        ("nowhere", operands(attn_mask=NOWHERE), {}),
        ("nowhere-each", operands(attn_mask=np.stack([NOWHERE, SEES])), {}),
        ("float", operands(attn_mask=rng.normal(size=(2, 1, 5))), {"scale": 2.0}),
        ("float-hidden", operands(attn_mask=HIDDEN), {}),
        ("broadcast", operands((3, 1, 3, 4), (2, 5, 4), (5, 6)), {}),
        ("grouped", operands(*grouped), {"enable_gqa": True}),
        ("grouped-causal", operands(*grouped), {"enable_gqa": True, "is_causal": True}),
        ("grouped-mask", operands(*grouped, attn_mask=rng.normal(size=(6, 3, 5))), {"enable_gqa": True}),
        ("grouped-one-mask", operands(*grouped, attn_mask=np.stack([[SEES], [NOWHERE]])), {"enable_gqa": True}),
        ("no-keys", operands((2, 3, 4), (2, 0, 4), (2, 0, 6)), {}),
    ]
    for label, inputs, arguments in rows:
        yield functional_case(f"sdpa-{label}", "scaled_dot_product_attention", inputs, arguments)
    narrow = {name: x.astype(np.float32) for name, x in operands().items()}
    yield functional_case("sdpa-float32", "scaled_dot_product_attention", narrow)


def module_case(
    name: str,
    layer: str,
    arguments: Mapping[str, Any],
    inputs: Mapping[str, np.ndarray],
    call: Mapping[str, Any] | None = None,
    shared: bool = False,
) -> Case:
    module = getattr(nn, layer)(**arguments)
    parameters = fill(module, np.random.default_rng(31), torch.float64)
    tensors = leaves(inputs, None)
    given = {**tensors, **(call or {})}
    if shared:
        given |= {"key": given["query"], "value": given["query"]}
    results = module(**given)
    output, weights = results if isinstance(results, tuple) else (results, None)
    groups = backward(output, {**tensors, **dict(module.named_parameters())})
    if weights is not None:
        groups["outputs"]["weights"] = array(weights)
    facts = {"call": dict(call or {}), "shared": shared}
    return Case(name, layer, arguments, {"parameters": parameters, "inputs": inputs, **groups}, facts)


def multi_head() -> Iterator[Case]:
    rng = np.random.default_rng(32)
    sizes = {"embed_dim": 4, "num_heads": 2}
    first = {**sizes, "batch_first": True}
    appended = {"add_bias_kv": True, "add_zero_attn": True}
    q, k, v = rng.normal(size=(3, 2, 4)), rng.normal(size=(5, 2, 4)), rng.normal(size=(5, 2, 4))
    inputs = {"query": q, "key": k, "value": v}
    batches = {name: x.transpose(1, 0, 2) for name, x in inputs.items()}
    single = {name: x[:, 0] for name, x in inputs.items()}
    padding = np.array([[0, 0, 0, 1, 1], [0, 0, 1, 0, 0]], bool)
    each = rng.normal(size=(4, 3, 5))
    causal = np.triu(np.ones((5, 5), bool), 1)
    quiet, heads = {"need_weights": False}, {"average_attn_weights": False}
    rows: list[tuple[str, dict[str, Any], dict[str, np.ndarray], dict[str, Any]]] = [
        ("plain", sizes, inputs, {}),
        ("batch_first", first, batches, {}),
        ("batch_first-quiet", first, batches, quiet),
        ("heads", first, batches, heads),
        ("single", sizes, single, {}),
        ("single-heads", first, single, heads),
        ("single-masks", sizes, {**single, "key_padding_mask": padding[0], "attn_mask": ~SEES}, {}),
        ("single-each", sizes, {**single, "attn_mask": each[:2]}, quiet),
        ("nobias", {**sizes, "bias": False}, inputs, {}),
        ("padding", first, {**batches, "key_padding_mask": padding}, {}),
        ("padding-quiet", sizes, {**inputs, "key_padding_mask": padding}, quiet),
        ("padding-float", first, {**batches, "key_padding_mask": rng.normal(size=(2, 5))}, {}),
        ("mask", first, {**batches, "attn_mask": ~SEES}, {}),
        ("mask-each", first, {**batches, "attn_mask": each}, {}),
        ("mask-each-quiet", sizes, {**inputs, "attn_mask": each > 0.5}, quiet),
        ("both", first, {**batches, "key_padding_mask": padding, "attn_mask": ~SEES}, {}),
        ("both-kinds", first, {**batches, "key_padding_mask": padding, "attn_mask": each}, {}),
        ("appended", {**sizes, **appended}, inputs, {}),
        ("appended-masks", {**first, **appended}, {**batches, "key_padding_mask": padding, "attn_mask": ~SEES}, {}),
        ("appended-single", {**sizes, **appended}, {**single, "key_padding_mask": padding[0]}, quiet),
        ("zero", {**first, "add_zero_attn": True}, {**batches, "attn_mask": each}, quiet),
        ("bias_kv", {**first, "add_bias_kv": True, "bias": False}, batches, heads),
        (
            "kdim,vdim",
            {**first, "kdim": 3, "vdim": 5},
            {**batches, "key": rng.normal(size=(2, 5, 3)), "value": rng.normal(size=(2, 5, 5))},
            {},
        ),
        (
            "kdim",
            {**sizes, "kdim": 3, "bias": False},
            {**inputs, "key": rng.normal(size=(5, 2, 3))},
            quiet,
        ),
    ]
    for label, arguments, arrays, call in rows:
        yield module_case(f"mha-{label}", "MultiheadAttention", arguments, arrays, call)
    x = {"query": rng.normal(size=(2, 5, 4)), "attn_mask": causal}
    for label, call in (("causal", {"is_causal": True}), ("causal-quiet", {"is_causal": True, **quiet})):
        yield module_case(f"mha-self-{label}", "MultiheadAttention", first, x, call, shared=True)
    x = {**x, "key_padding_mask": padding}
    yield module_case("mha-self-causal-padding", "MultiheadAttention", first, x, {"is_causal": True}, shared=True)


def encoder_layers() -> Iterator[Case]:
    rng = np.random.default_rng(33)
    sizes = {"d_model": 4, "nhead": 2, "dim_feedforward": 6, "dropout": 0.0}
    first = {**sizes, "batch_first": True}
    x = {"src": rng.normal(size=(2, 5, 4))}
    masks = {
        "src_mask": np.triu(np.ones((5, 5), bool), 1),
        "src_key_padding_mask": np.array([[0, 0, 0, 1, 1], [0, 0, 1, 0, 0]], bool),
    }
    rows: list[tuple[str, dict[str, Any], dict[str, np.ndarray], dict[str, Any]]] = [
        ("plain", sizes, x, {}),
        ("batch_first", first, x, {}),
        ("norm_first", {**first, "norm_first": True, "layer_norm_eps": 0.1}, x, {}),
        ("gelu", {**first, "activation": "gelu", "bias": False}, x, {}),
        ("single", sizes, {"src": x["src"][0]}, {}),
        ("masks", {**first, "norm_first": True}, {**x, **masks}, {}),
        ("causal", first, {**x, "src_mask": masks["src_mask"]}, {"is_causal": True}),
    ]
    for label, arguments, arrays, call in rows:
        yield module_case(f"encoder-{label}", "TransformerEncoderLayer", arguments, arrays, call)


PRINTED: list[tuple[str, dict[str, Any]]] = [
    ("MultiheadAttention", {"embed_dim": 4, "num_heads": 2}),
    ("MultiheadAttention", {"embed_dim": 4, "num_heads": 2, "bias": False, "add_bias_kv": True}),
    ("MultiheadAttention", {"embed_dim": 4, "num_heads": 2, "kdim": 3, "vdim": 5, "add_bias_kv": True}),
    ("MultiheadAttention", {"embed_dim": 4, "num_heads": 2, "vdim": 5, "bias": False}),
    ("TransformerEncoderLayer", {"d_model": 4, "nhead": 2, "dim_feedforward": 6, "norm_first": True}),
    ("TransformerEncoderLayer", {"d_model": 4, "nhead": 2, "dim_feedforward": 6, "bias": False}),
]


def printed() -> Iterator[Case]:
    for layer, arguments in PRINTED:
        label = ",".join(f"{key}={value}" for key, value in arguments.items())
        facts = state_facts(getattr(nn, layer)(**arguments))
        yield Case(f"repr-{layer}({label})", layer, arguments, facts=_with_plain_linear(facts))
    layer = nn.TransformerEncoderLayer(4, 2, 6)
    facts = state_facts(nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(4)))
    yield Case("tree-TransformerEncoder", "TransformerEncoder", facts=_with_plain_linear(facts))


def _with_plain_linear(facts: dict[str, Any]) -> dict[str, Any]:
    """torch's output projection has a class of its own, which differs from Linear only in its name."""
    return {**facts, "repr": facts["repr"].replace("NonDynamicallyQuantizableLinear", "Linear")}


def cases() -> Iterator[Case]:
    yield from functional()
    yield from multi_head()
    yield from encoder_layers()
    yield from printed()
